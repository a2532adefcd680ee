"""Pods: the restricted pod security standard (Kubernetes documentation, "Pod Security Standards"), and our own habits."""

from collections.abc import Iterator

import render

MESH_UIDS = {1337, 2102}  # Istio's and Linkerd's proxies: the redirection of traffic skips them
VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
SECCOMP = {"RuntimeDefault", "Localhost"}
DRAIN_SECONDS = 20
OWN_HEALTH = ("/healthz", "/readyz")  # of the gateway; of a program, whose answer is about itself alone


def pods(objects: list[dict]) -> list[tuple[str, dict, dict]]:
    """(name, pod spec, pod metadata) of all that makes pods."""
    found = []
    for one in objects:
        name = f"{one['kind']} {one['metadata']['name']}"
        if one["kind"] == "Pod":
            found.append((name, one["spec"], one["metadata"]))
        elif one["kind"] in ("Deployment", "StatefulSet", "Job", "DaemonSet"):
            template = one["spec"]["template"]
            found.append((name, template["spec"], template["metadata"]))
    return found


def containers(spec: dict) -> list[dict]:
    return spec.get("initContainers", []) + spec["containers"] + spec.get("ephemeralContainers", [])


def security_problems(each: render.Render) -> Iterator[str]:
    for name, spec, _ in pods(each.objects):
        for problem in pod_problems(spec):
            yield f"{name}: {problem}"


def pod_problems(spec: dict) -> Iterator[str]:
    pod = spec.get("securityContext", {})
    for field in ("hostNetwork", "hostPID", "hostIPC"):
        if spec.get(field):
            yield f"{field} is set"
    for volume in spec.get("volumes", []):
        for kind in set(volume) - {"name"} - VOLUMES:
            yield f"the volume {volume['name']} is a {kind}"
    if pod.get("sysctls"):
        yield "sysctls are set"
    for container in containers(spec):
        for problem in container_problems(container, pod):
            yield f"{container['name']}: {problem}"


def container_problems(container: dict, pod: dict) -> Iterator[str]:
    own = container.get("securityContext", {})
    if own.get("privileged"):
        yield "is privileged"
    if own.get("allowPrivilegeEscalation") is not False:
        yield "allowPrivilegeEscalation is not false"
    if own.get("runAsNonRoot", pod.get("runAsNonRoot")) is not True:
        yield "runAsNonRoot is not true"
    user = own.get("runAsUser", pod.get("runAsUser"))
    if not user or user in MESH_UIDS:
        yield f"runAsUser is {user}"
    capabilities = own.get("capabilities", {})
    if "ALL" not in capabilities.get("drop", []):
        yield "does not drop ALL capabilities"
    if set(capabilities.get("add", [])) - {"NET_BIND_SERVICE"}:
        yield "adds capabilities"
    seccomp = own.get("seccompProfile", pod.get("seccompProfile", {}))
    if seccomp.get("type") not in SECCOMP:
        yield "has no seccomp profile"
    if own.get("procMount", "Default") != "Default":
        yield "has another /proc"
    if any(port.get("hostPort") for port in container.get("ports", [])):
        yield "uses a port of the node"


def habit_problems(each: render.Render) -> Iterator[str]:
    for name, spec, metadata in pods(each.objects):
        if spec.get("automountServiceAccountToken") is not False:
            yield f"{name}: mounts a service account token that nothing uses"
        if spec.get("enableServiceLinks") is not False:
            yield f"{name}: service links would set COMPTOIR_ variables"
        for label in ("app", "version", "app.kubernetes.io/name", "app.kubernetes.io/instance", "app.kubernetes.io/component"):
            if label not in metadata["labels"]:
                yield f"{name}: no label {label}"
        for container in containers(spec):
            if container["securityContext"].get("readOnlyRootFilesystem") is not True:
                yield f"{name}: {container['name']} can write to its root"
            variables = [variable["name"] for variable in container.get("env", [])]
            for variable in sorted({one for one in variables if variables.count(one) > 1}):
                yield f"{name}: {container['name']} has the variable {variable} twice"
            resources = container.get("resources", {})
            if not {"cpu", "memory"} <= set(resources.get("requests", {})) or "memory" not in resources.get("limits", {}):
                yield f"{name}: {container['name']} lacks requests or a memory limit"
    for one in each.objects:
        if one["kind"] == "Deployment":
            yield from service_problems(one)
        if one["kind"] == "Pod" and "hook-succeeded" not in one["metadata"]["annotations"]["helm.sh/hook-delete-policy"]:
            yield f"Pod {one['metadata']['name']}: an uninstall leaves it"
        if one["kind"] == "Telemetry":
            parts = [part for parts in (one["spec"].get("tracing", []), one["spec"].get("accessLogging", [])) for part in parts]
            yield from (f"Telemetry {one['metadata']['name']}: does nothing without a provider" for part in parts if not part.get("providers"))
        if one["kind"] == "Secret":
            yield f"Secret {one['metadata']['name']}: secrets are the user's"


