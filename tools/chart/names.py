"""Names, labels and quotes: releases, namespaces, tags and values that YAML would read as something else than text, or that
are no name of a Service."""

import functools
import itertools
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import yaml

import pods
import render
import report
import schemas
import suite
import tools

DIGEST = "sha256:" + "b" * 64
LONG = "a" * 43

# What YAML reads as a number, a boolean, a date or nothing when it is not quoted.
NO_TEXT = ("2024", "0x1f", "1e3", "on", "null", "true", "1_000", "0o17", "2024-11-28", "5s")

# Every value that is text in some object, without those of which Helm asks more than to be a name.
TEXTS = (
    "signingKeys.existingSecret", "mongodb.existingSecret", "nats.existingSecret", "providers.paymentProvider.existingSecret",
    "test.existingSecret", "defaults.priorityClassName", "mongodb.inChart.storage.className", "nats.inChart.storage.className",
    "gateway.ingress.className", "gateway.ingress.tlsSecret", "gateway.tls.secretName", "monitoring.namespace", "monitoring.serviceAccount",
    "mesh.linkerd.namespace", "mesh.istio.namespace", "mesh.istio.trustDomain", "mesh.istio.tracingProvider", "mesh.istio.accessLogProvider",
    "image.tag", "image.repository", "mongodb.inChart.image.tag", "mongodb.inChart.image.repository", "nats.inChart.image.tag",
    "nats.inChart.image.repository", "services.orders.canary.tag", "log", "test.paymentToken",
)
MAPS = ("defaults.podLabels", "defaults.podAnnotations", "defaults.nodeSelector", "gateway.ingress.annotations",
        "networkPolicy.dns.namespaceLabels", "networkPolicy.dns.podLabels")
BESIDE = {"gateway.ingress.enabled": "true", "gateway.gatewayApi.enabled": "true", "gateway.gatewayApi.grpc.enabled": "true",
          "monitoring.enabled": "true", "defaults.autoscaling.enabled": "true"}

# Releases and namespaces whose names a Service cannot have or that YAML reads as something else.
RELEASES = (("2024", "2024"), ("1shop", "shop"), ("my.shop", "shop"), ("on", "on"), ("1e3", "1e3"), ("a", "null"),
            ("x" * 53, "y" * 63), ("0.0.0", "0"))

# Releases whose objects would be called alike if names were cut, or changed, alone.
ALIKE = (LONG + "-one", LONG + "-two", "my.shop", "my-shop", "1shop", "s-1shop", "2024", "s-2024")

TAGS = (("0.1.0@" + DIGEST, "0.1.0"), ("v" * 70, None), ("_0.1.0_", "0.1.0"), ("1.0-" + "a" * 58 + ".-", None), ("8", "8"))


def check(results: report.Results) -> None:
    validate = schemas.Schemas().problems
    cases = [(f"{provider}: values like {text} stay text", functools.partial(stays_text, text, provider, validate))
             for text, provider in zip(NO_TEXT, itertools.cycle(suite.PROVIDERS))]
    cases += [(f"the release {release[:8]} in the namespace {namespace[:8]} has legal names", functools.partial(legal, release, namespace, validate))
              for release, namespace in RELEASES]
    cases += [(f"the tag {tag[:8]} has legal labels, and is what runs", functools.partial(tagged, tag, label, validate)) for tag, label in TAGS]
    cases += [
        ("names of releases that begin alike, or are alike without dots, stay apart", apart),
        ("names that were legal stay as they are", kept),
        ("a nameOverride that is a word of YAML stays text", lambda: in_order({"nameOverride": "on"}, validate)),
        ("a fullnameOverride of 40 letters leaves room for all names", lambda: in_order({"fullnameOverride": "f" * 40, **BESIDE, **HOST}, validate)),
        ("an alias that is no label is refused with a sentence", alias_refused),
        ("a component too long for a Service is refused with a sentence", component_refused),
        ("a planted fault is noticed: a namespace without quotes",
         lambda: unnoticed("_names.tpl", "namespace: {{ .root.Release.Namespace | quote }}", "namespace: {{ .root.Release.Namespace }}", validate)),
        ("a planted fault is noticed: a Secret without quotes",
         lambda: unnoticed("_pod.tpl", "name: {{ .existingSecret | quote }}", "name: {{ .existingSecret }}", validate)),
        ("a planted fault is noticed: a tag as it is in a label",
         lambda: unnoticed("_names.tpl", 'splitList "@" . | first', "print .", validate)),
    ]
    results.add_all(cases)


HOST = {"gateway.ingress.host": "shop.example.com", "gateway.gatewayApi.parentRefs": suite.PARENT}


