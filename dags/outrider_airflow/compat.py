"""Airflow's names, from where this Airflow has them: 2.10 and 2.11, 3.0 and later."""

try:  # Airflow 3
    from airflow.sdk import BaseOperator
    from airflow.sdk.definitions.mappedoperator import OperatorPartial
except ImportError:
    from airflow.models.baseoperator import BaseOperator
    from airflow.models.mappedoperator import OperatorPartial

try:  # Airflow 3.1
    from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException
except ImportError:
    from airflow.exceptions import AirflowException, AirflowFailException, AirflowSkipException

try:  # Airflow 3.3
    from airflow.sdk import RetryDecision, RetryPolicy
except ImportError:
    RetryDecision = RetryPolicy = None

__all__ = [
    "AirflowException",
    "AirflowFailException",
    "AirflowSkipException",
    "BaseOperator",
    "OperatorPartial",
    "RetryDecision",
    "RetryPolicy",
    "pages",
    "time_trigger",
]


def time_trigger(moment):
    """Airflow's own trigger that fires at a time, of the standard provider where it is there."""
    try:
        from airflow.providers.standard.triggers.temporal import DateTimeTrigger
    except ImportError:
        from airflow.triggers.temporal import DateTimeTrigger
    return DateTimeTrigger(moment=moment)


def pages():
    """Where this Airflow's pages stand, by its own configuration; "" where it does not say."""
    from airflow.configuration import conf

    for section in ("api", "webserver"):  # 3, 2
        if url := conf.get(section, "base_url", fallback=""):
            return url
    return ""
