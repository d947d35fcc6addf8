"""Adds the paid orders up by country and product, in euros."""

import csv
import json
import os
import sys
from decimal import ROUND_HALF_EVEN, Decimal

PERMANENT = 3  # as exit_codes in orders_transform.component.yml has it

events = open(3, "w", buffering=1)


def tell(**event):
    """Tells Outrider something: one JSON object a line on descriptor 3."""
    print(json.dumps({"outrider": 1, **event}), file=events)


def fail(code, message):
    """Ends as what no retry mends."""
    tell(error={"code": code, "message": message})
    sys.exit(PERMANENT)


def main():
    params = json.load(sys.stdin, parse_float=Decimal)
    try:
        with open(params["orders"], encoding="utf-8") as lines:
            orders = [json.loads(line) for line in lines]
    except OSError as err:
        fail("no_orders", f"cannot read the orders: {err}")
    paid = [order for order in orders if order["paid"]]
    if not paid:
        fail("no_orders", f"none of the {len(orders)} orders is paid")

    sales = {}
    for order in paid:
        if order["currency"] not in params["rates"]:
            fail("no_rate", f"order {order['id']} is in {order['currency']}, for which there is no rate")
        cents = Decimal(order["quantity"] * order["cents"]) / params["rates"][order["currency"]]
        row = sales.setdefault((order["country"], order["product"]), [0, 0, 0])
        row[0] += 1
        row[1] += order["quantity"]
        row[2] += int(cents.quantize(Decimal(1), ROUND_HALF_EVEN))

    partial = params["to"] + ".new"
    with open(partial, "w", encoding="utf-8", newline="") as target:
        table = csv.writer(target, lineterminator="\n")
        table.writerow(["country", "product", "orders", "quantity", "revenue_cents"])
        table.writerows([*key, *row] for key, row in sorted(sales.items()))
    os.replace(partial, params["to"])  # so that nobody reads half a file
    print(f"{len(paid)} orders in {len(sales)} rows, {len(orders) - len(paid)} cancelled")
    revenue = sum(row[2] for row in sales.values())
    tell(output={"rows": len(sales), "paid": len(paid), "cancelled": len(orders) - len(paid), "revenue_cents": revenue})


if __name__ == "__main__":
    main()
