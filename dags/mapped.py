"""As many tasks as there are files: one looks which exports are there and whole, and one
for each of them checks it. A check that fails for good is made no second time, and the
others go on; the run has then failed, though the total is made: Airflow judges by the
last tasks alone, and done is one of them.
"""

from outrider_airflow import OutriderOperator

try:  # Airflow 3
    from airflow.providers.standard.operators.empty import EmptyOperator
    from airflow.sdk import DAG, Param, task
except ImportError:
    from airflow import DAG
    from airflow.decorators import task
    from airflow.models.param import Param
    from airflow.operators.empty import EmptyOperator

with DAG(
    "mapped",
    schedule=None,
    catchup=False,
    params={"glob": Param("/srv/in/orders-*.csv", type="string", description="The exports")},
):
    wait = OutriderOperator(
        task_id="wait",
        component="file.wait",
        params={"glob": "{{ params.glob }}", "unchanged_for": "1s", "every": "1s", "timeout": "6h"},
    )

    @task
    def checks(found):  # the parameters of each
        return [{"path": f["path"], "min_rows": 1, "rows": "csv", "header": True} for f in found["files"]]

    # With the files in a map_index_template, Airflow's pages would show each by name.
    check = OutriderOperator.partial(task_id="check", component="file.check").expand(params=checks(wait.output))

    @task(trigger_rule="all_done")
    def total(rows):
        print(f"{sum(rows)} rows in {len(rows)} good files")

    total(check.output.map(lambda outputs: outputs["rows"]))
    check >> EmptyOperator(task_id="done")
