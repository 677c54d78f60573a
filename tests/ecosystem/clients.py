#!/usr/bin/env python3
"""Clients that others wrote against a bertd: clients.py BERTD TOOLS [--short] [NAME...]

TOOLS is the folder into which tests/ecosystem/install puts the clients; each NAME is one of CLIENTS below. For each it
runs its tests of this folder and its example in docs/clients.md, and prints a table. --short: of SHORT those that are
installed, with status 77 where none is.
"""
import argparse
import collections
import json
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "tests"))
import server  # noqa: E402

KEY = "sesame"
SECONDS = 600
SKIPPED = 77

# `kind` is the folder of TOOLS that it is in, and says how it runs; `test` is the file of its tests.
Client = collections.namedtuple("Client", "name kind test package")
CLIENTS = [
    Client("openai", "python", "test_openai.py", "openai"),
    Client("huggingface_hub", "python", "test_huggingface_hub.py", "huggingface_hub"),
    Client("grpcio", "python", "test_grpcio.py", "grpcio"),
    Client("grpcurl", "go", "grpcurl", "github.com/fullstorydev/grpcurl"),
    Client("llama-index", "frameworks", "test_llama_index.py", "llama-index-embeddings-text-embeddings-inference"),
    Client("haystack", "frameworks", "test_haystack.py", "haystack-ai"),
    Client("langchain-openai", "frameworks", "test_langchain_openai.py", "langchain-openai"),
    Client("langchain-huggingface", "frameworks", "test_langchain_huggingface.py", "langchain-huggingface"),
    Client("litellm", "frameworks", "test_litellm.py", "litellm"),
    Client("tritonclient", "frameworks", "test_tritonclient.py", "tritonclient"),
    Client("kserve", "frameworks", "test_kserve.py", "kserve"),
    Client("openai-node", "node", "openai.test.mjs", "openai"),
    Client("connect-node", "node", "connect_node.test.mjs", "@connectrpc/connect-node"),
    Client("connect-web", "node", "connect_web.test.mjs", "@connectrpc/connect-web"),
    Client("grpc-web", "node", "grpc_web.test.mjs", "grpc-web"),
    Client("connect-go", "go", "connectgo.test", "connectrpc.com/connect"),
    Client("grpc-go", "go", "grpcgo.test", "google.golang.org/grpc"),
]
SHORT = ("openai", "huggingface_hub", "grpcio", "grpcurl")
# Frameworks that would tell their makers, or fetch prices, are asked not to.
QUIET = {"LITELLM_LOCAL_MODEL_COST_MAP": "true", "HAYSTACK_TELEMETRY_ENABLED": "False", "LANGSMITH_TRACING": "false"}
PASSED = r"(?:^|\.\.\. )ok$|^ok \d+ - |^ *--- PASS"  # as unittest, Node and Go say it


def read(*path):
    with open(os.path.join(*path), encoding="utf-8") as file:
        return file.read()


def version(client):
    """As it is installed; None where it is not."""
    folder = os.path.join(options.tools, client.kind)
    if client.kind == "node":
        path = os.path.join(folder, "node_modules", client.package, "package.json")
        return json.loads(read(path))["version"] if os.path.exists(path) else None
    if client.kind == "go":
        pin = re.search(rf"\s{re.escape(client.package)} v(\S+)", read(folder, "go.mod")) \
            if os.path.exists(os.path.join(folder, "bin", client.test)) else None
        return pin and pin[1]
    code = f"import importlib.metadata as m; print(m.version('{client.package}'))"
    python = os.path.join(folder, "bin/python")
    run = os.path.exists(python) and subprocess.run([python, "-c", code], capture_output=True, text=True)
    return run.stdout.strip() if run and run.returncode == 0 else None


def test_command(client):
    folder = os.path.join(options.tools, client.kind)
    if client.kind == "node":
        return ["node", "--test", "--test-reporter=tap", client.test], folder
    if client.kind == "go" and client.test != "grpcurl":
        return [os.path.join(folder, "bin", client.test), "-test.v"], folder
    if client.test == "grpcurl":
        folder, client = os.path.join(options.tools, "python"), client._replace(test="test_grpcurl.py")
    return [os.path.join(folder, "bin/python"), "-m", "unittest", "-v", client.test], os.path.join(HERE, "python")


