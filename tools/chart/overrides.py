"""What a release gives beside the chart's own variables, labels and annotations: merged by name, or refused with a sentence."""

import functools
from collections.abc import Iterator

import yaml

import merges
import pods
import render
import report
import upgrades

TRIAL = ("values-trial.yaml",)
SELECTOR = "app.kubernetes.io/component"

# What is given in one render, and what must then be there: (sentence, Deployment, where, by name).
GIVEN = (
    ({"telemetry.otlpEndpoint": "http://one:4317",
      "defaults.podLabels": '{"team":"42","part":"on","sidecar.istio.io/inject":"false"}',
      "defaults.podAnnotations": '{"kubectl.kubernetes.io/default-container":"proxy"}',
      "services.orders.env": '{"COMPTOIR_LOG":"debug","OTEL_EXPORTER_OTLP_ENDPOINT":"http://two:4317"}',
      "services.orders.podLabels": f'{{"version":"blue","{SELECTOR}":"orders"}}',
      "services.inventory.env": '{"COMPTOIR_HOLD_SECONDS":"600"}',
      "services.gateway.env": '{"COMPTOIR_DEADLINE_SECONDS":1048576}'},
     (("a log filter of one service counts", "orders", "env", {"COMPTOIR_LOG": "debug"}),
      ("a log filter of one service leaves the others", "users", "env", {"COMPTOIR_LOG": "info"}),
      ("a number becomes text", "gateway", "env", {"COMPTOIR_DEADLINE_SECONDS": "1048576"}),
      ("another collector of one service counts", "orders", "env", {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://two:4317"}),
      ("a variable that the chart does not set is added", "inventory", "env", {"COMPTOIR_HOLD_SECONDS": "600", "COMPTOIR_LOG": "info"}),
      ("a version that a dashboard shows counts", "orders", "labels", {"version": "blue"}),
      ("a label of the chart with the chart's own value is taken", "orders", "labels", {SELECTOR: "orders"}),
      ("labels that look like numbers stay text", "gateway", "labels", {"team": "42", "part": "on"}),
      ("another default container counts", "users", "annotations", {"kubectl.kubernetes.io/default-container": "proxy"}),
      ("a switch of Istio counts without its mesh", "orders", "labels", {"sidecar.istio.io/inject": "false"}))),
    ({"mesh.provider": "linkerd", "defaults.env": '{"COMPTOIR_LOG":"warn"}', "services.users.env": '{"COMPTOIR_LOG":"trace"}',
      "defaults.podAnnotations": '{"config.linkerd.io/proxy-enable-native-sidecar":"false"}'},
     (("a log filter of one service counts before that of all", "users", "env", {"COMPTOIR_LOG": "trace"}),
      ("a log filter of all counts", "orders", "env", {"COMPTOIR_LOG": "warn"}),
      ("a setting of Linkerd's proxy counts", "users", "annotations",
       {"config.linkerd.io/proxy-enable-native-sidecar": "false", "linkerd.io/inject": "enabled"}))),
)

# (what is overridden, values, words of the refusal)
FIXED = (
    ("the callees of a service", {"services.orders.env": '{"COMPTOIR_PEERS":"users=http://elsewhere"}'},
     ["services.orders.env", "COMPTOIR_PEERS", "leave it out"]),
    ("the database of all", {"defaults.env": '{"COMPTOIR_MONGODB_URI":"mongodb://elsewhere"}'}, ["defaults.env", "COMPTOIR_MONGODB_URI"]),
    ("the address of the sandbox", {"services.payments.env": '{"COMPTOIR_PROVIDER_URL":"http://elsewhere"}'},
     ["services.payments.env", "COMPTOIR_PROVIDER_URL"]),
    ("the port of a service", {"services.orders.env": '{"COMPTOIR_LISTEN":"0.0.0.0:1"}'}, ["services.orders.env", "COMPTOIR_LISTEN"]),
    ("the user of NATS", {"services.orders.env": '{"COMPTOIR_NATS_USER":"payments"}'}, ["services.orders.env", "COMPTOIR_NATS_USER"]),
    ("the copies of streams", {"services.orders.env": '{"COMPTOIR_STREAM_REPLICAS":1}'}, ["services.orders.env", "COMPTOIR_STREAM_REPLICAS"]),
    ("the component", {"services.orders.podLabels": f'{{"{SELECTOR}":"payments"}}'}, ["services.orders.podLabels", SELECTOR, "here orders"]),
    ("the release", {"defaults.podLabels": '{"app.kubernetes.io/instance":"other"}'}, ["defaults.podLabels", "app.kubernetes.io/instance"]),
    ("the track", {"services.gateway.podLabels": '{"comptoir/track":"canary"}'}, ["services.gateway.podLabels", "comptoir/track"]),
    ("Istio's sidecar", {"mesh.provider": "istio", "services.orders.podLabels": '{"sidecar.istio.io/inject":"false"}'},
     ["services.orders.podLabels", "sidecar.istio.io/inject"]),
    ("Linkerd's proxy", {"mesh.provider": "linkerd", "defaults.podAnnotations": '{"linkerd.io/inject":"disabled"}'},
     ["defaults.podAnnotations", "linkerd.io/inject"]),
    ("Istio's probes", {"mesh.provider": "istio", "defaults.podAnnotations": '{"sidecar.istio.io/rewriteAppHTTPProbers":"false"}'},
     ["defaults.podAnnotations", "rewriteAppHTTPProbers"]),
)


def check(results: report.Results) -> None:
    for sets, wanted in GIVEN:
        each = render.run(render.Render("given", TRIAL, sets, "1.34.0"))
        results.add("no variable, label or annotation is there twice", lambda: [*twice(each.text), *pods.habit_problems(each)])
        for sentence, *case in wanted:
            results.add(sentence, lambda: counts(each, *case))
    cases = [(f"{name}, overridden, is refused with a sentence", functools.partial(render.refused, sets, words)) for name, sets, words in FIXED]
    for helm in (4, 3):
        cases.append((f"Helm {helm}: a variable of the chart is given for one upgrade, and is the chart's again", functools.partial(debugged, helm)))
    cases.append(("a planted fault is noticed: a key that is in a manifest twice", twice_noticed))
    results.add_all(cases)


def counts(each: render.Render, name: str, where: str, wanted: dict[str, str]) -> Iterator[str]:
    if each.refusal:
        yield each.refusal
        return
    found = pod(each.objects, name, where)
    for key, value in wanted.items():
        if found.get(key) != value:
            yield f"{key} is {found.get(key)!r}, not {value!r}"


def pod(objects: list[dict], name: str, where: str) -> dict[str, str]:
    template = next(one for one in objects if one["kind"] == "Deployment" and one["metadata"]["name"] == f"shop-comptoir-{name}")["spec"]["template"]
    if where != "env":
        return template["metadata"][where]
    return {variable["name"]: variable.get("value") for variable in template["spec"]["containers"][0]["env"]}


def twice(text: str) -> Iterator[str]:
    """Keys that a map of the text has more than once: a parser takes the last one in silence."""
    for document in yaml.compose_all(text, Loader=yaml.CSafeLoader):
        pending = [document] if document else []
        while pending:
            node = pending.pop()
            if isinstance(node, yaml.MappingNode):
                keys = [key.value for key, _ in node.value]
                yield from (f"{key} is there twice" for key in sorted({key for key in keys if keys.count(key) > 1}))
                pending += [value for _, value in node.value]
            elif isinstance(node, yaml.SequenceNode):
                pending += node.value


def twice_noticed() -> list[str]:
    return [] if list(twice("a:\n  labels:\n    app: one\n    team: two\n    app: three\n")) else ["nobody noticed"]


def debugged(helm: int) -> Iterator[str]:
    release = upgrades.Release(helm)
    steps = ({}, {"services.orders.env": '{"COMPTOIR_LOG":"debug"}'}, {})
    path = ("spec", "template", "spec", "containers", "[comptoir]", "env", "[COMPTOIR_LOG]", "value")
    for sets, expected in zip(steps, ("info", "debug", "info")):
        try:
            release.upgrade(sets)
        except merges.Conflict as conflict:
            yield f"{sets}: {conflict}"
            return
        found = release.live[upgrades.ORDERS].fields.get(path)
        if found != expected:
            yield f"{sets}: COMPTOIR_LOG is {found}, not {expected}"
