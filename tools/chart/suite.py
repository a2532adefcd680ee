"""Which renders are made, and what must hold in each of them."""

import itertools
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import yaml

import contracts
import pods
import policies
import render
import report
import retries
import schemas
import tools

PROVIDERS = ("none", "linkerd", "istio")
KUBERNETES = ("1.30.0", "1.31.0", "1.32.0", "1.33.0", "1.34.0")

SECRETS = {"signingKeys.existingSecret": "keys", "mongodb.existingSecret": "mongodb", "nats.existingSecret": "nats",
           "providers.paymentProvider.existingSecret": "provider"}
PARENT = '[{"name":"public","namespace":"ingress"}]'

# What may be switched, as sets of values. Every pair of two settings of two switches meets in some render.
SWITCHES = {
    "stores": ({"mongodb.inChart.enabled": "true", "nats.inChart.enabled": "true"},
               {"mongodb.inChart.enabled": "true", "nats.inChart.enabled": "true", "mongodb.inChart.replicas": "3",
                "nats.inChart.replicas": "1", "nats.streamReplicas": "1", "mongodb.inChart.storage.className": "fast"},
               {"nats.external.url": "nats://nats.messaging:4222", "mongodb.external.cidrs": '["10.1.0.0/16"]'},
               {"mongodb.inChart.enabled": "true", "nats.external.url": "tls://broker:5222", "nats.external.port": "5222"}),
    "replicas": ({}, {"defaults.replicas": "1"}, {"defaults.autoscaling.enabled": "true"},
                 {"services.orders.replicas": "5", "services.gateway.autoscaling.enabled": "true"}),
    "ingress": ({}, {"gateway.ingress.enabled": "true", "gateway.ingress.host": "shop.example.com"},
                {"gateway.ingress.enabled": "true", "gateway.ingress.host": "shop.example.com",
                 "gateway.ingress.tlsSecret": "certificate", "gateway.ingress.className": "public"}),
    "tls": ({}, {"gateway.tls.secretName": "own-certificate"}),
    "routes": ({}, {"gateway.gatewayApi.enabled": "true", "gateway.gatewayApi.parentRefs": PARENT},
               {"gateway.gatewayApi.enabled": "true", "gateway.gatewayApi.grpc.enabled": "true",
                "gateway.gatewayApi.parentRefs": PARENT, "gateway.gatewayApi.hostnames": '["shop.example.com"]',
                "gateway.gatewayApi.grpc.hostnames": '["grpc.example.com"]'}),
    "canary": ({}, {"services.orders.canary.enabled": "true", "services.orders.canary.tag": "0.2.0"},
               {"services.gateway.canary.enabled": "true", "services.gateway.canary.tag": "0.2.0",
                "services.gateway.canary.weight": "50"}),
    "network": ({}, {"networkPolicy.enabled": "false"}, {"gateway.allowedFrom": '[{"ipBlock":{"cidr":"10.0.0.0/8"}}]'}),
    "monitoring": ({}, {"monitoring.enabled": "true", "telemetry.otlpEndpoint": "http://collector.observability:4317"}),
    "callers": ({}, {"mesh.callers": '["ingress.ingress.serviceaccount.identity.linkerd.cluster.local"]',
                     "mesh.istio.gatewayMtls": "PERMISSIVE", "mesh.linkerd.skipOutboundPorts": "[4222]"},
                {"mesh.permissive": "true", "mesh.istio.tracingProvider": "otel"}),
    "providers": ({}, {"providers.paymentProvider.sandbox": "false"},
                  {"providers.paymentProvider.sandbox": "false", "providers.paymentProvider.cidrs": '["192.0.2.0/24"]'}),
    "test": ({}, {"test.enabled": "false"}, {"test.existingSecret": "account"}),
    "pods": ({}, {"defaults.nodeSelector.disk": "ssd", "defaults.priorityClassName": "high", "imagePullSecrets": '["registry"]',
                  "defaults.podAnnotations.team": "shop", "defaults.podLabels.team": "shop",
                  "defaults.tolerations": '[{"key":"shop","operator":"Exists"}]',
                  "services.inventory.env": '{"COMPTOIR_HOLD_SECONDS":"600"}'},
             {"fullnameOverride": "boutique", "image.digest": "sha256:" + "a" * 64}),
}


