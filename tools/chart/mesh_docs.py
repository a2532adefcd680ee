"""mesh/linkerd and mesh/istio: the defaults of a namespace, and the call graph in their READMEs, made of the topology, the
contracts and a render."""

from collections.abc import Iterator
from pathlib import Path

import contracts
import policies
import render
import schemas
import suite
import tools

MESHES = ("linkerd", "istio")
BEGIN, END = "<!-- call graph: made by `make chart-write` -->", "<!-- end of call graph -->"
ENFORCE = "pod-security.kubernetes.io/enforce"


def directory(mesh: str) -> Path:
    return tools.ROOT / "mesh" / mesh


def rendered(mesh: str) -> render.Render:
    """A trial, which has every edge: the stores and the provider's sandbox are inside."""
    return render.run(render.Render(mesh, ("values-trial.yaml",), {"mesh.provider": mesh}, suite.KUBERNETES[-1]))


def table(mesh: str, calls: contracts.Calls) -> str:
    each = rendered(mesh)
    allows = {"linkerd": policies.linkerd, "istio": policies.istio}[mesh](each)
    lines = ["| caller | called | port | AuthorizationPolicy | reads, which are retried | sent once |", "|---|---|---|---|---|---|"]
    for edge, rpcs in sorted(policies.wanted(each, calls).items()):
        reads = names(rpc for rpc in rpcs or () if rpc in calls.repeatable)
        once = names(rpc for rpc in rpcs or () if rpc not in calls.repeatable) if rpcs else "anything"
        policy = policies.short(allows.get(edge))
        lines.append(f"| {edge[0]} | {edge[1]} | {edge[2]} | `{policy}` | {reads} | {once} |")
    return "\n".join(lines)


def names(rpcs) -> str:
    """`GetOrder, ListOrders` of the paths of RPCs."""
    return ", ".join(sorted(rpc.rsplit("/", 1)[1] for rpc in rpcs))


def expected(mesh: str, calls: contracts.Calls) -> str:
    before, rest = (directory(mesh) / "README.md").read_text().split(BEGIN)
    return f"{before}{BEGIN}\n\n{table(mesh, calls)}\n\n{END}{rest.split(END)[1]}"


def write(calls: contracts.Calls) -> None:
    for mesh in MESHES:
        (directory(mesh) / "README.md").write_text(expected(mesh, calls))


def check(results, calls: contracts.Calls) -> None:
    results.add("the READMEs of mesh/ show the call graph", lambda: compare(calls))
    results.add("the namespaces of mesh/ have no schema error, deny by default and enforce pod security", namespaces)


def compare(calls: contracts.Calls) -> Iterator[str]:
    for mesh in MESHES:
        if (directory(mesh) / "README.md").read_text() != expected(mesh, calls):
            yield f"mesh/{mesh}/README.md: the call graph is not that of the topology; mend: make chart-write"


def namespaces() -> Iterator[str]:
    validate = schemas.Schemas()
    for mesh in MESHES:
        objects = render.parse((directory(mesh) / "namespace.yaml").read_text())
        for kubernetes in suite.KUBERNETES:
            each = render.Render(f"mesh/{mesh}", (), {"mesh.provider": mesh}, kubernetes, objects=objects)
            yield from validate.problems(each)
        yield from namespace_problems(mesh, objects)


def namespace_problems(mesh: str, objects: list[dict]) -> Iterator[str]:
    metadata = next(one["metadata"] for one in objects if one["kind"] == "Namespace")
    if metadata["labels"].get(ENFORCE) != "restricted":
        yield f"mesh/{mesh}: the namespace does not enforce restricted pods"
    for one in objects:
        if one["kind"] != "Namespace" and one["metadata"]["namespace"] != metadata["name"]:
            yield f"mesh/{mesh}: {one['kind']} {one['metadata']['name']} is in another namespace"
    deny = {
        "linkerd": metadata.get("annotations", {}).get("config.linkerd.io/default-inbound-policy") == "deny",
        "istio": any(one["kind"] == "AuthorizationPolicy" and not one["spec"] for one in objects),
    }
    if not deny[mesh]:
        yield f"mesh/{mesh}: the namespace does not deny by default"
