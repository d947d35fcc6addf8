"""One at a time, and not too many: a lock that no other run shares, whoever calls it (this
DAG's next run, Digdag, cron), and two of a warehouse's slots. Set these once:
outrider pools set warehouse 4

A task that waits for longer than wait_max gives its worker back and is deferred, for 30 s
at a time; Outrider keeps its place in the queue. The lock is given back when all of the
component is gone, also after a kill. Airflow's own pools hold for one Airflow only.
"""

from datetime import timedelta

from outrider_airflow import OutriderOperator

try:  # Airflow 3
    from airflow.sdk import DAG, Param
except ImportError:
    from airflow import DAG
    from airflow.models.param import Param

with DAG(
    "lock",
    schedule=None,
    catchup=False,
    params={"api": Param("http://127.0.0.1:9000", type="string", description="The warehouse's server")},
):
    load = OutriderOperator(
        task_id="load",
        component="http.request",
        params={"url": "{{ params.api }}/load", "method": "POST", "json": {"run": "{{ run_id }}"}},
        lock="orders",
        wait_max=timedelta(minutes=1),
        timeout=timedelta(minutes=30),  # ends the component and all its children
    )

    # Three at once want two slots each of four: the third waits.
    many = [
        OutriderOperator(
            task_id=f"aggregate_{region}",
            component="http.request",
            params={"url": "{{ params.api }}/aggregate", "query": {"region": region}},
            pool={"warehouse": 2},
        )
        for region in ("eu", "us", "asia")
    ]

    # Done once a DAG run, whatever is cleared or retried.
    charge = OutriderOperator(
        task_id="charge",
        component="http.request",
        params={"url": "{{ params.api }}/charge", "method": "POST"},
        once=True,
    )

    load >> many >> charge
