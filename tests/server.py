"""A bertd for tests in Python: Server, a process on a free port of the loopback interface."""
import json
import os
import signal
import subprocess
import threading


def model_dir():
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return os.environ.get("BERTD_TEST_MODEL") or os.path.join(cache, "bertd/models/all-MiniLM-L6-v2")


def has_model():
    return os.path.isfile(os.path.join(model_dir(), "model.safetensors"))


class Server:
    """Until the end of a `with`, which fails where bertd does not end well."""

    def __init__(self, bertd, *options, model=None, environment=None):
        self.process = subprocess.Popen(
            [bertd, "--model-id", model or model_dir(), "--port", "0", "--drain-seconds", "0", "--json-output", *options],
            stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
            env={"PATH": os.environ["PATH"], **(environment or {})})
        self.url = self.admin_url = None
        self.words = []
        for line in self.process.stderr:
            self.words.append(line)
            record = json.loads(line)
            if record["message"] == "admin listener":
                self.admin_url = f"http://127.0.0.1:{record['port']}"
            if record["message"] == "listening":
                self.url = f"http://127.0.0.1:{record['port']}"
                # Read on: a full pipe would stop the server.
                self.reader = threading.Thread(target=lambda: self.words.extend(self.process.stderr))
                self.reader.start()
                return
        raise RuntimeError("bertd did not start")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()
        self.reader.join()
        if self.process.returncode != 0:
            raise RuntimeError(f"bertd ended with {self.process.returncode}:\n{''.join(self.words)}")
