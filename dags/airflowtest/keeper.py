"""Starts the servers and outlives them: keeper.py DIR...

Each line on stdin is a JSON list NAME, LOG, ARGV: a process to start, in a session
of its own, with stdin null. Each line on stdout is NAME PID, once it is started,
or NAME PID STATUS, once it has ended. At the end of stdin, which is also the end of
whoever started this, all descendants are killed and the DIRs are removed. Orphans are
handed to this process by the kernel, so that none gets out of sight.
"""

import contextlib
import ctypes
import json
import os
import shutil
import signal
import sys
import threading
import time

PR_SET_CHILD_SUBREAPER = 36
names, lock, some = {}, threading.Lock(), threading.Event()


def start(name, log, argv):
    null = (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)
    out = (os.POSIX_SPAWN_OPEN, 1, log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    both = (os.POSIX_SPAWN_DUP2, 1, 2)
    with lock:  # or the end could be told before the start
        pid = os.posix_spawn(argv[0], argv, os.environ, file_actions=[null, out, both], setsid=True)
        names[pid] = name
        print(name, pid, flush=True)
    some.set()


def reap():
    while True:
        some.clear()
        try:
            pid, status = os.wait()
        except ChildProcessError:
            some.wait()
            continue
        with lock, contextlib.suppress(BrokenPipeError):  # nobody may listen any more
            if name := names.pop(pid, None):
                print(name, pid, os.waitstatus_to_exitcode(status), flush=True)


def descendants():
    parents = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/stat", "rb") as f:
                parents[int(pid)] = int(f.read().rpartition(b")")[2].split()[1])
        except OSError:
            pass  # it has just ended
    found = [os.getpid()]
    for pid in found:
        found += [child for child, parent in parents.items() if parent == pid]
    return found[1:]


def main(*directories):
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    for sig in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # Only the end of stdin counts. A signal that is ignored would be ignored by
        # the servers and their tasks too; one that has a handler is not.
        signal.signal(sig, lambda *_: None)
    threading.Thread(target=reap, daemon=True).start()
    try:
        for line in sys.stdin:
            start(*json.loads(line))
    finally:
        while left := descendants():
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.01)
        for directory in directories:
            shutil.rmtree(directory, ignore_errors=True)


main(*sys.argv[1:])
