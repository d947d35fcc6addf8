"""OutriderOperator: a component of Outrider as an Airflow task."""

import datetime
import json
import logging
import os
import shlex
import tempfile
from pathlib import Path

from outrider_airflow import manifest as manifests
from outrider_airflow.compat import (
    AirflowException,
    AirflowFailException,
    AirflowSkipException,
    BaseOperator,
    OperatorPartial,
    RetryDecision,
    RetryPolicy,
    pages,
    time_trigger,
)
from outrider_airflow.host import Host
from outrider_airflow.values import dumps, duration, rendered

# The host's exit codes that are more than a failure.
OK, USAGE, PERMANENT, BUSY, SKIPPED = 0, 2, 3, 75, 99

# How long a task is deferred whose lock or pool was busy for too long. Outrider keeps
# its place in the queue for 5 minutes.
BUSY_AGAIN = datetime.timedelta(seconds=30)


class RetryLater(AirflowException):
    """The component failed and says when another try may help."""

    def __init__(self, text, after):
        super().__init__(text)
        self.after = after


if RetryPolicy is not None:

    class RetryWhenAsked(RetryPolicy):
        """Makes the next try when the component asked for it; else as the task says."""

        def evaluate(self, exception, try_number, max_tries, context=None):
            if isinstance(exception, RetryLater):
                return RetryDecision.retry(delay=exception.after, reason=str(exception))
            return RetryDecision.default()


# BaseOperator has a params and a pool of its own, and Airflow takes them out of the
# arguments, and mixes the DAG's into them, before an operator sees them.
OURS = {"params": "component_params", "pool": "outrider_pool", "airflow_pool": "pool"}


def renamed(kwargs):
    """An operator's arguments under the names that stay its own."""
    for name in ("params", "pool"):
        if name in kwargs and OURS[name] in kwargs:
            raise TypeError(f"{name} and {OURS[name]} are the same: want one of them")
    return {OURS.get(name, name): value for name, value in kwargs.items()}


class Meta(type(BaseOperator)):
    def __call__(cls, *args, **kwargs):
        if kwargs.get("_airflow_from_mapped"):
            # Airflow unmaps a task: the names are right, and the host has the last word.
            kwargs["manifest"] = None
        else:
            kwargs = renamed(kwargs)
        return super().__call__(*args, **kwargs)


class Partial(OperatorPartial):
    """What OutriderOperator.partial returns, to be expanded."""

    def expand(self, **mapped):
        mapped = renamed(mapped)
        params, kwargs = mapped.get("component_params"), self.kwargs
        if kwargs.get("manifest") and isinstance(params, (list, tuple)):
            for one in params:
                check(kwargs["task_id"], kwargs["component"], one, kwargs["manifest"], kwargs.get("dag"), kwargs.get("yes"))
        return super().expand(**mapped)

    def expand_kwargs(self, kwargs, **options):
        kwargs = kwargs.map(renamed) if hasattr(kwargs, "map") else [renamed(one) for one in kwargs]
        return super().expand_kwargs(kwargs, **options)


