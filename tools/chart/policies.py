"""The policies of a render as sets of edges, compared with the call graph: NetworkPolicies, Linkerd's, Istio's."""

import collections
from collections.abc import Iterator

import yaml

import contracts
import pods
import render

Edge = tuple[str, str, int]  # from, to, port
Edges = dict[Edge, set[str] | None]  # with the RPC paths of those that are gRPC
Allows = dict[Edge, list[str]]  # with the names of the policies that allow it

OUTSIDE, ANYWHERE = "outside", "anywhere"
COMPONENT = "app.kubernetes.io/component"
LINKERD_PROXY = 4143

# What services use and lies outside: its key below `providers` in the values, and its port there.
VALUES = {
    "payment-provider": "paymentProvider",
    "smtp": "smtp",
    "webhook-receivers": "webhookReceivers",
    "foreign-issuers": "foreignIssuers",
}
PORTS = {"payment-provider": 443, "smtp": 587, "webhook-receivers": 443, "foreign-issuers": 443}


def wanted(each: render.Render, calls: contracts.Calls) -> Edges:
    """The edges that a render must allow: (from, to, port) -> RPC paths, or None where it is no gRPC."""
    sets = each.sets
    trial = "values-trial.yaml" in each.files
    edges = {(OUTSIDE, "gateway", calls.ports["gateway"]): None}
    if sets.get("test.enabled") != "false":
        edges["test", "gateway", calls.ports["gateway"]] = None
    for (start, to), rpcs in calls.edges.items():
        edges[start, to, calls.ports[to]] = rpcs
        if start == "gateway" and sets.get("gateway.gatewayApi.grpc.enabled") == "true":
            edges[OUTSIDE, to, calls.ports[to]] = rpcs
    edges.update({edge: None for edge in of_providers(each, calls)})
    for service in ["gateway", *calls.uses, *installed(each, calls)]:
        for store, port, inner in (("mongodb", 27017, ()), ("nats", 4222, (6222,))):
            # A program has no events, and the gateway counts rate limits at NATS and keeps nothing.
            if service == "gateway" and store == "mongodb" or store == "nats" and service in calls.programs:
                continue
            if trial or sets.get(f"{store}.inChart.enabled") == "true":
                edges[service, store, port] = None
                edges.update({(store, store, one): None for one in inner or (port,)})
            else:
                edges[service, ANYWHERE, int(sets.get(f"{store}.external.port", port))] = None
    return edges


def installed(each: render.Render, calls: contracts.Calls) -> dict[str, tuple[int, str]]:
    """The programs of a render: those whose provider is in the sandbox. name -> (port, what it stands for)."""
    return {name: (port, use) for name, (port, use) in calls.programs.items() if not use or is_sandbox(each, use)}


def is_sandbox(each: render.Render, use: str) -> bool:
    key = VALUES[use]
    files = [yaml.safe_load((each.chart / file).read_text()) for file in each.files]
    is_off = any(not file.get("providers", {}).get(key, {}).get("sandbox", True) for file in files)
    return each.sets.get(f"providers.{key}.sandbox", "false" if is_off else "true") != "false"


def of_providers(each: render.Render, calls: contracts.Calls) -> Iterator[Edge]:
    """The edges of those who use a provider: to it or to what stands for it, and back to where its webhooks go."""
    standing = {use: (name, port) for name, (port, use) in installed(each, calls).items()}
    for service, uses in calls.uses.items():
        caller = OUTSIDE
        for use in uses & set(VALUES):
            if use in standing:
                caller, port = standing[use]
                yield service, caller, port
            elif not is_sandbox(each, use):
                yield service, ANYWHERE, int(each.sets.get(f"providers.{VALUES[use]}.port", PORTS[use]))
        if service in calls.webhooks:
            yield caller, service, calls.webhooks[service]


def problems(each: render.Render, calls: contracts.Calls) -> Iterator[str]:
    """Edges without exactly one allow, and allows without an edge."""
    edges = wanted(each, calls)
    inside = {edge for edge in edges if edge[1] != ANYWHERE}
    if each.sets.get("networkPolicy.enabled") != "false":
        egress, ingress = network(each)
        yield from differences("NetworkPolicy egress", egress, {edge for edge in edges if edge[0] != OUTSIDE})
        yield from differences("NetworkPolicy ingress", ingress, inside)
        yield from deny_all(each, "NetworkPolicy")
    if each.provider == "linkerd":
        yield from differences("Linkerd", linkerd(each), inside)
        yield from defaults(each)
    if each.provider == "istio" and is_permissive(each):
        yield from permissive(each, inside)
    elif each.provider == "istio":
        yield from differences("Istio", istio(each), inside)
        yield from rpc_differences(each, edges)
        yield from mutual_tls(each, edges)
    if each.provider == "istio":
        yield from deny_all(each, "AuthorizationPolicy")
        yield from certificates(each)


def is_permissive(each: render.Render) -> bool:
    return each.sets.get("mesh.permissive") == "true"


