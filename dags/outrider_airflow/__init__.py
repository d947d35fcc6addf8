"""Runs Outrider's components as Airflow tasks, on Airflow 2.10 and later and on 3.

    from outrider_airflow import OutriderOperator
"""

__version__ = "0.1.0"
__all__ = ["OutriderOperator"]


def __getattr__(name):
    # Not at once: Airflow asks for the provider's metadata while it starts, when
    # nothing of it can be imported yet.
    if name == "OutriderOperator":
        from outrider_airflow.operator import OutriderOperator

        return OutriderOperator
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
