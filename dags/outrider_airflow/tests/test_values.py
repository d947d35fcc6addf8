"""Values on their way from a DAG file to the host."""

import datetime
import json
import pathlib
import unittest

import jinja2
from outrider_airflow.values import dumps, duration, expression, plain, rendered

ENV = jinja2.Environment(undefined=jinja2.StrictUndefined)


def render(value, env):
    given = {"n": 5, "zip": "00501", "day": datetime.date(2026, 3, 1), "rows": [1, {"a": None}], "brace": "{{ n }}"}
    return env.from_string(value).render(given) if isinstance(value, str) else value


class TestRendered(unittest.TestCase):
    def test_types_are_kept(self):
        for text, want in (
            ("{{ n }}", 5),
            ("{{- n -}}", 5),
            ("{{ n / 2 }}", 2.5),
            ("{{ n > 3 and true }}", True),
            ("{{ none }}", None),
            ("{{ zip }}", "00501"),  # text that looks like a number stays text
            ("{{ rows }}", [1, {"a": None}]),
            ("{{ rows[1] if n else 'a, b' }}", {"a": None}),
            ("{{ 'x }} y' }}", "x }} y"),
            ("{{ brace }}", "{{ n }}"),  # a value is no template
            ("{{ day }}", datetime.date(2026, 3, 1)),
            ("{{ n }} ", "5 "),
            ("n={{ n }}", "n=5"),
            ("{{ n }}{{ n }}", "55"),
            ("{% if n %}{{ n }}{% endif %}", "5"),
            ("plain", "plain"),
            ("", ""),
        ):
            with self.subTest(text):
                got = rendered(text, ENV, render)
                self.assertEqual((got, type(got)), (want, type(want)))

    def test_deep(self):
        got = rendered({"a": ["{{ n }}", ("x", {"{{ n }}": "{{ rows }}"})], "b": 7}, ENV, render)
        self.assertEqual(got, {"a": [5, ["x", {"{{ n }}": [1, {"a": None}]}]], "b": 7})

    def test_undefined(self):
        with self.assertRaises(jinja2.UndefinedError):
            rendered("{{ nothing }}", ENV, render)
        self.assertEqual(rendered("{{ nothing }}", jinja2.Environment(), render), "")

    def test_broken(self):
        with self.assertRaises(jinja2.TemplateSyntaxError):
            rendered("{{ n", ENV, render)

    def test_expression(self):
        self.assertEqual(expression("{{ a if b else {'c': 1} }}", ENV).strip(), "a if b else {'c': 1}")
        self.assertIsNone(expression("{{ a }}{{ b }}", ENV))


class TestPlain(unittest.TestCase):
    def test_json(self):
        utc = datetime.timezone.utc
        for value, want in (
            (datetime.datetime(2026, 3, 1, 5, tzinfo=utc), "2026-03-01T05:00:00+00:00"),
            (datetime.date(2026, 3, 1), "2026-03-01"),
            (datetime.timedelta(minutes=1.5), "90s"),
            (pathlib.Path("/a"), "/a"),
            ((1, [2]), [1, [2]]),
            ({"a": {3}}, {"a": [3]}),
            ("ü", "ü"),
        ):
            self.assertEqual(json.loads(dumps({"x": value})), {"x": want})

    def test_what_json_has_not(self):
        for value, text in ((object(), "params.x.y"), (b"x", "bytes"), ({1: 2}, "has the key 1")):
            with self.assertRaisesRegex(TypeError, text):
                plain({"x": {"y": value}})
        with self.assertRaises(ValueError):
            dumps({"x": float("nan")})

    def test_duration(self):
        for value, want in ((5, "5s"), (0.25, "0.25s"), ("5m", "5m"), (datetime.timedelta(days=2), "172800.000s")):
            self.assertEqual(duration(value), want)


if __name__ == "__main__":
    unittest.main()
