"""The check of parameters while a DAG file is read."""

import json
import tempfile
import unittest
from datetime import timedelta
from pathlib import Path

from outrider_airflow.manifest import ManifestError, check

GREET = {
    "name": "hello.greet",
    "params": {
        "type": "object",
        "additionalProperties": False,
        "required": ["name"],
        "properties": {
            "name": {"type": "string"},
            "times": {"type": "integer", "minimum": 1},
            "kind": {"enum": ["warm", "cold"]},
            "wait": {"type": "string", "format": "go-duration"},
            "to": {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]},
            "deep": {"type": "object", "additionalProperties": False, "properties": {"ok": {"type": "boolean"}}},
        },
    },
}
DROP = {"name": "hello.drop", "destructive": True, "params": {"type": "object"}}


class Reference:  # as what another task returns
    def resolve(self, context):
        raise AssertionError("not while the file is read")


class TestCheck(unittest.TestCase):
    def check(self, params, component="hello.greet", described=GREET, yes=False):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "m.json")
            path.write_text(described if isinstance(described, str) else json.dumps(described))
            try:
                check("load", component, params, path, yes)
            except ManifestError as e:
                return str(e)
        return ""

    def test_right(self):
        for params in (
            {"name": "you"},
            {"name": "{{ x }}", "times": "{{ n }}", "kind": "{{ k }}", "to": "{{ to }}", "deep": "{{ d }}"},
            {"name": Reference(), "times": Reference(), "to": ["a", Reference()], "deep": {"ok": "{{ x }}"}},
            {"name": "x", "wait": timedelta(seconds=5)},
            Reference(),
            "{{ dag_run.conf }}",
        ):
            self.assertEqual(self.check(params), "", params)

    def test_wrong(self):
        for params, want in (
            ({}, "task load: hello.greet: name is missing (by "),
            ({"nmae": "{{ x }}"}, "there is no parameter nmae; did you mean name?; name is missing"),
            ({"name": "x", "zzz": 1}, "there is no parameter zzz; want one of deep, kind, name, times, to, wait"),
            ({"name": 1}, "name: 1 is not of type 'string'"),
            ({"name": "x", "times": 0}, "times: 0 is less than the minimum of 1"),
            ({"name": "x", "kind": "hot"}, "kind: 'hot' is not one of ['warm', 'cold']"),
            ({"name": "x", "to": 1}, "to: 1 is not valid under any of the given schemas"),
            ({"name": "x", "deep": {"ko": "{{ x }}"}}, "there is no parameter deep.ko; want one of ok"),
            ({"name": "x", "deep": {"ok": 1}}, "deep.ok: 1 is not of type 'boolean'"),
        ):
            with self.subTest(params):
                got = self.check(params)
                for part in want.split("; did"):
                    self.assertIn(part, got)

    def test_list_of_components(self):
        self.assertEqual(self.check({"name": "x"}, described=[DROP, GREET]), "")
        self.assertIn("does not describe hello.gret; did you mean hello.greet?", self.check({}, "hello.gret", [DROP, GREET]))

    def test_destructive(self):
        self.assertIn("it needs yes=True", self.check({}, "hello.drop", DROP))
        self.assertEqual(self.check({}, "hello.drop", DROP, yes=True), "")

    def test_no_manifest(self):
        self.assertIn("is no JSON", self.check({}, described="{"))
        self.assertIn("does not describe hello.greet", self.check({}, described="[1, {}]"))
        with self.assertRaisesRegex(ManifestError, "outrider describe --format json hello.greet"):
            check("load", "hello.greet", {}, "/no/such/file.json", False)


if __name__ == "__main__":
    unittest.main()
