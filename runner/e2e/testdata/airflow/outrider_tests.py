"""The DAGs of the tests. Most run the command that their run's conf holds."""

from datetime import timedelta

try:  # Airflow 3
    from airflow.providers.standard.operators.bash import BashOperator
    from airflow.sdk import DAG
except ImportError:
    from airflow import DAG
    from airflow.operators.bash import BashOperator

COMMAND = "{{ dag_run.conf['command'] }}"
NOW, LATER = timedelta(0), timedelta(seconds=5)

with DAG("once", schedule=None):
    BashOperator(task_id="run", bash_command=COMMAND)

with DAG("again", schedule=None):
    BashOperator(task_id="run", bash_command=COMMAND, retries=1, retry_delay=NOW)

with DAG("later", schedule=None):
    BashOperator(task_id="run", bash_command=COMMAND, retries=1, retry_delay=LATER)

with DAG("limited", schedule=None):
    BashOperator(task_id="run", bash_command=COMMAND, retries=1, retry_delay=LATER, execution_timeout=timedelta(seconds=6))

# How values that may hold anything get to a component: by the environment, where
# the shell does not read them again, or all at once as JSON.
with DAG("values", schedule=None):
    env = {"TEXT": "{{ dag_run.conf['text'] }}", "PARAMS": "{{ dag_run.conf['params'] | tojson }}"}
    BashOperator(task_id="flag", env=env, append_env=True, bash_command='outrider run probe.echo --text "$TEXT"')
    BashOperator(
        task_id="file",
        env=env,
        append_env=True,
        bash_command='printf %s "$PARAMS" >params.json; outrider run --params params.json probe.echo',
    )
    BashOperator(task_id="stdin", env=env, append_env=True, bash_command='outrider run --params - probe.echo <<<"$PARAMS"')
