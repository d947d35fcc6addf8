"""Loads one month's sales into an SQLite database."""

import csv
import json
import sqlite3
import sys

PERMANENT = 3  # as exit_codes in orders_load.component.yml has it

TABLE = """
CREATE TABLE IF NOT EXISTS sales (
    month TEXT, country TEXT, product TEXT, orders INTEGER, quantity INTEGER, revenue_cents INTEGER,
    PRIMARY KEY (month, country, product)
)"""


def main():
    params = json.load(sys.stdin)
    month = params["month"]
    try:
        with open(params["sales"], encoding="utf-8", newline="") as source:
            sales = [{"month": month, **row} for row in csv.DictReader(source)]
    except OSError as err:
        print(f"cannot read the sales: {err}", file=sys.stderr)
        sys.exit(PERMANENT)

    database = sqlite3.connect(params["database"], timeout=60)
    with database:  # commits, or rolls back when something is raised
        database.execute(TABLE)
        replaced = database.execute("DELETE FROM sales WHERE month = ?", (month,)).rowcount
        database.executemany(
            "INSERT INTO sales VALUES (:month, :country, :product, :orders, :quantity, :revenue_cents)", sales
        )
        of_month = "SELECT count(*), coalesce(sum(revenue_cents), 0) FROM sales WHERE month = ?"
        rows, revenue = database.execute(of_month, (month,)).fetchone()
    database.close()
    print(f"{rows} rows of {month} in {params['database']}, {replaced} replaced")
    output = {"rows": rows, "replaced": replaced, "revenue_cents": revenue}
    with open(3, "w") as events:
        print(json.dumps({"outrider": 1, "output": output}), file=events)


if __name__ == "__main__":
    main()
