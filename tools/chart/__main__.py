#!/usr/bin/env python3
"""Checks helm/comptoir, the Dockerfile and compose.yaml without a cluster: `make chart`.

Renders the chart many times, validates each object by the schemas of Kubernetes, Istio, the Gateway API and Linkerd,
compares the policies with mesh/topology.toml and the contracts, and runs the configuration of the stores inside the
chart on a real nats-server and mongod. Prints what it did and a line "N passed, M failed".

Usage: tools/chart [--write]      --write renders helm/golden/ and the README's table of values anew
       tools/chart --baseline     writes helm/baseline.json: what an upgrade from this version must not change
"""

import argparse
import sys
import time

import tools  # first: it makes the packages of tools/fetch.py importable

import bad_values
import containers
import contracts
import faults
import golden
import good_values
import immutable
import kubernetes_schema
import mesh_docs
import names
import overrides
import policies
import readme
import render
import report
import routes
import running
import stores
import suite
import upgrades


def main() -> int:
    options = arguments()
    began = time.monotonic()
    if options.baseline:
        return immutable.write()
    if options.write:
        readme.write()
        kubernetes_schema.write()
        golden.write()
        containers.write()
        mesh_docs.write(contracts.read())
    results = report.Results()
    calls = contracts.read()
    results.add("helm lint finds nothing", render.lint)
    results.add("topology.yaml says what mesh/topology.toml and the contracts say", lambda: contracts.compare(calls))
    renders = suite.made(suite.plan())
    results.note(f"{sum(each.seconds > 0 for each in renders)} renders in {render.seconds(renders):.1f} s")
    suite.check(results, renders, calls)
    suite.check_another_service(results, calls)
    results.add("two renders are identical", lambda: render.again(renders))
    results.add("an upgrade from the previous version changes no immutable field", immutable.compare)
    results.add("the golden renders are those of this chart", golden.compare)
    results.add("the README's table is made of the comments in values.yaml", readme.compare)
    results.add("the schema's parts of Kubernetes are those of the oldest version", kubernetes_schema.compare)
    bad_values.check(results)
    good_values.check(results)
    names.check(results)
    overrides.check(results)
    routes.check(results, calls)
    upgrades.check(results)
    running.check(results)
    faults.check(results, calls)
    stores.check(results)
    containers.check(results)
    mesh_docs.check(results, calls)
    policies.print_table(calls)
    return results.close(time.monotonic() - began)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--write", action="store_true", help="render the golden files and the README's table anew")
    parser.add_argument("--baseline", action="store_true", help="note what an upgrade must not change; part of a release")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