def values_like(text: str) -> dict[str, str]:
    """Every text of the values is this word, where it may be."""
    lower = text.replace("_", "-")  # names of objects have no underscore
    sets = {key: json.dumps(lower) for key in TEXTS} | {key: json.dumps({"word": text, "other": text}) for key in MAPS}
    named = {"imagePullSecrets": json.dumps([lower]), "services.orders.canary.enabled": "true",
             "gateway.gatewayApi.parentRefs": json.dumps([{"name": lower, "namespace": lower, "sectionName": lower}])}
    return {**BESIDE, **HOST, **sets, **named}


def stays_text(text: str, provider: str, validate: Callable, chart: Path = tools.CHART, tag: str = "") -> Iterator[str]:
    sets = {**values_like(text), "mesh.provider": provider, **({"image.tag": tag} if tag else {})}
    if provider != "none":
        del sets["gateway.tls.secretName"]
    else:
        sets["services.orders.canary.enabled"] = "false"
    namespace = text.replace("_", "-")
    yield from whole(render.Render(text, ("values-trial.yaml",), sets, "1.34.0", chart, namespace=namespace), validate)


def whole(each: render.Render, validate: Callable) -> Iterator[str]:
    """What an API server, or a person who reads a manifest, would object to."""
    render.run(each)
    if each.refusal:
        yield each.refusal
        return
    yield from validate(each)
    yield from pods.reference_problems(each)
    for one in each.objects:
        if one["metadata"]["namespace"] != each.namespace:
            yield f"{one['kind']} {one['metadata']['name']} is in the namespace {one['metadata']['namespace']!r}"
        yield from (f"{one['kind']} {one['metadata']['name']}: the annotation {key} is {value!r}"
                    for key, value in (one["metadata"].get("annotations") or {}).items() if not isinstance(value, str))


def legal(release: str, namespace: str, validate: Callable) -> Iterator[str]:
    sets = {**BESIDE, **HOST, "mesh.provider": "linkerd"}
    yield from whole(render.Render(release, ("values-trial.yaml",), sets, "1.34.0", release=release, namespace=namespace), validate)


def tagged(tag: str, label: str | None, validate: Callable) -> Iterator[str]:
    tags = {key: json.dumps(tag) for key in ("image.tag", "mongodb.inChart.image.tag", "nats.inChart.image.tag", "services.orders.canary.tag")}
    each = render.Render(tag, ("values-trial.yaml",), {"mesh.provider": "istio", "services.orders.canary.enabled": "true", **tags}, "1.34.0")
    yield from whole(each, validate)
    for name, spec, metadata in pods.pods(each.objects):
        yield from (f"{name} runs {there['image']}" for there in pods.containers(spec) if not there["image"].endswith(f":{tag}"))
        if label and metadata["labels"]["version"] not in (label, "0.1.0"):
            yield f"{name} has the version {metadata['labels']['version']}"


def in_order(sets: dict[str, str], validate: Callable) -> Iterator[str]:
    yield from whole(render.Render("override", ("values-trial.yaml",), sets, "1.34.0"), validate)


def services_of(release: str) -> set[str]:
    each = render.run(render.Render(release, ("values-trial.yaml",), {}, "1.34.0", release=release))
    return {one["metadata"]["name"] for one in each.objects if one["kind"] == "Service"}


def apart() -> Iterator[str]:
    names = [services_of(release) for release in ALIKE]
    for (first, one), (second, other) in itertools.combinations(zip(ALIKE, names), 2):
        if not one or one & other:
            yield f"{first} and {second} share {sorted(one & other)[:2]}"


def kept() -> Iterator[str]:
    for release, name in (("shop", "shop-comptoir-orders"), ("comptoir", "comptoir-orders"), ("my-comptoir", "my-comptoir-orders"),
                          ("a" * 31, "a" * 31 + "-comptoir-orders")):
        if name not in services_of(release):
            yield f"the release {release} has no {name}"


def alias_refused() -> list[str]:
    with suite.changed("Chart.yaml", "name: comptoir", "name: _shop") as chart:
        return render.refused({}, ["nameOverride", "_shop", "no value of a label"], chart=chart)


def component_refused() -> list[str]:
    with tempfile.TemporaryDirectory() as scratch:
        chart = Path(shutil.copytree(tools.CHART, Path(scratch) / "comptoir"))
        table = yaml.safe_load((chart / "topology.yaml").read_text())
        table["services"]["a-service-with-a-rather-long-name"] = {**table["services"]["orders"], "uses": []}
        (chart / "topology.yaml").write_text(yaml.safe_dump(table))
        return render.refused({"fullnameOverride": "f" * 40}, ["fullnameOverride", "no name of a Service", "63"], chart=chart)


def unnoticed(file: str, before: str, after: str, validate: Callable) -> list[str]:
    """Whether a fault planted into a template escapes."""
    def look(chart: Path) -> list[str]:
        return list(stays_text("2024", "linkerd", validate, chart, f"0.1.0@{DIGEST}"))

    with suite.changed(f"templates/{file}", before, after) as chart:
        return look(tools.CHART) + ([] if look(chart) else ["nobody noticed"])
