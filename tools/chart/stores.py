"""The stores inside the chart, as far as a machine without a cluster goes: their rendered configuration on a real
nats-server cluster of three and a real mongod replica set of three, on loopback."""

import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.request import urlopen

import render
import report
import tools

MEMBERS = 3
LIMIT_SECONDS = 60


def check(results: report.Results) -> None:
    each = render.run(render.Render("stores", ("values-trial.yaml",), {"mongodb.inChart.replicas": str(MEMBERS)}, "1.34.0"))
    with tempfile.TemporaryDirectory() as scratch:
        results.add("the rendered NATS configuration makes a cluster of three that keeps services apart",
                    lambda: nats(each, Path(scratch)))
        results.add("the rendered MongoDB setup makes a replica set of three with one user per database, and may run again",
                    lambda: mongodb(each, Path(scratch)))


def named(each: render.Render, kind: str, name: str) -> dict:
    return next(one for one in each.objects if one["kind"] == kind and one["metadata"]["name"] == f"shop-comptoir-{name}")


def free_ports(count: int) -> list[int]:
    """Ports that nobody has; all are held until all are known."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def environment(container: dict) -> dict[str, str]:
    """The container's variables, `$(NAME)` filled in as the kubelet does; each secret is made of its name, digits first."""
    values = {}
    for variable in container["env"]:
        secret = variable.get("valueFrom", {}).get("secretKeyRef", {}).get("key")
        text = variable.get("value", f"9{secret.replace('-', '')}" if secret else "")
        values[variable["name"]] = re.sub(r"\$\((\w+)\)", lambda match: values[match[1]], text)
    return values


