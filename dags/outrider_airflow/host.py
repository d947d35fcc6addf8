"""One call of the host, `outrider run`, as a child process: start, follow, stop.
Knows no Airflow."""

import contextlib
import json
import logging
import os
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass, field

# Airflow 3 kills a task's process 5 s after it has asked for its end. The host needs
# 3.5 s at most to end all that it started.
STOP_SECONDS = 4.0

# How many lines of what is no JSON are kept for an error.
TALK_LINES = 20

LEVELS = {
    "trace": logging.DEBUG,
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "error": logging.ERROR,
}


@dataclass
class Ended:
    """How a call ended."""

    code: int  # the exit code; minus the signal that killed the host
    outputs: str = ""  # the one line of stdout
    outcome: dict = field(default_factory=dict)  # the last line of stderr: run, state, code, error, retry_after_s
    talk: str = ""  # the last lines of stderr that are no JSON: what the host says of a bad call

    @property
    def error(self):
        """What went wrong, or why it was skipped."""
        return self.outcome.get("error") or self.talk or f"outrider ended with {self.code}"


class Host:
    """A call of the host. params are the component's; say takes a level of logging and
    a line for everything that is logged, as it comes."""

    def __init__(self, command, component, *, params, env, cwd, say):
        self.command, self.component = command, component
        self.params, self.env, self.cwd, self.say = params, env, cwd, say
        self._process = None

    def run(self):
        """Runs it to its end. What ends it before, an exception of a signal's handler for
        one, ends the host too."""
        with tempfile.TemporaryFile() as params, tempfile.TemporaryFile() as outputs:
            # Without a name: no other can read it, and no kill leaves it behind.
            params.write(self.params.encode())
            params.seek(0)
            self._process = subprocess.Popen(
                [*self.command, "--log-format", "json", "--params", f"/dev/fd/{params.fileno()}", self.component],
                # Descriptor 0 is handed on as it is: in Airflow 3 it is the socket that
                # tells the supervisor of the task's end, which the host holds, unread,
                # until all that it started is gone.
                stdin=None,
                stdout=outputs,
                stderr=subprocess.PIPE,
                pass_fds=(params.fileno(),),
                env=self.env,
                cwd=self.cwd,
                start_new_session=True,  # by which the host knows that Airflow is above it
            )
            try:
                ended = self._follow()
            finally:
                self.stop()
                self._process.stderr.close()
                self._process.wait()
            outputs.seek(0)
            ended.code = self._process.returncode
            ended.talk = ended.talk.replace(f" (from file /dev/fd/{params.fileno()})", "")
            ended.outputs = outputs.read().decode(errors="replace").strip()
            return ended

    def _follow(self):
        """Logs what comes, to the end."""
        ended, talk = Ended(code=0), []
        for line in self._process.stderr:
            text = line.decode(errors="backslashreplace").rstrip()
            entry = parse(text)
            if entry is None:
                talk = [*talk, text][-TALK_LINES:]
                self.say(logging.INFO, text)
            elif "state" in entry and "@message" not in entry:
                ended.outcome = entry
            else:
                self.say(*logged(entry))
        self._process.wait()
        ended.talk = "\n".join(talk).strip()
        return ended

    def stop(self, within=STOP_SECONDS):
        """Ends the host and all that it started: it is asked to, and after so many
        seconds killed. May be called from a signal's handler."""
        if self._over():
            return
        self.say(logging.WARNING, f"Sending SIGTERM to outrider; SIGKILL follows in {within:g} s")
        self._signal(signal.SIGTERM)
        end = time.monotonic() + within
        while not self._over() and time.monotonic() < end:
            time.sleep(0.02)
        self._signal(signal.SIGKILL)

    def _over(self):
        """Whether the host has ended. It is not collected here: a handler may have
        interrupted who does, and holds Popen's lock."""
        if self._process is None or self._process.returncode is not None:
            return True
        try:
            options = os.WEXITED | os.WNOHANG | os.WNOWAIT
            return os.waitid(os.P_PID, self._process.pid, options) is not None
        except ChildProcessError:
            return True

    def _signal(self, number):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)


def parse(line):
    """A line of JSON as a dict; None for any other."""
    if not line.startswith("{"):
        return None
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if "@message" in entry or "state" in entry else None


def logged(entry):
    """Level and text of a line of the host's log, its fields behind the text."""
    fields = (f"{k}={v}" for k, v in entry.items() if not k.startswith("@"))
    text = " ".join([str(entry.get("@message", "")), *fields])
    return LEVELS.get(entry.get("@level"), logging.INFO), text
