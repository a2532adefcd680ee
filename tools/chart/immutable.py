"""What Kubernetes lets nobody change: an upgrade that tries fails. helm/baseline.json holds those fields as they were in
the last release, so that a fresh clone can compare; `make release-baseline` writes it."""

import json
from collections.abc import Iterator

import golden
import render
import tools

BASELINE = tools.HELM_DIR / "baseline.json"

# By kind, the paths that the API server refuses to change (Kubernetes API reference).
FIELDS = {
    "Deployment": ("spec.selector",),
    "StatefulSet": ("spec.selector", "spec.serviceName", "spec.podManagementPolicy", "spec.volumeClaimTemplates"),
    "Job": ("spec.template", "spec.selector", "spec.completions"),
    "Service": ("spec.clusterIP",),
    "PersistentVolumeClaim": ("spec.accessModes", "spec.storageClassName"),
    "Secret": ("type",),
    "RoleBinding": ("roleRef",),
}

# Kinds that hold data: one that is gone, or has another name, has left its volumes behind.
KEEPERS = {"StatefulSet", "PersistentVolumeClaim"}


def fields(renders: list[render.Render]) -> dict[str, dict]:
    """{provider: {kind/name: {path: value}}}"""
    return {each.name: {f"{one['kind']}/{one['metadata']['name']}": {path: at(one, path) for path in FIELDS[one["kind"]]}
                        for one in each.objects if one["kind"] in FIELDS} for each in renders}


def at(value: object, path: str) -> object:
    for key in path.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return value


def write() -> int:
    BASELINE.write_text(json.dumps(fields(golden.renders()), indent=1, sort_keys=True) + "\n")
    return 0


def compare() -> list[str]:
    if not BASELINE.exists():
        return [f"{BASELINE.relative_to(tools.ROOT)} is missing; mend: git checkout it"]
    return list(changes(json.loads(BASELINE.read_text()), fields(golden.renders())))


def changes(before: dict, after: dict) -> Iterator[str]:
    for provider, objects in before.items():
        for name, kept in objects.items():
            now = after[provider].get(name)
            if now is None and name.split("/")[0] in KEEPERS:
                yield f"{provider}: {name} is gone, and its volumes with it"
            for path, value in kept.items():
                if now is not None and now.get(path) != value:
                    yield f"{provider}: {name}: {path} was {value} and is {now.get(path)}"