def defaults(each: render.Render) -> Iterator[str]:
    """What Linkerd does with a call that no policy allows: of a Server, and of a pod's ports without one."""
    wanted = "audit" if is_permissive(each) else "deny"
    found = {f"Server {one['metadata']['name']}": one["spec"].get("accessPolicy") for one in of_kind(each, "Server")}
    found |= {name: metadata.get("annotations", {}).get("config.linkerd.io/default-inbound-policy") for name, _, metadata in pods.pods(each.objects)}
    yield from (f"Linkerd: the default of {name} is {policy}, not {wanted}" for name, policy in found.items() if policy != wanted)


def permissive(each: render.Render, edges: Edges) -> Iterator[str]:
    """Istio's permissive step: plain text everywhere, and on the ports of all edges whoever calls."""
    open_ports = {(to, port) for (start, to, port) in istio(each) if start == OUTSIDE}
    for to, port in sorted({(to, port) for _, to, port in edges} ^ open_ports):
        yield f"Istio: {to}:{port} is not as open as its edges"
    for one in of_kind(each, "PeerAuthentication"):
        if one["spec"] | {"selector": {}} != {"selector": {}, "mtls": {"mode": "PERMISSIVE"}}:
            yield f"Istio: {one['metadata']['name']} does not take plain text"


def certificates(each: render.Render) -> Iterator[str]:
    """A proxy calls with its certificate; in a permissive step it finds out by itself whether the other one has a proxy."""
    for one in of_kind(each, "DestinationRule"):
        mode = one["spec"]["trafficPolicy"].get("tls", {}).get("mode")
        if mode != (None if is_permissive(each) else "ISTIO_MUTUAL"):
            yield f"Istio: {one['metadata']['name']} is called with the TLS {mode}"


def differences(kind: str, allows: Allows, edges: Edges) -> Iterator[str]:
    for edge in sorted(edges):
        if len(allows.get(edge, [])) != 1:
            yield f"{kind}: {show(edge)} has {len(allows.get(edge, []))} allows: {', '.join(allows.get(edge, [])) or 'none'}"
    for edge in sorted(set(allows) - edges):
        yield f"{kind}: {', '.join(allows[edge])} allows {show(edge)}, which is no edge"


def show(edge: Edge) -> str:
    return f"{edge[0]} -> {edge[1]}:{edge[2]}"


def of_kind(each: render.Render, kind: str, group: str | None = None) -> list[dict]:
    return [one for one in each.objects
            if one["kind"] == kind and (group is None or one["apiVersion"].startswith(group))]


def deny_all(each: render.Render, kind: str) -> Iterator[str]:
    """The policy that selects all pods of the release and allows nothing must be there."""
    for one in of_kind(each, kind):
        spec = one["spec"]
        selector = spec.get("podSelector") or spec.get("selector") or {}
        labels = selector.get("matchLabels", {})
        rules = spec.get("ingress") or spec.get("egress") or spec.get("rules")
        both = kind != "NetworkPolicy" or set(spec["policyTypes"]) == {"Ingress", "Egress"}
        if COMPONENT not in labels and not rules and both and spec.get("action", "ALLOW") == "ALLOW":
            return
    yield f"{kind}: nothing denies all"


def network(each: render.Render) -> tuple[Allows, Allows]:
    """The edges that the NetworkPolicies of components allow, by direction. Policies of all pods are not of an edge."""
    egress, ingress = collections.defaultdict(list), collections.defaultdict(list)
    for one in of_kind(each, "NetworkPolicy"):
        spec, name = one["spec"], one["metadata"]["name"]
        own = spec["podSelector"].get("matchLabels", {}).get(COMPONENT)
        if own is None:
            continue
        for rule in spec.get("egress", []):
            for to, port in reached(rule, "to", ANYWHERE):
                egress[own, to, port].append(name)
        for rule in spec.get("ingress", []):
            for start, port in reached(rule, "from", OUTSIDE):
                ingress[start, own, port].append(name)
    return egress, ingress


def reached(rule: dict, key: str, stranger: str) -> list[tuple[str, int]]:
    """(peer, port) pairs of a rule; a rule without ports would allow all of them and shows as port 0."""
    peers = rule.get(key) or [{}]
    names = {peer.get("podSelector", {}).get("matchLabels", {}).get(COMPONENT, stranger) for peer in peers}
    ports = {port["port"] for port in rule.get("ports", [])} - {LINKERD_PROXY} or {0}
    return [(name, port) for name in names for port in ports]


def linkerd(each: render.Render) -> Allows:
    """The edges that Linkerd's AuthorizationPolicies allow. Probes and scrapes have routes of their own and are not edges."""
    servers = {one["metadata"]["name"]: one for one in of_kind(each, "Server")}
    authentications = {(one["kind"], one["metadata"]["name"]): one for kind in ("MeshTLSAuthentication", "NetworkAuthentication")
                       for one in of_kind(each, kind)}
    allows = collections.defaultdict(list)
    for one in of_kind(each, "AuthorizationPolicy", "policy.linkerd.io"):
        target = one["spec"]["targetRef"]
        server = servers.get(target["name"])
        if target["kind"] != "Server" or server["spec"]["port"] == "monitor":
            continue
        to = server["spec"]["podSelector"]["matchLabels"][COMPONENT]
        for reference in one["spec"]["requiredAuthenticationRefs"]:
            who = authentications.get((reference["kind"], reference["name"]))
            for caller in callers(each, who):
                allows[caller, to, port_number(each, to, server["spec"]["port"])].append(one["metadata"]["name"])
    return allows


