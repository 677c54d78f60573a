#!/usr/bin/env python3
"""bertctl against servers and hubs that mean harm: what they say rules no terminal, keys go to nobody else, files land
nowhere else, and nothing crashes. test_hostile.py BERTCTL"""
import hashlib
import json
import os
import struct
import sys
import tempfile
import unittest

import bertctl
from bertctl import Case
from standin import Handler, Hub, HubHandler, Standin, Tei

EVIL = "a\x1b[2J\x1b]0;b\x07\n\r\x7f\u009b31mc"  # clears the screen, sets the title, colours
SHOWN = "a?[2J?]0;b???" + "?" + "??31mc"  # C1 is two bytes


class EvilHandler(Handler):
    def do_GET(self):
        evil = self.standin
        evil.keys.append((self.path, self.headers.get("Authorization")))
        self.answer(*evil.answers.get(self.path, (404, b"")))

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()


class Evil(Standin):
    """Answers what `answers` has for a path: code and body, and perhaps headers."""
    class handler(EvilHandler):
        def answer(self, code, body, headers=None):
            super().answer(code, body, **{"Content_Type": "application/json", **(headers or {})})

    def __init__(self, **answers):
        self.keys, self.answers = [], {}
        info = {"model_id": EVIL, "model_dtype": EVIL, "served_model_name": EVIL, "version": EVIL, "boards": 4294967296,
                "max_input_length": 10**19, "max_client_batch_size": 2**64, "model_type": {"embedding": {"pooling": EVIL}}}
        self.say("/info", 200, json.dumps(info))

    def say(self, path, code, body, **headers):
        self.answers[path] = (code, body if isinstance(body, bytes) else body.encode(), headers)


