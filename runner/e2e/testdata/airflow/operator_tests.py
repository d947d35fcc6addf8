"""The operator's DAGs of the tests. A run's conf holds the component's parameters."""

from datetime import timedelta

from outrider_airflow import OutriderOperator

try:  # Airflow 3
    from airflow.sdk import DAG, task
except ImportError:
    from airflow import DAG
    from airflow.decorators import task

PARAMS = "{{ dag_run.conf['params'] }}"  # a dict, and it stays one
NOW, LATER = timedelta(0), timedelta(seconds=5)

with DAG("op_echo", schedule=None, params={"number": 7}):
    first = OutriderOperator(task_id="first", component="probe.echo", params=PARAMS)
    OutriderOperator(
        task_id="next",
        component="probe.echo",
        params={
            "text": first.output["text"],
            "tags": first.output["tags"],
            "number": "{{ params.number }}",
            "flag": "{{ ti.xcom_pull(task_ids='first', key='number') > 4 }}",
            "map": {"run": "{{ run_id }} of {{ dag.dag_id }}"},
        },
    )

with DAG("op_end", schedule=None):
    OutriderOperator(task_id="run", component="probe.end", params=PARAMS, retries=2, retry_delay=NOW)

with DAG("op_usage", schedule=None):
    OutriderOperator(task_id="run", component="hello.greet", params=PARAMS, retries=2, retry_delay=NOW)

with DAG("op_once", schedule=None):
    OutriderOperator(task_id="run", component="probe.end", params=PARAMS, once="{{ dag_run.conf['key'] }}")

with DAG("op_stay", schedule=None):
    OutriderOperator(task_id="run", component="probe.stay", params=PARAMS)

with DAG("op_again", schedule=None):
    OutriderOperator(task_id="run", component="probe.stay", params=PARAMS, retries=1, retry_delay=NOW)

with DAG("op_later", schedule=None):
    OutriderOperator(task_id="run", component="probe.stay", params=PARAMS, retries=1, retry_delay=LATER)

with DAG("op_limited", schedule=None):
    OutriderOperator(
        task_id="run",
        component="probe.stay",
        params=PARAMS,
        retries=1,
        retry_delay=LATER,
        execution_timeout=timedelta(seconds=6),
    )

with DAG("op_timeout", schedule=None):
    OutriderOperator(task_id="run", component="probe.stay", timeout=timedelta(seconds=1))

with DAG("op_busy", schedule=None):
    lock = "{{ dag_run.conf['lock'] }}"
    OutriderOperator(task_id="run", component="probe.end", params={"kind": "ok"}, lock=lock, wait_max=1)
    OutriderOperator(task_id="fail", component="probe.end", params={"kind": "ok"}, lock=lock, on_busy="fail")
    OutriderOperator(task_id="skip", component="probe.end", params={"kind": "ok"}, lock=[lock], on_busy="skip")

with DAG("op_pool", schedule=None):
    OutriderOperator(task_id="run", component="probe.end", params={"kind": "ok"}, pool={"nowhere": 2})

with DAG("op_mapped", schedule=None, params={"text": "of the DAG"}):
    first = OutriderOperator(task_id="first", component="probe.echo", params=PARAMS)

    @task
    def one_a_tag(outputs):
        return [{"text": tag, "number": n} for n, tag in enumerate(outputs["tags"])]

    OutriderOperator.partial(task_id="each", component="probe.echo").expand(params=one_a_tag(first.output))
    OutriderOperator.partial(task_id="some", component="probe.echo", once=True).expand(
        params=[{"text": "{{ params.text }}"}, {"number": "{{ 1 + 1 }}"}]
    )

with DAG("op_absent", schedule=None):
    OutriderOperator(task_id="run", component="hello.greet", outrider="no-such-outrider")

with DAG("op_secret", schedule=None):
    OutriderOperator(
        task_id="run",
        component="probe.echo",
        params={"token": "env:PROBE_TOKEN"},
        env={"PROBE_TOKEN": "quite {{ 'secret' }}"},
    )
