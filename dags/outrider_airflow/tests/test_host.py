"""The child process, on programs that stand for the host."""

import logging
import os
import signal
import sys
import unittest

from outrider_airflow.host import Host, logged, parse


def call(program, params="{}", say=lambda level, text: None, **env):
    """A host that is a Python program."""
    command = [sys.executable, "-c", program]
    return Host(command, "a.b", params=params, env={**os.environ, **env}, cwd="/", say=say)


class TestHost(unittest.TestCase):
    def test_gets_params_and_gives_outputs(self):
        for text in ("ü", "ü" * 300_000):
            params = '{"text": "%s"}' % text
            read = "import sys; a = sys.argv; print(open(a[a.index('--params') + 1]).read())"
            ended = call(read, params).run()
            self.assertEqual((ended.code, ended.outputs), (0, params))

    def test_nobody_else_can_read_params(self):
        found = "import os, sys; print(os.readlink('/proc/self/fd/' + os.path.basename(sys.argv[4])))"
        ended = call(found, "params").run()
        self.assertIn("(deleted)", ended.outputs)

    def test_logs_lines_as_they_come(self):
        said = []
        program = """if True:
            import sys
            print('{"@level":"warn","@message":"slow","rows":3}', file=sys.stderr, flush=True)
            print("no JSON \\x1b {", file=sys.stderr)
            sys.stderr.buffer.write(b"\\xff\\n")
            print('{"run":"01X","state":"failed","error":"no luck","retry_after_s":1.5}', file=sys.stderr)
            sys.exit(1)
        """
        ended = call(program, say=lambda *line: said.append(line)).run()
        self.assertEqual(said[0], (logging.WARNING, "slow rows=3"))
        self.assertEqual([text for _, text in said[1:]], ["no JSON \x1b {", "\\xff"])
        self.assertEqual((ended.code, ended.error, ended.outcome["retry_after_s"]), (1, "no luck", 1.5))

    def test_tells_why_a_call_was_refused(self):
        program = "import sys; sys.exit('outrider: a.b: bad parameters: x (from file %s)' % sys.argv[4])"
        ended = call(program).run()
        self.assertEqual(ended.error, "outrider: a.b: bad parameters: x")

    def test_no_word_at_all(self):
        self.assertEqual(call("import os; os.kill(os.getpid(), 9)").run().error, "outrider ended with -9")

    def test_much_on_both_pipes(self):
        program = "import sys\nfor _ in range(20000): print('x' * 100); print('y' * 100, file=sys.stderr)"
        self.assertEqual(len(call(program).run().outputs), 20000 * 101 - 1)

    def test_own_session(self):
        self.assertNotEqual(call("import os; print(os.getsid(0))").run().outputs, str(os.getsid(0)))

    def test_stop_ends_who_listens(self):
        self.stopped("import time; print('{\"@message\":\"up\"}', file=__import__('sys').stderr, flush=True); time.sleep(100)", signal.SIGTERM, 3)

    def test_stop_ends_who_does_not(self):
        deaf = "import signal, sys, time; signal.signal(15, signal.SIG_IGN); print('{\"@message\":\"up\"}', file=sys.stderr, flush=True); time.sleep(100)"
        self.stopped(deaf, signal.SIGKILL, 8, within=0.5)

    def stopped(self, program, by, limit, **how):
        """Stops it from a signal's handler, in the thread that reads, as Airflow does."""
        def say(level, text):
            if text == "up":
                os.kill(os.getpid(), signal.SIGUSR1)

        host = call(program, say=say)
        before = signal.signal(signal.SIGUSR1, lambda *_: host.stop(**how))
        try:
            self.assertEqual(host.run().code, -by)
        finally:
            signal.signal(signal.SIGUSR1, before)

    def test_an_exception_ends_it(self):
        pids = []

        def fail(_, text):
            if not pids:
                pids.append(int(text))
                raise KeyboardInterrupt

        program = "import os, sys, time; print('{\"@message\":\"%d\"}' % os.getpid(), file=sys.stderr, flush=True); time.sleep(100)"
        with self.assertRaises(KeyboardInterrupt):
            call(program, say=fail).run()
        with self.assertRaises(ProcessLookupError):
            os.kill(pids[0], 0)

    def test_stop_before_and_after(self):
        host = call("print(1)")
        host.stop()
        host.run()
        host.stop()

    def test_lines(self):
        self.assertIsNone(parse("{broken"))
        self.assertIsNone(parse('{"other": "program"}'))
        self.assertIsNone(parse("[1]"))
        self.assertEqual(logged({"@level": "odd", "@message": "x", "@module": "m", "a": 1}), (logging.INFO, "x a=1"))


if __name__ == "__main__":
    unittest.main()