def service_problems(one: dict) -> Iterator[str]:
    """Of the pods of a service and of the gateway."""
    name, spec = one["metadata"]["name"], one["spec"]["template"]["spec"]
    container = spec["containers"][0]
    if not {"startupProbe", "livenessProbe", "readinessProbe"} <= set(container):
        yield f"{name}: lacks a probe"
        return
    for kind in ("startupProbe", "livenessProbe"):
        probe = container[kind]
        live = probe.get("grpc", {}).get("service") == "live" or probe.get("httpGet", {}).get("path") in OWN_HEALTH
        if not live:
            yield f"{name}: the {kind} depends on MongoDB or NATS"
    pause = container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
    if spec["terminationGracePeriodSeconds"] < pause + DRAIN_SECONDS:
        yield f"{name}: the grace period is shorter than the pause and the drain"
    if not spec.get("topologySpreadConstraints"):
        yield f"{name}: is not spread"
    if one["spec"]["selector"]["matchLabels"].items() - one["spec"]["template"]["metadata"]["labels"].items():
        yield f"{name}: its selector misses its own pods"


def tls_problems(each: render.Render) -> Iterator[str]:
    """With a certificate the gateway has its files, and probes, Service and test speak TLS to it; without one nobody does."""
    is_wanted = bool(each.sets.get("gateway.tls.secretName"))
    for one in each.objects:
        name, spec = one["metadata"]["name"], one.get("spec") or {}
        if one["kind"] == "Deployment" and "-gateway" in name:
            container = spec["template"]["spec"]["containers"][0]
            schemes = {probe["httpGet"].get("scheme", "HTTP") for kind, probe in container.items() if kind.endswith("Probe")}
            files = {there["value"].rsplit("/", 1)[0] for there in container["env"] if there["name"].startswith("COMPTOIR_TLS_")}
            mounts = {there["mountPath"] for there in container["volumeMounts"] if there["name"] == "tls"}
            secrets = {there["secret"]["secretName"] for there in spec["template"]["spec"]["volumes"] if there["name"] == "tls"}
            wanted = ({"HTTPS"}, {each.sets["gateway.tls.secretName"]}) if is_wanted else ({"HTTP"}, set())
            if (schemes, secrets) != wanted or files != mounts or len(files) != is_wanted:
                yield f"{name}: probes speak {schemes}, the certificate is {secrets} at {mounts}, and is looked for in {files}"
        if one["kind"] == "Service" and "-gateway" in name and (spec["ports"][0]["appProtocol"] == "https") != is_wanted:
            yield f"{name}: its port is told to speak {spec['ports'][0]['appProtocol']}"
        if one["kind"] == "Pod" and any(it.startswith("--gateway=https:") for it in spec["containers"][0]["args"]) != is_wanted:
            yield f"{name}: speaks {spec['containers'][0]['args']}"


def reference_problems(each: render.Render) -> Iterator[str]:
    """Services select pods, accounts, budgets, scalers and routes name what is there."""
    names = {(one["kind"], one["metadata"]["name"]) for one in each.objects}
    if len(names) != len(each.objects):
        kinds = [(one["kind"], one["apiVersion"].split("/")[0], one["metadata"]["name"]) for one in each.objects]
        yield from {f"{kind} {name} is there twice" for kind, group, name in kinds if kinds.count((kind, group, name)) > 1}
    labels = [metadata["labels"] for _, _, metadata in pods(each.objects)]
    for name, spec, _ in pods(each.objects):
        if ("ServiceAccount", spec["serviceAccountName"]) not in names:
            yield f"{name}: no account {spec['serviceAccountName']}"
    for one in each.objects:
        selector = selector_of(one)
        if selector and not any(selector.items() <= there.items() for there in labels):
            yield f"{one['kind']} {one['metadata']['name']}: selects no pod"
        for backend in backends(one):
            if ("Service", backend) not in names:
                yield f"{one['kind']} {one['metadata']['name']}: no Service {backend}"
        if one["kind"] == "HorizontalPodAutoscaler" and ("Deployment", one["spec"]["scaleTargetRef"]["name"]) not in names:
            yield f"{one['metadata']['name']}: scales nothing"


def selector_of(one: dict) -> dict | None:
    spec = one.get("spec") or {}
    if one["kind"] == "Service":
        return spec["selector"]
    inner = spec.get("podSelector") or spec.get("selector") or {}
    return inner.get("matchLabels") if isinstance(inner, dict) else None


def backends(one: dict) -> list[str]:
    spec = one.get("spec") or {}
    if one["kind"] in ("HTTPRoute", "GRPCRoute"):
        parents = [parent["name"] for parent in spec["parentRefs"] if parent.get("kind") == "Service"]
        return parents + [there["name"] for rule in spec["rules"] for there in rule.get("backendRefs", [])]
    if one["kind"] == "VirtualService":
        return [there["destination"]["host"] for route in spec["http"] for there in route["route"]]
    if one["kind"] == "Ingress":
        return [path["backend"]["service"]["name"] for rule in spec["rules"] for path in rule["http"]["paths"]]
    return []
