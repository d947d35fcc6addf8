"""What the checker watches."""

from datetime import datetime

try:  # Airflow 3
    from airflow.providers.standard.operators.bash import BashOperator
    from airflow.sdk import DAG
except ImportError:
    from airflow import DAG
    from airflow.operators.bash import BashOperator


def load():
    """Done at once, unless it is to hang."""
    BashOperator(
        task_id="load",
        bash_command='[ -z "{{ dag_run.conf.get("hang", "") }}" ] || { printf "waits for the %s\\n" warehouse; exec sleep 1000; }',
    )


with DAG("checked_long", schedule=None):
    load()

with DAG("checked_owned", schedule=None, tags=["outrider:threshold=4s", "outrider:channel=#orders", "outrider:runbook=https://wiki.example/orders"]):
    load()

with DAG("checked_full", schedule=None, max_active_runs=1):
    load()

with DAG("checked_fails", schedule=None):
    BashOperator(
        task_id="sum",
        bash_command='dir="{{ dag_run.conf["dir"] }}"; [ -e "$dir/fixed" ] || { printf "no such %s\\n" table; exit 3; }; until [ -e "$dir/release" ]; do sleep 0.1; done',
    )

with DAG("checked_off", schedule="30 4 * * *", start_date=datetime(2026, 1, 1), catchup=False):
    load()
