"""Tasks by turns, one after the other, so that both kinds meet the same machine."""

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG, chain

with DAG("bench", schedule=None):
    tasks = []
    for n in range(1, 21):
        tasks.append(BashOperator(task_id=f"echo_{n}", bash_command="""echo '{"message":"Hello, you!"}'"""))
        tasks.append(BashOperator(task_id=f"greet_{n}", bash_command="outrider run hello.greet --name you"))
    chain(*tasks)
