"""What a script learns that asks Digdag as its own pages do: which attempts are open.

projects, the workflows of each, the sessions of each, and of those whose last attempt
is open the attempt and its tasks. Prints {"requests": N, "open": [ids]}.
"""

import json
import sys

import requests

http = requests.Session()
count = 0


def get(path, **query):
    global count
    count += 1
    answer = http.get(sys.argv[1] + "/api/" + path, params=query, timeout=30)
    answer.raise_for_status()
    return answer.json()


found = []
for project in get("projects")["projects"]:
    for workflow in get(f"projects/{project['id']}/workflows")["workflows"]:
        sessions = get(f"projects/{project['id']}/sessions", workflow=workflow["name"])
        for session in sessions["sessions"]:
            if not session["lastAttempt"]["done"]:
                attempt = get(f"attempts/{session['lastAttempt']['id']}")
                get(f"attempts/{attempt['id']}/tasks")
                found.append(attempt["id"])
print(json.dumps({"requests": count, "open": sorted(found, key=int)}))
