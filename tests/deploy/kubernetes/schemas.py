"""Objects by the API's own schemas, which the package kubernetes-validate carries: each release's, all fields named."""
import json
import re
import warnings
import zipfile
from functools import cache
from os.path import join

import yaml

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    from jsonschema import Draft7Validator, RefResolver  # Debian 12 has nothing newer

FOLDER = "kubernetes_validate/kubernetes-json-schema/v{}.0-local-strict/"
DEFINITIONS = "https://kubernetes.io/api/_definitions.json"  # as the schemas call what they share
RELEASES = ("1.29", "1.31", "1.33", "1.35", "1.37")
OPERATOR = "monitoring.coreos.com/v1"


def closed(schema):
    """An operator's schema with no other properties than those it names, as the API server has it with strict validation."""
    if isinstance(schema, dict):
        schema = {name: closed(value) for name, value in schema.items()}
        if isinstance(schema.get("properties"), dict) and schema.get("type") == "object":
            schema.setdefault("additionalProperties", bool(schema.get("x-kubernetes-preserve-unknown-fields")))
    return [closed(item) for item in schema] if isinstance(schema, list) else schema


class Schemas:
    """Of `tools`, a folder that tests/deploy/kubernetes/install filled."""

    def __init__(self, tools):
        self.package = zipfile.ZipFile(join(tools, "schemas.whl"))
        try:
            with open(join(tools, "podmonitor.yaml"), encoding="utf-8") as file:
                version, = [item for item in yaml.safe_load(file)["spec"]["versions"] if item["name"] == "v1"]
            self.podmonitor = Draft7Validator(closed(version["schema"]["openAPIV3Schema"]))
        except FileNotFoundError:
            self.podmonitor = None

    @cache
    def read(self, release, name):
        return json.loads(self.package.read(FOLDER.format(release) + name))

    @cache
    def validator(self, release, kind, version):
        group = re.sub(r"^([^./]*)[^/]*/", r"\1-", version)
        schema = self.read(release, f"{kind.lower()}-{group}.json")
        shared = {DEFINITIONS: self.read(release, "_definitions.json")}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            return Draft7Validator(schema, resolver=RefResolver("", schema, shared))

    def problems(self, objects, releases=RELEASES):
        """What the schemas do not allow, in words. A PodMonitor is the operator's, the same in every release."""
        found = []
        for item in objects:
            if item["apiVersion"] == OPERATOR:
                validators = [("operator", self.podmonitor)] if self.podmonitor else []
            else:
                validators = [(release, self.validator(release, item["kind"], item["apiVersion"])) for release in releases]
            for release, validator in validators:
                found += [f"{item['kind']} ({release}) {'.'.join(map(str, error.absolute_path))}: {error.message}"
                          for error in validator.iter_errors(item)]
        return found
