"""Directories as the newest sentence-transformers saves them: bertd's vectors are its own.

Each test saves all-MiniLM-L6-v2 with other pooling, prompts or lengths, encodes texts with sentence-transformers, and asks
bertd for the same: board fp32 within 1e-4 a value, int8 within a cosine of 0.998.
"""
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.request

if {"-h", "--help"} & set(sys.argv[1:]):
    sys.exit(print(__doc__))

import numpy as np
import torch

# Without CUDA's own libraries nothing is captured, but torch would call them to know.
torch.cuda.is_current_stream_capturing = lambda: False

from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer
from tokenizers import AddedToken

START_SECONDS, STOP_SECONDS = 120, 60
WIDTH = 384
TEXTS = ["hello world", "A man is eating food.", "Wie geht es dir? Ça va?", "x", "unaffable [MASK] embeddings, 2024!",
         "a longer text about many things " * 8]
PROMPTS = {"query": "query: ", "document": "", "long": "Represent this sentence for searching relevant passages: "}


class Server:
    """A bertd that serves `directory` until `stop`."""

    def __init__(self, directory, *options):
        self.log = tempfile.NamedTemporaryFile(mode="r", prefix="bertd-sentences-")
        command = [os.environ["BERTD_TEST_BINARY"], "--model-id", directory, "--port", "0", "--boards", "1",
                   "--drain-seconds", "0", "--json-output", *options]
        with open(self.log.name, "w") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        self.url = f"http://127.0.0.1:{self.wait_for_port()}"

    def wait_for_port(self):
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end and self.process.poll() is None:
            with open(self.log.name) as log:
                found = re.search(r'"message":"listening".*"port":(\d+)', log.read())
            if found:
                return int(found[1])
            time.sleep(0.05)
        self.process.kill()
        with open(self.log.name) as log:
            raise RuntimeError(f"bertd does not start:\n{log.read()}")

    def embed(self, texts, prompt_name, normalize):
        body = {"inputs": texts, "normalize": normalize}
        if prompt_name is not None:
            body["prompt_name"] = prompt_name
        request = urllib.request.Request(self.url + "/embed", json.dumps(body).encode(),
                                         {"Content-Type": "application/json"})
        return np.array(json.load(urllib.request.urlopen(request)), np.float32)

    def info(self):
        return json.load(urllib.request.urlopen(self.url + "/info"))

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(STOP_SECONDS)


def cosines(a, b):
    return np.sum(a * b, axis=1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)


class Directories(unittest.TestCase):
    def check(self, mode, include_prompt=True, normalize=True, prompt_names=(None,), default=None, length=None,
              change=None, texts=TEXTS):
        transformer = Transformer(os.environ["BERTD_TEST_MODEL"])
        if length is not None:
            transformer.max_seq_length = length
        if change:
            change(transformer)
        modules = [transformer, Pooling(WIDTH, pooling_mode=mode, include_prompt=include_prompt)]
        model = SentenceTransformer(modules=modules + [Normalize()] * normalize, prompts=dict(PROMPTS),
                                    default_prompt_name=default, device="cpu")
        with tempfile.TemporaryDirectory(prefix="bertd-sentences-") as directory:
            model.save_pretrained(directory)
            model = SentenceTransformer(directory, device="cpu")
            for board in ("fp32", "emu"):
                server = Server(directory, "--board", board)
                try:
                    self.assertEqual(server.info()["max_input_length"], model.max_seq_length)
                    for name in prompt_names:
                        expected = model.encode(texts, prompt_name=name, batch_size=1)
                        self.compare(board, name, expected, server.embed(texts, name, normalize))
                finally:
                    server.stop()

    def compare(self, board, name, expected, vectors):
        difference = float(np.max(np.abs(vectors - expected)))
        cosine = float(np.min(cosines(vectors, expected)))
        print(f"{self.id().split('.')[-1]:28} {board:5} prompt {name!s:9} largest difference {difference:.2e}, "
              f"least cosine {cosine:.5f}")
        if board == "fp32":
            self.assertLessEqual(difference, 1e-4)
        self.assertGreaterEqual(cosine, 0.998)

    def test_mean(self):
        self.check("mean")

    def test_cls(self):
        self.check("cls")

    def test_max(self):
        self.check("max", normalize=False)

    def test_prompts(self):
        self.check("mean", prompt_names=("query", "document", "long"))

    def test_mean_without_the_prompt(self):
        self.check("mean", include_prompt=False, prompt_names=(None, "query", "document", "long"))

    def test_cls_without_the_prompt(self):
        self.check("cls", include_prompt=False, prompt_names=(None, "query", "document", "long"))

    def test_max_without_the_prompt(self):
        self.check("max", include_prompt=False, normalize=False, prompt_names=(None, "query", "document", "long"))

    def test_a_default_prompt(self):
        self.check("mean", default="long", prompt_names=(None, "query", "document"))

    def test_a_short_longest_input(self):
        self.check("mean", length=16, include_prompt=False, prompt_names=(None, "query", "long"))

    def test_added_tokens(self):
        def change(transformer):
            transformer.tokenizer.add_tokens(["[ENT]", AddedToken("<Item>", normalized=False)])
            transformer.auto_model.resize_token_embeddings(len(transformer.tokenizer))
        self.check("mean", change=change, texts=["hello [ENT] world <Item>", "HELLO [ent]world <ITEM>x"])


if __name__ == "__main__":
    unittest.main()