@contextlib.contextmanager
def running(commands: list[list], env: dict[str, str] | None = None) -> Iterator[None]:
    """Programs that end with the block."""
    children = []
    try:
        for command in commands:
            children.append(subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        yield
    finally:
        for child in children:
            child.terminate()
        for child in children:
            child.wait(LIMIT_SECONDS)


def wait(what: str, condition: Callable[[], object]) -> None:
    began = time.monotonic()
    while time.monotonic() - began < LIMIT_SECONDS:
        with contextlib.suppress(OSError):
            if condition():
                return
        time.sleep(0.05)
    raise TimeoutError(f"{what} after {LIMIT_SECONDS} s")


def nats(each: render.Render, scratch: Path) -> Iterator[str]:
    server = tools.provided("nats-server", "NATS_SERVER_BIN")
    ports = free_ports(3 * MEMBERS)
    clients, monitors, routes = ports[:MEMBERS], ports[MEMBERS:2 * MEMBERS], ports[2 * MEMBERS:]
    env = {**os.environ, **environment(named(each, "StatefulSet", "nats")["spec"]["template"]["spec"]["containers"][0])}
    for ordinal, route in enumerate(routes):
        env[f"ROUTE_{ordinal}"] = re.sub(r"@.*:6222", f"@127.0.0.1:{route}", env[f"ROUTE_{ordinal}"])
    commands = []
    for number in range(MEMBERS):
        text = named(each, "ConfigMap", "nats")["data"]["nats.conf"]
        for there, here in ((4222, clients[number]), (8222, monitors[number]), (6222, routes[number])):
            text = re.sub(rf"port: {there}$", f"port: {here}", text, flags=re.M)
        text = text.replace("store_dir: /data", f"store_dir: {scratch}/nats-{number}")
        config = scratch / f"nats-{number}.conf"
        config.write_text(f"host: 127.0.0.1\n{text}")
        commands.append([server, "--config", config, "--server_name", f"shop-nats-{number}"])
    with running(commands, env):
        for monitor in monitors:
            wait("a nats-server is not ready", lambda: urlopen(f"http://127.0.0.1:{monitor}/healthz?js-server-only=true").status == 200)
        yield from (problem for problem in nats_problems(clients, monitors, env) if problem)


def nats_problems(clients: list[int], monitors: list[int], env: dict[str, str] | None) -> Iterator[str | None]:
    for monitor in monitors:
        wait("a server does not have routes to all others", lambda: len(
            {route["remote_name"] for route in json.load(urlopen(f"http://127.0.0.1:{monitor}/routez"))["routes"]}) == MEMBERS - 1)
    stream = json.dumps({"name": "EVT_ORDERS", "subjects": ["evt.orders.>"], "num_replicas": MEMBERS}).encode()
    # A server that knows of no leader yet drops the request without an answer.
    for monitor in monitors:
        wait("the cluster has no leader", lambda: meta(monitor).get("leader"))
    # A leader places nothing on a server that it has not heard of.
    wait("the leader does not hear of all others", lambda: any(
        sum(peer["current"] and not peer.get("offline") for peer in meta(monitor).get("replicas", [])) == MEMBERS - 1
        for monitor in monitors))
    made = say(clients[1], "orders", env["SECRET_ORDERS"], "$JS.API.STREAM.CREATE.EVT_ORDERS", stream, LIMIT_SECONDS)
    yield None if b'"num_replicas":3' in made and b'"error"' not in made else f"orders cannot make its stream of three copies: {made[:300]}"
    for user, subject, allowed in (("orders", "evt.orders.order.created.1", True), ("payments", "evt.orders.order.created.1", False),
                                   ("payments", "$JS.API.STREAM.DELETE.EVT_ORDERS", False), ("gateway", "$KV.RATE_LIMITS.user.1", True),
                                   ("gateway", "evt.orders.order.created.1", False), ("orders", "$KV.RATE_LIMITS.user.1", False), ("order-history", "evt.users.user.created.1", False)):
        reply = say(clients[0], user, env[f"SECRET_{user.upper().replace('-', '_')}"], subject, b"x")
        if (b"Permissions Violation" not in reply) != allowed:
            yield f"{user} may{'' if not allowed else ' not'} publish on {subject}: {reply[:200]}"
    if b"Authorization Violation" not in say(clients[0], "orders", "wrong", "evt.orders.x", b"x"):
        yield "a wrong password is taken"


def meta(monitor: int) -> dict:
    """What a server knows of the cluster's own group; the leader knows its members."""
    return json.load(urlopen(f"http://127.0.0.1:{monitor}/jsz"))["meta_cluster"]


def say(port: int, user: str, password: str, subject: str, body: bytes, patience: float = 2) -> bytes:
    """Publishes one request over the text protocol of NATS and returns what comes back."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.recv(4096)
        options = json.dumps({"user": user, "pass": password, "verbose": False, "pedantic": False, "headers": True})
        inbox = f"_INBOX_{user}.1"
        head = f"CONNECT {options}\r\nSUB {inbox} 1\r\nPUB {subject} {inbox} {len(body)}\r\n".encode()
        connection.sendall(head + body + b"\r\nPING\r\n")
        return received(connection, patience)


def received(connection: socket.socket, patience: float) -> bytes:
    """Everything until the answer to the request, an error, or so many quiet seconds."""
    connection.settimeout(patience)
    reply = b""
    with contextlib.suppress(TimeoutError, ConnectionError):
        while part := connection.recv(65536):
            reply += part
            if b"-ERR" in reply or b"MSG " in reply and reply.endswith(b"\r\n") and b"PONG" in reply:
                return reply
    return reply


CHECKS = """
const problems = [];
for (const [service, database] of Object.entries(JSON.parse(process.env.DATABASES))) {
  const password = process.env["PASSWORD_" + service.toUpperCase().replaceAll("-", "_")];
  const uri = `mongodb://${service}:${password}@${process.env.HOSTS}/${database}?authSource=${database}&replicaSet=rs0`;
  const own = new Mongo(uri).getDB(database);
  own.getCollection("probe").insertOne({ _id: new ObjectId() }, { writeConcern: { w: "majority" } });
  let seen = true;
  try { own.getSiblingDB("admin").getCollection("system.users").findOne(); } catch { seen = false; }
  try { own.getSiblingDB("elsewhere").getCollection("probe").insertOne({}); seen = true; } catch {}
  if (seen) problems.push(`${service} reaches beyond ${database}`);
}
print(problems.length ? problems.join("\\n") : "apart");
"""


def mongodb(each: render.Render, scratch: Path) -> Iterator[str]:
    mongod, mongosh = tools.provided("mongod", "MONGOD_BIN"), tools.provided("mongosh", "MONGOSH_DIR")
    ports = free_ports(MEMBERS)
    (scratch / "setup.js").write_text(named(each, "ConfigMap", "mongodb")["data"]["setup.js"])
    (scratch / "check.js").write_text(CHECKS)
    key = scratch / "keyfile"
    key.write_text("0123456789abcdef" * 4)
    key.chmod(0o400)
    commands = []
    for port in ports:
        (scratch / f"mongodb-{port}").mkdir()
        commands.append([mongod, "--replSet=rs0", "--auth", f"--keyFile={key}", "--bind_ip=127.0.0.1", f"--port={port}", "--nounixsocket",
                         f"--dbpath={scratch}/mongodb-{port}", "--wiredTigerCacheSizeGB=0.25", "--oplogSize=16",
                         f"--logpath={scratch}/mongod-{port}.log", "--wiredTigerEngineConfigString=log=(file_max=32MB,prealloc=false)"])
    containers = named(each, "StatefulSet", "mongodb")["spec"]["template"]["spec"]["containers"]
    setup = next(container for container in containers if container["name"] == "setup")
    env = {**os.environ, **environment(setup), "POD": "shop-comptoir-mongodb-0", "HOME": str(scratch),
           "HOSTS": ",".join(f"127.0.0.1:{port}" for port in ports), "LOCAL": f"127.0.0.1:{ports[0]}"}
    shell = [shutil.which("node"), mongosh / "node_modules" / "mongosh" / "bin" / "mongosh.js", "--quiet", "--norc", "--nodb"]
    with running(commands):
        for port in ports:
            wait("a mongod does not listen", lambda: socket.create_connection(("127.0.0.1", port)).close() is None)
        first, second = [subprocess.run([*shell, scratch / "setup.js"], env=env, capture_output=True, text=True) for _ in range(2)]
        for run in (first, second):
            if run.returncode != 0 or f"rs0 has {MEMBERS} members" not in run.stdout:
                yield f"the setup ends with {run.returncode}: {run.stdout[-300:]} {run.stderr[-300:]}"
        if "made" in second.stdout or "added" in second.stdout:
            yield f"the second run changed something: {second.stdout}"
        apart = subprocess.run([*shell, scratch / "check.js"], env=env, capture_output=True, text=True)
        if apart.stdout.strip() != "apart":
            yield f"{apart.stdout[-300:]} {apart.stderr[-300:]}"
