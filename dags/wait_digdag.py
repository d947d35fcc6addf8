"""Waits for a task of another team's Digdag instead of for the clock. It fails as soon as
that has failed, waits half an hour for its retry, and goes on while the server restarts.
The other way round, a .dig file waits for an Airflow's task by airflow.wait.
"""

from outrider_airflow import OutriderOperator

try:  # Airflow 3
    from airflow.sdk import DAG, Param, task
except ImportError:
    from airflow import DAG
    from airflow.decorators import task
    from airflow.models.param import Param

with DAG(
    "wait_digdag",
    schedule=None,
    catchup=False,
    params={
        "endpoint": Param("http://127.0.0.1:65432", type="string", description="The Digdag server"),
        "upstream": Param("ingest/daily", type="string", description="PROJECT/WORKFLOW there"),
    },
):
    upstream = OutriderOperator(
        task_id="upstream",
        component="digdag.wait",
        params={
            "endpoint": "{{ params.endpoint }}",
            "address": "{{ params.upstream }}@today+load",  # today's session in its workflow's zone, and its +load
            "grace": "30m",
            "timeout": "4h",
        },
    )

    @task
    def report(run):
        print(f"the data of {run['time']} is there, from attempt {run['id']}")

    report(upstream.output["run"])
