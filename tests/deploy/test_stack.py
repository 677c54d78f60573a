#!/usr/bin/env python3
"""deploy/stack.yml is what Compose's schema allows, and says of servers, haproxy and model what deploy/docker-compose.yml
says, as far as both can. Nothing is started: tests/deploy/swarm does that."""
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
STACK = os.path.join(ROOT, "deploy", "stack.yml")
COMPOSE = os.path.join(ROOT, "deploy", "docker-compose.yml")
SKIPPED = 77
SAME = ["image", "environment", "read_only", "cap_drop", "tmpfs", "stop_grace_period"]
MISTAKES = [("endpoint_mode: dnsrr", "endpoint_mod: dnsrr"), ("order: start-first", "order: start-frist"),
            ("replicas: ${BERTD_REPLICAS:-3}", "replicas: some"), ("volumes:\n  models:", "volumes:\n  modells:")]


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def config(path):
    """What Compose makes of a file, or None with its words."""
    run = subprocess.run(["docker-compose", "-f", path, "config"], capture_output=True, text=True, timeout=120)
    return (yaml.safe_load(run.stdout), "") if run.returncode == 0 else (None, run.stderr)


class Stack(unittest.TestCase):
    def setUp(self):
        self.stack, words = config(STACK)
        self.assertIsNotNone(self.stack, words)

    def test_mistakes_are_refused(self):
        text = read(STACK)
        for right, wrong in MISTAKES:
            self.assertIn(right, text)
            with tempfile.NamedTemporaryFile("w", suffix=".yml", encoding="utf-8") as file:
                file.write(text.replace(right, wrong))
                file.flush()
                self.assertIsNone(config(file.name)[0], wrong)

    def test_says_what_compose_says(self):
        compose, words = config(COMPOSE)
        self.assertIsNotNone(compose, words)
        for name, service in self.stack["services"].items():
            for key in SAME:
                self.assertEqual(service.get(key), compose["services"][name].get(key), f"{key} of {name}")

    def test_networks_are_there(self):
        for name, service in self.stack["services"].items():
            self.assertLessEqual(service["networks"].keys(), self.stack["networks"].keys(), name)

    def test_servers_are_reached_one_by_one(self):
        services = self.stack["services"]
        self.assertEqual(services["server"]["deploy"]["endpoint_mode"], "dnsrr")
        self.assertEqual(services["haproxy"]["deploy"]["mode"], "global")
        self.assertEqual([port["mode"] for port in services["haproxy"]["ports"]], ["host"])


if __name__ == "__main__":
    if "--help" in sys.argv:
        print(__doc__)
        sys.exit(0)
    if not shutil.which("docker-compose"):
        print("skipped: docker-compose is not installed (the package docker-compose of Debian)")
        sys.exit(SKIPPED)
    import yaml  # comes with it
    unittest.main()
