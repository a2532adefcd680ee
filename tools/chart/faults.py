"""Faults planted into a render, to see that the checks notice: a check that cannot fail says nothing."""

import copy
from collections.abc import Callable

import contracts
import golden
import immutable
import pods
import policies
import render
import report
import retries
import routes
import schemas
import suite

Plant = Callable[[object], None]  # changes the objects of a render, or one of them

NAME = "shop-comptoir-"


def one(objects: list[dict], kind: str, name: str) -> dict:
    return next(each for each in objects if each["kind"] == kind and each["metadata"]["name"] == NAME + name)


def container(objects: list[dict], name: str = "orders") -> dict:
    return one(objects, "Deployment", name)["spec"]["template"]["spec"]["containers"][0]


def drop(kind: str, name: str) -> Plant:
    return lambda objects: objects.remove(one(objects, kind, name))


def widen_network(objects: list[dict]) -> None:
    one(objects, "NetworkPolicy", "users-from-orders")["spec"]["ingress"][0]["from"].append(
        {"podSelector": {"matchLabels": {policies.COMPONENT: "payments"}}})


def any_port(objects: list[dict]) -> None:
    del one(objects, "NetworkPolicy", "orders-to-users")["spec"]["egress"][0]["ports"]


def twin(kind: str, name: str) -> Plant:
    def plant(objects: list[dict]) -> None:
        again = copy.deepcopy(one(objects, kind, name))
        again["metadata"]["name"] += "-again"
        objects.append(again)
    return plant


def edit(kind: str, name: str, change: Plant) -> Plant:
    return lambda objects: change(one(objects, kind, name))


def put(path: str, value: object) -> Plant:
    """Sets `a/b/0/c~d` of an object, where `~` stands for the `/` of a name."""
    def change(target: dict) -> None:
        *most, last = [int(key) if key.isdigit() else key.replace("~", "/") for key in path.split("/")]
        for key in most:
            target = target[key]
        target[last] = value
    return change


HOLD = {"method": {"service": "comptoir.inventory.v1.InventoryService", "method": "HoldStock"}}
READ = {"method": {"service": "comptoir.orders.v1.OrderService", "method": "GetOrder"}}
TEMPLATE = "spec/template/spec/containers/0/"

