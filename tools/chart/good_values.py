"""Values that an API server takes must be taken, and become objects that it takes too."""

import functools
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import yaml

import pods
import render
import report
import schemas
import tools

KUBERNETES = ("1.30.0", "1.34.0")
DIGEST = "sha256:" + "a" * 64
AFFINITY = """{"nodeAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":{"nodeSelectorTerms":[{"matchExpressions":
 [{"key":"kubernetes.io/arch","operator":"In","values":["arm64"]}]}]}},"podAntiAffinity":{"preferredDuringSchedulingIgnoredDuringExecution":
 [{"weight":1,"podAffinityTerm":{"topologyKey":"zone","labelSelector":{"matchLabels":{"a":"b"}}}}]}}""".replace("\n", "")
PEERS = """[{"ipBlock":{"cidr":"10.0.0.0/8","except":["10.1.0.0/16"]}},{"namespaceSelector":{"matchLabels":{"a":"b"}},"podSelector":{}},
 {"ipBlock":{"cidr":"2001:db8::/32"}}]""".replace("\n", "")

CASES = (
    ("quantities as numbers, with decimal and binary units, and with an exponent",
     {"defaults.resources": '{"requests":{"cpu":1,"memory":"256M","ephemeral-storage":"1Gi"},"limits":{"cpu":"1.5","memory":"0.5Gi"}}',
      "services.orders.resources": '{"requests":{"cpu":0.25,"memory":134217728},"limits":{"memory":"1e9","nvidia.com/gpu":1}}',
      "mongodb.inChart.resources.limits.memory": "2G", "mongodb.inChart.storage.size": "1T", "nats.inChart.storage.size": "10737418240"}),
    ("limits that are equal to the requests, in another spelling",
     {"defaults.resources": '{"requests":{"cpu":"1000m","memory":"1Gi"},"limits":{"cpu":1,"memory":"1024Mi"}}'}),
    ("no pause before the end, as for Kubernetes 1.30 too", {"defaults.preStopSeconds": "0", "defaults.terminationGracePeriodSeconds": "20"}),
    ("networks of IPv4 and of IPv6", {"mongodb.external.cidrs": '["0.0.0.0/0","255.255.255.255/32","::/0","2001:db8::1/128","::ffff:10.0.0.1/120"]',
                                      "nats.external.cidrs": '["fe80::/10","1:2:3:4:5:6:7:8/64"]', "gateway.allowedFrom": PEERS,
                                      "mongodb.inChart.enabled": "false", "nats.inChart.enabled": "false", "nats.external.url": "nats://nats:4222"}),
    ("a wildcard as host", {"gateway.ingress.enabled": "true", "gateway.ingress.host": "*.example.com",
                            "gateway.gatewayApi.enabled": "true", "gateway.gatewayApi.hostnames": '["*.example.com","1.example.com"]',
                            "gateway.gatewayApi.parentRefs": '[{"name":"public","kind":"Gateway","group":"gateway.networking.k8s.io","port":443}]'}),
    ("tolerations and an affinity", {"defaults.tolerations": '[{"operator":"Exists"},{"key":"a","value":"b","effect":"NoExecute","tolerationSeconds":60}]',
                                     "defaults.affinity": AFFINITY, "defaults.nodeSelector": '{"kubernetes.io/os":"linux"}'}),
    ("a percentage above 100, and many pods", {"defaults.autoscaling": '{"enabled":true,"cpuPercent":150,"maxReplicas":500,"minReplicas":150}'}),
    ("a tag with a digest", {"image.tag": f"0.1.0@{DIGEST}", "nats.inChart.image.tag": f"2.15.1@{DIGEST}",
                             "image.repository": "registry.example.com:5000/shop/comptoir"}),
    *((f"the values of chart 0.1.0 alone, as --reuse-values gives them, in {provider}",
       {"mesh.provider": provider, "mesh.permissive": "null", "mesh.istio.tracingProvider": "null", "mesh.istio.accessLogProvider": "null"})
      for provider in ("none", "linkerd", "istio")),
    ("durations in minutes", {"mesh.provider": "istio", "mesh.reads.timeout": "2m", "mesh.reads.tryTimeout": "1m", "mesh.reads.attempts": "1"}),
    ("variables as numbers and booleans", {"services.inventory.env": '{"COMPTOIR_HOLD_SECONDS":600,"OTEL_SDK_DISABLED":true}'}),
)


