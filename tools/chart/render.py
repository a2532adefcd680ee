"""Renders the chart: values in, objects out. Two at a time, as this machine has two cores."""

import concurrent.futures
import dataclasses
import hashlib
import subprocess
import time
from collections.abc import Iterator

import yaml

import tools

WORKERS = 2
RELEASE = "shop"
NAMESPACE = "shop"


@dataclasses.dataclass
class Render:
    """One `helm template`."""

    name: str
    files: tuple
    sets: dict
    kubernetes: str
    chart: object = tools.CHART
    release: str = RELEASE
    namespace: str = NAMESPACE
    cluster: str = ""  # address of an API server that `lookup` asks; none otherwise
    text: str = ""
    objects: list = dataclasses.field(default_factory=list)
    seconds: float = 0.0
    refusal: str = ""

    @property
    def provider(self) -> str:
        return self.sets.get("mesh.provider", "none")


class Refused(Exception):
    """What helm said."""


def command(render: Render) -> list[str]:
    """The arguments of helm. A value that is a list, a map or in quotes goes in as JSON."""
    words = [str(tools.helm()), "template", render.release, str(render.chart), "--namespace", render.namespace]
    words += ["--kube-version", render.kubernetes]
    if render.cluster:
        words += ["--dry-run=server", "--kube-apiserver", render.cluster, "--is-upgrade", "--disable-openapi-validation"]
    for file in render.files:
        words += ["--values", str(render.chart / file)]
    for key, value in render.sets.items():
        words += ["--set-json", f"{key}={value}"] if value[:1] in ("[", "{", '"') else ["--set", f"{key}={value}"]
    return words


def text_of(render: Render) -> str:
    done = subprocess.run(command(render), capture_output=True, text=True)
    if done.returncode != 0:
        raise Refused(done.stderr.strip())
    return done.stdout


def run(render: Render) -> Render:
    began = time.monotonic()
    try:
        render.text = text_of(render)
        render.objects = parse(render.text)
    except Refused as refused:
        render.refusal = str(refused)
    render.seconds = time.monotonic() - began
    return render


def parse(text: str) -> list[dict]:
    return [document for document in yaml.load_all(text, Loader=yaml.CSafeLoader) if document]


def all_of(renders: list[Render]) -> list[Render]:
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        return list(pool.map(run, renders))


def seconds(renders: list[Render]) -> float:
    """Time that helm took, over the workers."""
    return sum(render.seconds for render in renders) / WORKERS


def again(renders: list[Render]) -> Iterator[str]:
    """Every 21st once more, which meets each version of Kubernetes: the same bytes?"""
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        texts = pool.map(text_of, renders[::21])
        for render, text in zip(renders[::21], texts):
            if digest(text) != digest(render.text):
                yield f"{render.name}: the second render differs"


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def refused(sets: dict[str, str], words: list[str], **options: object) -> list[str]:
    """Whether a trial with these values is refused with a sentence that has these words."""
    each = run(Render("refused", ("values-trial.yaml",), sets, "1.34.0", **options))
    if not each.refusal:
        return ["is accepted"]
    return [f"does not say {word!r}: {each.refusal}" for word in words if word not in each.refusal]


def lint() -> Iterator[str]:
    for values in ("values-trial.yaml", "values-ha.yaml"):
        arguments = [str(tools.helm()), "lint", "--strict", str(tools.CHART), "--values", str(tools.CHART / values)]
        done = subprocess.run(arguments, capture_output=True, text=True)
        if done.returncode != 0 or "[WARNING]" in done.stdout or "[ERROR]" in done.stdout:
            yield f"{values}: {done.stdout.strip()} {done.stderr.strip()}"