# (what is wrong, provider, how, who must notice)
FAULTS = [
    ("an edge without its NetworkPolicy", "none", drop("NetworkPolicy", "payments-from-orders"), policies.problems),
    ("a NetworkPolicy without an edge", "none", widen_network, policies.problems),
    ("a NetworkPolicy without ports", "none", any_port, policies.problems),
    ("two NetworkPolicies of one edge", "none", twin("NetworkPolicy", "nats-from-orders"), policies.problems),
    ("no policy that denies all", "none", drop("NetworkPolicy", "deny-all"), policies.problems),
    ("an edge without its Linkerd policy", "linkerd", drop("AuthorizationPolicy", "mongodb-from-orders"), policies.problems),
    ("a Linkerd policy without an edge", "linkerd",
     edit("AuthorizationPolicy", "users-from-orders", put("spec/requiredAuthenticationRefs/0/name", NAME + "shipping")), policies.problems),
    ("two PeerAuthentications of one pod", "istio", twin("PeerAuthentication", "gateway"), policies.problems),
    ("a pod that takes plain text", "istio",
     edit("PeerAuthentication", "orders", put("spec/mtls/mode", "PERMISSIVE")), policies.problems),
    ("a port that takes plain text", "istio",
     edit("PeerAuthentication", "orders", put("spec/portLevelMtls", {"9004": {"mode": "PERMISSIVE"}})), policies.problems),
    ("an edge without its Istio policy", "istio", drop("AuthorizationPolicy", "payments-from-orders"), policies.problems),
    ("an Istio policy without a caller", "istio",
     edit("AuthorizationPolicy", "users-from-orders", lambda it: it["spec"]["rules"][0].pop("from")), policies.problems),
    ("an Istio policy with an RPC too many", "istio",
     edit("AuthorizationPolicy", "users-from-orders", lambda it: it["spec"]["rules"][0]["to"][0]["operation"]["paths"].append(
         "/comptoir.users.v1.UserService/DeleteUser")), policies.problems),
    ("an Istio policy for all RPCs", "istio",
     edit("AuthorizationPolicy", "users-from-orders", lambda it: it["spec"]["rules"][0]["to"][0]["operation"].pop("paths")), policies.problems),
    ("a retried write in Linkerd", "linkerd",
     edit("GRPCRoute", "inventory-reads-inventory-service", lambda it: it["spec"]["rules"][0]["matches"].append(HOLD)), retries.problems),
    ("retries on all RPCs in Linkerd", "linkerd",
     edit("GRPCRoute", "orders-once", put("metadata/annotations", {"retry.linkerd.io/grpc": "unavailable"})), retries.problems),
    ("a retried write in Istio", "istio",
     edit("VirtualService", "orders", lambda it: it["spec"]["http"][-1].update(retries={"attempts": 2, "retryOn": "unavailable"})),
     retries.problems),
    ("Istio's default retries", "istio", edit("VirtualService", "orders", lambda it: it["spec"]["http"][-1].pop("retries")), retries.problems),
    ("a service without a VirtualService", "istio", drop("VirtualService", "orders"), retries.problems),
    ("a Server of Linkerd that lets all in", "linkerd", edit("Server", "orders-grpc", put("spec/accessPolicy", "all-unauthenticated")),
     policies.problems),
    ("a proxy of Istio that calls without its certificate", "istio",
     edit("DestinationRule", "orders", lambda it: it["spec"]["trafficPolicy"].pop("tls")), policies.problems),
    ("a route with nine matches", "linkerd",
     edit("GRPCRoute", "orders-reads-order-service", lambda it: it["spec"]["rules"][0]["matches"].extend([READ] * 9)), routes.problems),
    ("a variable twice", "none",
     edit("Deployment", "orders", lambda it: it["spec"]["template"]["spec"]["containers"][0]["env"].append({"name": "COMPTOIR_LOG"})),
     pods.habit_problems),
    ("a label that the selector misses", "none",
     edit("Deployment", "orders", put("spec/template/metadata/labels/comptoir~track", "canary")), pods.habit_problems),
    ("a pod of the test that stays", "none",
     edit("Pod", "test", put("metadata/annotations/helm.sh~hook-delete-policy", "before-hook-creation")), pods.habit_problems),
    ("a Telemetry without a provider", "istio",
     edit("Telemetry", "telemetry", lambda it: it["spec"]["accessLogging"][0].pop("providers")), pods.habit_problems),
    ("a root container", "none", edit("Deployment", "orders", put("spec/template/spec/securityContext/runAsUser", 0)), pods.security_problems),
    ("the uid of Istio's proxy", "none", edit("Deployment", "orders", put("spec/template/spec/securityContext/runAsUser", 1337)),
     pods.security_problems),
    ("a container with capabilities", "none",
     edit("Deployment", "orders", put(TEMPLATE + "securityContext/capabilities", {"add": ["NET_ADMIN"]})), pods.security_problems),
    ("a pod without a seccomp profile", "none",
     edit("StatefulSet", "mongodb", lambda it: it["spec"]["template"]["spec"]["securityContext"].pop("seccompProfile")), pods.security_problems),
    ("a volume of the node", "none",
     edit("Deployment", "orders", put("spec/template/spec/volumes/0", {"name": "keys", "hostPath": {"path": "/"}})), pods.security_problems),
    ("a root file system that can be written", "none",
     edit("Deployment", "orders", put(TEMPLATE + "securityContext/readOnlyRootFilesystem", False)), pods.habit_problems),
    ("a liveness probe that asks the stores", "none",
     edit("Deployment", "orders", put(TEMPLATE + "livenessProbe", {"grpc": {"port": 9004}})), pods.habit_problems),
    ("a grace period without room to drain", "none",
     edit("Deployment", "orders", put("spec/template/spec/terminationGracePeriodSeconds", 10)), pods.habit_problems),
    ("a service account token", "none",
     edit("Deployment", "orders", put("spec/template/spec/automountServiceAccountToken", True)), pods.habit_problems),
    ("a probe that speaks TLS to a gateway without a certificate", "none",
     edit("Deployment", "gateway", put(TEMPLATE + "readinessProbe/httpGet/scheme", "HTTPS")), pods.tls_problems),
    ("a Service that selects nothing", "none", edit("Service", "orders", put("spec/selector", {"app": "order"})), pods.reference_problems),
    ("an account that is not there", "none", drop("ServiceAccount", "orders"), pods.reference_problems),
]

