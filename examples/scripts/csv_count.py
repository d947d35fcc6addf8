"""Counts the rows of a CSV file, and how many values each column has."""

import csv
import json
import os
import sys

PERMANENT, SKIP = 3, 99  # as exit_codes in csv_count.component.yml has them

events = open(3, "w", buffering=1)


def tell(**event):
    """Tells Outrider something: one JSON object a line on descriptor 3."""
    print(json.dumps({"outrider": 1, **event}), file=events)


def main():
    params = json.load(sys.stdin)
    try:
        source = open(params["file"], "rb")
    except OSError as err:
        sys.exit(fail(f"cannot read the file: {err}"))
    size = os.fstat(source.fileno()).st_size

    def lines():
        for line in source:
            yield line.decode(params.get("encoding", "utf-8"))

    reader = csv.DictReader(lines(), delimiter=params.get("delimiter", ","))
    if not reader.fieldnames:
        print("the file is empty", file=sys.stderr)
        sys.exit(SKIP)
    rows, filled = 0, dict.fromkeys(reader.fieldnames, 0)
    for row in reader:
        rows += 1
        for name in reader.fieldnames:
            filled[name] += bool(row[name])
        if rows % 10_000 == 0:
            tell(progress={"done": source.tell(), "total": size, "note": f"{rows} rows"})
    print(f"{rows} rows in {len(filled)} columns")
    tell(progress={"done": size, "total": size}, output={"rows": rows, "filled": filled})


def fail(message):
    """Gives the error its text and returns the exit code that says: no use in a retry."""
    tell(error={"message": message})
    return PERMANENT


if __name__ == "__main__":
    main()
