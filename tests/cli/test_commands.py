#!/usr/bin/env python3
"""bertctl's other commands, and embed, against a bertd with emulated boards. test_commands.py BERTCTL BERTD

Skipped (77) where the model that deploy/run fetches is not there.
"""
import json
import os
import struct
import sys
import tempfile
import unittest
import urllib.request
import xml.etree.ElementTree

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import bertctl
from bertctl import Case, lines_of_json
from server import Server, has_model, model_dir
from standin import Tei

TEXTS = ["A cat sleeps.", "The markets fell.", "Rain in the mountains", "Kittens nap all day", "Stocks and bonds"]


class Commands(Case):
    @classmethod
    def setUpClass(cls):
        cls.server = Server(BERTD, "--boards", "2", "--served-model-name", "mini", "--board-timeout-scale", "10",
                            "--enable-fault-injection")
        cls.server.__enter__()
        cls.url = ("--url", cls.server.url)
        cls.folder = tempfile.TemporaryDirectory()

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()
        cls.server.__exit__()

    def path(self, name, text=None):
        path = os.path.join(self.folder.name, name)
        if text is not None:
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
        return path

    def post(self, route, body):
        request = urllib.request.Request(self.server.url + route, json.dumps(body).encode(), {"Content-Type": "application/json"})
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)

    # embed, similar -------------------------------------------------------------------------------------------------

    def embed_texts(self):
        source = self.path("in.txt", "\n".join(TEXTS) + "\n")
        self.good("embed", *self.url, "-i", source, "-o", self.path("in.npy"), "--force")
        return source, self.path("in.npy")

    def test_embed(self):
        _, npy = self.embed_texts()
        with open(npy, "rb") as file:
            values = file.read()[128:]
        wanted = [value for vector in self.post("/embed", {"inputs": TEXTS}) for value in vector]
        self.assertEqual(values, struct.pack(f"<{len(wanted)}f", *wanted))

    def test_embed_options(self):
        found, = lines_of_json(self.good("embed", *self.url, "-d", "4", "--no-normalize", TEXTS[0]))
        wanted, = self.post("/embed", {"inputs": TEXTS[0], "dimensions": 4, "normalize": False})
        self.assertEqual(struct.pack("4f", *found["embedding"]), struct.pack("4f", *wanted))
        self.wrong(4, "at most 256 tokens", "embed", *self.url, "--truncate", "no", "word " * 300)
        self.wrong(4, "record 1 (counted from 0)", "embed", *self.url, "--truncate", "no", "a", "word " * 300)
        self.wrong(4, "", "embed", *self.url, b"\xff".decode(errors="surrogateescape"))

    def test_similar(self):
        source, npy = self.embed_texts()
        found = json.loads(self.good("similar", *self.url, "--json", "-k", "3", "-t", source, npy, "a sleeping kitten"))
        self.shape(found, [{"row": int, "score": float, "text": str}])
        wanted = self.post("/similarity", {"inputs": {"source_sentence": "a sleeping kitten", "sentences": TEXTS}})
        order = sorted(range(len(TEXTS)), key=lambda row: -wanted[row])[:3]
        self.assertEqual([item["row"] for item in found], order)
        for item in found:
            self.assertAlmostEqual(item["score"], wanted[item["row"]], 5)
            self.assertEqual(item["text"], TEXTS[item["row"]])
        plain = self.good("similar", *self.url, npy, TEXTS[1]).splitlines()
        self.assertEqual((len(plain), plain[0].split()), (5, ["1.000000", "1"]))
        with_texts = self.good("similar", *self.url, "-t", source, "-k", "1", npy, TEXTS[1])
        self.assertEqual(with_texts, f" 1.000000           1  {TEXTS[1]}\n")

    def test_similar_refuses(self):
        _, npy = self.embed_texts()
        with open(npy, "rb") as file:
            data = file.read()
        for name, bad, word in (("a.npy", b"", "is no .npy"), ("b.npy", data[:-4], "another length"),
                                ("c.npy", data.replace(b"<f4", b"<f8"), "binary32"),
                                ("d.npy", data.replace(b"False", b"True "), "column by column"),
                                ("e.npy", data.replace(b"(5, 384)", b"(5, 383)"), "another length"),
                                ("f.npy", data[:50], "ends within its head")):
            with open(self.path(name), "wb") as file:
                file.write(bad)
            self.wrong(6, word, "similar", *self.url, self.path(name), "x")
        self.wrong(6, "fewer texts", "similar", *self.url, "-t", self.path("short.txt", "one\n"), npy, "x")
        self.wrong(6, "No such file", "similar", *self.url, self.path("none.npy"), "x")
        self.wrong(2, "usage", "similar", npy)

    # tokenize, info -----------------------------------------------------------------------------------------------

    def test_tokenize(self):
        self.assertEqual(self.good("tokenize", *self.url, "Für Elise"),
                         "     101                 [CLS]\n    6519       0-4       Für\n"
                         "   14251       5-10      Elise\n     102                 [SEP]\n")
        self.assertEqual(self.good("tokenize", *self.url, "--ids", text="hello world\nhello\n"),
                         "101 7592 2088 102\n101 7592 102\n")
        self.assertEqual(self.good("tokenize", *self.url, "--count", "hello", "hello world"), "3\n4\n")
        found = lines_of_json(self.good("tokenize", *self.url, "--json", "Für Elise", "a"))
        self.assertEqual(found, self.post("/tokenize", {"inputs": ["Für Elise", "a"]}))

    def test_info(self):
        words = self.good("info", *self.url)
        self.assertRegex(words, r"server +bertd\n")
        self.assertRegex(words, r"served as +mini\n")
        found = json.loads(self.good("info", *self.url, "--json"))
        answer = found.pop("answer")
        self.assertEqual(answer["model_id"], model_dir())
        self.shape(found, {"server": str, "endpoint": str, "version": str, "model_id": str, "served_model_name": str,
                           "model_dtype": str, "pooling": str, "max_input_length": int, "max_batch_tokens": int,
                           "max_concurrent_requests": int, "max_client_batch_size": int, "boards": int,
                           "auto_truncate": bool})
        self.assertEqual((found["server"], found["boards"], found["pooling"]), ("bertd", 2, "mean"))
        with Tei() as tei:
            found = json.loads(self.good("info", "--url", tei.url, "--json"))
            self.assertEqual((found["server"], found["model_id"]), ("tei", "stand/in"))

    # status -------------------------------------------------------------------------------------------------------

    def test_status_once(self):
        words = self.good("status", *self.url)
        self.assertIn("serving: 2 of 2 boards in service", words)
        self.assertRegex(words, r"(?m)^emu1 ")
        self.assertNotIn("\x1b", words)
        self.assertLessEqual(max(map(len, words.splitlines())), 80)

    def test_status_json(self):
        found = lines_of_json(self.good("status", *self.url, "--json", "--count", "2", "-n", "0.05"))
        self.assertEqual(len(found), 2)
        one = {"requests_per_second": float, "p50_seconds": float, "p99_seconds": float, "queue_texts": float,
               "queue_tokens": float}
        names = ("interval_seconds", "boards_ready", "boards_all", "texts_per_second", "tokens_per_second",
                 "failed_per_second", "active_requests", "running_texts", "connections", "memory_bytes", "cpu_cores",
                 "up_seconds")
        self.shape(found[1], {**dict.fromkeys(names, float), "draining": bool, "cache_hit_share": type(None),
                              "classes": {"interactive": one, "bulk": one}, "boards": list} |
                   {"boards": [dict.fromkeys(found[1]["boards"][0], object)]})
        self.assertEqual([found[0]["interval_seconds"], found[0]["boards_ready"]], [0, 2])
        self.assertGreater(found[1]["interval_seconds"], 0)

    def test_status_live(self):
        for columns, rows in ((80, 24), (60, 10), (200, 50)):
            code, seen = bertctl.on_terminal("status", *self.url, "-n", "0.1", columns=columns, rows=rows, keys="q",
                                             until="emu0" if rows > 20 else "serving")
            self.assertEqual(code, 0, seen)
            self.assertTrue(seen.startswith("\x1b[?1049h"), seen)
            self.assertTrue(seen.endswith("\x1b[?1049l"), seen)
            screen = seen.split("\x1b[H")[1].replace("\x1b[K", "").replace("\x1b[J", "")
            for code in ("1", "2", "31", "32", "33", ""):
                screen = screen.replace(f"\x1b[{code}m", "")
            for line in screen.replace("\r", "").split("\n"):
                self.assertLessEqual(len(line.split("\x1b")[0]), columns)

    def test_status_of_others(self):
        with Tei() as tei:
            self.wrong(4, "is no bertd", "status", "--url", tei.url)
        self.wrong(3, "", "status", "--url", "http://127.0.0.1:1")

    # bench --------------------------------------------------------------------------------------------------------

    def bench(self, *options):
        found = json.loads(self.good("bench", *self.url, "--json", "--warmup", "0", *options))
        times = dict.fromkeys(("mean", "p50", "p90", "p95", "p99", "p99.9", "max"), float)
        self.shape(found, {"loop": str, "concurrency": float, "rate": float, "batch": float, "requests": int, "failed": int,
                           "seconds": float, "requests_per_second": float, "texts_per_second": float,
                           "most_at_once": int, "errors": dict, "latency_seconds": times})
        times = found["latency_seconds"]
        self.assertEqual(sorted(times.values()), [times[name] for name in sorted(times, key=lambda name: times[name])])
        self.assertLessEqual(times["p50"], times["max"])
        return found

    def test_bench_closed(self):
        found = self.bench("-n", "40", "-c", "3", "-b", "2")
        self.assertEqual((found["loop"], found["requests"], found["failed"], found["most_at_once"]), ("closed", 40, 0, 3))

    def test_bench_open(self):
        found = self.bench("-n", "30", "-r", "200", "--arrivals", "constant")
        self.assertEqual((found["loop"], found["requests"], found["failed"]), ("open", 30, 0))
        found = self.bench("-n", "30", "-r", "200", "-i", self.path("texts.txt", "\n".join(TEXTS)))
        self.assertEqual(found["requests"], 30)

    def test_bench_omits_nothing(self):
        """A server that stands still for a while: an open loop counts all requests that were due meanwhile."""
        with Tei() as tei:
            tei.pause_at, tei.pause = 10, 0.5
            found = json.loads(self.good("bench", "--url", tei.url, "--json", "--warmup", "0", "-n", "200", "-r", "200",
                                         "--arrivals", "constant"))
            self.assertGreaterEqual(found["latency_seconds"]["max"], 0.5)
            self.assertGreaterEqual(found["latency_seconds"]["p90"], 0.2)
            self.assertGreater(found["most_at_once"], 50)

    def test_bench_plots(self):
        svg = self.path("bench.svg")
        words = self.good("bench", *self.url, "-n", "20", "--plot", "--svg", svg)
        self.assertRegex(words, r"(?m)^ +p99 +[\d.]+ (us|ms|s) +#+$")
        root = xml.etree.ElementTree.parse(svg).getroot()
        self.assertEqual(root.tag, "{http://www.w3.org/2000/svg}svg")
        with open(svg, encoding="utf-8") as file:
            self.assertNotIn("nan", file.read())

    def test_bench_failures(self):
        with Tei() as tei:
            tei.failures = 5
            done = bertctl.run("bench", "--url", tei.url, "--json", "--warmup", "0", "-n", "10", "-c", "1")
            self.assertEqual(done.returncode, 0, done.stderr)
            found = json.loads(done.stdout)
            self.assertEqual((found["errors"], found["failed"], found["requests"]), ({"OVERLOADED": 5}, 5, 5))
            tei.failures = 1000
            self.wrong(5, "the last failure", "bench", "--url", tei.url, "-n", "3", "--warmup", "0")
        self.wrong(6, "has no texts", "bench", *self.url, "-i", self.path("none.txt", "\n\n"))


if __name__ == "__main__":
    if "--help" in sys.argv or "-h" in sys.argv:
        print(__doc__)
        sys.exit(0)
    bertctl.BERTCTL, BERTD = sys.argv[1:3]
    if not has_model():
        print(f"skipped: there is no model in {model_dir()}")
        sys.exit(77)
    unittest.main(argv=sys.argv[:1] + sys.argv[3:])
