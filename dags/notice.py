"""A notice that says which task failed and what it said last. The notice is a task of its
own, not an on_failure_callback: it is retried, has a log, and Outrider's record. The
run has failed all the same, by its last task done: Airflow judges by those alone.

airflow.status needs a user who may read this DAG, with AIRFLOW_PASSWORD in the workers'
environment; the operator tells it where Airflow's pages are. A scheduler that
is dead runs no task, this one neither: that is what outrider-checker is for.

http.request posts it as JSON, to a chat's webhook or an alert manager. slack.post and
notify.send take the same text: see plugins/README.md.
"""

from outrider_airflow import OutriderOperator

try:  # Airflow 3
    from airflow.providers.standard.operators.empty import EmptyOperator
    from airflow.sdk import DAG, Param
except ImportError:
    from airflow import DAG
    from airflow.models.param import Param
    from airflow.operators.empty import EmptyOperator

with DAG(
    "notice",
    schedule=None,
    catchup=False,
    params={
        "webhook": Param("http://127.0.0.1:9000/notice", type="string", description="Who is told"),
        "user": Param("outrider", type="string", description="Who may read this DAG"),
    },
):
    load = OutriderOperator(
        task_id="load",
        component="file.check",
        params={"path": "/srv/in/orders.csv", "max_age": "24h", "min_rows": 1},
    )

    look = OutriderOperator(
        task_id="look",
        component="airflow.status",
        params={
            "address": "{{ dag.dag_id }}@{{ run_id }}",
            "user": "{{ params.user }}",
            "password": "env:AIRFLOW_PASSWORD",
        },
        trigger_rule="one_failed",
    )

    tell = OutriderOperator(
        task_id="tell",
        component="http.request",
        params={
            "method": "POST",
            "url": "{{ params.webhook }}",
            "json": {
                "text": "{{ dag.dag_id }}/{{ ti.xcom_pull(task_ids='look', key='failed')[0].name }} failed:"
                "\n{{ ti.xcom_pull(task_ids='look', key='log_tail') }}"
            },
        },
        retries=3,
    )

    load >> look >> tell
    load >> EmptyOperator(task_id="done")
