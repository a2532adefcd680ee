"""Routes of the Gateway API, as the oldest version that the chart is for takes them, and whether they lead every public RPC."""

import functools
import json
from collections.abc import Iterator

import contracts
import render
import report
import schemas
import suite
import tools

OLDER = ("1.1.1", "1.2.1")  # those of tools/fetch.py; the newest one validates every render
GROUP = "gateway.networking.k8s.io/"
OUTSIDE = {"gateway.gatewayApi.enabled": "true", "gateway.gatewayApi.grpc.enabled": "true", "gateway.gatewayApi.parentRefs": suite.PARENT,
           "gateway.gatewayApi.hostnames": json.dumps([f"shop-{number}.example.com" for number in range(16)]),
           "gateway.gatewayApi.grpc.hostnames": json.dumps([f"grpc-{number}.example.com" for number in range(16)])}
CANARY = {"services.orders.canary.enabled": "true", "services.orders.canary.tag": "0.2.0"}


@functools.cache
def definitions(version: str) -> schemas.Validators:
    directory = tools.schemas() / "crds" / f"gateway-api-{version}"
    if not directory.exists():
        report.fail(f"{directory} is missing: the chart's tools are of an earlier version\n  mend: make tools")
    return schemas.resource_definitions(directory)


def renders() -> list[render.Render]:
    return [render.Render(f"routes {provider}", ("values-trial.yaml",), {**OUTSIDE, "mesh.provider": provider, **more}, "1.30.0")
            for provider, more in (("none", {}), ("linkerd", CANARY), ("istio", CANARY))]


def check(results: report.Results, calls: contracts.Calls) -> None:
    made = render.all_of(renders())
    for version in OLDER:
        results.add(f"Gateway API {version} takes all routes", lambda: over(made, lambda each: problems(each, version)))
    results.add("the routes of gRPC lead every public RPC, once, and no other", lambda: over(made, lambda each: coverage(each, calls)))


def over(made: list[render.Render], function) -> Iterator[str]:
    for each in made:
        yield from ([each.refusal] if each.refusal else [])
        yield from (f"{each.name}: {problem}" for problem in function(each))


def problems(each: render.Render, version: str = OLDER[0]) -> Iterator[str]:
    routes = [one for one in each.objects if one["apiVersion"].startswith(GROUP)]
    for one in routes:
        validator = definitions(version).get((one["apiVersion"], one["kind"]))
        if validator is None:
            yield f"Gateway API {version} knows no {one['apiVersion']} {one['kind']}"
            continue
        for error in validator.iter_errors(one):
            yield f"{one['kind']} {one['metadata']['name']}: {'.'.join(map(str, error.absolute_path))}: {error.message[:120]}"


def coverage(each: render.Render, calls: contracts.Calls) -> Iterator[str]:
    led = []
    for one in each.objects:
        if one["kind"] == "GRPCRoute" and one["metadata"]["name"].endswith("-outside"):
            methods = [match["method"] for rule in one["spec"]["rules"] for match in rule["matches"]]
            led += [f"/{method['service']}/{method['method']}" for method in methods]
    public = {rpc for (start, _), rpcs in calls.edges.items() if start == "gateway" for rpc in rpcs} - {contracts.HEALTH_CHECK}
    yield from (f"{rpc} is led nowhere" for rpc in sorted(public - set(led)))
    yield from (f"{rpc} is led {led.count(rpc)} times, or is not public" for rpc in sorted(set(led)) if led.count(rpc) > 1 or rpc not in public)
