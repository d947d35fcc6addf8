"""Three ends that a shell's exit code cannot tell Airflow apart: skipped, failed for good
(no retry is made, however many the task has), and failed with "again in so long".

A BashOperator retries a wrong URL as it does a server that is restarting. The operator
does what the component says: http.request knows that 404 stays 404, and it waits for as
long as a server's Retry-After asks.
"""

from datetime import timedelta

from outrider_airflow import OutriderOperator

try:  # Airflow 3
    from airflow.sdk import DAG, Param
except ImportError:
    from airflow import DAG
    from airflow.models.param import Param

with DAG(
    "ends",
    schedule=None,
    catchup=False,
    params={"api": Param("http://127.0.0.1:9000", type="string", description="The server of the orders")},
    default_args={"retries": 3, "retry_delay": timedelta(minutes=5)},
):
    # Failed for good at its first try where there is no such page; 503 and 429 are
    # tried again when the server says, without a worker's slot meanwhile.
    fetch = OutriderOperator(
        task_id="fetch",
        component="http.request",
        params={"url": "{{ params.api }}/orders", "retries": 0},
    )

    # Skipped where another run of whatever DAG, of Digdag or of cron imports already.
    bring_in = OutriderOperator(
        task_id="import",
        component="http.request",
        params={"url": "{{ params.api }}/import", "method": "POST", "json": {"run": "{{ run_id }}"}},
        lock="import",
        on_busy="skip",
    )

    # What comes behind a skipped task is skipped too, unless its rule says otherwise.
    report = OutriderOperator(
        task_id="report",
        component="http.request",
        params={"url": "{{ params.api }}/report", "json": {"imported": "{{ ti.xcom_pull(task_ids='import') is not none }}"}, "method": "POST"},
        trigger_rule="none_failed",
    )

    fetch >> report
    bring_in >> report
