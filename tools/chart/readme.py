"""The README's table of values, made of the comments in values.yaml: `# -- text` above a key, continued by `#   text`."""

import json
import re
from collections.abc import Iterator

import yaml

import tools

README = tools.CHART / "README.md"
BEGIN, END = "<!-- values: made by `make chart-write` -->", "<!-- end of values -->"


def rows() -> list[tuple[str, object, str]]:
    """(key, default, text) of every commented key, in order."""
    text = (tools.CHART / "values.yaml").read_text()
    values = yaml.safe_load(text)
    path, comment, found = [], [], []
    for line in text.splitlines():
        bare = line.strip()
        if bare.startswith("# -- "):
            comment = [bare[5:]]
        elif bare.startswith("#"):
            comment += [bare[1:].strip()] if comment else []
        elif match := re.match(r"( *)([A-Za-z]+):", line):
            path = path[: len(match[1]) // 2] + [match[2]]
            if comment:
                found.append((".".join(path), default(values, path), " ".join(comment)))
            comment = []
        else:
            comment = []
    return found


def default(values: dict, path: list[str]) -> object:
    for key in path:
        values = values[key]
    return values


def table() -> str:
    lines = ["| key | default | meaning |", "|---|---|---|"]
    lines += [f"| `{key}` | `{json.dumps(value)}` | {text.replace('|', chr(92) + '|')} |" for key, value, text in rows()]
    return "\n".join(lines)


def expected() -> str:
    before, rest = README.read_text().split(BEGIN)
    after = rest.split(END)[1]
    return f"{before}{BEGIN}\n\n{table()}\n\n{END}{after}"


def write() -> None:
    README.write_text(expected())


def compare() -> Iterator[str]:
    if README.read_text() != expected():
        yield "helm/comptoir/README.md: the table is not that of values.yaml; mend: make chart-write"
    known = {key for key, _, _ in rows()}
    for key in leaves(yaml.safe_load((tools.CHART / "values.yaml").read_text())):
        if not any(key == one or key.startswith(one + ".") for one in known):
            yield f"values.yaml: {key} has no comment"


def leaves(values: dict, prefix: str = "") -> Iterator[str]:
    for key, value in values.items():
        if isinstance(value, dict) and value:
            yield from leaves(value, f"{prefix}{key}.")
        else:
            yield prefix + key
