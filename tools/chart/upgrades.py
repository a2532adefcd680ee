"""A release over several upgrades, with Helm 4 and with Helm 3: the templates ask an API server on loopback what runs, and
tools/chart/merges.py does what the server and the two Helms do with a manifest."""

import functools
from collections.abc import Callable, Iterator

import cluster
import merges
import render
import report
import tools

TRIAL, HA = "values-trial.yaml", "values-ha.yaml"
SCALED = {"defaults.autoscaling.enabled": "true"}
ORDERS, GATEWAY = "shop-comptoir-orders", "shop-comptoir-gateway"


class Release:
    """A release and what runs of it."""

    def __init__(self, helm: int, spoil: Callable[[dict], None] | None = None, chart: object = tools.CHART) -> None:
        self.helm = helm
        self.chart = chart
        self.spoil = spoil  # a planted fault: changes each Deployment of an upgrade
        self.manifests = {}
        self.live = {}
        self.stores = []  # the StatefulSets, which nobody but Helm changes
        self.revisions = []

    def ask(self, sets: dict[str, str], file: str = TRIAL) -> render.Render:
        """What the templates make of these values where this release runs."""
        with cluster.serving([*(one.served() for one in self.live.values()), *self.stores]) as address:
            return render.run(render.Render("upgrade", (file,), sets, "1.34.0", self.chart, cluster=address))

    def upgrade(self, sets: dict[str, str] | None = None, file: str = TRIAL, force: bool = False) -> "Release":
        """Installs, or upgrades what runs."""
        each = self.ask(sets or {}, file)
        if each.refusal:
            raise merges.Conflict(each.refusal)
        manifests = {one["metadata"]["name"]: one for one in each.objects if one["kind"] == "Deployment"}
        for one in manifests.values() if self.spoil and self.manifests else ():
            self.spoil(one)
        self.stores = [one for one in each.objects if one["kind"] == "StatefulSet"]
        return self.put(manifests, force)

    def put(self, manifests: dict[str, dict], force: bool = False) -> "Release":
        for name, manifest in manifests.items():
            there = self.live.setdefault(name, merges.Object(manifest))
            if self.helm == 4:
                there.apply(manifest, force=force)
            else:
                there.merge(self.manifests.get(name, manifest), manifest)
            there.manifest = manifest
        self.manifests = manifests
        self.revisions.append(manifests)
        return self

    def rollback(self, revision: int, force: bool = False) -> "Release":
        """The manifests of a revision, as they were rendered then."""
        return self.put(self.revisions[revision - 1], force)

    def scale(self, replicas: int, manager: str = "kube-controller-manager", names: tuple[str, ...] = ()) -> "Release":
        for name in names or self.live:
            self.live[name].scale(replicas, manager)
        return self

    def problems(self, expected: int, *names: str) -> Iterator[str]:
        for name in names or self.live:
            if self.live[name].replicas != expected:
                yield f"Helm {self.helm}: {name} has {self.live[name].replicas} pods, not {expected}"


def into_production(helm: int, spoil: Callable[[dict], None] | None = None) -> Iterator[str]:
    yield from Release(helm, spoil).upgrade().upgrade(file=HA).problems(2)


def one_service(helm: int) -> Iterator[str]:
    release = Release(helm).upgrade({"services.orders.replicas": "5"})
    release.upgrade({"services.orders.autoscaling.enabled": "true"})
    yield from release.problems(5, ORDERS)
    yield from release.problems(2, GATEWAY)


def scaled_meanwhile(helm: int) -> Iterator[str]:
    release = Release(helm).upgrade().upgrade(SCALED).scale(7)
    for tag in ("0.2.0", "0.3.0"):
        release.upgrade({**SCALED, "image.tag": tag})
        yield from release.problems(7)
        release.scale(7)
    yield from release.scale(4).upgrade({**SCALED, "image.tag": "0.4.0"}).problems(4)


