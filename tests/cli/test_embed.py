#!/usr/bin/env python3
"""bertctl embed against a stand-in: forms of input and output, and jobs that are killed. test_embed.py BERTCTL KILL_AT.so"""
import json
import os
import random
import signal
import struct
import subprocess
import sys
import tempfile
import time
import unittest

import bertctl
from bertctl import Case, lines_of_json
from standin import WIDTH, OpenAi, Tei, vector


def bytes_of(vectors):
    return b"".join(struct.pack(f"<{WIDTH}f", *each) for each in vectors)


def npy_of(vectors):
    head = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({len(vectors)}, {WIDTH if vectors else 0}), }}"
    return b"\x93NUMPY\x01\x00\x76\x00" + head.ljust(117).encode() + b"\n" + bytes_of(vectors)


def read(path):
    with open(path, "rb") as file:
        return file.read()


class Embed(Case):
    def setUp(self):
        self.folder = self.enter(tempfile.TemporaryDirectory())
        self.tei = self.enter(Tei())
        self.url = ("--url", self.tei.url)

    def path(self, name, data=None):
        path = os.path.join(self.folder, name)
        if data is not None:
            with open(path, "wb") as file:
                file.write(data if isinstance(data, bytes) else data.encode())
        return path

    def names(self):
        return sorted(os.listdir(self.folder))

    def test_arguments(self):
        found = lines_of_json(self.good("embed", *self.url, "one", "two"))
        self.assertEqual([item["index"] for item in found], [0, 1])
        self.assertEqual(bytes_of(item["embedding"] for item in found), bytes_of([vector("one"), vector("two")]))

    def test_standard_input(self):
        found = lines_of_json(self.good("embed", *self.url, text="one\r\ntwo\nthe last"))
        self.assertEqual(bytes_of(item["embedding"] for item in found), bytes_of(map(vector, ["one", "two", "the last"])))
        self.assertEqual(self.good("embed", *self.url, text=""), "")

    def test_formats(self):
        texts = ["a", "b ö", "c" * 5000]
        source = self.path("in.txt", "\n".join(texts) + "\n")
        for name, wanted in (("out.npy", npy_of(list(map(vector, texts)))),
                             ("out.fvecs", b"".join(struct.pack("<i", WIDTH) + bytes_of([vector(text)]) for text in texts))):
            self.assertEqual(self.good("embed", *self.url, "-i", source, "-o", self.path(name)), "")
            self.assertEqual(read(self.path(name)), wanted)
        self.good("embed", *self.url, "-i", source, "-o", self.path("out.jsonl"))
        found = lines_of_json(read(self.path("out.jsonl")).decode())
        self.assertEqual(bytes_of(item["embedding"] for item in found), bytes_of(map(vector, texts)))
        self.assertEqual(self.names(), ["in.txt", "out.fvecs", "out.jsonl", "out.npy"])
        self.assertEqual(self.good("embed", *self.url, "-i", source, "-f", "fvecs", text=b""), read(self.path("out.fvecs")))

    def test_numpy_reads_it(self):
        try:
            import numpy
        except ImportError:
            self.skipTest("no numpy")
        self.good("embed", *self.url, "-i", self.path("in.txt", "a\nb\n"), "-o", self.path("out.npy"))
        self.assertEqual(numpy.load(self.path("out.npy")).tolist(), [vector("a"), vector("b")])
        numpy.save(self.path("own.npy"), numpy.load(self.path("out.npy")))
        self.assertEqual(read(self.path("own.npy")), read(self.path("out.npy")))

    def embedded(self, texts, *arguments):
        self.good("embed", *self.url, *arguments, "-o", self.path("out.npy"), "--force")
        self.assertEqual(read(self.path("out.npy")), npy_of(list(map(vector, texts))))

    def test_jsonl(self):
        lines = [json.dumps({"id": 1, "text": "one\nline"}), "", json.dumps("bare"), json.dumps({"text": "ö\"", "x": []})]
        self.embedded(["one\nline", "bare", "ö\""], "-i", self.path("in.jsonl", "\n".join(lines)))
        self.embedded(["q"], "-i", self.path("other", '{"query": "q"}\n'), "--input-format", "jsonl", "--field", "query")
        self.wrong(6, "record 1 has no text 'text'", "embed", *self.url, "-i", self.path("a.jsonl", '{"text":"a"}\n{"b":1}\n'))
        self.wrong(6, "record 0 is not JSON", "embed", *self.url, "-i", self.path("b.jsonl", "{\n"))

    def test_csv(self):
        table = '\ufeffid,"the text",x\r\n1,plain,\r\n2,"with, comma",y\n\n3,"two ""words""\nin lines",z'
        texts = ["plain", "with, comma", 'two "words"\nin lines']
        self.embedded(texts, "-i", self.path("in.csv", table), "--column", "the text")
        self.embedded(texts, "-i", self.path("in.csv", table), "--column", "2")
        self.embedded(["b", "d"], "-i", self.path("t.csv", "a\tb\nc\td\n"), "--separator", "tab", "--no-header", "-c", "2")
        self.wrong(6, "no column 'y'", "embed", *self.url, "-i", self.path("in.csv", table), "-c", "y")
        self.wrong(6, "a quote that does not end", "embed", *self.url, "-i", self.path("q.csv", 'a\n"b\n'))
        self.wrong(6, "record 0 has no column 3", "embed", *self.url, "-i", self.path("n.csv", "a,b\n1,2\n"), "-c", "3")

    def test_empty(self):
        source = self.path("in.txt", "a\n\nb\n")
        self.wrong(6, "record 1 is empty", "embed", *self.url, "-i", source)
        found = lines_of_json(self.good("embed", *self.url, "-i", source, "--empty", "skip"))
        self.assertEqual([item["index"] for item in found], [0, 2])
        found = lines_of_json(self.good("embed", *self.url, "-i", source, "--empty", "zero"))
        self.assertEqual(bytes_of(item["embedding"] for item in found), bytes_of([vector("a"), [0.0] * WIDTH, vector("b")]))
        self.embedded([], "-i", self.path("none.txt", ""))

    def test_json_summary(self):
        out = self.path("out.npy")
        found = json.loads(self.good("embed", *self.url, "--json", "-o", out, "a", "b"))
        self.shape(found, {"output": str, "rows": int, "width": int, "records": int, "skipped": int, "resumed_rows": int,
                           "seconds": float})
        self.assertEqual((found["rows"], found["width"], found["output"]), (2, WIDTH, out))

    def test_openai(self):
        server = OpenAi()
        with server:
            url = ("--url", server.url)
            self.good("embed", *url, "-o", self.path("out.npy"), "a", "b", BERTD_API_KEY="k1")
            self.assertEqual(read(self.path("out.npy")), npy_of([vector("a"), vector("b")]))
            self.assertEqual(server.keys, {"Bearer k1"})
            server.keys.clear()
            self.good("embed", *url, "--api-key-file", self.path("key", "k2\nnote\n"), "a", BERTD_API_KEY="k1")
            self.assertEqual(server.keys, {"Bearer k2"})
            self.assertEqual(json.loads(self.good("info", *url, "--json"))["server"], "openai")
            self.wrong(4, "", "tokenize", *url, "a")

    def test_overload_is_tried_again(self):
        self.tei.failures = 3
        self.assertEqual(len(self.good("embed", *self.url, "a").splitlines()), 1)
        self.tei.failures = 1000
        self.wrong(5, "overloaded", "embed", *self.url, "--retries", "1", "a")

    def test_usage(self):
        out = self.path("out.npy", "mine")
        self.wrong(2, "cannot go to standard output", "embed", *self.url, "-f", "npy", "a")
        self.wrong(2, "which format", "embed", *self.url, "-o", self.path("out.bin"), "a")
        self.wrong(2, "not from both", "embed", *self.url, "-i", "x", "a")
        self.wrong(2, "--resume needs", "embed", *self.url, "--resume", text="a")
        self.wrong(2, "takes a number from 1 to 1024", "embed", *self.url, "-b", "0", "a")
        self.wrong(2, "takes one of auto|npy|jsonl|fvecs", "embed", *self.url, "-f", "png", "a")
        self.wrong(2, "does not know --nothing", "embed", "--nothing", "a")
        self.wrong(6, "is there already: --force", "embed", *self.url, "-o", out, "a")
        self.assertEqual(read(out), b"mine")
        self.wrong(6, "No such file", "embed", *self.url, "-i", self.path("none"))
        self.wrong(6, "No such file", "embed", *self.url, "-o", self.path("no/folder.npy"), "a")
        self.wrong(3, "", "embed", "--url", "http://127.0.0.1:1", "--retries", "0", "a")

    # Jobs ---------------------------------------------------------------------------------------------------------

    def job(self, n=400, name="out.npy"):
        """A job of n texts, its arguments, and what it must give."""
        texts = [f"text {i}" for i in range(n)]
        source = self.path("in.txt", "\n".join(texts))
        options = ["embed", *self.url, "-i", source, "-o", self.path(name), "--batch", "32", "--parallel", "3"]
        return options, npy_of(list(map(vector, texts)))

    def test_kill_before_each_call(self):
        """Killed before the n-th call that changes files, for each n there is; then resumed."""
        options, wanted = self.job(100)
        options += ["--resume", "--checkpoint", "0"]
        n = 0
        while True:
            n += 1
            done = bertctl.run(*options, LD_PRELOAD=KILL_AT, KILL_AT=str(n), ASAN_OPTIONS="verify_asan_link_order=0")
            if done.returncode == 0:
                break
            self.assertEqual(done.returncode, -signal.SIGKILL, done.stderr)
            done = bertctl.run(*options)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(read(self.path("out.npy")), wanted, n)
            self.assertEqual(self.names(), ["in.txt", "out.npy"], n)
            os.unlink(self.path("out.npy"))
        self.assertEqual(read(self.path("out.npy")), wanted)
        self.assertGreater(n, 20)

    def test_kill_again_and_again(self):
        """Each run is killed a call later than it began: all states of one job, one after the other."""
        options, wanted = self.job(200, "out.npy")
        options += ["--resume", "--checkpoint", "0"]
        for n in range(2, 1000):
            done = bertctl.run(*options, LD_PRELOAD=KILL_AT, KILL_AT=str(n), ASAN_OPTIONS="verify_asan_link_order=0")
            if done.returncode == 0:
                break
            self.assertEqual(done.returncode, -signal.SIGKILL, done.stderr)
        self.assertGreater(n, 5)
        self.assertEqual(read(self.path("out.npy")), wanted)

    def test_kill_at_random(self):
        seed = os.environ.get("BERTD_TEST_SEED") or str(random.randrange(1 << 32))
        print("BERTD_TEST_SEED=" + seed)
        chance, kills = random.Random(seed), 0
        options, wanted = self.job(2000, "out.npy")
        options += ["--resume", "--checkpoint", "0.01"]
        while True:
            process = subprocess.Popen([bertctl.BERTCTL, *options], env=bertctl.environment(), stderr=subprocess.PIPE)
            try:
                _, words = process.communicate(timeout=chance.uniform(0, 0.3) if kills < 6 else bertctl.LIMIT)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
                kills += 1
                continue
            self.assertEqual(process.returncode, 0, words)
            break
        self.assertEqual(read(self.path("out.npy")), wanted)
        self.assertEqual(self.names(), ["in.txt", "out.npy"])

    def interrupted(self, options, name="out.npy"):
        """Run until something is certain and all that is sent waits, and end it with SIGINT."""
        self.tei.hold_after = self.tei.requests + 10
        process = subprocess.Popen([bertctl.BERTCTL, *options, "--checkpoint", "0"], env=bertctl.environment(),
                                   stderr=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL)
        while process.poll() is None and not os.path.exists(self.path(name + ".bertctl")):
            time.sleep(0.001)
        process.send_signal(signal.SIGINT)
        words = process.communicate(timeout=bertctl.LIMIT)[1]
        self.tei.hold_after = float("inf")
        self.tei.gate.set()
        self.assertEqual(process.returncode, 130, words)
        self.assertIn("--resume goes on", words)

    def test_interrupt(self):
        options, wanted = self.job(1000)
        self.interrupted(options)
        self.assertEqual(self.names(), ["in.txt", "out.npy.bertctl", "out.npy.part"])
        self.wrong(6, "--resume goes on with it", *options)
        self.tei.model = "another"
        self.wrong(6, "of a job with other options or another model", *options, "--resume")
        self.tei.model = "stand/in"
        self.wrong(6, "of a job with other options", *options, "--resume", "--empty", "skip")
        summary = json.loads(self.good(*options, "--resume", "--json"))
        self.assertGreater(summary["resumed_rows"], 0)
        self.assertEqual(read(self.path("out.npy")), wanted)
        self.good(*options, "--resume", "--quiet")
        self.wrong(6, "is there already", *options)

    def test_changed_input(self):
        options, wanted = self.job(1000)
        self.interrupted(options)
        data = read(self.path("in.txt"))
        self.path("in.txt", data.replace(b"text 3\n", b"text x\n"))
        self.wrong(6, "is not what the job began with", *options, "--resume")
        self.path("in.txt", data)
        self.good(*options, "--resume")
        self.assertEqual(read(self.path("out.npy")), wanted)

    def test_refused_text(self):
        """A text in the middle is refused: what is before it is kept, and goes on once the server takes it."""
        options, wanted = self.job(300)
        self.tei.refused = "text 200"
        self.wrong(4, "tokens", *options)
        state = json.loads(read(self.path("out.npy.bertctl")))
        self.assertLessEqual(state["rows"], 200)
        self.tei.refused = None
        self.good(*options, "--resume")
        self.assertEqual(read(self.path("out.npy")), wanted)

    def test_resume_from_standard_input(self):
        options, wanted = self.job(300)
        text = read(self.path("in.txt")).decode()
        options[options.index("-i") + 1] = "-"
        self.tei.refused = "text 200"
        self.wrong(4, "tokens", *options, text=text)
        self.tei.refused = None
        self.assertEqual(bertctl.run(*options, "--resume", text=text).returncode, 0)
        self.assertEqual(read(self.path("out.npy")), wanted)

    def test_full_disk(self):
        if not os.path.exists("/dev/full"):
            self.skipTest("no /dev/full")
        with open("/dev/full", "wb") as full:
            done = subprocess.run([bertctl.BERTCTL, "embed", *self.url, "a"], stdout=full, stderr=subprocess.PIPE,
                                  env=bertctl.environment(), text=True)
        self.assertEqual(done.returncode, 6, done.stderr)
        self.assertIn("No space left", done.stderr)

    def test_two_at_once(self):
        options, _ = self.job(10)
        with open(self.path("out.npy.part"), "wb") as part:
            import fcntl
            fcntl.flock(part, fcntl.LOCK_EX)
            self.wrong(6, "is being written by another", *options)

    def test_progress(self):
        source = self.path("in.txt", "a\n" * 5000)
        code, seen = bertctl.on_terminal("embed", *self.url, "-i", source, "-o", self.path("out.npy"))
        self.assertEqual(code, 0, seen)
        self.assertRegex(seen, r"texts  [\d,]+/s +\d+%  ETA [\d-]+:[\d-]+")
        self.assertIn("5,000 vectors of 8 values", seen)
        for line in seen.replace("\x1b[K", "").replace("\r", "\n").split("\n"):
            self.assertTrue(len(line) < 80 or "vectors of" in line, line)


if __name__ == "__main__":
    if "--help" in sys.argv or "-h" in sys.argv:
        print(__doc__)
        sys.exit(0)
    bertctl.BERTCTL, KILL_AT = sys.argv[1:3]
    unittest.main(argv=sys.argv[:1] + sys.argv[3:])
