"""Checks a task's parameters against its component's description, while Airflow reads
the DAG file: what `outrider describe --format json COMPONENT` prints, or
`outrider components --format json` for all."""

import difflib
import json
from pathlib import Path

from outrider_airflow.values import plain

# Rules about a value as a whole, of which nothing is known while a part is a template.
WHOLE = {"anyOf", "oneOf", "allOf", "not", "if", "enum", "const", "uniqueItems", "contains", "dependentSchemas"}


class ManifestError(ValueError):
    """A component's manifest cannot be read, or a task does not fit it."""


class Later:
    """Stands for a value that is known when the task runs."""


def check(task_id, component, params, manifest, yes):
    """Raises ManifestError where the parameters, as far as they are known, are wrong."""
    found = read(manifest, component)
    where = f"task {task_id}: {component}"
    if found.get("destructive") and not yes:
        raise ManifestError(f"{where} destroys something: it needs yes=True")
    problems = list(wrong(found["params"], known(params)))
    if problems:
        raise ManifestError(f"{where}: {'; '.join(problems)} (by {manifest})")


def read(manifest, component):
    """The component's description in the manifest file."""
    try:
        described = json.loads(Path(manifest).read_text(encoding="utf-8"))
    except OSError as e:
        raise ManifestError(f"manifest {manifest}: {e.strerror}; make it by: outrider describe --format json {component}") from e
    except ValueError as e:
        raise ManifestError(f"manifest {manifest} is no JSON: {e}") from e
    all_of = described if isinstance(described, list) else [described]
    by_name = {c["name"]: c for c in all_of if isinstance(c, dict) and "name" in c and "params" in c}
    if component not in by_name:
        hint = near(component, by_name) or (f"; it has {', '.join(sorted(by_name))}" if by_name else "")
        raise ManifestError(f"manifest {manifest} does not describe {component}{hint}")
    return by_name[component]


def known(value):
    """The parameters as JSON has them, with Later for what is known only later."""
    if isinstance(value, str):
        return Later() if "{{" in value or "{%" in value else value
    if isinstance(value, dict):
        return {k: known(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [known(v) for v in value]
    if hasattr(value, "resolve") or hasattr(value, "iter_references"):  # what another task returns
        return Later()
    return plain(value)


def wrong(schema, params):
    """What is wrong with the parameters, each in one line."""
    import jsonschema  # it takes its time, and few tasks need it

    if isinstance(params, Later):
        return
    for e in jsonschema.Draft202012Validator(schema).iter_errors(params):
        at = ".".join(map(str, e.absolute_path))
        if isinstance(e.instance, Later) or e.validator in WHOLE and holds_later(e.instance):
            continue
        if e.validator == "additionalProperties" and isinstance(e.instance, dict):
            allowed = e.schema.get("properties", {})
            for name in e.instance.keys() - allowed.keys():
                full = f"{at}.{name}" if at else name
                yield f"there is no parameter {full}{near(name, allowed) or '; want one of ' + ', '.join(sorted(allowed))}"
        elif e.validator == "required":
            yield from (f"{f'{at}.{n}' if at else n} is missing" for n in e.validator_value if n not in e.instance)
        else:
            yield f"{at}: {e.message}" if at else e.message


def holds_later(value):
    if isinstance(value, dict):
        return any(map(holds_later, value.values()))
    if isinstance(value, list):
        return any(map(holds_later, value))
    return isinstance(value, Later)


def near(name, names):
    found = difflib.get_close_matches(name, names, n=1)
    return f"; did you mean {found[0]}?" if found else ""