class OutriderOperator(BaseOperator, metaclass=Meta):
    """
    Runs a component of Outrider: `outrider run COMPONENT`.

    The task returns the component's outputs as a dict, and pushes each under its own
    name too, so that task.output["rows"] is one of them. It fails for good, without
    retries, where a retry cannot help (exit codes 2 and 3), is skipped where the
    component skips, is deferred where its lock or pool is busy for longer than wait_max,
    and is retried when the component asked for it. Deferring needs a triggerer.

    :param component: its name, as `outrider components` lists it
    :param params: its parameters, templated. A string that is one expression,
        "{{ ... }}", becomes what the expression is, with its type; what another task
        returns, task.output["rows"], is taken as it is. A secret is given as env:NAME or
        file:PATH. (BaseOperator's own params are the DAG's: "{{ params.x }}".)
    :param once: True: not again after a success of this task in this DAG run. Text: not
        again after a success under that key, templated, whoever calls. A key that comes
        out empty fails the task for good.
    :param lock: the name of a lock that no other run may hold, or several; templated
    :param pool: slots of Outrider's pools, {"warehouse": 2}, or "warehouse=2", or names;
        templated. Airflow's own pool is airflow_pool.
    :param on_busy: wait, skip or fail when a lock or a pool is another's
    :param wait_max: how long the task waits for them in a worker's slot before it is
        deferred, which it then is for 30 s between two waits; 10 minutes when not given.
        There is no end to these waits but the DAG run's, dagrun_timeout.
    :param timeout: end the run after so long, its children included: a timedelta,
        seconds, or text such as "5m"
    :param labels: recorded with the run; templated
    :param yes: run a destructive component
    :param manifest: a file that describes the component, for a check of params while the
        DAG file is read; a relative path is from the DAG file's folder. See manifest.py.
    :param env: variables over the task's own, templated
    :param cwd: the folder that relative paths in params are read from; a fresh one that
        is removed afterwards when not given
    :param flags: more flags of `outrider run`, such as ["--idle-timeout", "10m"], or one
        text as in a shell; templated
    :param outrider: the program, or a command in front of `run`
    """

    template_fields = ("component_params", "once", "lock", "outrider_pool", "labels", "env", "cwd", "flags")
    template_fields_renderers = {"component_params": "json", "labels": "json", "env": "json"}
    ui_color = "#e4edf0"

    def __init__(
        self,
        *,
        component,
        component_params=None,
        once=False,
        lock=(),
        outrider_pool=(),
        on_busy="wait",
        wait_max=None,
        timeout=None,
        labels=None,
        yes=False,
        manifest=None,
        env=None,
        cwd=None,
        flags=(),
        outrider="outrider",
        **kwargs,
    ):
        kwargs.setdefault("multiple_outputs", True)
        super().__init__(**kwargs)
        if on_busy not in ("wait", "skip", "fail"):
            raise ValueError(f"task {self.task_id}: on_busy={on_busy!r}: want wait, skip or fail")
        self.component = component
        self.component_params = component_params if component_params is not None else {}
        # None is none of them here; later it is what a template came to.
        self.once = False if once is None else once
        self.lock = () if lock is None else lock
        self.outrider_pool = () if outrider_pool is None else outrider_pool
        self.on_busy = on_busy
        self.wait_max = wait_max
        self.timeout = timeout
        self.labels = labels
        self.yes = yes
        self.manifest = manifest
        self.env = env
        self.cwd = cwd
        self.flags = flags
        self.outrider = outrider
        self._host = None
        if RetryPolicy is not None and getattr(self, "retry_policy", None) is None:
            self.retry_policy = RetryWhenAsked()
        if manifest:
            check(self.task_id, component, self.component_params, manifest, self.get_dag(), yes)

    @classmethod
    def partial(cls, **kwargs):
        """As every operator's, for expand and expand_kwargs."""
        got = super().partial(**renamed(kwargs))
        got._expand_called = True  # it is not what will be expanded
        return Partial(operator_class=got.operator_class, kwargs=got.kwargs, params=got.params)

    def render_template(self, content, context, jinja_env=None, seen_oids=None):
        """The parameters keep their types; all else is rendered as every operator's."""
        if content is not self.component_params or id(content) in (seen_oids or ()):
            return super().render_template(content, context, jinja_env, seen_oids)
        return rendered(
            content,
            jinja_env or self.get_template_env(),
            lambda value, env: super(OutriderOperator, self).render_template(value, context, env, seen_oids),
        )

    def execute(self, context):
        return self._call(context, again=0)

    def resume(self, context, event=None, again=0):
        """Goes on after a deferral; again is how many retries were made by one."""
        return self._call(context, again)

    def on_kill(self):
        if self._host is not None:
            self._host.stop()

    def command(self):
        """The host's command line, but for where the parameters are."""
        program = [self.outrider] if isinstance(self.outrider, str) else list(self.outrider)
        line = [*program, "run", "--on-busy", self.on_busy]
        if self.once is True:
            line += ["--once"]
        elif self.once is not False:
            if self.once is None or not str(self.once).strip():
                raise self._refused(AirflowFailException, f"{self.component}: once is empty: want a key, True or False")
            line += ["--once-key", str(self.once)]
        for name in names(self.lock):
            line += ["--lock", name]
        for name in names(self.outrider_pool):
            line += ["--pool", name]
        for flag, value in (("--wait-max", self.wait_max), ("--timeout", self.timeout)):
            if value is not None:
                line += [flag, duration(value)]
        for name, value in (self.labels or {}).items():
            line += ["--label", f"{name}={value}"]
        if self.yes:
            line += ["--yes"]
        flags = shlex.split(self.flags) if isinstance(self.flags, str) else self.flags or ()
        return [*line, *map(str, flags)]

    def _call(self, context, again):
        with tempfile.TemporaryDirectory(prefix="outrider") as folder:
            ended = self._run(str(self.cwd or folder))
        return self._judge(ended, context["ti"], again)

    def _run(self, cwd):
        # A DAG that renders to native objects makes a number of "5".
        env = {**os.environ, **{name: str(value) for name, value in (self.env or {}).items()}}
        if url := pages():  # for the link from the run's record to this task
            env.setdefault("OUTRIDER_AIRFLOW_ENDPOINT", url)
        try:
            params = dumps(self.component_params)
        except (TypeError, ValueError) as e:
            raise self._refused(AirflowFailException, f"{self.component}: {e}") from e
        self._host = Host(self.command(), self.component, params=params, env=env, cwd=cwd, say=self._say)
        try:
            return self._host.run()
        except FileNotFoundError as e:
            if e.filename == str(cwd):
                raise self._refused(AirflowException, f"cwd {cwd}: there is no such folder on this worker") from e
            raise self._refused(AirflowException, f"{e.filename} is not on this worker's PATH ({os.environ.get('PATH')}): install outrider there") from e
        finally:
            self._host = None

    def _refused(self, kind, text):
        self._say(logging.ERROR, text)
        return kind(text)

    def _judge(self, ended, ti, again):
        """What Airflow is told of a run that has ended."""
        text = f"{self.component}: {ended.error}"
        if ended.code == OK:
            self._record(logging.INFO, self.component, ended)
            return self._outputs(ended.outputs)
        if ended.code == SKIPPED:
            self._record(logging.INFO, text, ended)
            raise AirflowSkipException(text)
        if ended.code == BUSY and self.on_busy == "wait":
            self._record(logging.WARNING, text, ended)
            self._defer(BUSY_AGAIN, again)
        # Airflow 3 keeps an exception's text apart from the log's lines.
        self._record(logging.ERROR, text, ended)
        if ended.code in (USAGE, PERMANENT):
            raise AirflowFailException(text)
        after = ended.outcome.get("retry_after_s")
        if after or again:
            self._later(datetime.timedelta(seconds=after) if after else self.retry_delay, text, ti, again)
        raise AirflowException(text)

    def _record(self, level, text, ended):
        """Logs how the run ended, and where its record is; a call that was refused has none."""
        if run := ended.outcome.get("run"):
            text += f"; it ended as {ended.outcome['state']}, see: outrider runs show {run}"
        self._say(level, text)

    def _outputs(self, line):
        try:
            outputs = json.loads(line)
        except ValueError as e:
            raise AirflowException(f"{self.component} returned {line[:200]!r}: {e}") from e
        return outputs

    def _later(self, after, text, ti, again):
        """Another try when the component asks for it: by Airflow's own retry where that
        takes a time, else after a deferral, which Airflow does not count as a try. After
        one all other retries are made so too, since only here all are counted."""
        if getattr(self, "retry_policy", None) is not None:
            raise RetryLater(text, after)
        left = ti.max_tries - ti.try_number + 1 - again
        if left > 0:
            self._defer(after, again + 1)
        if again:
            raise self._refused(AirflowFailException, f"{text}; all {again} retries are used up")

    def _defer(self, after, again):
        self._say(logging.INFO, f"deferred: again in {after}")
        moment = datetime.datetime.now(datetime.timezone.utc) + after
        self.defer(trigger=time_trigger(moment), method_name="resume", kwargs={"again": again})

    def _say(self, level, text):
        self.log.log(level, "%s", text)


def check(task_id, component, params, manifest, dag, yes):
    """Checks against a manifest whose path may be relative to the DAG file's folder."""
    path = Path(manifest)
    if dag is not None and not path.is_absolute():
        path = Path(dag.fileloc).parent / path
    manifests.check(task_id, component, params, path, yes)


def names(value):
    """NAME or NAME=SLOTS of a lock or a pool, from one, several, or a dict of slots."""
    if isinstance(value, dict):
        return [f"{name}={slots}" for name, slots in value.items()]
    if isinstance(value, (list, tuple, set, frozenset)):
        return [str(name) for name in value]
    return [str(value)]
