"""The operator on the Airflow that is installed, without its servers."""

import json
import tempfile
import unittest
from datetime import datetime, timedelta, timezone
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

from outrider_airflow import OutriderOperator
from outrider_airflow.compat import AirflowException, AirflowFailException, AirflowSkipException, RetryPolicy
from outrider_airflow.host import Ended
from outrider_airflow.operator import RetryLater
from outrider_airflow.provider import get_provider_info

try:  # Airflow 3
    from airflow.sdk import DAG
    from airflow.sdk.exceptions import TaskDeferred
except ImportError:
    from airflow import DAG
    from airflow.exceptions import TaskDeferred


def operator(**more):
    return OutriderOperator(**{"task_id": "t", "component": "a.b", **more})


class TestArguments(unittest.TestCase):
    def test_command(self):
        self.assertEqual(operator().command(), ["outrider", "run", "--on-busy", "wait"])
        got = operator(
            once="load-{{ ds }}",
            lock=["a", "b"],
            pool={"w": 2},
            on_busy="skip",
            wait_max=5,
            timeout=timedelta(minutes=5),
            labels={"team": "x=y"},
            yes=True,
            flags=["--priority", 3],
            outrider=["nice", "outrider"],
        ).command()
        want = "nice outrider run --on-busy skip --once-key load-{{ ds }} --lock a --lock b --pool w=2 --wait-max 5s --timeout 300s --label team=x=y --yes --priority 3"
        self.assertEqual(" ".join(got), want)
        self.assertIn("--once", operator(once=True).command())
        for pool, want in (("w=2", ["w=2"]), ("w", ["w"]), (["v", "w=3"], ["v", "w=3"])):
            self.assertEqual([x for x in operator(pool=pool).command() if x[0] in "vw"], ["wait", *want])

    def test_names_that_airflow_has_too(self):
        with DAG("d", schedule=None, params={"month": "2026-03"}, default_args={"pool": "theirs"}):
            one = operator(params={"name": "x"}, pool="ours")
            two = operator(task_id="u", params={"name": "x"}, airflow_pool="mine")
        self.assertEqual((one.component_params, dict(one.params)), ({"name": "x"}, {"month": "2026-03"}))
        self.assertEqual((one.pool, one.outrider_pool, two.pool), ("theirs", "ours", "mine"))
        with self.assertRaisesRegex(TypeError, "want one of them"):
            operator(params={}, component_params={})
        with self.assertRaisesRegex(ValueError, "want wait, skip or fail"):
            operator(on_busy="fial")
        with self.assertRaisesRegex(Exception, "(?i)invalid arguments|unexpected"):
            operator(compnent="x")

    def test_once_without_a_key(self):
        self.assertEqual(operator(once=None, lock=None, pool=None).command(), operator(once=False).command())
        with DAG("d", schedule=None):
            one = operator(once="{{ dag_run.conf.get('key', '') }}")
        one.render_template_fields({"dag_run": SimpleNamespace(conf={})})
        for task in (one, operator(once=" ")):
            with self.assertRaisesRegex(AirflowFailException, "once is empty"):
                task._run("/")

    def test_native_rendering(self):
        given = {"params": {"n": 5, "s": "x", "flags": ["--priority", 3], "none": None}}
        with DAG("d", schedule=None, render_template_as_native_obj=True):
            one = operator(
                params={"n": "{{ params.n }}", "s": "n{{ params.n }}"},
                once="{{ params.n }}",
                lock="{{ params.n }}",
                env={"A": "{{ params.n }}", "B": "{{ params.s }}"},
                flags="{{ params.flags }}",
                cwd="{{ params.n }}",
            )
            two = operator(task_id="u", lock=["{{ params.n }}", "b"], flags="--priority {{ params.n }} --note 'a b'")
            three = operator(task_id="v", once="{{ params.none }}")
        for task in (one, two, three):
            task.render_template_fields(dict(given))
        self.assertEqual(one.component_params, {"n": 5, "s": "n5"})
        self.assertEqual(one.command()[4:], ["--once-key", "5", "--lock", "5", "--priority", "3"])
        self.assertEqual(two.command()[4:], ["--lock", "5", "--lock", "b", "--priority", "5", "--note", "a b"])
        with self.assertRaisesRegex(AirflowFailException, "once is empty"):
            three._run("/")
        with mock.patch("outrider_airflow.operator.Host") as host:
            host.return_value.run.return_value = Ended(0, "{}")
            one._call({"ti": None}, again=0)
        got = host.call_args.kwargs
        self.assertEqual((got["env"]["A"], got["env"]["B"], got["cwd"]), ("5", "x", "5"))

    def test_mapped(self):
        with DAG("d", schedule=None, params={"month": "2026-03"}):
            mapped = OutriderOperator.partial(task_id="m", component="a.b", pool="ours", lock="l").expand(params=[{"x": 1}, {"x": 2}])
            kwargs = OutriderOperator.partial(task_id="k", component="a.b").expand_kwargs([{"params": {"x": 1}, "pool": "p"}])
        got = mapped.unmap({"component_params": {"x": 2}})
        self.assertEqual((got.component_params, dict(got.params), got.pool, got.command()[-3:]), ({"x": 2}, {"month": "2026-03"}, "default_pool", ["l", "--pool", "ours"]))
        self.assertEqual(kwargs.expand_input.value, [{"component_params": {"x": 1}, "outrider_pool": "p"}])

    def test_manifest(self):
        described = {"name": "a.b", "params": {"type": "object", "additionalProperties": False, "properties": {"x": {}}}}
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "m.json")
            path.write_text(json.dumps(described))
            operator(params={"x": 1}, manifest=str(path))
            with self.assertRaisesRegex(ValueError, "no parameter y"):
                operator(params={"y": 1}, manifest=str(path))
            with DAG("d", schedule=None) as dag:
                dag.fileloc = folder + "/dag.py"
                operator(params={"x": 1}, manifest="m.json")
                with self.assertRaisesRegex(ValueError, "no parameter y"):
                    OutriderOperator.partial(task_id="m", component="a.b", manifest="m.json").expand(params=[{"x": 1}, {"y": 2}])
                # What another task returned is the host's to judge, which fails it for good.
                mapped = OutriderOperator.partial(task_id="n", component="a.b", manifest="m.json").expand(params=[{"x": 1}])
                self.assertEqual(mapped.unmap({"component_params": {"y": 2}}).component_params, {"y": 2})

    def test_rendering(self):
        with DAG("d", schedule=None, params={"n": 5}):
            one = operator(params={"n": "{{ params.n }}", "s": "n{{ params.n }}"}, once="k{{ params.n }}", env={"A": "{{ params.n }}"})
        one.render_template_fields({"params": {"n": 5}})
        self.assertEqual((one.component_params, one.once, one.env), ({"n": 5, "s": "n5"}, "k5", {"A": "5"}))


