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
    """Until the end of a `with`, which fails where bertd does not end well. `deaf`: nobody reads its log."""

    def __init__(self, bertd, *options, port=0, model=None, environment=None, deaf=False):
        self.process = subprocess.Popen(
            [bertd, "--model-id", model or model_dir(), "--port", str(port), "--drain-seconds", "0", "--json-output", *options],
            stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env={"PATH": os.environ["PATH"]} | (environment or {}))
        self.url = None
        self.ports = {}     # by the line that names it: "listening", "admin listener"
        self.words = []
        for line in self.process.stderr:
            self.words.append(line)
            record = json.loads(line)
            if "port" in record:
                self.ports[record["message"]] = record["port"]
            if record["message"] == "listening":
                self.url = f"http://127.0.0.1:{record['port']}"
                # Read on, so that nothing of the log is lost.
                self.reader = threading.Thread(target=lambda: None if deaf else self.words.extend(self.process.stderr))
                self.reader.start()
                return
        raise RuntimeError(f"bertd did not start:\n{''.join(self.words)}")

    @property
    def admin_url(self):
        return f"http://127.0.0.1:{self.ports['admin listener']}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()
        self.reader.join()
        if self.process.returncode != 0:
            raise RuntimeError(f"bertd ended with {self.process.returncode}:\n{''.join(self.words)}")
