"""Runs one function or method of the project for the double of Digdag.

Started as runner.py COMMAND INPUT OUTPUT. Arguments are the parameters of the
same names; `import digdag` gives env.store, env.export and env.add_subtask.
"""
import importlib
import inspect
import json
import os
import sys
import traceback
import types

command, source, target = sys.argv[1:4]
with open(source) as f:
    given = json.load(f)["params"]
result = {"subtask_config": {}, "export_params": {}, "store_params": {}}


class Env:
    params = given
    subtask_config = result["subtask_config"]
    export_params = result["export_params"]
    store_params = result["store_params"]

    def store(self, params=None, **more):
        self.store_params.update(params or {}, **more)

    def export(self, params=None, **more):
        self.export_params.update(params or {}, **more)

    def add_subtask(self, task=None, **more):
        config = dict(task, **more) if isinstance(task, dict) else dict(more)
        if callable(task):
            config["py>"] = task.__module__ + "." + task.__qualname__
        json.dumps(config)
        self.subtask_config["+subtask%d" % len(self.subtask_config)] = config


digdag = sys.modules["digdag"] = types.ModuleType("digdag")
digdag.env = Env()
sys.path.append(os.getcwd())


def fitting(function):
    """The parameters that a function asks for."""
    if function is object.__init__:
        return {}
    found = {}
    for p in inspect.signature(function).parameters.values():
        if p.kind is p.VAR_KEYWORD:
            return given
        if p.kind is p.VAR_POSITIONAL or p.name == "self":
            continue
        if p.name in given:
            found[p.name] = given[p.name]
        elif p.default is p.empty:
            raise TypeError("Method '%s' requires parameter '%s' but not set" % (function.__qualname__, p.name))
    return found


def find(name):
    """What a dotted name stands for, and the method to call if it is a class."""
    path, _, last = name.rpartition(".")
    try:
        module = importlib.import_module(path)
    except ImportError:
        package, _, owner = path.rpartition(".")
        return getattr(importlib.import_module(package), owner), last
    if not hasattr(module, last):
        raise AttributeError("Module '%s' has no attribute '%s'" % (path, last))
    found = getattr(module, last)
    return found, "run" if isinstance(found, type) else None


problem = None
try:
    found, method = find(command)
    if method:
        found = getattr(found(**fitting(found.__init__)), method)
    found(**fitting(found))
except Exception as e:
    problem = e
    result["error"] = {"class": type(e).__name__, "message": str(e), "backtrace": traceback.format_exception(type(e), e, e.__traceback__)}
with open(target, "w") as f:
    json.dump(result, f)
if problem:
    raise problem
