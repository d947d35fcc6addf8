"""Stands in for a chat: adds what is told to a file. Where FILE.down is there, it is down."""
import json, os, sys

params = json.load(sys.stdin)
to = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", params["to"])
if os.path.exists(to + ".down"):
    print("the chat is down, token " + params.get("token", ""), file=sys.stderr)
    sys.exit(3)
with open(to, "a") as f:
    f.write(params.get("text", "") + "\n")
