"""One month of a shop's orders, from its export into a database.

The same job for Digdag, with the same commands, is etl.dig. Put this whole folder
into the DAGs folder of an Airflow 3; the workers need outrider and outrider-plugin-etl on
their PATH.
"""

from datetime import timedelta
from pathlib import Path

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG, Param

HERE = str(Path(__file__).parent)

with DAG(
    "etl",
    schedule=None,
    params={
        "month": Param("2026-03", type="string", description="The month to take"),
        "work": Param("/var/tmp/etl", type="string", description="A folder for files between the tasks"),
    },
    default_args={
        "cwd": HERE,
        # By the environment, so that no value is read as a part of the command.
        "env": {"OUTRIDER_PLUGIN_PATH": HERE, "month": "{{ params.month }}", "work": "{{ params.work }}"},
        "append_env": True,
    },
):
    extract = BashOperator(
        task_id="extract",
        bash_command='outrider run orders.extract --source orders.csv --month "$month" --to "$work/orders.jsonl"',
    )
    transform = BashOperator(
        task_id="transform",
        bash_command='outrider run --params rates.yml orders.transform --orders "$work/orders.jsonl" --to "$work/sales.csv"',
    )
    check = BashOperator(
        task_id="check",
        bash_command='outrider run orders.check --orders "$work/orders.jsonl" --sales "$work/sales.csv"',
    )
    load = BashOperator(
        task_id="load",
        retries=1,  # loading twice is loading once
        retry_delay=timedelta(seconds=1),
        bash_command='outrider run orders.load --sales "$work/sales.csv" --month "$month" --database "$work/shop.db"',
    )
    extract >> transform >> check >> load
