"""The parts of values.schema.json that are Kubernetes' own: tolerations, affinity, peers of a NetworkPolicy. They are taken
from the schema of the oldest version that the chart is for, so that a later one takes them too."""

import json
import re
from collections.abc import Iterator

import schemas
import suite
import tools

VALUES_SCHEMA = tools.CHART / "values.schema.json"
PREFIX = "io.k8s."
ROOTS = ("io.k8s.api.core.v1.Toleration", "io.k8s.api.core.v1.Affinity", "io.k8s.api.networking.v1.NetworkPolicyPeer")
REFERENCE = re.compile(r'"\$ref": "[^"#]*#/\$defs/([^"]+)"')


def definitions() -> dict[str, dict]:
    """The roots and all that they refer to, without descriptions, referring to `$defs`."""
    version = suite.KUBERNETES[0].rsplit(".", 1)[0]
    known = schemas.definitions(schemas.KUBERNETES / f"v{version}.0-local-strict")["$defs"]
    found, missing = {}, list(ROOTS)
    while missing:
        name = missing.pop()
        text = json.dumps(bare(known[name]))
        found[name] = json.loads(REFERENCE.sub(r'"$ref": "#/$defs/\1"', text))
        missing += set(REFERENCE.findall(text)) - set(found)
    return dict(sorted(found.items()))


def bare(value: object) -> object:
    if isinstance(value, dict):
        return {key: bare(one) for key, one in value.items() if key != "description" or not isinstance(one, str)}
    return [bare(one) for one in value] if isinstance(value, list) else value


def expected() -> str:
    schema = json.loads(VALUES_SCHEMA.read_text())
    own = {name: one for name, one in schema["$defs"].items() if not name.startswith(PREFIX)}
    schema["$defs"] = {**own, **definitions()}
    return json.dumps(schema, indent=2) + "\n"


def write() -> None:
    VALUES_SCHEMA.write_text(expected())


def compare() -> Iterator[str]:
    if VALUES_SCHEMA.read_text() != expected():
        yield "helm/comptoir/values.schema.json: its io.k8s parts are not Kubernetes' own; mend: make chart-write"