def example(client):
    """(language, code, what it prints) of its part of docs/clients.md."""
    part = re.search(rf"^## {re.escape(client.name)}\n(.*?)(?=^## |\Z)", read(ROOT, "docs/clients.md"), re.M | re.S)
    blocks = part and re.search(r"^```(\w+)\n(.*?)^```\n+```text\n(.*?)^```", part[1], re.M | re.S)
    if not blocks:
        sys.exit(f"docs/clients.md has no example for {client.name}")
    return blocks.groups()


def example_command(language, code, folder):
    """The command that runs it, and where. Examples need what is in the folder: they are written there."""
    if language == "python":
        return [os.path.join(folder, "bin/python"), "-c", code], ROOT
    if language == "sh":
        return ["bash", "-c", code], ROOT
    path = os.path.join(folder, {"js": "example.mjs", "go": "example/main.go"}[language])
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(code)
    return (["node", path] if language == "js" else ["go", "run", "./example"]), folder


def run(command, folder, environment):
    """(whether it succeeded, its output)"""
    try:
        done = subprocess.run(command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=SECONDS)
    except subprocess.TimeoutExpired as error:
        return False, f"{error.output}\nnot done in {SECONDS} s"
    return done.returncode == 0, done.stdout


def check(client, environment, target):
    """(checks passed, "" or what was wrong)"""
    well, output = run(*test_command(client), environment)
    passed = len(re.findall(PASSED, output, re.M))
    wrong = "" if well and passed else output
    language, code, wanted = example(client)
    code = code.replace("127.0.0.1:3000", target).replace("KEY", KEY)
    folder = os.path.join(options.tools, client.kind)
    well, output = run(*example_command(language, code, folder), environment)
    if well and output == wanted:
        return passed + 1, wrong
    return passed, f"{wrong}\nthe example of docs/clients.md printed:\n{output}"


def main():
    clients = [client for client in CLIENTS if not options.names or client.name in options.names]
    if options.short:
        clients = [client for client in clients if client.name in SHORT]
    unknown = set(options.names) - {client.name for client in CLIENTS}
    if unknown:
        sys.exit(f"no client is called {', '.join(unknown)}: there are {', '.join(client.name for client in CLIENTS)}")
    versions = {client: version(client) for client in clients}
    absent = [client.name for client in clients if not versions[client]]
    if absent:
        print(f"{'skipped' if options.short else 'error'}: not installed: {', '.join(absent)}", flush=True)
        if not options.short or len(absent) == len(clients):
            return SKIPPED if options.short else 1
    if not server.has_model():
        print("skipped: no model")
        return SKIPPED

    rows, failures = [], 0
    common = ("--boards", "2", "--api-key", KEY, "--served-model-name", "all-MiniLM-L6-v2")
    with server.Server(options.bertd, *common) as bertd, \
            server.Server(options.bertd, *common, "--auto-truncate", "false") as strict:
        environment = {
            **os.environ, "BERTD_URL": bertd.url, "BERTD_STRICT_URL": strict.url, "BERTD_KEY": KEY,
            "PATH": os.path.join(options.tools, "go/bin") + ":" + os.environ["PATH"],
            "PYTHONPATH": os.path.join(options.tools, "python/stubs"), "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONWARNINGS": "ignore", **QUIET}
        for client in clients:
            if not versions[client]:
                continue
            passed, wrong = check(client, environment, bertd.url.removeprefix("http://"))
            if wrong:
                failures += 1
                print(f"{client.name}:\n{wrong}", flush=True)
            rows.append((client.name, versions[client], f"{passed}{', failed' if wrong else ''}"))
    widths = [max(len(row[i]) for row in [*rows, ("client", "version", "")]) for i in range(2)]
    for row in [("client", "version", "checks passed"), *rows]:
        print(f"{row[0]:{widths[0]}} | {row[1]:{widths[1]}} | {row[2]}")
    return 1 if failures else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bertd")
    parser.add_argument("tools")
    parser.add_argument("--short", action="store_true")
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    options.bertd, options.tools = os.path.abspath(options.bertd), os.path.abspath(options.tools)
    sys.exit(main())
