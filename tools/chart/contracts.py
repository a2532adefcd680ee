"""What the policies must say, read from mesh/topology.toml and, through buf, from the contracts; not from the chart."""

import copy
import dataclasses
import json
import subprocess
import tomllib
from collections.abc import Iterator

import yaml

import tools

GRPC_BASE_PORT = 9000
GATEWAY_PORT = 8080
HEALTH_CHECK = "/grpc.health.v1.Health/Check"
LIST_EVENTS = "/comptoir.events.v1.EventService/ListEvents"
EVENTS = "comptoir.events.v1"
READS = ("Get", "List", "BatchGet")  # AIP-131, 132, 231: methods that change nothing


@dataclasses.dataclass
class Calls:
    """The call graph: ports by service, RPCs by edge, and which RPCs may be sent twice."""

    ports: dict
    edges: dict  # (from, to) -> set of RPC paths
    repeatable: set  # RPC paths: idempotent, one message, only reading
    uses: dict
    webhooks: dict  # service -> port on which a provider calls it back
    programs: dict  # program -> (port, what it stands for)


def read() -> Calls:
    topology = tomllib.loads((tools.ROOT / "mesh" / "topology.toml").read_text())
    services, programs = topology["service"], topology.get("program", {})
    rpcs = rpcs_of_the_contracts()
    edges = {}
    for name, service in services.items():
        public = {path for path, rpc in rpcs.items() if rpc["package"] == service["proto"] and rpc["http"]}
        edges["gateway", name] = public | {HEALTH_CHECK}
        for to in service.get("calls", []):
            proto = services[to]["proto"]
            named = {path for path, rpc in rpcs.items() if rpc["package"] == proto and name in rpc["services"]}
            edges.setdefault((name, to), set()).update(named)
        for to in service.get("consumes", []):
            edges.setdefault((name, to), set()).add(LIST_EVENTS)
    ports = {name: GRPC_BASE_PORT + service["port_offset"] for name, service in services.items()}
    uses = {name: set(service.get("uses", [])) for name, service in services.items()}
    webhooks = {name: GRPC_BASE_PORT + service["webhook_port_offset"] for name, service in services.items()
                if "webhook_port_offset" in service}
    standing = {name: (GRPC_BASE_PORT + program["port_offset"], program.get("stands_for", ""))
                for name, program in programs.items()}
    return Calls({"gateway": GATEWAY_PORT, **ports}, edges, repeatable(rpcs), uses, webhooks, standing)


def repeatable(rpcs: dict[str, dict]) -> set[str]:
    return {path for path, rpc in rpcs.items()
            if rpc["idempotent"] and not rpc["stream"] and path.rsplit("/", 1)[1].startswith(READS)}


def rpcs_of_the_contracts() -> dict[str, dict]:
    """Every RPC with an access option, by path."""
    buf = tools.provided("buf", "BUF_BIN")
    done = subprocess.run([buf, "build", "-o", "-#format=json"], cwd=tools.ROOT / "proto", capture_output=True, check=True)
    found = {}
    for file in json.loads(done.stdout)["file"]:
        for service in file.get("service", []):
            for method in service["method"]:
                options = method.get("options", {})
                access = options.get("[comptoir.api.v1.access]")
                if access is not None:
                    found[f"/{file['package']}.{service['name']}/{method['name']}"] = {
                        "package": file["package"],
                        "idempotent": access.get("idempotent", False),
                        "services": access.get("services", []),
                        "http": "[google.api.http]" in options,
                        "stream": method.get("serverStreaming", False) or method.get("clientStreaming", False),
                    }
    return found


def table() -> dict:
    return yaml.safe_load((tools.CHART / "topology.yaml").read_text())


def from_table(table: dict) -> Calls:
    """The same out of a topology.yaml."""
    edges = {(edge["from"], edge["to"]): set(edge["rpcs"]) for edge in table["edges"]}
    ports = {name: service["port"] for name, service in table["services"].items()}
    flags = {f"/{grpc}/{rpc['name']}": rpc for service in table["services"].values()
             for grpc, rpcs in service["rpcs"].items() for rpc in rpcs}
    twice = {path for path, rpc in flags.items() if rpc["idempotent"] and rpc["read"] and not rpc["stream"]}
    uses = {name: set(service["uses"]) for name, service in table["services"].items()}
    webhooks = {name: service["webhookPort"] for name, service in table["services"].items() if "webhookPort" in service}
    programs = {name: (program["port"], program["standsFor"]) for name, program in table["programs"].items()}
    return Calls({"gateway": table["gateway"]["port"], **ports}, edges, twice, uses, webhooks, programs)


def compare(calls: Calls, copy_of_the_chart: dict | None = None) -> Iterator[str]:
    """The chart's own copy against the sources."""
    copied = from_table(copy_of_the_chart or table())
    for field in (each.name for each in dataclasses.fields(Calls)):
        if getattr(copied, field) != getattr(calls, field):
            yield f"{field} differ; mend: make docs"


def with_service(table: dict, name: str) -> dict:
    """The table with one service more, which is called, consumes, uses a provider and takes its webhooks; and with a
    program that stands for that provider in a trial."""
    more = copy.deepcopy(table)
    grpc = f"comptoir.{name}.v1.ReviewService"
    more["services"][name] = {
        "port": 9042, "proto": f"comptoir.{name}.v1", "database": name, "uses": ["smtp"], "webhookPort": 9043,
        "publish": [f"evt.{name}.>"], "subscribe": [f"_INBOX_{name}.>"],
        "rpcs": {grpc: [{"name": "GetReview", "idempotent": True, "read": True, "stream": False},
                        {"name": "CreateReview", "idempotent": True, "read": False, "stream": False}]},
    }
    more["programs"][f"sandbox-{name}"] = {
        "port": 9044, "database": f"sandbox_{name}", "standsFor": "smtp", "addressVariable": "COMPTOIR_SMTP_URL"}
    more["edges"] += [
        {"from": "gateway", "to": name, "rpcs": [f"/{grpc}/GetReview", f"/{grpc}/CreateReview", HEALTH_CHECK]},
        {"from": name, "to": "orders", "rpcs": [LIST_EVENTS]},
    ]
    return more