SCHEMA_FAULTS = [
    ("a Service whose name begins with a digit", "none", edit("Service", "orders", put("metadata/name", "1shop-orders"))),
    ("a label with an @ in it", "none", edit("Deployment", "orders", put("spec/template/metadata/labels/version", "1@sha256"))),
    ("a namespace that is a number", "none", edit("Deployment", "orders", put("metadata/namespace", 2024))),
    ("a misspelt field", "none", edit("Deployment", "orders", put("spec/replica", 2))),
    ("a number that is text", "none", edit("Service", "orders", put("spec/ports/0/port", "many"))),
    ("an unknown protocol of Linkerd", "linkerd", edit("Server", "orders-grpc", put("spec/proxyProtocol", "grpc"))),
    ("a misspelt field of Istio", "istio", edit("VirtualService", "orders", put("spec/http/0/retry", {}))),
    ("a misspelt field of the Gateway API", "linkerd", edit("GRPCRoute", "orders-once", put("spec/parents", []))),
]


# (a schema …, a text of it, what stands there instead, values that then pass)
OPEN_SCHEMAS = (
    ("without a least number of tries", '"minimum": 1,\n              "maximum": 5', '"maximum": 5', {"mesh.reads.attempts": "0"}),
    ("without a bound of host names", '"maxItems": 16', '"maxItems": 99',
     {"gateway.gatewayApi.hostnames": str([f"s{number}.example.com" for number in range(17)]).replace("'", '"')}),
    ("that takes volumes of nothing", '"exclusiveMinimum": 0', '"minimum": 0', {"mongodb.inChart.storage.size": "0"}),
)


def check(results: report.Results, calls: contracts.Calls) -> None:
    renders = {provider: render.run(render.Render(provider, ("values-trial.yaml",), {"mesh.provider": provider}, "1.34.0"))
               for provider in ("none", "linkerd", "istio")}
    validate = schemas.Schemas().problems
    cases = FAULTS + [(*fault, validate) for fault in SCHEMA_FAULTS]
    for name, provider, plant, who in cases:
        results.add(f"a planted fault is noticed: {name}", lambda: noticed(renders[provider], plant, who, calls))
    for name, before, after, sets in OPEN_SCHEMAS:
        results.add(f"a planted fault is noticed: a schema {name}", lambda: schema_noticed(before, after, sets))
    results.add("a planted fault is noticed: a changed selector", selector_noticed)
    results.add("a planted fault is noticed: a change of one service alone, in the golden render", golden_noticed)
    results.add("a planted fault is noticed: an edge that the chart's topology.yaml lacks", lambda: table_noticed(calls))


def noticed(original: render.Render, plant: Plant, who: Callable, calls: contracts.Calls) -> list[str]:
    each = copy.copy(original)
    each.objects = copy.deepcopy(original.objects)
    needs_calls = who in (policies.problems, retries.problems)
    look = (lambda: list(who(each, calls))) if needs_calls else (lambda: list(who(each)))
    before = look()
    plant(each.objects)
    return before + ([] if look() else ["nobody noticed"])


def schema_noticed(before: str, after: str, sets: dict[str, str]) -> list[str]:
    """Values that are refused by the schema alone pass with another one."""
    with suite.changed("values.schema.json", before, after) as chart:
        wide = render.refused(sets, [], chart=chart)
    return render.refused(sets, []) + ([] if wide == ["is accepted"] else ["nobody noticed"])


def golden_noticed() -> list[str]:
    """Of a service that the golden files do not show in full."""
    renders = golden.renders()
    before = golden.of(renders)
    container(renders[1].objects, "shipping")["args"] = ["serve", "orders"]
    after = golden.of(renders)
    return [] if [name for name in before if before[name] != after[name]] == [renders[1].name] else ["nobody noticed"]


def table_noticed(calls: contracts.Calls) -> list[str]:
    without = contracts.table()
    without["edges"] = [edge for edge in without["edges"] if (edge["from"], edge["to"]) != ("orders", "payments")]
    return [] if list(contracts.compare(calls, without)) else ["nobody noticed"]


def selector_noticed() -> list[str]:
    before = immutable.fields(golden.renders())
    after = copy.deepcopy(before)
    after["none"]["Deployment/shop-comptoir-orders"]["spec.selector"]["matchLabels"]["version"] = "2"
    del after["istio"]["StatefulSet/shop-comptoir-nats"]
    return [] if len(list(immutable.changes(before, after))) == 2 else ["nobody noticed"]
