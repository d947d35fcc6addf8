"""With those of the other files two hundred DAGs. These are paused, so that runs of them
stay open."""

from datetime import datetime

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG

for n in range(198):
    with DAG(f"observed_{n}", schedule="@monthly", start_date=datetime(2026, 1, 1), catchup=False, is_paused_upon_creation=True):
        EmptyOperator(task_id="a")
