"""Schemas: Kubernetes' own for the core kinds, the projects' resource definitions for Istio and the Gateway API, and for
Linkerd, whose definitions come in no package, tools/chart/linkerd.json, written after its reference."""

import functools
import json
import re
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import kubernetes_validate
import referencing
import yaml

import render
import tools

KUBERNETES = Path(kubernetes_validate.__file__).parent / "kubernetes-json-schema"
# Kubernetes documentation, "Object Names and IDs", "Labels and Selectors". Pods of a StatefulSet carry its name and a hash.
SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
NAMES = {"Service": (re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?"), 63), "StatefulSet": (SUBDOMAIN, 52), "Namespace": (SUBDOMAIN, 63)}
LABEL = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")

CORE = ("v1", "apps/", "autoscaling/", "batch/", "policy/v1", "networking.k8s.io/")


class Schemas:
    """Validates objects, each distinct one once."""

    def __init__(self) -> None:
        self.known = {}
        self.checked = 0
        self.definitions = custom_definitions()

    @property
    def distinct(self) -> int:
        return len(self.known)

    def problems(self, each: render.Render) -> Iterator[str]:
        version = each.kubernetes.rsplit(".", 1)[0]
        for one in each.objects:
            self.checked += 1
            custom = not is_core(one["apiVersion"])
            key = ("" if custom else version, render.digest(json.dumps(one, sort_keys=True)))
            if key not in self.known:
                self.known[key] = list(self.validate(one, version, custom))
            yield from self.known[key]

    def validate(self, one: dict, version: str, custom: bool) -> Iterator[str]:
        name = f"{one['kind']} {one['metadata']['name']}"
        validator = self.definitions.get((one["apiVersion"], one["kind"])) if custom else core(one["apiVersion"], one["kind"], version)
        if validator is None:
            yield f"{name}: no schema of {one['apiVersion']} {one['kind']} for Kubernetes {version}"
            return
        for error in validator.iter_errors(one):
            yield f"{name}: {'.'.join(map(str, error.absolute_path))}: {error.message[:200]}"
        yield from name_problems(one)


def name_problems(one: dict) -> Iterator[str]:
    """What the schemas leave to the API server: names of objects, and labels where objects and pods have them."""
    name = one["metadata"]["name"]
    legal, longest = NAMES.get(one["kind"], (SUBDOMAIN, 253))
    if not isinstance(name, str) or len(name) > longest or not legal.fullmatch(name):
        yield f"{one['kind']} {name}: is no name of such an object"
    for labels in labels_of(one):
        for key, value in labels.items():
            if not isinstance(value, str) or not LABEL.fullmatch(value):
                yield f"{one['kind']} {name}: the label {key} has the value {value!r}"


def labels_of(value: object) -> Iterator[dict]:
    """Every map of labels in an object: of metadata, of selectors, of templates."""
    if isinstance(value, list):
        for one in value:
            yield from labels_of(one)
    elif isinstance(value, dict):
        for key, one in value.items():
            if key in ("labels", "matchLabels") and isinstance(one, dict):
                yield one
            else:
                yield from labels_of(one)


def is_core(api_version: str) -> bool:
    return api_version == "v1" or api_version.startswith(CORE[1:]) and "istio" not in api_version


@functools.cache
def core(api_version: str, kind: str, version: str) -> jsonschema.Draft202012Validator | None:
    directory = KUBERNETES / f"v{version}.0-local-strict"
    group = api_version.split("/")[0].split(".")[0] + "-" + api_version.split("/")[1] if "/" in api_version else api_version
    path = directory / f"{kind.lower()}-{group}.json"
    if not path.exists():
        return None
    registry = referencing.Resource.from_contents(definitions(directory)) @ referencing.Registry()
    return jsonschema.Draft202012Validator(json.loads(path.read_text()), registry=registry)


@functools.cache
def definitions(directory: Path) -> dict:
    return json.loads((directory / "_definitions.json").read_text())


Validators = dict[tuple[str, str], jsonschema.Draft202012Validator]  # by apiVersion and kind


def custom_definitions() -> Validators:
    """Of the resources that are not Kubernetes' own."""
    found = resource_definitions(tools.schemas() / "crds")
    for name, schema in json.loads((Path(__file__).parent / "linkerd.json").read_text()).items():
        found[tuple(name.rsplit(" ", 1))] = jsonschema.Draft202012Validator(strict(schema))
    return found


def resource_definitions(directory: Path) -> Validators:
    """Of the custom resource definitions in the files of a directory."""
    found = {}
    for file in sorted(directory.glob("*.yaml")):
        for crd in yaml.load_all(file.read_text(), Loader=yaml.CSafeLoader):
            if crd and crd.get("kind") == "CustomResourceDefinition":
                names = crd["spec"]
                for version in names["versions"]:
                    schema = strict(version["schema"]["openAPIV3Schema"])
                    found[f"{names['group']}/{version['name']}", names["names"]["kind"]] = jsonschema.Draft202012Validator(schema)
    return found


def strict(schema: object, top: bool = True) -> object:
    """The same schema, refusing fields that it does not know, as `kubectl apply` does."""
    if isinstance(schema, list):
        return [strict(one, False) for one in schema]
    if not isinstance(schema, dict):
        return schema
    result = {key: keyed(key, value) for key, value in schema.items()}
    if "properties" in result and isinstance(result["properties"], dict) and not result.get("x-kubernetes-preserve-unknown-fields"):
        if top:
            result["properties"] |= {"apiVersion": {}, "kind": {}, "metadata": {"type": "object"}}
        result.setdefault("additionalProperties", False)
    if result.get("x-kubernetes-int-or-string"):
        result = {"anyOf": [{"type": "integer"}, {"type": "string"}]}
    return result


def keyed(key: str, value: object) -> object:
    """`oneOf` and its like refine a schema whose fields are listed beside them: those stay open."""
    if key in ("oneOf", "anyOf", "allOf", "not"):
        return value
    if key == "properties":
        return {name: strict(one, False) for name, one in value.items()}
    return strict(value, False) if key in ("items", "additionalProperties") else value
