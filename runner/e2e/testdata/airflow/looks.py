"""What airflow.observe, airflow.status and airflow.logs look at."""

from datetime import datetime, timedelta

try:  # Airflow 3
    from airflow.providers.standard.operators.bash import BashOperator
    from airflow.sdk import DAG
except ImportError:
    from airflow import DAG
    from airflow.operators.bash import BashOperator


def tasks():
    """One that holds until there is a file, and then fails, twice, beside others."""
    begin = BashOperator(task_id="begin", bash_command="echo now it has begun")
    parts = BashOperator.partial(task_id="part", bash_command="echo part $N is here", append_env=True).expand(env=[{"N": "zero"}, {"N": "one"}])
    hold = BashOperator(
        task_id="hold",
        retries=1,
        retry_delay=timedelta(0),
        bash_command='printf "it %s\\n" holds; until [ -e "{{ dag_run.conf["dir"] }}/release" ]; do sleep 0.1; done; printf "no such %s\\n" table; exit 3',
    )
    after = BashOperator(task_id="after", bash_command="echo never")
    begin >> [parts, hold]
    hold >> after


with DAG("looked", schedule=None):
    tasks()

with DAG("looked_later", schedule=None, is_paused_upon_creation=True):
    tasks()

with DAG(
    "looked_paused",
    schedule="30 4 * * *",
    start_date=datetime(2026, 1, 1),
    catchup=False,
    is_paused_upon_creation=True,
    max_active_runs=2,
    tags=["team:data", "nightly"],
    default_args={"owner": "ops"},
):
    BashOperator(task_id="never", bash_command="true")
