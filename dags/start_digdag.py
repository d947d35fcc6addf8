"""Starts a workflow in Digdag, with what this DAG knows, and waits for its end.

A retry starts no second attempt: a session is known by its time, here midnight of the
day, and digdag.start takes the one that there is (its output existed says so). A failure
there fails this task, and a retry of it waits for the session's retry there.
"""

from outrider_airflow import OutriderOperator

try:  # Airflow 3
    from airflow.sdk import DAG, Param
except ImportError:
    from airflow import DAG
    from airflow.models.param import Param

with DAG(
    "start_digdag",
    schedule=None,
    catchup=False,
    params={
        "endpoint": Param("http://127.0.0.1:65432", type="string", description="The Digdag server"),
        "workflow": Param("etl/daily", type="string", description="PROJECT/WORKFLOW there"),
        "day": Param("2026-03-01", type="string", format="date", description="The session's day"),
    },
):
    OutriderOperator(
        task_id="daily",
        component="digdag.start",
        params={
            "endpoint": "{{ params.endpoint }}",
            "address": "{{ params.workflow }}@{{ params.day }}T00:00:00",
            "params": {"from": "{{ run_id }}", "rows": 3},
            "wait": True,
        },
    )
