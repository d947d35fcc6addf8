"""Stands in for an engine: prints the answer that a test wrote.

In an answer "@-2h" is the time two hours ago. One that begins with "hang", "half" or "exit"
does that instead; one that begins with "wait" is given once there is FILE.go. Of a list the
cursor says which is given. Each call adds a line to the answer's .log: what was asked.
"""
import datetime, json, os, re, sys, time

params = json.load(sys.stdin)
file = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", params["answer"])
with open(file + ".log", "a") as log:
    log.write(json.dumps({k: params[k] for k in ("cursor", "details", "history_from", "requests") if k in params}) + "\n")
with open(file) as f:
    text = f.read()


def at(match):
    n, unit = int(match.group(1)), {"s": 1, "m": 60, "h": 3600, "d": 86400}[match.group(2)]
    t = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=n * unit)
    return '"' + t.strftime("%Y-%m-%dT%H:%M:%SZ") + '"'


if text.startswith("wait"):
    open(file + ".waits", "w").close()
    while not os.path.exists(file + ".go"):
        time.sleep(0.02)
    text = text[4:]
if text.startswith("hang"):
    time.sleep(600)
if text.startswith("exit"):
    print("the engine says: token is " + params.get("token", ""), file=sys.stderr)
    sys.exit(3)
output = re.sub(r'"@([+-]?\d+)([smhd])"', at, text)
if text.startswith("half"):
    output = output[4:][: len(output) // 2]
    print("half of it")
    os.write(3, ('{"outrider":1,"output":' + output).encode())
    sys.exit(0)
if params.get("token"):
    print("asked with " + params["token"], file=sys.stderr)
output = json.loads(output)
if isinstance(output, list):
    output = output[params.get("cursor", 0)]
message = json.dumps({"outrider": 1, "output": output}).encode() + b"\n"
while message:  # a pipe takes what fits
    message = message[os.write(3, message):]
