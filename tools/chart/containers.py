"""Dockerfile and compose.yaml, linted without an engine; that both take what the chart takes; and that compose.yaml has
what the topology has. What is in it once for each service is made by `make chart-write`."""

import json
import os
import re
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import yaml

import contracts
import render
import report
import tools

CONTAINER_UID = "10001"
COMPOSE = tools.ROOT / "compose.yaml"
NATS_CONF = tools.ROOT / "compose" / "nats.conf"
NATS_HEAD = "# One server, with the users and permissions of mesh/topology.toml. Made by `make chart-write`; do not edit.\n"


def check(results: report.Results) -> None:
    results.add("hadolint finds nothing in the Dockerfile", hadolint)
    results.add("the image runs as the user that the chart names", user)
    results.add("the build's context has every crate and no more", context)
    results.add("compose.yaml meets the Compose specification", compose)
    results.add("compose.yaml names only files that are there", mounted_files)
    results.add("compose.yaml and its nats.conf are those of the topology", compare)
    results.add("compose/serve.sh gives each service its own secrets", served_with)
    results.add("nats-server takes compose/nats.conf with the passwords of compose/passwords.sh", nats_server)


def hadolint() -> list[str]:
    done = subprocess.run([tools.schemas() / "hadolint", tools.ROOT / "Dockerfile"], capture_output=True, text=True)
    return (done.stdout + done.stderr).splitlines() if done.returncode else []


def user() -> Iterator[str]:
    lines = (tools.ROOT / "Dockerfile").read_text().splitlines()
    users = [line.split()[1] for line in lines if line.startswith("USER ")]
    if not users or users[-1].split(":")[0] != CONTAINER_UID:
        yield f"USER is {users}, the chart runs as {CONTAINER_UID}"


def context() -> Iterator[str]:
    """.dockerignore leaves out all, then takes back some: each crate of the workspace must be among those."""
    lines = (tools.ROOT / ".dockerignore").read_text().splitlines()
    taken = {line[1:] for line in lines if line.startswith("!")}
    if "*" not in lines:
        yield ".dockerignore does not leave out all to begin with"
    cargo = (tools.ROOT / "Cargo.toml").read_text()
    members = re.findall(r'"([\w/-]+)"', cargo.split("members = [")[1].split("]")[0])
    for path in [*members, "Cargo.lock", "build.rs", "proto"]:
        if path.split("/")[0] not in taken:
            yield f".dockerignore leaves out {path}"
    for path in taken:
        if not (tools.ROOT / path).exists():
            yield f".dockerignore takes {path}, which is not there"


def document() -> dict:
    return yaml.safe_load(COMPOSE.read_text())


def compose() -> Iterator[str]:
    schema = json.loads((tools.schemas() / "compose.json").read_text())
    for error in jsonschema.Draft201909Validator(schema).iter_errors(document()):
        yield f"{'.'.join(map(str, error.absolute_path))}: {error.message[:200]}"


def mounted_files() -> Iterator[str]:
    for name, service in document()["services"].items():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            if source.startswith("./") and not (tools.ROOT / source).exists():
                yield f"{name}: {source} is not there"
        for word in [*service.get("entrypoint", []), *service.get("command", [])]:
            file = re.search(r"/compose/(\S+)", word)
            if file and not (tools.ROOT / "compose" / file[1]).exists():
                yield f"{name}: compose/{file[1]} is not there"


def served_with() -> Iterator[str]:
    """Runs the script with a program that tells what it was given in the place of comptoir."""
    with tempfile.TemporaryDirectory() as scratch:
        secrets = secrets_in(Path(scratch))
        stub = secrets / "bin" / "comptoir"
        stub.parent.mkdir()
        stub.write_text("#!/bin/sh\necho ARGUMENTS=$*\nenv\n")
        stub.chmod(0o755)
        env = {"PATH": f"{stub.parent}:{os.environ['PATH']}", "SECRETS": scratch}
        for name, service in contracts.table()["services"].items():
            command = ["sh", tools.ROOT / "compose" / "serve.sh", name, *service["uses"]]
            done = subprocess.run(command, env=env, capture_output=True, text=True)
            given = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
            for variable, value in expected(name, service, scratch).items():
                if given.get(variable) != value:
                    yield f"{name}: {variable} is {given.get(variable)}, not {value} {done.stderr.strip()}"
            if ("COMPTOIR_PROVIDER_KEY" in given) != ("payment-provider" in service["uses"]):
                yield f"{name}: was given {sorted(given)}"
        done = subprocess.run(["sh", tools.ROOT / "compose" / "serve.sh", "gateway"], env=env, capture_output=True, text=True)
        given = {line.split("=", 1)[0]: line.split("=", 1)[1] for line in done.stdout.splitlines() if "=" in line}
        own = {name: value for name, value in given.items() if name.startswith("COMPTOIR_")}
        if own != {"COMPTOIR_JWKS_FILE": f"{scratch}/keys/jwks.json", "COMPTOIR_NATS_PASSWORD": "9nats-gateway",
                   "COMPTOIR_NATS_URL": "nats://nats:4222"}:
            yield f"gateway: was given {own} {done.stderr.strip()}"