def never_scaled(helm: int) -> Iterator[str]:
    release = Release(helm).upgrade({"defaults.replicas": "4"})
    for tag in ("0.1.0", "0.2.0", "0.3.0"):
        yield from release.upgrade({**SCALED, "image.tag": tag}).problems(4)


def scaled_by_hand(helm: int) -> Iterator[str]:
    release = Release(helm).upgrade().scale(6, "kubectl", (ORDERS,)).scale(0, "kubectl", (GATEWAY,)).upgrade(SCALED)
    yield from release.problems(6, ORDERS)
    yield from release.problems(0, GATEWAY)


def from_none(helm: int) -> Iterator[str]:
    """An autoscaler leaves a Deployment without pods alone: the fewest of its own are meant."""
    yield from Release(helm).upgrade({"defaults.replicas": "0"}).upgrade(SCALED).problems(3)


def back_a_revision(helm: int) -> Iterator[str]:
    """Between revisions with an autoscaler: the manifest of the earlier one has no number that could be put back."""
    release = Release(helm).upgrade(SCALED).scale(5)
    release.upgrade({**SCALED, "image.tag": "0.2.0"}).scale(8).upgrade({**SCALED, "image.tag": "0.3.0"})
    yield from release.rollback(2).problems(8)


def switched_off(helm: int) -> Iterator[str]:
    """Then the number is that of the values again. Helm 4 must be told that this is meant."""
    release = Release(helm).upgrade(SCALED).scale(7)
    try:
        release.upgrade({"defaults.replicas": "3"})
        if helm == 4:
            yield "no conflict with the autoscaler: --force-conflicts is not needed, and the runbook says so"
    except merges.Conflict:
        release.upgrade({"defaults.replicas": "3"}, force=True)
    yield from release.problems(3)


IMAGE = ("spec", "template", "spec", "containers", "[comptoir]", "image")


def scaled_and_fixed(helm: int) -> Iterator[str]:
    """After `kubectl scale` Helm 4 meets a conflict half-way, and again when it goes back: both flags of the runbook are needed."""
    release = Release(helm).upgrade().scale(5, "kubectl", (ORDERS,))
    for attempt in (lambda: release.upgrade({"image.tag": "0.2.0"}), lambda: release.rollback(1)):
        try:
            attempt()
            if helm == 4:
                yield "no conflict: the runbook's --force-conflicts is not needed"
        except merges.Conflict as conflict:
            if helm == 3 or "kubectl" not in str(conflict):
                yield str(conflict)
    release.rollback(1, force=True)
    if len({one.fields[IMAGE] for one in release.live.values()}) != 1:
        yield "pods of two versions are left"
    yield from release.problems(2)


BOTH = (
    ("from the trial to values-ha no service loses a pod", into_production),
    ("autoscaling of one service alone leaves its pods", one_service),
    ("an upgrade leaves what the autoscaler has chosen", scaled_meanwhile),
    ("an upgrade before the autoscaler has chosen leaves the pods", never_scaled),
    ("a number that a person chose stays when autoscaling is switched on", scaled_by_hand),
    ("a service without pods gets its fewest when autoscaling is switched on", from_none),
    ("after kubectl scale an upgrade, and the way back, are forced, and leave one version", scaled_and_fixed),
    ("with autoscaling switched off the number of the values counts", switched_off),
)


def check(results: report.Results) -> None:
    cases = []
    for helm in (4, 3):
        cases += [(f"Helm {helm}: {sentence}", functools.partial(scenario, helm)) for sentence, scenario in BOTH]
        cases.append((f"a planted fault is noticed: with Helm {helm}, replicas that disappear", functools.partial(noticed, helm)))
    results.add_all([*cases, ("Helm 4: a rollback leaves what the autoscaler has chosen", functools.partial(back_a_revision, 4))])


def noticed(helm: int) -> list[str]:
    return [] if list(into_production(helm, lambda one: one["spec"].pop("replicas"))) else ["nobody noticed"]
