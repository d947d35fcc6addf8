"""One job, scheduled in Airflow and still in Digdag while it moves: whoever comes first
runs it, the other takes its outputs and goes on. That is one once-key in both:

    timezone: UTC
    schedule:
      daily>: 05:00:00

    +load:
      py>: http.request
      python: [outrider, py, --once-key, "load-${session_date}"]
      with: {url: "http://127.0.0.1:9000/load", method: POST, query: {day: "${session_date}"}}

The day is that on which the schedule starts the run, in the same zone on both sides: the
session_date there; here the end of the run's data interval, or, where there is none, when
the run was to start. Airflow's ds is another day, or none at all.

Two things must be the same on both sides: the ledger, which several hosts share as a
PostgreSQL database (outrider.yml), and the parameters: a key's second use with others is
an error that names both. In the end the .dig file is deleted, and nothing else changes.
"""

import pendulum
from outrider_airflow import OutriderOperator

try:  # Airflow 3
    from airflow.sdk import DAG, Param
except ImportError:
    from airflow import DAG
    from airflow.models.param import Param

with DAG(
    "migration",
    schedule=None,  # the same as the workflow's: "0 5 * * *"
    start_date=pendulum.datetime(2026, 3, 1, tz="UTC"),  # its zone is the DAG's
    catchup=False,
    params={
        "api": Param("http://127.0.0.1:9000", type="string", description="The warehouse's server"),
        "day": Param(None, type=["null", "string"], description="The day to load; else the run's own"),
    },
):
    day = (
        "{{ params.day or (data_interval_end | default(dag_run.run_after, true))"
        ".astimezone(dag.timezone).strftime('%Y-%m-%d') }}"
    )
    OutriderOperator(
        task_id="load",
        component="http.request",
        params={"url": "{{ params.api }}/load", "method": "POST", "query": {"day": day}},
        once=f"load-{day}",
    )
