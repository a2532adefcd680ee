"""The programs and schemas that tools/fetch.py provides, and where the checkout is."""

import os
import sys
from pathlib import Path

import report

ROOT = Path(__file__).resolve().parent.parent.parent
CHART = ROOT / "helm" / "comptoir"
HELM_DIR = ROOT / "helm"
TOOLS = Path(os.environ.get("COMPTOIR_TOOLS") or ROOT / ".tools")


def provided(name: str, variable: str) -> Path:
    """The path of a program or directory of tools/fetch.py; ends with the command that provides it."""
    path = Path(os.environ.get(variable) or TOOLS / name)
    if not path.exists():
        report.fail(f"{name} is missing\n  mend: make tools")
    return path


def helm() -> Path:
    return provided("helm", "HELM_BIN")


def schemas() -> Path:
    """Istio's and the Gateway API's custom resource definitions, the compose schema, hadolint."""
    return provided("chart", "CHART_TOOLS")


# The suite's own packages lie beside the schemas, so that nothing is installed into the user's Python.
sys.path.insert(0, str(schemas() / "python"))
