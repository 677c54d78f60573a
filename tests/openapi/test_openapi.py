#!/usr/bin/env python3
"""/openapi.json against the server that gives it, by schemathesis: test_openapi.py BERTD ENVIRONMENT [OPTION...]

ENVIRONMENT is Python's, with tests/openapi/requirements.txt (tests/run makes one); OPTIONs are schemathesis' own.
Requests are made from the description: good ones must be answered as described, others refused as described. They are
others with each commit (BERTD_TEST_SEED). Skipped (77) without the model or the environment.
"""
import json
import os
import re
import subprocess
import sys
import tempfile
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
from server import Server, has_model

KEY = "sesame"
EXAMPLES = 40


def ask(url, body=None):
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
    with urllib.request.urlopen(urllib.request.Request(url, body, headers)) as answer:
        return json.load(answer)


def objects(value):
    """Every object in a JSON value."""
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from objects(inner)


def narrow(description, url):
    """What the description cannot know of the model that is served: the values it takes."""
    info = ask(url + "/info")
    width = len(ask(url + "/embed", b'{"inputs":"a"}')[0])
    schemas, parameters = description["components"]["schemas"], description["components"]["parameters"]
    with open(os.path.join(info["model_id"], "vocab.txt"), encoding="utf-8") as file:
        schemas["TokenId"]["maximum"] = len(file.read().splitlines()) - 1
    for schema in objects(schemas):
        fields = schema.get("properties", {})
        if "dimensions" in fields:
            fields["dimensions"]["maximum"] = width
        if "prompt_name" in fields:
            fields["prompt_name"] = {"type": "null"}  # the model has none
    parameters["model"]["schema"]["enum"] = [info["served_model_name"]]
    parameters["version"]["schema"]["enum"] = ["1"]
    return description


def check(url, environment, options):
    """schemathesis' exit status; 1 also where it left something out."""
    seed = int(os.environ.get("BERTD_TEST_SEED", "0"), 0) % (1 << 31)
    description = narrow(ask(url + "/openapi.json"), url)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "openapi.json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump(description, file)
        command = [os.path.join(os.path.abspath(environment), "bin", "schemathesis"), "--config-file",
                   os.path.join(HERE, "schemathesis.toml"), "run", path, "--url", url, "--seed", str(seed),
                   "--header", f"Authorization: Bearer {KEY}", "--phases", "examples,coverage,fuzzing",
                   "--max-examples", str(EXAMPLES), "--no-color", *options]
        run = subprocess.run(command, cwd=folder, capture_output=True, text=True,
                             env={**os.environ, "PYTHONPATH": HERE, "PYTHONDONTWRITEBYTECODE": "1"})
    print(run.stdout, run.stderr)
    tested = re.search(r"Selected: (\d+)/\1\n *Tested: \1\n", run.stdout)
    return run.returncode or (0 if tested or options else 1)


def main(bertd, environment, *options):
    if not has_model() or not os.path.exists(os.path.join(environment, "bin", "schemathesis")):
        print("skipped: there is no " + ("schemathesis" if has_model() else "model"))
        return 77
    with Server(bertd, "--boards", "2", "--api-key", KEY, "--served-model-name", "all-MiniLM-L6-v2") as server:
        return check(server.url, environment, options)


if __name__ == "__main__":
    if "--help" in sys.argv or "-h" in sys.argv:
        print(__doc__)
        sys.exit(0)
    sys.exit(main(*sys.argv[1:]))
