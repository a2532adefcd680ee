"""Values that cannot work must be refused with a sentence that names the key."""

import functools
import json

import render
import report

PARENT = '[{"name":"public"}]'

# What is set, and what the refusal must say.
CASES = [
    ("an unknown service", {"services.carts.replicas": "2"}, ["services.carts", "no service carts", "orders"]),
    ("negative replicas", {"defaults.replicas": "-1"}, ["/defaults/replicas", "minimum"]),
    ("negative replicas of one service", {"services.orders.replicas": "-1"}, ["/services/orders/replicas", "minimum"]),
    ("no Secret for MongoDB", {"mongodb.existingSecret": ""}, ["mongodb.existingSecret", "name the Secret"]),
    ("no Secret for NATS", {"nats.existingSecret": ""}, ["nats.existingSecret", "name the Secret"]),
    ("no Secret of signing keys", {"signingKeys.existingSecret": ""}, ["signingKeys.existingSecret", "name the Secret"]),
    ("an unknown mesh", {"mesh.provider": "consul"}, ["/mesh/provider", "linkerd"]),
    ("an unknown key", {"bogus": "1"}, ["bogus", "not allowed"]),
    ("an unknown key of a service", {"services.orders.replica": "1"}, ["/services/orders", "replica", "not allowed"]),
    ("an even number of MongoDB members", {"mongodb.inChart.replicas": "2"}, ["mongodb.inChart.replicas", "odd"]),
    ("more copies than servers", {"nats.inChart.replicas": "1"}, ["nats.streamReplicas", "do not fit"]),
    ("a provider without its Secret", {"providers.paymentProvider.existingSecret": ""},
     ["providers.paymentProvider.existingSecret", "name the Secret", "payments"]),
    ("a provider outside without its Secret",
     {"providers.paymentProvider.sandbox": "false", "providers.paymentProvider.existingSecret": ""},
     ["providers.paymentProvider.existingSecret", "name the Secret", "payments"]),
    ("NATS nowhere", {"nats.inChart.enabled": "false"}, ["nats.external.url", "say where NATS is"]),
    ("a canary without a mesh", {"services.orders.canary.enabled": "true", "services.orders.canary.tag": "0.2.0"},
     ["services.orders.canary.enabled", "mesh.provider"]),
    ("a canary without a tag", {"mesh.provider": "istio", "services.orders.canary.enabled": "true"},
     ["services.orders.canary.tag", "image tag"]),
    ("a weight of 101", {"services.orders.canary.weight": "101"}, ["/services/orders/canary/weight", "maximum"]),
    ("an Ingress without a host", {"gateway.ingress.enabled": "true"}, ["gateway.ingress.host", "host name"]),
    ("a certificate for the gateway in a mesh", {"gateway.tls.secretName": "certificate", "mesh.provider": "linkerd"},
     ["gateway.tls.secretName", "linkerd encrypts already"]),
    ("routes without a Gateway", {"gateway.gatewayApi.enabled": "true"}, ["gateway.gatewayApi.parentRefs", "name the Gateway"]),
    ("a grace period without room to drain", {"defaults.preStopSeconds": "30"}, ["terminationGracePeriodSeconds", "too short"]),
    ("fewest above most", {"defaults.autoscaling.enabled": "true", "defaults.autoscaling.minReplicas": "20"},
     ["autoscaling.minReplicas", "more than maxReplicas"]),
    ("a variable that is none of ours", {"services.orders.env.PATH": "/"}, ["/services/orders/env", "PATH"]),
    ("a size that is none", {"nats.inChart.storage.size": "big"}, ["/nats/inChart/storage/size", "pattern"]),
    ("a size of nothing", {"nats.inChart.storage.size": "0"}, ["/nats/inChart/storage/size"]),
    ("a size of nothing with a unit", {"mongodb.inChart.storage.size": "0.0Gi"}, ["/mongodb/inChart/storage/size"]),
    ("a negative size", {"mongodb.inChart.storage.size": "-1Gi"}, ["/mongodb/inChart/storage/size"]),
    ("an unknown unit", {"defaults.resources.limits.memory": "1GB"}, ["/defaults/resources/limits/memory"]),
    ("an unknown resource", {"defaults.resources.limits.disk": "1Gi"}, ["/defaults/resources/limits", "disk"]),
    ("less memory than is set aside", {"services.orders.resources.limits.memory": "100M"},
     ["services.orders.resources.limits.memory", "100M is less than the request, 128Mi"]),
    ("less CPU than is set aside", {"defaults.resources.limits.cpu": "0.05"}, ["resources.limits.cpu", "less than the request, 100m"]),
    ("less memory than is set aside for NATS", {"nats.inChart.resources.limits.memory": "64Mi"},
     ["nats.inChart.resources.limits.memory", "less than the request"]),
    ("less disk than is set aside", {"defaults.resources": '{"requests":{"ephemeral-storage":"2Gi"},"limits":{"ephemeral-storage":"1G"}}'},
     ["resources.limits.ephemeral-storage", "less than the request"]),
    ("too little memory for mongod's cache",
     {"mongodb.inChart.resources": '{"requests":{"memory":"128Mi"},"limits":{"memory":"256Mi"}}'}, ["mongodb.inChart.resources.limits.memory", "512Mi"]),
    ("an autoscaler without a request", {"defaults.autoscaling.enabled": "true", "defaults.resources.requests.cpu": "null"},
     ["resources.requests.cpu", "percentage"]),
    ("no try of a read", {"mesh.reads.attempts": "0"}, ["/mesh/reads/attempts", "minimum"]),
    ("a duration without a unit", {"mesh.reads.timeout": "15"}, ["/mesh/reads/timeout"]),
    ("a duration of nothing", {"mesh.reads.tryTimeout": "0s"}, ["/mesh/reads/tryTimeout", "pattern"]),
    *((f"the network {cidr}", {"mongodb.external.cidrs": f'["{cidr}"]'}, ["/mongodb/external/cidrs", "pattern"])
      for cidr in ("10.0.0.0/99", "256.0.0.0/8", "10.0.0.0", "2001:db8::/129", "2001::db8::/32", "1:2:3/64")),
    ("a kubelet's network that is none", {"mesh.linkerd.probeNetworks": '["10.0.0.0/33"]'}, ["/mesh/linkerd/probeNetworks", "pattern"]),
    ("a caller's network that is none", {"gateway.allowedFrom": '[{"ipBlock":{"cidr":"10.0.0.0/99"}}]'}, ["/gateway/allowedFrom/0"]),
    ("a misspelt caller", {"gateway.allowedFrom": '[{"podSelecter":{}}]'}, ["/gateway/allowedFrom/0", "podSelecter"]),
    ("a network beside a selector", {"gateway.allowedFrom": '[{"ipBlock":{"cidr":"10.0.0.0/8"},"podSelector":{}}]'}, ["/gateway/allowedFrom/0"]),
    *((f"the host {host}", {"gateway.ingress.enabled": "true", "gateway.ingress.host": host}, ["/gateway/ingress/host"])
      for host in ("Shop.example.com", "shop.example.com:443", "https://shop.example.com", "10.0.0.1", "shop_1.example.com", "*.*.example.com")),
    ("a host name in capitals", {"gateway.gatewayApi.hostnames": '["SHOP.example.com"]'}, ["/gateway/gatewayApi/hostnames/0"]),
    ("a host name with a port", {"gateway.gatewayApi.grpc.hostnames": '["grpc.example.com:443"]'}, ["/gateway/gatewayApi/grpc/hostnames/0"]),
    ("17 host names", {"gateway.gatewayApi.hostnames": json.dumps([f"s{number}.example.com" for number in range(17)])},
     ["/gateway/gatewayApi/hostnames", "maxItems"]),
    ("a host name twice", {"gateway.gatewayApi.hostnames": '["a.example.com","a.example.com"]'}, ["/gateway/gatewayApi/hostnames"]),
    ("a Gateway twice", {"gateway.gatewayApi.parentRefs": '[{"name":"public"},{"name":"public"}]'}, ["/gateway/gatewayApi/parentRefs"]),
    ("a Secret of the registry twice", {"imagePullSecrets": '["registry","registry"]'}, ["/imagePullSecrets"]),
    ("33 Gateways", {"gateway.gatewayApi.parentRefs": json.dumps([{"name": f"public-{number}"} for number in range(33)])}, ["/gateway/gatewayApi/parentRefs", "maxItems"]),
    ("a misspelt affinity", {"defaults.affinity": '{"podAntiAfinity":{}}'}, ["/defaults/affinity", "podAntiAfinity"]),
    ("an unknown effect of a toleration", {"defaults.tolerations": '[{"operator":"Exists","effect":"NoRun"}]'}, ["/defaults/tolerations/0"]),
    ("a toleration of nothing", {"defaults.tolerations": '[{"value":"a"}]'}, ["/defaults/tolerations/0"]),
    ("a time of a toleration that never ends a pod", {"defaults.tolerations": '[{"key":"a","effect":"NoSchedule","tolerationSeconds":60}]'},
     ["/defaults/tolerations/0"]),
    ("a label with a blank", {"defaults.podLabels": '{"team":"my shop"}'}, ["/defaults/podLabels/team"]),
    ("a label of 64 letters", {"defaults.podLabels": json.dumps({"team": "a" * 64})}, ["/defaults/podLabels/team"]),
    ("an annotation with a blank in its name", {"defaults.podAnnotations": '{"my team":"a"}'}, ["/defaults/podAnnotations", "my team"]),
    ("a port that is none", {"telemetry.otlpEndpoint": "http://collector:99999"}, ["/telemetry/otlpEndpoint"]),
    ("a tag with a blank", {"image.tag": "0.1.0 beta"}, ["/image/tag"]),
    ("a tag of 129 letters", {"services.orders.canary.tag": "a" * 129}, ["/services/orders/canary/tag"]),
    ("an image with a tag of its own", {"image.repository": "shop/comptoir:0.1.0"}, ["/image/repository"]),
    ("an image in capitals", {"image.repository": "Shop/Comptoir"}, ["/image/repository"]),
    ("a Secret with two dots", {"signingKeys.existingSecret": "my..keys"}, ["/signingKeys/existingSecret", "pattern"]),
    ("a priority class in capitals", {"defaults.priorityClassName": "High"}, ["/defaults/priorityClassName", "pattern"]),
    ("a namespace with a dot", {"monitoring.namespace": "a.b"}, ["/monitoring/namespace", "pattern"]),
]


def check(results: report.Results) -> None:
    results.add_all([(f"{name} is refused with a sentence that names the key", functools.partial(render.refused, sets, words))
                     for name, sets, words in CASES])