def pairwise(switches: dict[str, tuple]) -> list[dict[str, int]]:
    """Rows in which each pair of settings of two switches meets: greedy, and the same on each run."""
    names = list(switches)
    missing = {(a, i, b, j) for a, b in itertools.combinations(names, 2)
               for i in range(len(switches[a])) for j in range(len(switches[b]))}
    rows = []
    while missing:
        row = {}
        for name in names:
            def gained(index: int) -> int:
                return sum((other, row[other], name, index) in missing for other in row)
            first = next((pair for pair in sorted(missing) if not row and pair[0] == name), None)
            row[name] = first[1] if first else max(range(len(switches[name])), key=lambda index: (gained(index), fresh(missing, name, index)))
        covered = {(a, row[a], b, row[b]) for a, b in itertools.combinations(names, 2)}
        if not covered & missing:
            a, i, b, j = min(missing)
            row.update({a: i, b: j})
            covered = {(a, row[a], b, row[b]) for a, b in itertools.combinations(names, 2)}
        missing -= covered
        rows.append(row)
    return rows


def fresh(missing: set, name: str, index: int) -> int:
    return sum((pair[0], pair[1]) == (name, index) or (pair[2], pair[3]) == (name, index) for pair in missing)


def values(row: dict[str, int], provider: str) -> dict[str, str]:
    """The values of a row; what cannot be without a mesh, or in one, is left out."""
    sets = {**SECRETS, "mesh.provider": provider}
    for name, index in row.items():
        sets.update(SWITCHES[name][index])
    if provider != "none":
        sets.pop("gateway.tls.secretName", None)  # the mesh encrypts
    if provider == "none":
        routed = "gateway.gatewayApi.enabled" in sets
        for key in [key for key in sets if ".canary." in key]:
            if not (routed and key.startswith("services.gateway.")):
                del sets[key]
    return sets


def plan() -> list[render.Render]:
    """Each row with each provider and each version of Kubernetes, and the two files of values that the chart comes with."""
    renders = []
    for number, row in enumerate(pairwise(SWITCHES)):
        for provider, kubernetes in itertools.product(PROVIDERS, KUBERNETES):
            name = f"row {number} {provider} {kubernetes}"
            renders.append(render.Render(name, (), values(row, provider), kubernetes))
    for file, provider, kubernetes in itertools.product(("values-trial.yaml", "values-ha.yaml"), PROVIDERS, KUBERNETES):
        sets = {"mesh.provider": provider, "monitoring.enabled": "true"}
        renders.append(render.Render(f"{file} {provider} {kubernetes}", (file,), sets, kubernetes))
    return renders


def made(plan: list[render.Render]) -> list[render.Render]:
    """The plan, rendered for the oldest and the newest version of Kubernetes. No template asks for the version: those between
    are validated with the objects of the newest."""
    ends = render.all_of([each for each in plan if each.kubernetes in (KUBERNETES[0], KUBERNETES[-1])])
    newest = {same_but_version(each): each for each in ends if each.kubernetes == KUBERNETES[-1]}
    for each in plan:
        if not each.seconds:
            there = newest[same_but_version(each)]
            each.text, each.objects, each.refusal = there.text, there.objects, there.refusal
    return plan


def same_but_version(each: render.Render) -> str:
    return each.name.rsplit(" ", 1)[0]


def differences(plan: list[render.Render]) -> Iterator[str]:
    """Renders that are not the same for the oldest and for the newest version."""
    newest = {same_but_version(each): each for each in plan if each.kubernetes == KUBERNETES[-1]}
    for each in plan:
        if each.kubernetes == KUBERNETES[0] and each.text != newest[same_but_version(each)].text:
            yield f"{each.name}: differs from that of {KUBERNETES[-1]}"


def check(results: report.Results, renders: list[render.Render], calls: contracts.Calls) -> None:
    """What must hold in every render."""
    def over(function: Callable) -> Callable:
        return lambda: [f"{each.name}: {problem}" for each in renders for problem in function(each)]

    validate = schemas.Schemas()
    results.add(f"{len(renders)} renders (at least 200) are looked at", lambda: [] if len(renders) >= 200 else ["too few"])
    results.add("a render is the same for each version of Kubernetes", lambda: differences(renders))
    results.add("every render is accepted", lambda: [f"{each.name}: {each.refusal}" for each in renders if each.refusal])
    results.add("no object has a schema error", over(validate.problems))
    results.note(f"{validate.checked} objects, {validate.distinct} of them distinct")
    results.add("each edge has one allow in each provider, and no policy lacks an edge",
                over(lambda each: policies.problems(each, calls)))
    results.add("no RPC that may change something is retried by the mesh", over(lambda each: retries.problems(each, calls)))
    results.add("all pods meet the restricted pod security standard", over(pods.security_problems))
    results.add("probes, grace and labels are as they should be", over(pods.habit_problems))
    results.add("a gateway with a certificate is spoken to over TLS, and one without is not", over(pods.tls_problems))
    results.add("references between objects lead somewhere", over(pods.reference_problems))
    counted = sum(len(pods.pods(each.objects)) for each in renders)
    results.note(f"{counted} pods looked at")


