#!/usr/bin/env python3
"""A list of parts is valid CycloneDX, names each part once, and by a package URL in its one right form: test_sbom.py [FILE]

Without FILE: what deploy/sbom says of this machine. Skipped (77) without build/sbom, which tests/deploy/sbom/install makes.
"""
import copy
import json
import os
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
PACKAGES = os.path.join(ROOT, "build", "sbom")
SCHEMAS = os.path.join(PACKAGES, "cyclonedx", "schema", "_res")
BUILT = "bertd 0.1.0\nlibmicrohttpd 1.0.1+5\n"
FILE = None


def schema(name):
    with open(os.path.join(SCHEMAS, f"{name}.SNAPSHOT.schema.json"), encoding="utf-8") as file:
        return json.load(file)


def of_this_machine():
    with tempfile.NamedTemporaryFile("w", encoding="utf-8") as built:
        built.write(BUILT)
        built.flush()
        return json.loads(subprocess.check_output([os.path.join(ROOT, "deploy", "sbom"), built.name]))


def errors(sbom):
    others = {each["$id"]: each for each in map(schema, ("spdx", "jsf-0.82"))}
    whole = schema(f"bom-{sbom['specVersion']}")
    resolver = jsonschema.RefResolver.from_schema(whole, store=others)
    return [error.message for error in jsonschema.Draft7Validator(whole, resolver=resolver).iter_errors(sbom)]


class Sbom(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if FILE:
            with open(FILE, encoding="utf-8") as file:
                cls.sbom = json.load(file)
        else:
            cls.sbom = of_this_machine()

    def test_is_what_the_schema_allows(self):
        self.assertEqual(errors(self.sbom), [])

    def test_mistakes_are_found(self):
        for wrong in ({"type": "lib"}, {"name": None}, {"purls": "pkg:deb/debian/a@1"}):
            sbom = self.sbom | {"components": copy.deepcopy(self.sbom["components"][-3:])}
            sbom["components"][-1].update(wrong)
            self.assertEqual(len(errors(sbom)), 1, wrong)

    def test_names_each_part_once(self):
        parts = [(part["name"], part["version"], part.get("purl")) for part in self.sbom["components"]]
        self.assertEqual(len(parts), len(set(parts)))
        self.assertGreater(len(parts), 50)

    def test_package_urls_are_in_their_one_right_form(self):
        urls = [part for part in self.sbom["components"] if "purl" in part]
        self.assertTrue(urls)
        for part in urls:
            url = packageurl.PackageURL.from_string(part["purl"])
            self.assertEqual((url.name, url.version), (part["name"], part["version"]))
            self.assertEqual(url.to_string(), part["purl"])


if __name__ == "__main__":
    if "--help" in sys.argv or "-h" in sys.argv:
        print(__doc__)
        sys.exit(0)
    if not os.path.isdir(SCHEMAS):
        print("skipped: CycloneDX's schemas are not installed (tests/deploy/sbom/install)")
        sys.exit(77)
    sys.path.insert(0, PACKAGES)
    import jsonschema
    import packageurl
    FILE, = sys.argv[1:] or [None]
    unittest.main(argv=sys.argv[:1])