def expected(name: str, service: dict, secrets: str) -> dict[str, str]:
    database = service["database"]
    return {
        "ARGUMENTS": f"serve {name}",
        "COMPTOIR_MONGODB_URI": f"mongodb://{name}:9mongodb-{name}@mongodb:27017/{database}?authSource={database}&replicaSet=rs0",
        "COMPTOIR_NATS_PASSWORD": f"9nats-{name}",
        "COMPTOIR_NATS_URL": "nats://nats:4222",
        "COMPTOIR_SERVICE_KEY_FILE": f"{secrets}/keys/{name}.pem",
        "COMPTOIR_JWKS_FILE": f"{secrets}/keys/jwks.json",
    }


def secrets_in(scratch: Path) -> Path:
    """Files like those of `comptoir secrets`; the passwords begin with a digit."""
    for directory, more in (("keys", []), ("mongodb", ["root", "keyfile"]), ("nats", ["operator", "route", "gateway"])):
        (scratch / directory).mkdir()
        for name in [*contracts.table()["services"], *more]:
            (scratch / directory / (f"{name}.pem" if directory == "keys" else name)).write_text(f"9{directory}-{name}")
    (scratch / "payment-provider").mkdir()
    (scratch / "payment-provider" / "COMPTOIR_PROVIDER_KEY").write_text("9key")
    return scratch


def nats_server() -> Iterator[str]:
    """Lets a real one read its configuration, and no more: `-t`."""
    with tempfile.TemporaryDirectory() as scratch:
        secrets_in(Path(scratch))
        command = ["sh", tools.ROOT / "compose" / "passwords.sh", f"{scratch}/nats", '"',
                   tools.provided("nats-server", "NATS_SERVER_BIN"), "-t", "--config", NATS_CONF]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode or "is valid" not in done.stdout + done.stderr:
            yield (done.stdout + done.stderr).strip()


def served() -> dict:
    """Services, and programs as if they were: they use what they stand for."""
    table = contracts.table()
    programs = {name: {**program, "uses": [program["standsFor"]]} for name, program in table["programs"].items()}
    return {**table["services"], **programs}


def generated(services: dict) -> str:
    """compose.yaml with the parts that are once for each service."""
    databases = {name: service["database"] for name, service in services.items()}
    text = between(COMPOSE.read_text(), "databases", f"      DATABASES: '{json.dumps(databases)}'\n")
    return between(text, "services", "\n".join(block(name, service) for name, service in services.items()))


def between(text: str, what: str, content: str) -> str:
    """The text with `content` between the two comments about `what`."""
    pattern = rf"(# {what}: made by [^\n]*\n)(.*?)( *# end of {what}\n)"
    replaced, count = re.subn(pattern, lambda found: found[1] + content + found[3], text, flags=re.S)
    if count != 1:
        raise ValueError(f"compose.yaml has {count} places for {what}")
    return replaced


def block(name: str, service: dict) -> str:
    given = [use for use in service["uses"] if use != "user-tokens"]
    lines = [f"  {name}:", "    <<: *service", f"    command: [{', '.join([name, *given])}]"]
    if "user-tokens" in service["uses"]:
        lines += ["    environment:", "      <<: *telemetry", "      COMPTOIR_USER_TOKEN_KEY_FILE: /secrets/keys/${COMPTOIR_USER_TOKEN_KEY:-user-tokens}.pem"]
    if "smtp" in service["uses"]:
        # With COMPTOIR_SMTP_URL in /secrets/smtp mails go to that server.
        lines += ["    environment:", "      <<: *telemetry", "      COMPTOIR_MAIL_DIRECTORY: /tmp/mail"]
    return "\n".join(lines) + "\n"


def nats_conf() -> str:
    """That of the chart, for one server."""
    sets = {"nats.inChart.replicas": "1", "nats.streamReplicas": "1"}
    each = render.run(render.Render("compose", ("values-trial.yaml",), sets, "1.34.0"))
    config = next(one for one in each.objects if one["kind"] == "ConfigMap" and one["metadata"]["name"].endswith("-nats"))
    return NATS_HEAD + config["data"]["nats.conf"]


def write() -> None:
    NATS_CONF.write_text(nats_conf())
    COMPOSE.write_text(generated(served()))


def compare() -> Iterator[str]:
    services = served()
    if COMPOSE.read_text() != generated(services):
        yield "compose.yaml: the services are not those of the topology; mend: make chart-write"
    if not NATS_CONF.exists() or NATS_CONF.read_text() != nats_conf():
        yield "compose/nats.conf: the users are not those of the topology; mend: make chart-write"
    for name, service in services.items():
        if service["database"] != name.replace("-", "_"):
            yield f"compose/serve.sh takes {name.replace('-', '_')} for the database of {name}: it is {service['database']}"