class changed(tempfile.TemporaryDirectory):
    """A copy of the chart in which one text of one file is another; gone at the end of the block."""

    def __init__(self, file: str, before: str, after: str) -> None:
        super().__init__()
        self.chart = Path(shutil.copytree(tools.CHART, Path(self.name) / "comptoir"))
        text = (self.chart / file).read_text()
        if before not in text:
            raise ValueError(f"{file} has no {before}")
        (self.chart / file).write_text(text.replace(before, after))

    def __enter__(self) -> Path:
        super().__enter__()
        return self.chart


def check_another_service(results: report.Results, calls: contracts.Calls) -> None:
    """A service more in the topology appears everywhere, without a template being touched."""
    with tempfile.TemporaryDirectory() as scratch:
        chart = Path(scratch) / "comptoir"
        shutil.copytree(tools.CHART, chart)
        table = yaml.safe_load((chart / "topology.yaml").read_text())
        extended = contracts.with_service(table, "reviews")
        (chart / "topology.yaml").write_text(yaml.safe_dump(extended))
        more = contracts.from_table(extended)
        renders = [one_more(chart, provider, sandbox) for provider in PROVIDERS for sandbox in ("true", "false")]
        results.add("a service added to the topology appears in all policies and objects, and so does a program beside it",
                    lambda: [f"{each.name}: {problem}" for each in renders for problem in one_more_problems(each, more)])


def one_more(chart: Path, provider: str, sandbox: str) -> render.Render:
    sets = {**SECRETS, "mesh.provider": provider, "providers.smtp.existingSecret": "mail", "providers.smtp.sandbox": sandbox,
            "gateway.ingress.enabled": "true", "gateway.ingress.host": "shop.example.com",
            "gateway.gatewayApi.enabled": "true", "gateway.gatewayApi.parentRefs": PARENT}
    return render.run(render.Render(f"one more {provider}, sandbox {sandbox}", ("values-trial.yaml",), sets, "1.34.0", chart))


def one_more_problems(each: render.Render, calls: contracts.Calls) -> list[str]:
    if each.refusal:
        return [each.refusal]
    checks = [schemas.Schemas().problems, pods.security_problems, pods.habit_problems, pods.reference_problems]
    found = [problem for check in checks for problem in check(each)]
    found += [*policies.problems(each, calls), *retries.problems(each, calls), *appearance(each, "reviews", SERVICE_KINDS)]
    found += [] if "user: reviews" in each.text else ["no NATS user for it"]
    found += [] if "PASSWORD_REVIEWS" in each.text else ["no MongoDB user for it"]
    outside = f"name: {render.RELEASE}-comptoir-reviews" in each.text and "path: /v1/webhooks" in each.text
    if each.sets["providers.smtp.sandbox"] == "true":
        found += appearance(each, "sandbox-reviews", PROGRAM_KINDS)
        found += [f"nothing says {word}" for word in PROGRAM_WORDS if word not in each.text]
        return found + (["webhooks can be called from outside"] if outside else [])
    found += ["there is a program although its provider is outside"] if "sandbox-reviews" in each.text else []
    return found + ([] if outside else ["webhooks cannot be called from outside"])


# What a service has by itself, and a program, which nobody calls over gRPC.
SERVICE_KINDS = {
    "none": {"Deployment", "Service", "ServiceAccount", "PodDisruptionBudget", "NetworkPolicy"},
    "linkerd": {"Server", "GRPCRoute", "AuthorizationPolicy", "MeshTLSAuthentication"},
    "istio": {"AuthorizationPolicy", "VirtualService", "DestinationRule"},
}
PROGRAM_KINDS = {**SERVICE_KINDS, "linkerd": SERVICE_KINDS["linkerd"] - {"GRPCRoute"}}
PROGRAM_WORDS = (
    "COMPTOIR_SMTP_URL", "http://shop-comptoir-sandbox-reviews:9044", "PASSWORD_SANDBOX_REVIEWS",
    "http://shop-comptoir-reviews:9043/v1/webhooks/sandbox",
)


def appearance(each: render.Render, name: str, kinds: dict[str, set[str]]) -> list[str]:
    there = {one["kind"] for one in each.objects if f"-{name}" in one["metadata"]["name"]}
    return [f"no {kind} for {name}" for kind in sorted((kinds["none"] | kinds[each.provider]) - there)]
