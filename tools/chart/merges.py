"""How an API server and the two Helms change what runs, as far as fields of objects and their owners go: server-side apply
(Kubernetes documentation, "Server-Side Apply"), which Helm 4 uses, and the three-way merge of Helm 3. Both know the items of
a list by `name`, and take a list without names as one value."""

import copy
from collections.abc import Iterator

REPLICAS = ("spec", "replicas")
IDENTITY = {("apiVersion",), ("kind",), ("metadata", "name"), ("metadata", "namespace")}
OWNERS = "managedFields"

Path = tuple[str, ...]


class Conflict(Exception):
    """What the API server refuses, or what ends the merge."""


def leaves(value: object, path: Path = ()) -> Iterator[tuple[Path, object]]:
    """(path, value) of each field."""
    if isinstance(value, list) and value and all(isinstance(one, dict) and "name" in one for one in value):
        names = [one["name"] for one in value]
        twice = {name for name in names if names.count(name) > 1}
        if twice:
            raise Conflict(f"{'.'.join(path)}: {', '.join(sorted(twice))} is there twice")
        value = {f"[{one['name']}]": one for one in value}
    if isinstance(value, dict) and value:
        for key, one in value.items():
            yield from leaves(one, (*path, key))
    else:
        yield path, value


def manifest_fields(manifest: dict) -> dict[Path, object]:
    return {path: value for path, value in leaves(manifest) if path not in IDENTITY and OWNERS not in path}


class Object:
    """A Deployment that runs: its fields, and who owns which of them."""

    def __init__(self, manifest: dict) -> None:
        self.manifest = copy.deepcopy(manifest)
        self.fields = {}
        self.owners = {}  # (manager, operation, subresource) -> paths

    def apply(self, manifest: dict, manager: str = "helm", force: bool = False) -> None:
        """Server-side apply: what the manager no longer names, and nobody else owns, is removed."""
        wanted = manifest_fields(manifest)
        key = (manager, "Apply", "")
        others = [name for name in self.owners if name != key]
        for path, value in wanted.items():
            for name in others:
                if path in self.owners[name] and self.fields.get(path) != value:
                    if not force:
                        raise Conflict(f"conflict with {name[0]}: {'.'.join(path)}")
                    self.owners[name].discard(path)
        for path in self.owners.get(key, set()) - set(wanted):
            if not any(path in self.owners[name] for name in others):
                self.fields.pop(path, None)
        self.fields.update(wanted)
        self.owners[key] = set(wanted)
        self.default()

    def merge(self, before: dict, after: dict, manager: str = "helm") -> None:
        """Helm 3: what only the previous manifest had is removed, what the new one has is set."""
        previous, wanted = manifest_fields(before), manifest_fields(after)
        for path in set(previous) - set(wanted):
            self.fields.pop(path, None)
        self.update(wanted, manager, "")

    def update(self, changes: dict[Path, object], manager: str, subresource: str) -> None:
        """A change takes the fields that it changes from all other owners."""
        key = (manager, "Update", subresource)
        changed = {path for path, value in changes.items() if self.fields.get(path) != value}
        for name in self.owners:
            self.owners[name] -= changed
        self.owners.setdefault(key, set()).update(changed)
        self.fields.update(changes)
        self.default()

    def scale(self, replicas: int, manager: str = "kube-controller-manager") -> None:
        """As a HorizontalPodAutoscaler or, by `kubectl`, a person does."""
        self.update({REPLICAS: replicas}, manager, "scale")

    def default(self) -> None:
        """What the API server puts where a Deployment says nothing."""
        self.fields.setdefault(REPLICAS, 1)

    @property
    def replicas(self) -> int:
        return self.fields[REPLICAS]

    def served(self) -> dict:
        """As the API server shows it: the first two levels of the owned fields are enough for a template."""
        shown = copy.deepcopy(self.manifest)
        shown["spec"]["replicas"] = self.replicas
        shown["metadata"][OWNERS] = [
            {"manager": manager, "operation": operation, "apiVersion": shown["apiVersion"], "fieldsType": "FieldsV1",
             "fieldsV1": owned(paths), **({"subresource": subresource} if subresource else {})}
            for (manager, operation, subresource), paths in self.owners.items() if paths]
        return shown


def owned(paths: set[Path]) -> dict:
    tree = {}
    for path in paths:
        tree.setdefault(f"f:{path[0]}", {}).setdefault(f"f:{path[1]}", {})
    return tree
