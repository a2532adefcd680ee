"""What the mesh sends again: only RPCs that the contract calls idempotent, that only read, in one message."""

from collections.abc import Iterator

import contracts
import render

RETRY = "retry.linkerd.io/"
TIMEOUT = "timeout.linkerd.io/"


def problems(each: render.Render, calls: contracts.Calls) -> Iterator[str]:
    for one in each.objects:
        if one["kind"] == "GRPCRoute":
            yield from of_linkerd(one, calls)
        elif one["kind"] == "VirtualService":
            yield from of_istio(one, calls)
        elif one["kind"] in ("Service", "HTTPRoute") and any(key.startswith((RETRY, TIMEOUT)) for key in annotations(one)):
            yield f"{one['kind']} {one['metadata']['name']} retries whatever passes"
    if each.provider == "istio":
        yield from without_route(each)


def annotations(one: dict) -> dict[str, str]:
    return one["metadata"].get("annotations") or {}


def of_linkerd(one: dict, calls: contracts.Calls) -> Iterator[str]:
    name = one["metadata"]["name"]
    if not any(key.startswith((RETRY, TIMEOUT)) for key in annotations(one)):
        return
    for rule in one["spec"]["rules"]:
        if not rule.get("matches"):
            yield f"GRPCRoute {name} retries every RPC"
        for match in rule.get("matches") or []:
            method = match["method"]
            path = f"/{method['service']}/{method.get('method', '*')}"
            if path not in calls.repeatable:
                yield f"GRPCRoute {name} retries {path}, which may change something"


def of_istio(one: dict, calls: contracts.Calls) -> Iterator[str]:
    name = one["metadata"]["name"]
    for route in one["spec"]["http"]:
        attempts = route.get("retries", {}).get("attempts")
        if attempts == 0:
            continue
        if attempts is None:
            yield f"VirtualService {name}: the route {route.get('name')} says nothing of retries, and Istio's default retries"
        if "cancelled" in route.get("retries", {}).get("retryOn", "cancelled"):
            yield f"VirtualService {name}: the route {route.get('name')} retries what the caller cancelled"
        paths = [match.get("uri", {}).get("exact", "*") for match in route.get("match", [])] or ["*"]
        for path in paths:
            if path not in calls.repeatable:
                yield f"VirtualService {name} retries {path}, which may change something"


def without_route(each: render.Render) -> Iterator[str]:
    """A service without a VirtualService gets Istio's default, which retries."""
    hosts = {host for one in each.objects if one["kind"] == "VirtualService" for host in one["spec"]["hosts"]}
    for one in each.objects:
        ports = one["spec"].get("ports", []) if one["kind"] == "Service" else []
        tracked = "comptoir/track" in (one.get("spec") or {}).get("selector", {}) if one["kind"] == "Service" else False
        if any(port.get("appProtocol") in ("grpc", "http") for port in ports) and not tracked:
            if one["metadata"]["name"] not in hosts:
                yield f"Service {one['metadata']['name']} has no VirtualService: Istio's default retries"
