"""Watches this Airflow, all DAGs of it, and a Digdag, every minute, and tells Slack: runs
that take longer than they usually do, that hang, wait or failed, that are late or never
came, DAGs that broke or stay paused, a full pool. There is no list to maintain: a DAG of
tomorrow is watched.

It needs outrider, outrider-checker and the plugins on the workers' PATH, and in their
environment AIRFLOW_USER and AIRFLOW_PASSWORD of somebody who may see all DAGs, and
SLACK_TOKEN (a bot's, with the scope chat:write) or SLACK_WEBHOOK. What was told is kept in
Outrider's state folder, which the workers have to share, or in PostgreSQL (`ledger:` in
outrider.yml): nothing is told twice.

A DAG may say by its tags what is too long for it, and who is told:
tags=["outrider:threshold=2h", "outrider:channel=#orders"].

That goes before the threshold below, and a rule of outrider.yml before both.

A scheduler that is dead starts no task, this one neither. Let somebody else ask now and
then `outrider-checker last-pass --max-age 5m --airflow http://127.0.0.1:8080`, with the
endpoint below, and --digdag where there is one: they say which checker is meant. Or run the
checker beside Airflow instead: examples/monitor.
"""

from datetime import datetime, timedelta

try:  # Airflow 3
    from airflow.providers.standard.operators.bash import BashOperator
    from airflow.sdk import DAG, Param
except ImportError:
    from airflow import DAG
    from airflow.models.param import Param
    from airflow.operators.bash import BashOperator

with DAG(
    "monitor",
    schedule=timedelta(minutes=1),
    start_date=datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(minutes=10),
    params={
        "endpoint": Param("http://127.0.0.1:8080", type="string", description="Where this Airflow's API is"),
        "digdag": Param("", type="string", description="A Digdag, such as http://127.0.0.1:65432"),
        "channel": Param("#data", type="string"),
        "threshold": Param("usual", type="string", description="or usual*1.5, or 2h"),
    },
):
    BashOperator(
        task_id="watch",
        bash_command='outrider-checker check --exit-zero --airflow "$AIRFLOW" --digdag "$DIGDAG" '
        '--slack "$CHANNEL" --threshold "$THRESHOLD"',
        env={
            "AIRFLOW": "{{ params.endpoint }}",
            "DIGDAG": "{{ params.digdag }}",
            "CHANNEL": "{{ params.channel }}",
            "THRESHOLD": "{{ params.threshold }}",
        },
        append_env=True,
    )