def check(results: report.Results) -> None:
    validate = schemas.Schemas().problems
    results.add_all([(f"{name}: taken", functools.partial(taken, sets, validate)) for name, sets in CASES])
    results.add("as a dependency of another chart, twice, under other names: taken, with its condition", lambda: dependency(validate))
    results.add("what the documents set on the command line: taken", documented)
    results.add("an integer stays one, and mongod's cache is half of its memory", exact)


def taken(sets: dict[str, str], validate) -> Iterator[str]:
    for kubernetes in KUBERNETES:
        each = render.run(render.Render("good", ("values-trial.yaml",), sets, kubernetes))
        yield from [each.refusal] if each.refusal else []
        for look in (validate, pods.habit_problems, pods.reference_problems):
            yield from (f"{kubernetes}: {problem}" for problem in look(each))


def documented() -> Iterator[str]:
    """Each command of a document that sets values with `--set`: the schema refuses what the chart does not have."""
    documents = [tools.ROOT / "README.md", *sorted((tools.ROOT / "docs").rglob("*.md")), tools.CHART / "README.md"]
    lines = [(path, line) for path in documents for line in path.read_text().replace("\\\n", "").splitlines()]
    found = [(path, dict(re.findall(r"--set[ =]([\w.]+)=([^\s`]+)", line))) for path, line in lines if "--set" in line]
    for path, sets in found:
        each = render.run(render.Render("documented", ("values-trial.yaml",), {"mesh.provider": "linkerd", **sets}, KUBERNETES[0]))
        if each.refusal:
            yield f"{path.relative_to(tools.ROOT)}: {sets}: {each.refusal}"
    if not found:
        yield "no document sets a value"


def exact() -> Iterator[str]:
    sets = {"services.orders.resources.requests": '{"cpu":2,"memory":134217728}', "services.orders.resources.limits.memory": "1Gi",
            "mongodb.inChart.resources.limits.memory": "3000000000", "nats.inChart.storage.size": "10737418240"}
    each = render.run(render.Render("exact", ("values-trial.yaml",), sets, "1.34.0"))
    for text in ('memory: "134217728"', 'cpu: "2"', 'storage: "10737418240"', "--wiredTigerCacheSizeGB=1.397"):
        if text not in each.text:
            yield f"no {text} in the render {each.refusal}"


def dependency(validate) -> Iterator[str]:
    """Two shops in one release: their objects have names of their own, and each is switched by its condition."""
    with tempfile.TemporaryDirectory() as scratch:
        parent = Path(scratch) / "mall"
        (parent / "charts").mkdir(parents=True)
        (parent / "charts" / "comptoir").symlink_to(tools.CHART)
        both = [{"name": "comptoir", "version": "*", "alias": alias, "condition": f"{alias}.enabled"} for alias in ("north", "south")]
        (parent / "Chart.yaml").write_text(yaml.safe_dump({"apiVersion": "v2", "name": "mall", "version": "1.0.0", "dependencies": both}))
        values = yaml.safe_load((tools.CHART / "values-trial.yaml").read_text())
        (parent / "values.yaml").write_text(yaml.safe_dump({"global": {"a": 1}, "north": {**values, "enabled": True}, "south": {**values, "enabled": True}}))
        each = render.run(render.Render("mall", (), {}, "1.34.0", parent))
        one = render.run(render.Render("mall", (), {"south.enabled": "false"}, "1.34.0", parent))
    for made, shops in ((each, 2), (one, 1)):
        yield from [made.refusal] if made.refusal else []
        yield from [*validate(made), *pods.reference_problems(made)]
        gateways = [there for there in made.objects if there["kind"] == "Deployment" and there["metadata"]["name"].endswith("-gateway")]
        if len(gateways) != shops:
            yield f"{len(gateways)} gateways for {shops} shops"