def callers(each: render.Render, authentication: dict | None) -> list[str]:
    """Components behind an authentication; one by network or by a foreign identity is who calls from outside."""
    if authentication is None:
        return ["nobody"]
    references = authentication["spec"].get("identityRefs", [])
    return [component_of_account(each, one["name"]) for one in references] or [OUTSIDE]


def component_of_account(each: render.Render, account: str) -> str:
    for one in of_kind(each, "ServiceAccount"):
        if one["metadata"]["name"] == account:
            return one["metadata"]["labels"][COMPONENT]
    return f"the unknown account {account}"


def port_number(each: render.Render, component: str, port: int) -> int:
    """A port of the component's containers by its name."""
    for one in of_kind(each, "Deployment") + of_kind(each, "StatefulSet"):
        if one["metadata"]["labels"][COMPONENT] == component:
            for container in one["spec"]["template"]["spec"]["containers"]:
                for there in container.get("ports", []):
                    if port in (there["name"], there["containerPort"]):
                        return there["containerPort"]
    return 0


def istio_rules(each: render.Render) -> Iterator[tuple[str, str, set[str], dict]]:
    """(policy name, to, callers, operation) of every rule."""
    for one in of_kind(each, "AuthorizationPolicy", "security.istio.io"):
        to = one["spec"]["selector"]["matchLabels"].get(COMPONENT)
        for rule in one["spec"].get("rules", []):
            principals = [name for source in rule.get("from", []) for name in source["source"].get("principals", [])]
            ours = f"/ns/{render.NAMESPACE}/sa/"
            starts = {component_of_account(each, name.split(ours)[1]) if ours in name else OUTSIDE for name in principals}
            for operation in rule["to"]:
                yield one["metadata"]["name"], to, starts or {OUTSIDE}, operation["operation"]


def istio(each: render.Render) -> Allows:
    allows = collections.defaultdict(list)
    for name, to, starts, operation in istio_rules(each):
        for start in starts:
            for port in operation.get("ports", ["0"]):
                allows[start, to, int(port)].append(name)
    return allows


def rpc_differences(each: render.Render, edges: Edges) -> Iterator[str]:
    """Istio names the RPCs of an edge: those of the contract, no more."""
    for name, to, starts, operation in istio_rules(each):
        for start in starts:
            rpcs = edges.get((start, to, int(operation.get("ports", ["0"])[0])))
            if rpcs is not None and set(operation.get("paths", [])) != rpcs:
                yield f"Istio: {name} allows other RPCs than the contract does from {start} to {to}"


def mutual_tls(each: render.Render, edges: Edges) -> Iterator[str]:
    """Of two PeerAuthentications that select a pod the older counts alone: each pod has one, and plain text comes from outside."""
    lenient = each.sets.get("mesh.istio.gatewayMtls") == "PERMISSIVE"
    for name, _, metadata in pods.pods(each.objects):
        labels = metadata["labels"]
        found = [one["spec"] for one in of_kind(each, "PeerAuthentication")
                 if one["spec"].get("selector", {}).get("matchLabels", {}).items() <= labels.items()]
        if len(found) != 1:
            yield f"Istio: {name} has {len(found)} PeerAuthentications"
            continue
        open_ports = {int(port) for port in found[0].get("portLevelMtls", {})}
        wanted_ports = {port for start, to, port in edges if lenient and start == OUTSIDE and to == labels[COMPONENT]}
        if found[0]["mtls"]["mode"] != "STRICT" or open_ports != wanted_ports:
            yield f"Istio: {name} takes plain text on {sorted(open_ports) or 'any port'}, not on {sorted(wanted_ports)} alone"


def print_table(calls: contracts.Calls) -> None:
    """Edge -> NetworkPolicy, Linkerd, Istio, of the trial values."""
    def of(provider: str) -> render.Render:
        return render.run(render.Render(provider, ("values-trial.yaml",), {"mesh.provider": provider}, "1.34.0"))

    linked, meshed = of("linkerd"), of("istio")
    egress, ingress = network(linked)
    columns = [("edge", 38), ("NetworkPolicy (out, in)", 66), ("Linkerd AuthorizationPolicy", 42), ("Istio AuthorizationPolicy", 40)]
    print("  " + "".join(title.ljust(width) for title, width in columns))
    for edge in sorted(wanted(linked, calls)):
        both = " + ".join(short(allows.get(edge)) for allows in (egress, ingress) if allows.get(edge))
        cells = [show(edge), both, short(linkerd(linked).get(edge)), short(istio(meshed).get(edge))]
        print("  " + "".join(cell.ljust(width) for cell, (_, width) in zip(cells, columns)).rstrip())


def short(names: list[str] | None) -> str:
    """Without the release's name, which all share."""
    return ", ".join(name.removeprefix(f"{render.RELEASE}-comptoir-") for name in names or ["-"])
