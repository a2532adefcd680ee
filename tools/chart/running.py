"""What an upgrade cannot do, or would do at a price: refused by what runs, before anything is changed. And what the notes, the
pod of `helm test` and the commands of the runbook say."""

import copy
import functools
import re
import subprocess
from collections.abc import Iterator

import policies
import render
import report
import suite
import tools
import upgrades

MONGODB, NATS = "shop-comptoir-mongodb", "shop-comptoir-nats"
MEMBERS = {"mongodb.inChart.replicas": "3"}
LINKERD, ISTIO = {"mesh.provider": "linkerd"}, {"mesh.provider": "istio"}
OPEN = {"mesh.permissive": "true"}

# (what is tried, values of what runs, values of the upgrade, words of the refusal, or none where it passes)
STEPS = (
    ("another nameOverride", {}, {"nameOverride": "boutique"}, ["fullnameOverride", "shop-comptoir", "shop-boutique", "empty"]),
    ("a fullnameOverride", {}, {"fullnameOverride": "boutique"}, ["fullnameOverride=shop-comptoir", "empty"]),
    ("no nameOverride any more", {"nameOverride": "boutique"}, {}, ["fullnameOverride=shop-boutique"]),
    ("the old names under another label", {}, {"nameOverride": "boutique", "fullnameOverride": "shop-comptoir"},
     ["nameOverride", "selector cannot change"]),
    ("the old names, written out", {}, {"fullnameOverride": "shop-comptoir"}, []),
    ("one member of MongoDB for three", MEMBERS, {}, ["mongodb.inChart.replicas", "3 members run", "majority"]),
    ("three members for five", {"mongodb.inChart.replicas": "5"}, MEMBERS, ["mongodb.inChart.replicas", "5 members run"]),
    ("one NATS for three", {}, {"nats.inChart.replicas": "1", "nats.streamReplicas": "1"}, ["nats.inChart.replicas", "3 members run"]),
    ("three members of MongoDB for one", {}, MEMBERS, []),
    ("larger volumes", {}, {"mongodb.inChart.storage.size": "16Gi"}, ["mongodb.inChart.storage.size", "8Gi", "16Gi"]),
    ("smaller volumes of NATS", {}, {"nats.inChart.storage.size": "1Gi"}, ["nats.inChart.storage.size", "4Gi"]),
    ("volumes of another class", {}, {"nats.inChart.storage.className": "fast"}, ["nats.inChart.storage.className", "fast"]),
    ("volumes of the default class", {"mongodb.inChart.storage.className": "fast"}, {}, ["mongodb.inChart.storage.className", "fast"]),
    ("as large volumes in other words", {}, {"mongodb.inChart.storage.size": "8192Mi"}, []),
    ("stores outside", {}, {"mongodb.inChart.enabled": "false", "nats.inChart.enabled": "false", "nats.external.url": "nats://nats:4222"}, []),
    ("Linkerd at once", {}, LINKERD, ["mesh.provider", "from none to linkerd", "mesh.permissive=true"]),
    ("Istio at once", {}, ISTIO, ["mesh.provider", "from none to istio"]),
    ("no mesh at once", LINKERD, {}, ["mesh.provider", "from linkerd to none"]),
    ("the other mesh at once", ISTIO, LINKERD, ["mesh.provider", "from istio to linkerd"]),
    ("the other mesh at once, out of a permissive one", {**ISTIO, **OPEN}, LINKERD, ["mesh.provider", "from istio-permissive to linkerd"]),
    ("a permissive mesh", {}, {**ISTIO, **OPEN}, []),
    ("the mesh after its permissive step", {**LINKERD, **OPEN}, LINKERD, []),
    ("a permissive step back", ISTIO, {**ISTIO, **OPEN}, []),
    ("no mesh after a permissive step", {**LINKERD, **OPEN}, {}, []),
    ("the same mesh", LINKERD, {**LINKERD, "image.tag": "0.2.0"}, []),
)

# (values, what the notes say, what they do not)
NOTES = (
    ({"gateway.ingress.enabled": "true", "gateway.ingress.host": "*.example.com"}, "curl http://shop.example.com/v1", "*"),
    ({"gateway.gatewayApi.enabled": "true", "gateway.gatewayApi.parentRefs": suite.PARENT,
      "gateway.gatewayApi.hostnames": '["*.example.com","shop.example.org"]'}, "curl https://shop.example.org/v1", "*"),
    ({"gateway.gatewayApi.enabled": "true", "gateway.gatewayApi.parentRefs": suite.PARENT,
      "gateway.gatewayApi.hostnames": '["*.example.com"]'}, "curl https://shop.example.com/v1", "*"),
    ({"gateway.gatewayApi.enabled": "true", "gateway.gatewayApi.parentRefs": suite.PARENT}, "port-forward", "https"),
    ({"gateway.ingress.enabled": "true", "gateway.ingress.host": "a.example.com", "gateway.ingress.tlsSecret": "certificate"},
     "curl https://a.example.com/v1", "*"),
    ({"gateway.tls.secretName": "certificate"}, "curl --insecure https://127.0.0.1:8080/v1", "http:"),
    ({**LINKERD, **OPEN}, "upgrade without it", "*"),
)

# Flags without which an upgrade that fails leaves two versions, or meets those who scaled.
FLAGS = ("--rollback-on-failure", "--force-conflicts")