class TestJudge(unittest.TestCase):
    """What Airflow is told of each end."""

    def judge(self, code, again=0, try_number=1, max_tries=2, outputs="", on_busy="wait", policy=True, **outcome):
        task = operator(retries=max_tries, on_busy=on_busy)
        if not policy:
            task.retry_policy = None
        ti = SimpleNamespace(try_number=try_number, max_tries=max_tries)
        return task._judge(Ended(code, outputs, {"run": "01X", "state": "failed", "error": "no luck", **outcome}), ti, again)

    def test_outputs(self):
        self.assertEqual(self.judge(0, outputs='{"a": [1]}'), {"a": [1]})
        with self.assertRaisesRegex(AirflowException, "returned 'oops'"):
            self.judge(0, outputs="oops")

    def test_ends(self):
        for code, kind in ((1, AirflowException), (5, AirflowException), (124, AirflowException), (125, AirflowException), (143, AirflowException), (-9, AirflowException)):
            with self.assertRaises(kind) as caught:
                self.judge(code)
            self.assertEqual((type(caught.exception), str(caught.exception)), (kind, "a.b: no luck"))
        for code in (2, 3):
            with self.assertRaisesRegex(AirflowFailException, "no luck"):
                self.judge(code)
        with self.assertRaisesRegex(AirflowSkipException, "no luck"):
            self.judge(99)

    def test_busy(self):
        with self.assertRaises(TaskDeferred) as caught:
            self.judge(75, again=1)
        self.assertEqual((caught.exception.method_name, caught.exception.kwargs), ("resume", {"again": 1}))
        with self.assertRaises(AirflowException):
            self.judge(75, on_busy="fail")

    def test_later_by_deferral(self):
        with self.assertRaises(TaskDeferred) as caught:
            self.judge(1, policy=False, retry_after_s=90)
        self.assertEqual(caught.exception.kwargs, {"again": 1})
        for again, try_number, max_tries, kind in ((2, 1, 2, AirflowFailException), (1, 2, 2, AirflowFailException), (0, 3, 2, AirflowException), (0, 1, 0, AirflowException)):
            with self.assertRaises(kind) as caught:
                self.judge(1, again, try_number, max_tries, policy=False, retry_after_s=90)
            self.assertIs(type(caught.exception), kind)

    def test_retries_of_both_kinds(self):
        """Whatever mix of plain failures and of "again in so long", a component is called
        once and then as often as retries says."""
        for said in ("pl", "lp", "llp", "lpl", "plp", "lppp", "lplp", "l" * 9, "lp" * 9, "pl" * 9):
            for retries in (0, 1, 2, 3):
                calls, try_number, again = 0, 1, 0
                while True:
                    later = {"retry_after_s": 90} if said[calls % len(said)] == "l" else {}
                    calls += 1
                    with self.assertRaises((TaskDeferred, AirflowException)) as caught:
                        self.judge(1, again, try_number, retries, policy=False, **later)
                    if isinstance(caught.exception, TaskDeferred):
                        again = caught.exception.kwargs["again"]
                    elif isinstance(caught.exception, AirflowFailException) or try_number > retries:
                        break
                    else:  # Airflow makes the next try
                        try_number, again = try_number + 1, 0
                self.assertEqual(calls, 1 + retries, f"{said} with retries={retries}")

    def test_plain_failure_after_a_deferral(self):
        with self.assertRaises(TaskDeferred) as caught:
            self.judge(1, again=1, policy=False)
        wait = caught.exception.trigger.moment - datetime.now(timezone.utc)
        self.assertEqual((caught.exception.kwargs, round(wait.total_seconds() / 60)), ({"again": 2}, 5))
        with self.assertRaisesRegex(AirflowFailException, "all 2 retries are used up"):
            self.judge(1, again=2, policy=False)

    @unittest.skipIf(RetryPolicy is None, "this Airflow has no retry_policy: deferral it is")
    def test_later_by_policy(self):
        with self.assertRaises(RetryLater) as caught:
            self.judge(1, retry_after_s=90)
        policy = operator().retry_policy
        self.assertEqual(policy.evaluate(caught.exception, 1, 2).retry_delay, timedelta(seconds=90))
        self.assertEqual(policy.evaluate(ValueError(), 1, 2).action.value, "default")

    def test_resume_and_kill(self):
        task = operator()
        task.on_kill()  # before anything runs
        ended = Ended(0, "{}", {"run": "01X", "state": "success"})
        with mock.patch.object(OutriderOperator, "_run", return_value=ended):
            self.assertEqual(task.resume({"ti": None}, event="2026", again=1), {})

    def test_no_program(self):
        task = operator(outrider="no-such-outrider")
        with self.assertRaisesRegex(AirflowException, "no-such-outrider is not on this worker's PATH"):
            task._run("/")
        with self.assertRaisesRegex(AirflowException, "cwd /no/such: there is no such folder"):
            task._run("/no/such")
        with self.assertRaisesRegex(AirflowFailException, "params.x is <object"):
            operator(params={"x": object()})._run("/")


class TestProvider(unittest.TestCase):
    def test_info(self):
        info = get_provider_info()
        self.assertEqual((info["package-name"], info["versions"]), ("outrider-airflow", ["0.1.0"]))
        self.assertIn(f'version = "{info["versions"][0]}"', Path(__file__).parents[1].joinpath("pyproject.toml").read_text())


if __name__ == "__main__":
    unittest.main()