class Hostile(Case):
    def setUp(self):
        self.folder = self.enter(tempfile.TemporaryDirectory())
        self.evil = self.enter(Evil())
        self.url = ("--url", self.evil.url, "--retries", "0")

    def path(self, name, data=None):
        path = os.path.join(self.folder, name)
        if data is not None:
            with open(path, "wb") as file:
                file.write(data)
        return path

    def tame(self, seen):
        """Nothing on the terminal but text, lines and what bertctl clears its own line with."""
        for own in ("\r\x1b[K", "\r\n"):
            seen = seen.replace(own, "\n")
        for sign in seen:
            self.assertTrue(sign == "\n" or sign.isprintable(), repr(seen))

    # Servers --------------------------------------------------------------------------------------------------------

    def test_errors(self):
        for body in (json.dumps({"error": EVIL}), json.dumps({"error": {"message": EVIL}}), EVIL, EVIL.encode("latin-1")):
            self.evil.say("/embed", 400, body)
            self.evil.say("/bertd.v1.Embeddings/EmbedBatch", 400, body)
            done = bertctl.run("embed", *self.url, "text")
            self.assertEqual(done.returncode, 4, done.stderr)
            self.assertEqual(len(done.stderr.splitlines()), 1)
            self.tame(done.stderr)
            code, seen = bertctl.on_terminal("embed", *self.url, "text")
            self.assertEqual(code, 4)
            self.tame(seen)

    def test_info(self):
        code, seen = bertctl.on_terminal("info", *self.url)
        self.assertEqual(code, 0)
        self.assertEqual(seen.count(SHOWN), 5)
        self.tame(seen)
        self.assertIn(EVIL.encode(), self.good("info", *self.url, text=b""))  # a pipe gets what there is
        self.assertEqual(json.loads(self.good("info", *self.url, "--json"))["model_id"], EVIL)

    def test_info_that_is_not_utf8(self):
        self.evil.say("/info", 200, b'{"model_id": "a\xff\xc0\x80", "boards": 1}')
        found = json.loads(self.good("info", *self.url, "--json"))
        self.assertEqual((found["model_id"], found["answer"]), ("a???", None))

    def test_tokens(self):
        token = {"id": 1, "text": EVIL, "special": False, "start": 2**60, "stop": 0}
        self.evil.say("/tokenize", 200, json.dumps([[token]]))
        code, seen = bertctl.on_terminal("tokenize", *self.url, "text")
        self.assertEqual(code, 0)
        self.assertIn(SHOWN, seen)
        self.tame(seen)

    def test_status(self):
        board = {"name": EVIL, "state": EVIL, "busy_share": 1e300, "queue": -1e300, "tasks": {"done": 1e300, "failed": {}},
                 "quarantines": "x", "last_error": {"message": EVIL}}
        self.evil.say("/boards", 200, json.dumps({"boards": [board, {}, 1, None]}))
        self.evil.say("/metrics", 200, "bertd_boards nan\nbertd_boards_ready inf\nprocess_resident_memory_bytes -inf\n"
                      'bertd_request_seconds_bucket{class="bulk",le="+Inf"} 1e400\n\0x')
        code, seen = bertctl.on_terminal("status", "--once", "--colour", "never", *self.url)
        self.assertEqual(code, 0, seen)
        self.tame(seen)
        for line in seen.splitlines():
            self.assertLessEqual(len(line), 80)
        self.shape(json.loads(self.good("status", "--json", *self.url))["classes"]["bulk"]["p99_seconds"], float)
        self.evil.say("/metrics", 200, b"")
        self.good("status", *self.url)
        self.evil.say("/boards", 500, json.dumps({"error": EVIL}))
        code, seen = bertctl.on_terminal("status", "--once", *self.url)
        self.assertEqual(code, 1)
        self.tame(seen)

    def test_nesting(self):
        for path, code in (("/info", 200), ("/info", 500)):
            for word in ('{"error":', '{"message":{"error":', '{"model_type":{"embedding":', "[", '{"data":['):
                self.evil.say(path, code, word * 200000)
                done = bertctl.run("info", *self.url)
                self.assertEqual(done.returncode, 1, done.stderr)

    def test_vectors_that_are_none(self):
        for value in (float("nan"), float("inf")):
            vector = struct.pack("<2f", 1, value)
            body = b"\x08\x01\x10\x02\x1a\x08" + vector
            self.evil.say("/bertd.v1.Embeddings/EmbedBatch", 200, body, Content_Type="application/proto")
            for output in ("a.npy", "a.jsonl", "a.fvecs"):
                self.wrong(1, "for record 0 (counted from 0) whose values are not all numbers", "embed", *self.url, "text", "-o", self.path(output), "--force")

    def test_redirects(self):
        """The key goes nowhere else, over whatever scheme, and no file is read."""
        secret = self.path("key", b"secret\n")
        other = self.enter(Evil())
        for place in (other.url, other.url + "/info", "file:///etc/passwd", "//127.0.0.1:1/", "/info", "gopher://127.0.0.1/"):
            for code in (301, 302, 307, 308):
                self.evil.say("/info", code, b"", Location=place)
                self.evil.say("/v1/models", code, b"", Location=place)
                done = bertctl.run("info", *self.url, "--api-key-file", secret)
                self.assertNotEqual(done.returncode, 0)
                self.assertIn("redirects are not followed", done.stderr)
        self.assertEqual(other.keys, [])
        self.assertEqual({key for _, key in self.evil.keys}, {"Bearer secret"})

    def test_keys_with_line_ends(self):
        self.wrong(2, "", "info", *self.url, BERTD_API_KEY="a\r\nX-Other: b")
        self.assertEqual(self.evil.keys, [])

    # Hubs -----------------------------------------------------------------------------------------------------------

    def hub(self, files, **more):
        return self.enter(Hub(files, **more))

    def pull(self, hub, *arguments, **more):
        return bertctl.run("pull", *arguments, hub.repo, HF_ENDPOINT=hub.url, HF_HUB_CACHE=self.path("hub"), **more)

    def everything(self):
        return sorted(os.path.relpath(os.path.join(folder, name), self.folder)
                      for folder, folders, names in os.walk(self.folder) for name in folders + names)

    def test_names(self):
        for name in ("../x.json", "a/../../x.json", "/x.json", "..", "a\nb.json", "\x1b[2J.json", "a//b.json", ""):
            hub = self.hub({name: b"{}"})
            done = self.pull(hub, "--all")
            self.assertEqual(done.returncode, 1, (name, done.stderr))
            self.assertIn("which is no name", done.stderr)
            self.assertEqual(len(done.stderr.splitlines()), 1)
            self.tame(done.stderr)
        self.assertEqual(self.everything(), [])

    def test_a_name_below_another_file(self):
        done = self.pull(self.hub({"a.json": b"{}", "a.json/b.json": b"{}"}))
        self.assertEqual(done.returncode, 6, done.stderr)

    def test_links_in_the_cache(self):
        """What lies in the way of a part that comes is not written to."""
        data = b"other" * 100
        hub = self.hub({"a.json": data})
        target = self.path("target", b"")
        blobs = os.path.join(self.path("hub"), "models--some-one--a.model", "blobs")
        os.makedirs(blobs)
        os.symlink(target, os.path.join(blobs, hashlib.sha1(b"blob 500\0" + data).hexdigest() + ".incomplete"))
        self.assertEqual(self.pull(hub).returncode, 6)
        self.assertEqual(os.path.getsize(target), 0)

    def test_etags(self):
        for etag in ("../../../x", "..", ".x", "", "a/b", "a b", "\x7f", "x" * 300):
            class Named(HubHandler):
                def file(self, name):
                    self.answer(200, b"{}", ETag=f'"{etag}"')
            hub = Hub({"a.json": b"{}"})
            hub.handler = Named
            done = self.pull(self.enter(hub))
            self.assertEqual(done.returncode, 1, (etag, done.stderr))
            self.tame(done.stderr)
        self.assertEqual([name for name in self.everything() if name.endswith("x")], [])

    def test_places_elsewhere(self):
        """Neither the file nor the list is read from elsewhere than by HTTP, and the token stays with the hub."""
        other = self.enter(Evil())
        for place in ("file:///etc/passwd", "ftp://127.0.0.1/", other.url + "/f"):
            class Led(HubHandler):
                def file(self, name):
                    self.answer(302, b"", Location=place, X_Linked_Size="2", X_Linked_ETag='"' + "0" * 64 + '"')
            hub = Hub({"a.json": b"{}"})
            hub.handler = Led
            done = self.pull(self.enter(hub), "--retries", "0", HF_TOKEN="secret")
            self.assertNotEqual(done.returncode, 0)
        self.assertEqual({key for _, key in other.keys}, {None})

    def test_sizes(self):
        for size in ("99999999999999999999999", "18446744073709551615", "-1", "1e3", "9223372036854775808"):
            class Sized(HubHandler):
                def file(self, name):
                    self.answer(200, b"{}", ETag='"' + "0" * 40 + '"', X_Linked_Size=size)
            hub = Hub({"a.json": b"{}"})
            hub.handler = Sized
            done = self.pull(self.enter(hub), "--retries", "0")
            self.assertIn(done.returncode, (1, 3), done.stderr)

    def test_lists(self):
        for siblings in ([1], [None], [{}], [[]], {"a": 1}, [{"rfilename": 1}], "x"):
            class Listed(HubHandler):
                def do_GET(self):
                    self.json(200, {"sha": "0" * 40, "siblings": siblings})
            hub = Hub({})
            hub.handler = Listed
            self.assertIn(self.pull(self.enter(hub)).returncode, (1, 2))

    # Files ----------------------------------------------------------------------------------------------------------

    def test_texts_on_the_terminal(self):
        tei = self.enter(Tei())
        head = "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 8), }".ljust(117) + "\n"
        npy = self.path("a.npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head.encode() + bytes(32))
        line = EVIL.replace("\n", "").encode() + b"\xff"
        texts = self.path("a.txt", line + b"\n")
        code, seen = bertctl.on_terminal("similar", npy, "text", "--texts", texts, "--url", tei.url)
        self.assertEqual(code, 0, seen)
        self.tame(seen)
        self.assertIn(line, bertctl.run("similar", npy, "text", "--texts", texts, "--url", tei.url, text=b"").stdout)
        found = json.loads(self.good("similar", npy, "text", "--texts", texts, "--url", tei.url, "--json"))
        self.assertEqual(found[0]["text"], EVIL.replace("\n", "") + "?")

    def test_infinite_values(self):
        tei = self.enter(Tei())
        head = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 8), }".ljust(117) + "\n"
        npy = self.path("a.npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head.encode() +
                        struct.pack("<16f", *[float("inf")] * 8, *[float("nan")] * 8))
        found = json.loads(self.good("similar", npy, "text", "--url", tei.url, "--json"))
        self.assertEqual([(hit["row"], hit["score"]) for hit in found], [(0, 0), (1, 0)])

    def test_names_that_are_not_utf8(self):
        tei = self.enter(Tei())
        texts = self.path("a.txt", b"one\n")
        output = os.fsencode(self.path("")) + b"\xff.npy"
        done = bertctl.run("embed", "-u", tei.url, "-i", texts, "-o", output, "--json", text=b"")
        self.assertEqual((done.returncode, json.loads(done.stdout)["output"]), (0, self.path("") + "?.npy"))

    def test_states(self):
        """OUTPUT.bertctl is damaged, or says what cannot be."""
        tei = self.enter(Tei())
        texts, output = self.path("a.txt", b"one\ntwo\n"), self.path("a.npy")
        state = {"bertctl_job": 1, "job": "", "offset": 4, "hash": "0", "records": 1, "rows": 1, "bytes": 160, "width": 8,
                 "done": False}
        for change in ({"offset": -1}, {"rows": -1}, {"bytes": -1}, {"width": -1}, {"records": -1}, {"bytes": 2**62},
                       {"job": None}, {"hash": 1}, {"bertctl_job": 2}, {"done": "x"}, {"offset": 1e300}):
            self.path("a.npy.bertctl", json.dumps({**state, **change}).encode())
            self.path("a.npy.part", bytes(160))
            done = bertctl.run("embed", "-u", tei.url, "-i", texts, "-o", output, "--resume")
            self.assertEqual(done.returncode, 6, (change, done.stderr))
            self.assertIn("--force begins anew", done.stderr)
        for data in (b"", b"[" * 100000, b"\xff", b"null"):
            self.path("a.npy.bertctl", data)
            self.wrong(6, "cannot be read", "embed", "-u", tei.url, "-i", texts, "-o", output, "--resume")
        self.good("embed", "-u", tei.url, "-i", texts, "-o", output, "--force")


if __name__ == "__main__":
    if "--help" in sys.argv or "-h" in sys.argv:
        print(__doc__)
        sys.exit(0)
    bertctl.BERTCTL = sys.argv[1]
    unittest.main(argv=sys.argv[:1] + sys.argv[2:])