def check(results: report.Results) -> None:
    cases = [(f"{name}: {'refused with a sentence' if words else 'passes'}", functools.partial(step, before, after, words))
             for name, before, after, words in STEPS]
    cases += [
        ("a member less passes when the StatefulSet has been scaled", scaled_store),
        ("volumes of another size pass when the StatefulSet has been taken away", orphaned_store),
        ("a release of chart 0.1.0, which said its mesh by its pods alone, is known", known_of_old),
        ("another release, and another chart's objects, hinder nobody", strangers),
        ("what runs under a name that was cut is kept by a fullnameOverride", cut_name),
    ]
    cases += [(f"the notes say {word}", functools.partial(notes, sets, word, not_this)) for sets, word, not_this in NOTES]
    cases += [
        ("a planted fault is noticed: a name that nobody compares", lambda: unnoticed("validate.sameName", STEPS[0])),
        ("a planted fault is noticed: members that nobody counts", lambda: unnoticed("validate.store", STEPS[5])),
        ("a planted fault is noticed: a mesh without its permissive step", lambda: unnoticed("validate.meshStep", STEPS[15])),
        ("the commands of every upgrade undo one that fails, and meet no conflict", commands),
        ("the runbook has the sections that the templates name", sections),
    ]
    results.add_all(cases)


def step(before: dict[str, str], after: dict[str, str], words: list[str], chart: object = tools.CHART) -> Iterator[str]:
    yield from verdict(upgrades.Release(4, chart=chart).upgrade(before), after, words)


def verdict(release: upgrades.Release, after: dict[str, str], words: list[str]) -> Iterator[str]:
    refusal = release.ask(after).refusal
    if words and not refusal:
        yield "is accepted"
    if refusal and not words:
        yield f"is refused: {refusal}"
    yield from (f"does not say {word!r}: {refusal}" for word in words if refusal and word not in refusal)


def store(release: upgrades.Release, name: str) -> dict:
    return next(one for one in release.stores if one["metadata"]["name"] == name)


def scaled_store() -> Iterator[str]:
    release = upgrades.Release(4).upgrade(MEMBERS)
    store(release, MONGODB)["spec"]["replicas"] = 1
    yield from verdict(release, {}, [])


def orphaned_store() -> Iterator[str]:
    release = upgrades.Release(4).upgrade()
    release.stores.remove(store(release, NATS))
    yield from verdict(release, {"nats.inChart.storage.size": "16Gi"}, [])


def known_of_old() -> Iterator[str]:
    for sets, other in ((LINKERD, {}), (ISTIO, {}), ({}, LINKERD)):
        release = upgrades.Release(3).upgrade(sets)
        for one in release.live.values():
            one.manifest = copy.deepcopy(one.manifest)
            del one.manifest["metadata"]["annotations"]
        yield from verdict(release, sets, [])
        yield from verdict(release, other, ["mesh.provider"])


def strangers() -> Iterator[str]:
    release = upgrades.Release(4).upgrade(LINKERD)
    for one in [*release.live.values()]:
        one.manifest = copy.deepcopy(one.manifest)
        one.manifest["metadata"]["labels"]["app.kubernetes.io/instance"] = "boutique"
    for one in release.stores:
        one["metadata"]["labels"]["helm.sh/chart"] = "database-1.0.0"
    yield from verdict(release, {"nameOverride": "other"}, [])


def cut_name() -> Iterator[str]:
    """Chart 0.1.0 cut names at 40 characters; now they have a hash."""
    release = upgrades.Release(4).upgrade({"fullnameOverride": "a" * 40})
    yield from verdict(release, {"fullnameOverride": "b" * 40}, [f"Set fullnameOverride={'a' * 40}"])


def notes(sets: dict[str, str], word: str, not_this: str) -> Iterator[str]:
    each = render.Render("notes", ("values-trial.yaml",), sets, "1.34.0")
    arguments = ["install", *render.command(each)[2:], "--dry-run=client"]
    version = arguments.index("--kube-version")
    del arguments[version:version + 2]
    done = subprocess.run([str(tools.helm()), *arguments], capture_output=True, text=True)
    said = done.stdout.split("NOTES:")[-1]
    call = said.split("Call it:")[-1].split("The data is")[0]
    if word not in said or not_this in call:
        yield f"{said} {done.stderr}"


def unnoticed(rule: str, case: tuple) -> list[str]:
    """Whether a step passes without the rule that refuses it."""
    _, before, after, words = case
    with suite.changed("templates/_running.tpl", f'{{{{- include "comptoir.{rule}"', f'{{{{- $_ := dict "{rule}"') as chart:
        return [*step(before, after, words), *([] if list(step(before, after, words, chart)) else ["nobody noticed"])]


def documents() -> list:
    return [path for path in tools.ROOT.rglob("*.md") if not {".tools", "target", "node_modules"} & set(path.parts)]


def commands() -> Iterator[str]:
    for path in documents():
        for block in re.findall(r"```sh\n(.*?)```", path.read_text(), re.S):
            for command in re.findall(r"^(?:helm upgrade|helm rollback) .*$", block.replace("\\\n", " "), re.M):
                wanted = FLAGS if command.startswith("helm upgrade") else FLAGS[1:]
                yield from (f"{path.relative_to(tools.ROOT)}: {command}: no {flag}" for flag in wanted if flag not in command)


def sections() -> Iterator[str]:
    runbook = (tools.ROOT / "docs" / "runbooks" / "kubernetes.md").read_text()
    for path in sorted((tools.CHART / "templates").glob("*.tpl")):
        for section in re.findall(r"docs/runbooks/kubernetes\.md, ([^)\"]+)", path.read_text()):
            if f"## {section}\n" not in runbook:
                yield f"{path.name} names the section {section!r}, which is not there"
