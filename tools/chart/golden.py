"""helm/golden/: one render per provider, committed, so that a change of the chart shows in the diff what it does.

A whole render is up to 8,700 lines, most of them the same object for each service. A golden file has a line with a digest
for every object, so that no change escapes, and in full only what a person can read: the gateway, one service, what
all share. The files of the meshes show only what is not so without a mesh.
"""

import difflib
from collections.abc import Iterator
from pathlib import Path

import yaml

import render
import suite
import tools

DIRECTORY = tools.HELM_DIR / "golden"
COMPONENT = "app.kubernetes.io/component"
SHOWN = {"gateway", "orders", "network", "mongodb", "nats", "test"}
LONGEST_TEXT = 20  # lines of a script or configuration; the longer ones are files of the chart, or topology.yaml again


def renders() -> list[render.Render]:
    sets = {"monitoring.enabled": "true"}
    return render.all_of([render.Render(provider, ("values-trial.yaml",), {**sets, "mesh.provider": provider}, "1.34.0")
                          for provider in suite.PROVIDERS])


def texts() -> dict[str, str]:
    """Provider -> content of its golden file."""
    return of(renders())


def of(each: list[render.Render]) -> dict[str, str]:
    base = {key(one): one for one in each[0].objects}
    return {one.name: text(one, {} if one is each[0] else base) for one in each}


def text(each: render.Render, base: dict[str, dict]) -> str:
    objects = sorted(each.objects, key=key)
    lines = [f"# {key(one)} {digest(one)}" for one in objects]
    shown = [yaml.dump(readable(one), Dumper=yaml.CSafeDumper, sort_keys=False, width=120)
             for one in objects if is_shown(one) and base.get(key(one)) != one]
    return "\n".join(lines) + "\n---\n" + "---\n".join(shown)


def key(one: dict) -> str:
    group = one["apiVersion"].split("/")[0]
    return f"{one['kind']}.{group} {one['metadata']['name']}"


def digest(one: dict) -> str:
    return render.digest(yaml.dump(one, Dumper=yaml.CSafeDumper))[:12]


def is_shown(one: dict) -> bool:
    """Objects of the components that stand for all, and of their edges those that begin at one of them too."""
    name = one["metadata"]["name"].removeprefix(f"{render.RELEASE}-comptoir-")
    ends = name.replace("-from-", " ").replace("-to-", " ").split()
    if len(ends) == 2:
        return set(ends) <= SHOWN | {"outside", "probes"}
    return one["metadata"]["labels"][COMPONENT] in SHOWN


def readable(one: dict) -> dict:
    """Without the labels that all have, and long texts as their digest."""
    metadata = {name: value for name, value in one["metadata"].items() if name not in ("labels", "namespace")}
    return shortened({**one, "metadata": metadata})


def shortened(value: object) -> object:
    if isinstance(value, dict):
        return {name: shortened(one) for name, one in value.items()}
    if isinstance(value, list):
        return [shortened(one) for one in value]
    if isinstance(value, str) and value.count("\n") > LONGEST_TEXT:
        return f"({value.count(chr(10))} lines, {render.digest(value)[:12]})"
    return value


def path(provider: str) -> Path:
    return DIRECTORY / f"{provider}.yaml"


def write() -> None:
    DIRECTORY.mkdir(exist_ok=True)
    for provider, content in texts().items():
        path(provider).write_text(content)


def compare() -> Iterator[str]:
    for provider, content in texts().items():
        committed = path(provider).read_text() if path(provider).exists() else ""
        if committed != content:
            changed = difflib.unified_diff(committed.splitlines(), content.splitlines(), lineterm="", n=0)
            lines = [line for line in changed if not line.startswith(("---", "+++", "@@"))]
            where = path(provider).relative_to(tools.ROOT)
            yield f"{where}: {len(lines)} lines differ, first {lines[:1]}; mend: make chart-write, and read the diff"
