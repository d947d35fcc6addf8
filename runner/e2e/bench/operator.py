"""The same component by the operator and in a BashOperator, by turns, one after the other."""

from outrider_airflow import OutriderOperator

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG, chain

with DAG("bench_operator", schedule=None):
    tasks = []
    for n in range(1, 21):
        tasks.append(BashOperator(task_id=f"bash_{n}", bash_command="outrider run hello.greet --name you"))
        tasks.append(OutriderOperator(task_id=f"operator_{n}", component="hello.greet", params={"name": "you"}))
    chain(*tasks)
