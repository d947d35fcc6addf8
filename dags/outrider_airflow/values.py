"""Parameters: from templates to values, and from values to JSON."""

import datetime
import json
import os
from collections.abc import Iterable, Mapping

KEEP = "outrider_keep"


def expression(text, env):
    """What stands in a string that is {{ one expression }} and nothing else; None for any
    other string."""
    if "{{" not in text:
        return None
    tokens = [(kind, value) for _, kind, value in env.lex(text)]
    kinds = [kind for kind, _ in tokens]
    if kinds[:1] != ["variable_begin"] or kinds[-1:] != ["variable_end"] or kinds.count("variable_begin") != 1:
        return None
    return "".join(value for _, value in tokens[1:-1])


def rendered(value, env, render):
    """A value whose strings are templates. A string that is one expression becomes what
    the expression is, of its own type; any other stays a string. render renders what is
    neither a string of one expression nor a dict, list or tuple, in an environment."""
    if isinstance(value, str):
        of = expression(value, env)
        if of is None:
            return render(value, env)
        # The engine makes text of whatever it renders, so a filter keeps the value.
        kept = []
        keeper = env.overlay()
        keeper.filters = {**env.filters, KEEP: lambda v: kept.append(v) or ""}
        render("{{ (%s) | %s }}" % (of, KEEP), keeper)
        got = kept[0]
        return str(got) if is_undefined(got) else got
    if isinstance(value, dict):
        return {k: rendered(v, env, render) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [rendered(v, env, render) for v in value]
    return render(value, env)


def is_undefined(value):
    import jinja2

    return isinstance(value, jinja2.Undefined)


def plain(value, at="params"):
    """A value as JSON has it: times in ISO 8601, durations as Outrider's components read
    them (90s), paths as text, whatever else is a mapping or a list of values as one."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, datetime.timedelta):
        return duration(value)
    if isinstance(value, (datetime.date, datetime.time)):  # a datetime is a date
        return value.isoformat()
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, Mapping):
        return {key(k, at): plain(v, f"{at}.{k}") for k, v in value.items()}
    if isinstance(value, Iterable) and not isinstance(value, (bytes, bytearray)):
        return [plain(v, f"{at}[{i}]") for i, v in enumerate(value)]
    raise TypeError(f"{at} is {value!r}, of type {type(value).__name__}, which has no form in JSON")


def key(name, at):
    if not isinstance(name, str):
        raise TypeError(f"{at} has the key {name!r}: want text")
    return name


def dumps(params):
    return json.dumps(plain(params), ensure_ascii=False, allow_nan=False)


def duration(value):
    """A duration for the host's flags, as 90s: from a timedelta, seconds or such text."""
    if isinstance(value, datetime.timedelta):
        value = value.total_seconds()
    if isinstance(value, str):
        return value
    return f"{value:g}s" if value < 1e5 else f"{value:.3f}s"
