"""Values handed on: what a component returns is a parameter of every task behind it, with
its type. The same job for Digdag, of the same components, is dig/etl.dig.

It goes with the data and the scripts of examples/etl, in a folder of their own:

    mkdir DAGS/shop && cp dags/etl.py examples/etl/orders* DAGS/shop/

and with the operator: pip install ./dags/outrider_airflow, or copy that folder to DAGS.
"""

from datetime import timedelta
from pathlib import Path

from outrider_airflow import OutriderOperator

try:  # Airflow 3
    from airflow.sdk import DAG, Param, task
except ImportError:
    from airflow import DAG
    from airflow.decorators import task
    from airflow.models.param import Param

HERE = str(Path(__file__).parent)

with DAG(
    "etl",
    schedule=None,
    catchup=False,
    params={
        "month": Param("2026-03", type="string", pattern="^[0-9]{4}-[0-9]{2}$", description="The month to take"),
        "work": Param("/var/tmp/etl", type="string", description="A folder for files between the tasks"),
    },
    # The *.component.yml stand here, and paths such as orders.csv are from here.
    default_args={"cwd": HERE, "env": {"OUTRIDER_PLUGIN_PATH": HERE}},
):
    orders, sales = "{{ params.work }}/orders.jsonl", "{{ params.work }}/sales.csv"

    extract = OutriderOperator(
        task_id="extract",
        component="orders.extract",
        params={"source": "orders.csv", "month": "{{ params.month }}", "to": orders},
    )

    @task.short_circuit  # a month without orders is none to load: the rest is skipped
    def some(count):
        return count > 0

    transform = OutriderOperator(
        task_id="transform",
        component="orders.transform",
        params={"rates": {"EUR": 1, "GBP": 0.86, "NOK": 11.6, "USD": 1.09}, "orders": orders, "to": sales},
    )
    check = OutriderOperator(task_id="check", component="orders.check", params={"orders": orders, "sales": sales})
    load = OutriderOperator(
        task_id="load",
        component="orders.load",
        params={"sales": sales, "month": "{{ params.month }}", "database": "{{ params.work }}/shop.db"},
        retries=1,  # loading twice is loading once
        retry_delay=timedelta(seconds=10),
    )

    @task
    def tell(rows, cents, params=None):
        print(f"{rows} rows of {params['month']}, {cents / 100:.2f} in all")

    some(extract.output["orders"]) >> transform >> check >> load >> tell(load.output["rows"], load.output["revenue_cents"])
