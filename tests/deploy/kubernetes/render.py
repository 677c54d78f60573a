"""deploy/k8s as objects: what kustomize makes of it, and what helm makes of its chart."""
import json
import os
import re
import subprocess
import tempfile

import yaml

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
K8S = os.path.join(ROOT, "deploy/k8s")
CHART = os.path.join(K8S, "chart")
COMPONENTS = sorted(os.listdir(os.path.join(K8S, "components")))
# The files that the chart makes: of which template, with the values of which component.
BASE = {f"base/{name}.yaml": (name, None) for name in ("deployment", "networkpolicy", "poddisruptionbudget", "service")}
MADE = {**BASE, "components/autoscaling/hpa.yaml": ("hpa", "autoscaling"),
        "components/monitoring/podmonitor.yaml": ("podmonitor", "monitoring")}


RELEASE = ("--kube-version", "1.29")  # what helm takes the cluster for


def values(component):
    return ("--values", os.path.join(K8S, "components", component, "values.yaml")) if component else ()


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return file.read()


def parse(text):
    return [item for item in yaml.safe_load_all(text) if item]


def base():
    """As it stands in the tree: no tool is needed."""
    return [item for path in BASE for item in parse(read(f"deploy/k8s/{path}"))]


class Tools:
    """helm and kustomize, which tests/deploy/kubernetes/install builds into `folder`."""

    def __init__(self, folder):
        self.folder = os.path.join(folder, "bin")
        self.there = all(os.access(os.path.join(self.folder, name), os.X_OK) for name in ("helm", "kustomize"))

    def run(self, name, *options):
        made = subprocess.run([os.path.join(self.folder, name), *options], capture_output=True, text=True)
        if made.returncode:
            raise RuntimeError(made.stdout + made.stderr)
        return made.stdout

    def helm(self, component=None, *options, name="bertd", chart=CHART):
        """The chart's objects as text; with the values of a component."""
        return self.run("helm", "template", name, chart, *RELEASE, *values(component), *options)

    def lint(self, component=None):
        self.run("helm", "lint", "--strict", "--quiet", CHART, *RELEASE, *values(component))

    def from_chart(self, path):
        """The text of a file of MADE."""
        template, component = MADE[path]
        text = self.helm(component, "--show-only", f"templates/{template}.yaml")
        return re.sub(r"^# Source: .*\n", "", text.removeprefix("---\n"), flags=re.M)

    def kustomize(self, folder):
        return parse(self.run("kustomize", "build", folder))

    def with_components(self, *names):
        """The base with components, as an installation has them."""
        with tempfile.TemporaryDirectory(dir=K8S, prefix=".test-") as folder:
            with open(os.path.join(folder, "kustomization.yaml"), "w", encoding="utf-8") as file:
                json.dump({"resources": ["../base"], "components": [f"../components/{name}" for name in names]}, file)
            return self.kustomize(folder)
