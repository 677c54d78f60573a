#!/usr/bin/env python3
"""bertctl pull from a hub on the loopback interface. test_pull.py BERTCTL"""
import hashlib
import json
import os
import random
import sys
import tempfile
import unittest

import bertctl
from bertctl import Case
from standin import Hub

WEIGHTS = random.Random(1).randbytes(300000)


class Pull(Case):
    def setUp(self):
        self.cache = os.path.join(self.enter(tempfile.TemporaryDirectory()), "hub")
        self.files = {"config.json": b'{"model_type": "bert"}', "vocab.txt": b"[PAD]\n[UNK]\n",
                      "1_Pooling/config.json": b'{"pooling_mode_mean_tokens": true}', "model.safetensors": WEIGHTS,
                      "pytorch_model.bin": b"not this", "onnx/model.json": b"nor this", "README.md": b"nor this"}
        self.hub = self.enter(Hub(self.files, large=["model.safetensors"]))
        self.model = os.path.join(self.cache, "models--some-one--a.model")
        self.sum = hashlib.sha256(WEIGHTS).hexdigest()

    def pull(self, *arguments, **more):
        return self.good("pull", *arguments, self.hub.repo, HF_ENDPOINT=self.hub.url, HF_HUB_CACHE=self.cache, **more)

    def fails(self, code, word, *arguments, **more):
        return self.wrong(code, word, "pull", *arguments, self.hub.repo, HF_ENDPOINT=self.hub.url,
                          HF_HUB_CACHE=self.cache, **more)

    def snapshot(self, name=""):
        return os.path.join(self.model, "snapshots", self.hub.commit, name)

    def blobs(self):
        return sorted(os.listdir(os.path.join(self.model, "blobs")))

    def whole(self):
        """The snapshot has the wanted files and no other, all in the cache's layout."""
        wanted = ["1_Pooling/config.json", "config.json", "model.safetensors", "vocab.txt"]
        found = [os.path.relpath(os.path.join(folder, name), self.snapshot())
                 for folder, _, names in os.walk(self.snapshot()) for name in names]
        self.assertEqual(sorted(found), wanted)
        for name in wanted:
            link = os.readlink(self.snapshot(name))
            self.assertTrue(link.startswith("../../../" if "/" in name else "../../blobs/"), link)
            with open(self.snapshot(name), "rb") as file:
                self.assertEqual(file.read(), self.files[name])
        with open(os.path.join(self.model, "refs/main"), encoding="ascii") as ref:
            self.assertEqual(ref.read(), self.hub.commit)
        self.assertEqual([name for name in self.blobs() if name.endswith(".incomplete")], [])

    def test_pull(self):
        self.assertEqual(self.pull(), self.snapshot().rstrip("/") + "\n")
        self.whole()
        self.assertIn(self.sum, self.blobs())
        self.assertIn(hashlib.sha1(b"blob 22\0" + self.files["config.json"]).hexdigest(), self.blobs())

    def test_other_tools_find_it(self):
        try:
            import huggingface_hub
        except ImportError:
            self.skipTest("no huggingface_hub")
        self.pull()
        path = huggingface_hub.snapshot_download(self.hub.repo, cache_dir=self.cache, local_files_only=True)
        self.assertEqual(os.path.realpath(path), os.path.realpath(self.snapshot()))

    def test_again(self):
        self.pull()
        self.hub.asked.clear()
        found = json.loads(self.pull("--json"))
        self.assertEqual({item["state"] for item in found["files"]}, {"present"})
        self.assertEqual(found["loaded_bytes"], 0)
        self.assertEqual([method for method, path, *_ in self.hub.asked if "resolve" in path], ["HEAD"] * 4)

    def test_json(self):
        found = json.loads(self.pull("--json"))
        self.shape(found, {"repo": str, "revision": str, "commit": str, "path": str, "loaded_bytes": int,
                           "files": [{"name": str, "bytes": int, "state": str, "checked": str}]})
        self.assertEqual({item["name"]: item["checked"] for item in found["files"]},
                         {"config.json": "git-sha1", "vocab.txt": "git-sha1", "1_Pooling/config.json": "git-sha1",
                          "model.safetensors": "sha256"})
        self.assertEqual(found["loaded_bytes"], sum(item["bytes"] for item in found["files"]))

    def test_patterns(self):
        found = json.loads(self.pull("--json", "--include", "*.md", "--include", "onnx/*"))
        self.assertEqual(sorted(item["name"] for item in found["files"]), ["README.md", "onnx/model.json"])
        found = json.loads(self.pull("--json", "--all", "--exclude", "*.safetensors"))
        self.assertEqual(len(found["files"]), len(self.files) - 1)
        self.fails(2, "none of the 7 files", "--include", "nothing*")

    def test_drop(self):
        """The connection breaks in the middle, twice: it goes on from there, by ranges."""
        self.hub.drops = 2
        self.pull()
        self.whole()
        ranges = [wanted for _, path, wanted, _ in self.hub.asked if path.startswith("/store/") and wanted]
        self.assertEqual(ranges, ["bytes=150000-", "bytes=225000-"])

    def test_next_pull_goes_on(self):
        self.hub.drops = 1
        self.fails(3, "the next pull goes on", "--retries", "0")
        self.assertEqual(os.path.getsize(os.path.join(self.model, "blobs", self.sum + ".incomplete")), 150000)
        self.assertFalse(os.path.exists(self.snapshot("model.safetensors")))
        found = json.loads(self.pull("--json"))
        self.assertEqual(["resumed"], [item["state"] for item in found["files"] if item["name"] == "model.safetensors"])
        self.whole()

    def test_no_ranges(self):
        self.hub.drops, self.hub.ranges = 1, False
        self.pull()
        self.whole()

    def part(self, data):
        os.makedirs(os.path.join(self.model, "blobs"), exist_ok=True)
        with open(os.path.join(self.model, "blobs", self.sum + ".incomplete"), "wb") as file:
            file.write(data)

    def test_part_that_is_wrong(self):
        for data in (b"x" * 1000, b"x" * len(WEIGHTS), b"x" * (len(WEIGHTS) + 1), WEIGHTS):
            self.part(data)
            self.pull()
            self.whole()
            os.unlink(os.path.join(self.model, "blobs", self.sum))

    def test_wrong_checksum(self):
        self.hub.wrong_sums["model.safetensors"] = "0" * 64
        self.fails(7, "its checksum is not the one that the hub names")
        self.assertFalse(os.path.exists(self.snapshot("model.safetensors")))
        self.assertFalse(os.path.exists(os.path.join(self.model, "refs")))
        self.assertEqual([name for name in self.blobs() if name.startswith("000")], [])

    def test_wrong_size(self):
        self.hub.size_error = -1
        self.fails(6, "another file than it said")
        self.hub.size_error = 1
        self.fails(3, "the next pull goes on", "--retries", "1")
        self.hub.size_error = 0
        self.pull()
        self.whole()

    def test_damage_in_the_cache(self):
        self.pull()
        with open(os.path.join(self.model, "blobs", self.sum), "r+b") as blob:
            blob.write(b"damage")
        done = bertctl.run("pull", "--verify", self.hub.repo, HF_ENDPOINT=self.hub.url, HF_HUB_CACHE=self.cache)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("what is in the cache is wrong", done.stderr)
        self.whole()

    def test_token(self):
        self.hub.token = "secret"
        self.fails(4, "is HF_TOKEN set")
        self.pull(HF_TOKEN="secret")
        self.whole()
        self.assertEqual({key for _, path, _, key in self.hub.asked if path.startswith("/store/")}, {None})

    def test_names_that_lead_out(self):
        for name in ("../out.json", "/etc/out.json", "a//b.json", "a/../../b.json", "./c.json"):
            self.hub.files = {name: b"{}"}
            self.fails(1, "which is no name")
        for commit in ("../../x", "main", "", "0123"):
            self.hub.files, self.hub.commit = self.files, commit
            self.fails(1, "which is none")

    def test_refusals(self):
        self.hub.revision = "other"
        self.fails(4, "no such model")
        self.wrong(2, "is no name of a model", "pull", "../x", HF_ENDPOINT=self.hub.url, HF_HUB_CACHE=self.cache)
        self.wrong(2, "is no name of a model", "pull", "a/b/c", HF_ENDPOINT=self.hub.url, HF_HUB_CACHE=self.cache)
        self.wrong(2, "is no revision", "pull", "-r", "../x", "a", HF_ENDPOINT=self.hub.url, HF_HUB_CACHE=self.cache)
        self.wrong(3, "", "pull", "a", HF_ENDPOINT="http://127.0.0.1:1", HF_HUB_CACHE=self.cache)
        self.wrong(2, "HOME is not set", "pull", "a", HF_ENDPOINT=self.hub.url, HOME="")

    def test_where_the_cache_is(self):
        base = os.path.dirname(self.cache)
        for variables, below in (({"HF_HOME": base + "/a"}, "a/hub"), ({"XDG_CACHE_HOME": base + "/b"}, "b/huggingface/hub"),
                                 ({"HOME": base + "/c"}, "c/.cache/huggingface/hub")):
            path = self.good("pull", self.hub.repo, HF_ENDPOINT=self.hub.url + "/", **variables)
            self.assertTrue(path.startswith(f"{base}/{below}/models--"), path)

    def test_progress(self):
        code, seen = bertctl.on_terminal("pull", self.hub.repo, HF_ENDPOINT=self.hub.url, HF_HUB_CACHE=self.cache)
        self.assertEqual(code, 0, seen)
        self.assertIn("MB/s", seen)
        self.assertIn("loaded    model.safetensors (0.3 MB, sha256)", seen)


if __name__ == "__main__":
    if "--help" in sys.argv or "-h" in sys.argv:
        print(__doc__)
        sys.exit(0)
    bertctl.BERTCTL = sys.argv[1]
    unittest.main(argv=sys.argv[:1] + sys.argv[2:])
