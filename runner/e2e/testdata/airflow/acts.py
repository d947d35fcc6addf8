"""The DAGs on which the airflow plugin's components act. dir in a run's conf is a folder of the test's own."""

import pendulum

try:  # Airflow 3
    from airflow.providers.standard.operators.bash import BashOperator
    from airflow.providers.standard.operators.python import ShortCircuitOperator
    from airflow.sdk import DAG
except ImportError:
    from airflow import DAG
    from airflow.operators.bash import BashOperator
    from airflow.operators.python import ShortCircuitOperator

DIR = "cd '{{ dag_run.conf['dir'] }}'; "
# It ends when the test says so, or when its server is given up.
GATED = DIR + 'echo $$ >on.$AIRFLOW_CTX_TASK_ID; for i in $(seq 1500); do test -e release && exit 0; sleep 0.1; done; exit 9'

with DAG("acts_ok", schedule=None, params={"region": "eu"}):
    BashOperator(task_id="say", bash_command="echo said")

# load is fine, sum fails until the test wants it, send follows it; beside, by itself.
with DAG("acts_chain", schedule=None):
    load = BashOperator(task_id="load", bash_command=DIR + "echo load >>ran")
    sums = BashOperator(task_id="sum", bash_command=DIR + "echo sum >>ran; test -e fixed || { echo >&2 sums differ; exit 3; }")
    send = BashOperator(task_id="send", bash_command=DIR + "echo send >>ran")
    beside = BashOperator(task_id="beside", bash_command=DIR + "echo beside >>ran")
    load >> sums >> send
    load >> beside

with DAG("acts_mapped", schedule=None):
    files = ["a", "b", "c"]
    each = BashOperator.partial(task_id="each").expand(
        bash_command=[DIR + f"echo {f} >>ran; test {f} != b || test -e fixed" for f in files],
    )
    each >> BashOperator(task_id="last", bash_command=DIR + "echo last >>ran")

with DAG("acts_long", schedule=None):
    long = BashOperator(task_id="long", bash_command=GATED)
    also = BashOperator(task_id="also", bash_command=GATED)
    long >> BashOperator(task_id="after", bash_command="true")

# What follows is skipped, by decision.
with DAG("acts_short", schedule=None):
    cut = ShortCircuitOperator(task_id="cut", python_callable=lambda: False)
    cut >> BashOperator(task_id="rest", bash_command="true")

with DAG("acts_paused", schedule=None, is_paused_upon_creation=True):
    BashOperator(task_id="say", bash_command="echo said")

# Its run of today bears yesterday's date in Airflow 2.
with DAG(
    "acts_daily",
    schedule="@daily",
    start_date=pendulum.datetime(2026, 1, 1, tz="Asia/Tokyo"),
    catchup=False,
    is_paused_upon_creation=True,
):
    BashOperator(task_id="say", bash_command="echo said")
