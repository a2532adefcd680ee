#!/usr/bin/env python3
"""Runs proto/vectors/money.json with Python's own exact arithmetic: the vectors hold in another language too.

With --write it makes the file: the expected values come from here, not from the Rust code that is tested with them.
"""

import json
import sys
from decimal import ROUND_HALF_EVEN, Decimal, getcontext
from fractions import Fraction
from pathlib import Path

FILE = Path(__file__).resolve().parent.parent / "proto" / "vectors" / "money.json"
LIMIT = 2**63 - 1
getcontext().prec = 80


class Refused(Exception):
    """An amount that is none; the argument is the error's name in the vectors."""


def checked(currencies, code, amount):
    """A Decimal at the scale of its currency."""
    if code not in currencies:
        raise Refused("CURRENCY")
    unit = Decimal(1).scaleb(-currencies[code])
    if amount % unit != 0:
        raise Refused("PRECISION")
    if abs(int(amount)) > LIMIT:
        raise Refused("OVERFLOW")
    return abs(amount).quantize(unit).copy_sign(amount) if amount != 0 else Decimal(0).quantize(unit)


def from_wire(currencies, wire):
    units, nanos = int(wire["units"]), wire["nanos"]
    if abs(nanos) > 999_999_999 or units * nanos < 0:
        raise Refused("NANOS")
    return checked(currencies, wire["currencyCode"], Decimal(units) + Decimal(nanos).scaleb(-9))


def text(code, amount):
    return f"{amount:f} {code}"


def minor(currencies, code, amount):
    return int(amount.scaleb(currencies[code]))


def major(currencies, code, number):
    return checked(currencies, code, Decimal(number).scaleb(-currencies[code]))


def parse(currencies, money):
    number, code = money.split(" ")
    return code, checked(currencies, code, Decimal(number))


def add(currencies, a, b):
    (code, x), (other, y) = parse(currencies, a), parse(currencies, b)
    if code != other:
        raise Refused("MIXED")
    return text(code, checked(currencies, code, x + y))


def scaled(currencies, money, factor):
    code, amount = parse(currencies, money)
    unit = Decimal(1).scaleb(-currencies[code])
    return text(code, checked(currencies, code, (amount * Decimal(factor)).quantize(unit, ROUND_HALF_EVEN)))


def allocate(currencies, money, weights):
    code, amount = parse(currencies, money)
    whole, total = minor(currencies, code, amount), sum(weights)
    if total == 0:
        raise Refused("WEIGHTS")
    exact = [Fraction(abs(whole) * weight, total) for weight in weights]
    parts = [int(share) for share in exact]
    order = sorted(range(len(parts)), key=lambda at: (parts[at] - exact[at], at))
    for at in order[: abs(whole) - sum(parts)]:
        parts[at] += 1
    sign = -1 if whole < 0 else 1
    return [text(code, major(currencies, code, sign * part)) for part in parts]


def units(currencies, money, start, end, of):
    code, amount = parse(currencies, money)
    if of == 0 or not start <= end <= of:
        raise Refused("WEIGHTS")
    whole = minor(currencies, code, amount)
    upto = [round(Fraction(whole * count, of)) for count in (start, end)]
    return text(code, major(currencies, code, upto[1] - upto[0]))


def outcome(run):
    try:
        return {"result": run()}
    except Refused as refused:
        return {"error": str(refused)}


def expected(currencies, section, case):
    """What a case must give."""
    runs = {
        "wire": lambda: text(case["wire"]["currencyCode"], from_wire(currencies, case["wire"])),
        "add": lambda: add(currencies, case["a"], case["b"]),
        "scaled": lambda: scaled(currencies, case["amount"], case["factor"]),
        "allocate": lambda: allocate(currencies, case["amount"], case["weights"]),
        "units": lambda: units(currencies, case["amount"], case["from"], case["to"], case["of"]),
    }
    return outcome(runs[section])


