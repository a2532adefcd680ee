"""Values that cannot work must be refused with a sentence that names the key."""

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
    ("routes without a Gateway", {"gateway.gatewayApi.enabled": "true"}, ["gateway.gatewayApi.parentRefs", "name the Gateway"]),
    ("a grace period without room to drain", {"defaults.preStopSeconds": "30"}, ["terminationGracePeriodSeconds", "too short"]),
    ("fewest above most", {"defaults.autoscaling.enabled": "true", "defaults.autoscaling.minReplicas": "20"},
     ["autoscaling.minReplicas", "more than maxReplicas"]),
    ("a variable that is none of ours", {"services.orders.env.PATH": "/"}, ["/services/orders/env", "PATH"]),
    ("a size that is none", {"nats.inChart.storage.size": "big"}, ["/nats/inChart/storage/size", "pattern"]),
]


def check(results: report.Results) -> None:
    for name, sets, words in CASES:
        results.add(f"{name} is refused with a sentence that names the key", lambda: refused(sets, words))


def refused(sets: dict[str, str], words: list[str]) -> list[str]:
    each = render.Render("bad", ("values-trial.yaml",), sets, "1.34.0")
    try:
        render.text_of(each)
    except render.Refused as said:
        return [f"does not say {word!r}: {said}" for word in words if word not in str(said)]
    return ["is accepted"]
