"""Servers of the tests' own on the loopback interface: text-embeddings-inference and OpenAI's routes in their answers, and
a model hub."""
import base64
import hashlib
import json
import struct
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

WIDTH = 8


def vector(text):
    """Values of binary32 that only this text has."""
    digest = hashlib.sha256(text.encode()).digest()
    return [struct.unpack("f", struct.pack("f", (byte - 128) / 97))[0] for byte in digest[:WIDTH]]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, code, body, **headers):
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def json(self, code, value, **headers):
        self.answer(code, json.dumps(value).encode(), Content_Type="application/json", **headers)


class QuietServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        pass  # clients are killed here


class Standin:
    """A server until the end of a `with`; what `handler` needs is in `self`."""
    handler = Handler

    def __enter__(self):
        class Own(self.handler):
            standin = self
        self.server = QuietServer(("127.0.0.1", 0), Own)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


class TeiHandler(Handler):
    def do_GET(self):
        if self.path == "/info":
            self.json(200, {"model_id": self.standin.model, "model_sha": None, "model_dtype": "float32",
                            "model_type": {"embedding": {"pooling": "mean"}}, "max_concurrent_requests": 512,
                            "max_input_length": 512, "max_batch_tokens": 16384, "max_batch_requests": None,
                            "max_client_batch_size": 64, "auto_truncate": True, "tokenization_workers": 2,
                            "version": "1.9.0"})
        elif self.path == "/health":
            self.answer(200, b"")
        else:
            self.answer(404, b"")

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/tokenize":
            return self.json(200, [[{"id": 101, "text": "[CLS]", "special": True, "start": None, "stop": None}]])
        if self.path != "/embed":
            return self.json(404, {"error": "no such path", "error_type": "Validation"})
        inputs = body["inputs"] if isinstance(body["inputs"], list) else [body["inputs"]]
        with self.standin.lock:
            self.standin.requests += 1
            held = self.standin.requests > self.standin.hold_after
            if self.standin.failures > 0:
                self.standin.failures -= 1
                return self.json(429, {"error": "Model is overloaded", "error_type": "Overloaded"})
            pausing = self.standin.requests == self.standin.pause_at
            if pausing:
                time.sleep(self.standin.pause)  # with the lock: all others wait, too
        if held:
            self.standin.gate.wait()
        for text in inputs:
            if text == self.standin.refused:
                return self.json(413, {"error": "`inputs` must have less than 512 tokens", "error_type": "Validation"})
        self.json(200, [vector(text) for text in inputs])


class Tei(Standin):
    handler = TeiHandler

    def __init__(self):
        self.model, self.refused, self.failures = "stand/in", None, 0
        self.requests, self.lock, self.pause_at, self.pause = 0, threading.Lock(), None, 0
        self.hold_after, self.gate = float("inf"), threading.Event()  # later requests wait for the gate


class OpenAiHandler(Handler):
    def do_GET(self):
        if self.path == "/v1/models":
            self.json(200, {"object": "list", "data": [{"id": "the-model", "object": "model", "created": 0, "owned_by": "x"}]})
        else:
            self.json(404, {"error": {"message": "Not Found", "type": "invalid_request_error", "param": None, "code": None}})

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.standin.keys.add(self.headers.get("Authorization"))
        if self.path != "/v1/embeddings" or body.get("model") != "the-model":
            return self.json(404, {"error": {"message": "Not Found", "type": "invalid_request_error", "param": None, "code": None}})
        texts = body["input"] if isinstance(body["input"], list) else [body["input"]]
        found = [vector(text) for text in texts]
        if body.get("encoding_format") == "base64":
            found = [base64.b64encode(struct.pack(f"<{WIDTH}f", *each)).decode() for each in found]
        data = [{"object": "embedding", "index": i, "embedding": each} for i, each in enumerate(found)]
        self.json(200, {"object": "list", "data": data, "model": "the-model", "usage": {"prompt_tokens": 1, "total_tokens": 1}})


class OpenAi(Standin):
    handler = OpenAiHandler

    def __init__(self):
        self.keys = set()


class HubHandler(Handler):
    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        hub = self.standin
        hub.asked.append((self.command, self.path, self.headers.get("Range"), self.headers.get("Authorization")))
        if hub.token and not self.path.startswith("/store/") and self.headers.get("Authorization") != f"Bearer {hub.token}":
            return self.json(401, {"error": "Invalid credentials"})
        if self.path == f"/api/models/{hub.repo}/revision/{hub.revision}":
            return self.json(200, {"sha": hub.commit, "siblings": [{"rfilename": name} for name in hub.files]})
        prefix = f"/{hub.repo}/resolve/{hub.commit}/"
        if self.path.startswith(prefix) and self.path[len(prefix):] in hub.files:
            return self.file(self.path[len(prefix):])
        if self.path.startswith("/store/"):
            return self.bytes(hub.files[self.path[len("/store/"):]])
        self.json(404, {"error": "Repository not found"})

    def file(self, name):
        """Small files come from here, with git's checksum; large ones from a store, with SHA-256."""
        hub, data = self.standin, self.standin.files[name]
        if name not in hub.large:
            etag = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
            return self.bytes(data, ETag=f'"{etag}"', X_Repo_Commit=hub.commit)
        self.answer(302, b"", Location=f"{hub.url.replace('127.0.0.1', 'localhost')}/store/{name}",
                    X_Repo_Commit=hub.commit, X_Linked_Size=str(len(data) + hub.size_error), ETag='"of-the-store"',
                    X_Linked_ETag='"' + hub.wrong_sums.get(name, hashlib.sha256(data).hexdigest()) + '"')

    def bytes(self, data, **headers):
        hub, begin, code = self.standin, 0, 200
        wanted = self.headers.get("Range")
        if wanted and hub.ranges:
            begin = int(wanted.split("=")[1].split("-")[0])
            if begin >= len(data):
                return self.answer(416, b"", Content_Range=f"bytes */{len(data)}")
            code = 206
            headers["Content_Range"] = f"bytes {begin}-{len(data) - 1}/{len(data)}"
        part = data[begin:]
        if self.command == "GET" and hub.drops and len(part) > 1000:
            hub.drops -= 1 # half of it, then the connection breaks
            self.send_response(code)
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.send_header("Content-Length", str(len(part)))
            self.end_headers()
            self.wfile.write(part[:len(part) // 2])
            self.wfile.flush()
            self.close_connection = True
            return
        self.answer(code, part, **headers)


class Hub(Standin):
    handler = HubHandler

    def __init__(self, files, large=()):
        self.repo, self.revision, self.commit = "some-one/a.model", "main", "0123456789abcdef0123456789abcdef01234567"
        self.files, self.large, self.wrong_sums = files, set(large), {}
        self.size_error = 0
        self.token, self.ranges, self.drops, self.asked = None, True, 0, []