def cases():
    """The questions."""
    wire = [
        ("EUR", 0, 0), ("EUR", 12, 500_000_000), ("EUR", -12, -500_000_000), ("EUR", 0, -10_000_000), ("JPY", 1999, 0),
        ("JPY", 1, 500_000_000), ("KWD", 1, 5_000_000), ("KWD", 0, 999_000_000), ("KWD", 1, 500_000), ("CLF", 1, 100_000),
        ("EUR", 1, 5_000_000), ("EUR", 1, -1), ("EUR", -1, 1), ("EUR", 0, 1_000_000_000), ("EUR", LIMIT, 990_000_000),
        ("EUR", -LIMIT, -990_000_000), ("EUR", -LIMIT - 1, 0), ("KWD", LIMIT, 999_000_000), ("JPY", LIMIT, 0),
        ("XXX", 1, 0), ("eur", 1, 0), ("", 1, 0), ("EURO", 1, 0), ("EUR", 0, -(2**31)),
    ]
    yield "wire", [{"wire": {"currencyCode": code, "units": str(u), "nanos": n}} for code, u, n in wire]
    sums = [
        ("0.10 EUR", "0.20 EUR"), ("1 JPY", "2 JPY"), ("0.001 KWD", "0.999 KWD"), ("1.00 EUR", "-1.00 EUR"),
        ("1.00 EUR", "1.00 USD"), (f"{LIMIT}.99 EUR", "0.00 EUR"), (f"{LIMIT}.99 EUR", "0.01 EUR"),
        (f"-{LIMIT}.99 EUR", "-0.01 EUR"),
    ]
    yield "add", [{"a": a, "b": b} for a, b in sums]
    products = [
        ("0.05 EUR", "0.5"), ("0.15 EUR", "0.5"), ("-0.05 EUR", "0.5"), ("-0.15 EUR", "0.5"), ("19.99 EUR", "0.2"),
        ("19.99 EUR", "1.055"), ("1 JPY", "0.5"), ("3 JPY", "0.5"), ("1.001 KWD", "0.5"), ("1.003 KWD", "0.5"),
        ("100.00 CHF", "0.081"), (f"{LIMIT}.99 EUR", "1"), (f"{LIMIT}.99 EUR", "1.01"), ("12.34 EUR", "0"),
    ]
    yield "scaled", [{"amount": amount, "factor": factor} for amount, factor in products]
    splits = [
        ("100.00 EUR", [1, 1, 1]), ("-100.00 EUR", [1, 1, 1]), ("0.01 EUR", [1, 1, 1]), ("10 JPY", [3, 3, 3]),
        ("1.000 KWD", [1, 2, 4]), ("5.00 EUR", [1999, 500, 1]), ("5.00 EUR", [0, 1, 0]), ("5.00 EUR", [0, 0]),
        ("5.00 EUR", []), ("0.05 EUR", [50, 30, 20]), (f"{LIMIT}.99 EUR", [1, 1]),
    ]
    yield "allocate", [{"amount": amount, "weights": weights} for amount, weights in splits]
    parts = [
        ("10.00 EUR", 0, 1, 3), ("10.00 EUR", 1, 2, 3), ("10.00 EUR", 2, 3, 3), ("10.00 EUR", 0, 3, 3),
        ("0.01 EUR", 0, 1, 2), ("0.01 EUR", 1, 2, 2), ("0.03 EUR", 0, 1, 2), ("100 JPY", 0, 1, 7), ("1.000 KWD", 3, 7, 7),
        ("1.00 EUR", 2, 1, 3), ("1.00 EUR", 0, 4, 3), ("1.00 EUR", 0, 0, 0), ("1.00 EUR", 1, 1, 3),
    ]
    yield "units", [{"amount": amount, "from": a, "to": b, "of": of} for amount, a, b, of in parts]


def write(currencies):
    vectors = {"currencies": currencies}
    for section, questions in cases():
        vectors[section] = [case | expected(currencies, section, case) for case in questions]
    lines = [f'  "currencies": {json.dumps(currencies)}']
    for section in list(vectors)[1:]:
        rows = ",\n".join(f"    {json.dumps(case)}" for case in vectors[section])
        lines.append(f'  "{section}": [\n{rows}\n  ]')
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n")


def main():
    vectors = json.loads(FILE.read_text())
    currencies = vectors.pop("currencies")
    if "--write" in sys.argv:
        return write(currencies)
    count = 0
    for section, known in vectors.items():
        for case in known:
            told = {key: case[key] for key in ("result", "error") if key in case}
            found = expected(currencies, section, case)
            if found != told:
                sys.exit(f"{section}: {case}: here {found}")
            count += 1
    print(f"{count} vectors hold")


main()
