#!/usr/bin/env python3
"""libbertd from another language: test_ctypes.py LIBBERTD.SO. A server of this file's own stands in for
text-embeddings-inference; what it answers must come back."""
import ctypes
import http.server
import json
import sys
import threading

INFO = {"model_id": "some/model", "model_type": {"embedding": {"pooling": "cls"}}, "max_client_batch_size": 2}


class Stand(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, value):
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.answer(INFO)

    def do_POST(self):
        texts = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["inputs"]
        assert len(texts) <= 2
        self.answer([[len(text), 0.5, -1.25] for text in texts])

    def log_message(self, *_):
        pass


class Error(ctypes.Structure):
    _fields_ = [("status", ctypes.c_int), ("http_status", ctypes.c_uint32), ("retry_after_ms", ctypes.c_uint32),
                ("attempts", ctypes.c_uint32), ("input", ctypes.c_int64), ("reserved", ctypes.c_uint64 * 4),
                ("message", ctypes.c_char * 512)]


class Options(ctypes.Structure):  # its first fields, as an older header has them
    _fields_ = [("size", ctypes.c_size_t), ("endpoints", ctypes.POINTER(ctypes.c_char_p)), ("n_endpoints", ctypes.c_size_t)]


class Embeddings(ctypes.Structure):
    _fields_ = [("rows", ctypes.c_size_t), ("width", ctypes.c_size_t), ("vectors", ctypes.POINTER(ctypes.c_float))]


def main():
    library = ctypes.CDLL(sys.argv[1])
    library.bertd_version.restype = ctypes.c_char_p
    library.bertd_status_name.restype = ctypes.c_char_p
    assert library.bertd_version()[:1].isdigit()
    assert library.bertd_status_name(11) == b"OVERLOADED"

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Stand)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    addresses = (ctypes.c_char_p * 1)(f"http://127.0.0.1:{server.server_port}".encode())
    options = Options(ctypes.sizeof(Options), addresses, 1)
    client, found, error = ctypes.c_void_p(), ctypes.POINTER(Embeddings)(), Error()
    assert library.bertd_client_create(ctypes.byref(client), ctypes.byref(options), ctypes.byref(error)) == 0, error.message

    texts = (ctypes.c_char_p * 5)(b"a", b"bb", b"ccc", b"dddd", "ü".encode())
    status = library.bertd_embed(client, texts, None, ctypes.c_size_t(5), None, ctypes.byref(found), ctypes.byref(error))
    assert status == 0, error.message
    rows = [found.contents.vectors[i * 3:i * 3 + 3] for i in range(5)]
    assert (found.contents.rows, found.contents.width) == (5, 3)
    assert rows == [[n, 0.5, -1.25] for n in (1, 2, 3, 4, 1)], rows
    library.bertd_free(found)

    status = library.bertd_embed(client, texts, None, ctypes.c_size_t(0), None, ctypes.byref(found), ctypes.byref(error))
    assert status == 1 and b"no texts" in error.message
    library.bertd_client_destroy(ctypes.byref(client))
    assert not client.value
    server.shutdown()


if __name__ == "__main__":
    if "--help" in sys.argv or "-h" in sys.argv:
        print(__doc__)
        sys.exit(0)
    main()
