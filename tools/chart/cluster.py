"""As much of an API server as Helm's `lookup` asks: discovery, and the Deployments and StatefulSets that are said to run."""

import contextlib
import http.server
import json
import threading
from collections.abc import Iterator

VERSION = {"major": "1", "minor": "34", "gitVersion": "v1.34.0"}

# What the API serves: Helm looks for the resource of each kind of a render. (group and version) -> {kind: resource}
SERVED = {
    "v1": {"Service": "services", "ServiceAccount": "serviceaccounts", "ConfigMap": "configmaps", "Pod": "pods"},
    "apps/v1": {"Deployment": "deployments", "StatefulSet": "statefulsets"},
    "autoscaling/v2": {"HorizontalPodAutoscaler": "horizontalpodautoscalers"},
    "policy/v1": {"PodDisruptionBudget": "poddisruptionbudgets"},
    "networking.k8s.io/v1": {"NetworkPolicy": "networkpolicies", "Ingress": "ingresses"},
    "gateway.networking.k8s.io/v1": {"HTTPRoute": "httproutes", "GRPCRoute": "grpcroutes"},
    "policy.linkerd.io/v1beta3": {"Server": "servers"},
    "policy.linkerd.io/v1alpha1": {"AuthorizationPolicy": "authorizationpolicies", "NetworkAuthentication": "networkauthentications",
                                   "MeshTLSAuthentication": "meshtlsauthentications"},
    "security.istio.io/v1": {"AuthorizationPolicy": "authorizationpolicies", "PeerAuthentication": "peerauthentications"},
    "networking.istio.io/v1": {"VirtualService": "virtualservices", "DestinationRule": "destinationrules"},
    "telemetry.istio.io/v1": {"Telemetry": "telemetries"},
}


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers a GET out of the objects of its server."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        answer = answer_to(self.path.split("?")[0], self.server.objects)
        body = json.dumps(answer or {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404}).encode()
        self.send_response(200 if answer else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_) -> None:
        pass


def answer_to(path: str, objects: list[dict]) -> dict | None:
    if path == "/version":
        return VERSION
    if path == "/api":
        return {"kind": "APIVersions", "versions": ["v1"]}
    if path == "/apis":
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups()}
    where = path.removeprefix("/apis/").removeprefix("/api/").split("/namespaces/")
    if where[0] not in SERVED:
        return None
    return discovery(where[0]) if len(where) == 1 else of_namespace(where[0], where[1].split("/"), objects)


def groups() -> list[dict]:
    found = {}
    for name in SERVED:
        if "/" in name:
            group, version = name.split("/")
            found.setdefault(group, []).append({"groupVersion": name, "version": version})
    return [{"name": group, "versions": versions, "preferredVersion": versions[0]} for group, versions in found.items()]


def discovery(name: str) -> dict:
    resources = [{"name": resource, "singularName": kind.lower(), "kind": kind, "namespaced": True, "verbs": ["get", "list"]}
                 for kind, resource in SERVED[name].items()]
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": name, "resources": resources}


def of_namespace(version: str, path: list[str], objects: list[dict]) -> dict | None:
    """`<namespace>/<resource>`, a list, or `<namespace>/<resource>/<name>`."""
    kinds = {resource: kind for kind, resource in SERVED[version].items()}
    kind = kinds.get(path[1]) if len(path) > 1 else None
    there = [one for one in objects
             if (one["apiVersion"], one["kind"], one["metadata"]["namespace"]) == (version, kind, path[0])]
    if len(path) == 2 and kind:
        return {"kind": f"{kind}List", "apiVersion": version, "metadata": {}, "items": there}
    return next((one for one in there if one["metadata"]["name"] == path[-1]), None)


@contextlib.contextmanager
def serving(objects: list[dict]) -> Iterator[str]:
    """The address of an API server on loopback that has these objects, while the block runs."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.objects = objects
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
