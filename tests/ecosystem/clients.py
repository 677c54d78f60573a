"""huggingface_hub's InferenceClient against bertd, as its users call it."""
import sys

if {"-h", "--help"} & set(sys.argv[1:]):
    sys.exit(print(__doc__))    # before what may not be installed

import asyncio
import json
import os
import re
import signal
import subprocess
import tempfile
import time
import unittest
import urllib.request

import numpy as np
from huggingface_hub import AsyncInferenceClient, InferenceClient
from huggingface_hub.errors import BadRequestError, HfHubHTTPError

KEY = "sesame"
START_SECONDS, STOP_SECONDS = 60, 30


class Server:
    """A bertd with two boards and a key, until `stop`."""

    def __init__(self):
        self.log = tempfile.NamedTemporaryFile(mode="r", prefix="bertd-ecosystem-")
        command = [os.environ["BERTD_TEST_BINARY"], "--model-id", os.environ["BERTD_TEST_MODEL"], "--port", "0",
                   "--boards", "2", "--api-key", KEY, "--drain-seconds", "0", "--json-output"]
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

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise


class HuggingfaceHub(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server()
        cls.client = InferenceClient(base_url=cls.server.url, api_key=KEY)

    @classmethod
    def tearDownClass(cls):
        assert cls.server.stop() == 0, "bertd ended with an error"

    def refused(self, status, words, **arguments):
        with self.assertRaises(HfHubHTTPError) as caught:
            self.client.feature_extraction(**arguments)
        self.assertEqual(caught.exception.response.status_code, status)
        self.assertIn(words, str(caught.exception))

    def test_text(self):
        row = self.client.feature_extraction("Hello, world")
        self.assertEqual(row.shape, (1, 384))
        self.assertAlmostEqual(float(np.linalg.norm(row)), 1.0, places=5)

    def test_route_by_name(self):
        client = InferenceClient(model=self.server.url + "/embed", api_key=KEY)
        self.assertTrue(np.array_equal(client.feature_extraction("Hello"), self.client.feature_extraction("Hello")))

    def test_texts_of_a_large_batch(self):
        texts = [f"text number {i}" for i in range(500)]
        rows = self.client.feature_extraction(texts)
        self.assertEqual(rows.shape, (500, 384))
        for i in (0, 31, 32, 499):
            self.assertTrue(np.array_equal(rows[i : i + 1], self.client.feature_extraction(texts[i])))

    def test_parameters(self):
        raw = self.client.feature_extraction("Hello", normalize=False)
        self.assertTrue(np.allclose(raw / np.linalg.norm(raw), self.client.feature_extraction("Hello"), atol=1e-6))
        self.assertEqual(self.client.feature_extraction("Hello", dimensions=16).shape, (1, 16))
        text = "first " + "word " * 600 + "last"
        right, left = (self.client.feature_extraction(text, truncate=True, truncation_direction=direction)
                       for direction in ("right", "left"))
        self.assertFalse(np.array_equal(right, left))

    def test_errors_reach_the_caller(self):
        self.refused(422, "must have at most 256 tokens. Given: 402", text="hello " * 400, truncate=False)
        self.refused(422, "`prompt_name`", text="hello", prompt_name="query")
        self.refused(422, "`dimensions`", text="hello", dimensions=0)
        self.refused(422, "batch size 1025 > maximum allowed batch size 1024", text=["a"] * 1025)
        with self.assertRaises(BadRequestError) as caught:
            self.client.feature_extraction("")
        self.assertIn("`inputs` cannot be empty", str(caught.exception))
        with self.assertRaises(HfHubHTTPError) as caught:
            InferenceClient(base_url=self.server.url, api_key="other").feature_extraction("hello")
        self.assertEqual(caught.exception.response.status_code, 401)

    def test_many_at_once(self):
        async def ask():
            client = AsyncInferenceClient(base_url=self.server.url, api_key=KEY)
            return await asyncio.gather(*(client.feature_extraction(f"text {i % 8}") for i in range(64)))

        rows = asyncio.run(ask())
        for i, row in enumerate(rows):
            self.assertTrue(np.array_equal(row, rows[i % 8]))

    def test_chunks_and_truncation_by_hand(self):
        """What the client has no argument for, over the same connection format."""
        for chunk, count in ((False, "1"), (True, "0")):
            body = json.dumps({"inputs": ["short", "word " * 600], "chunk": chunk}).encode()
            request = urllib.request.Request(self.server.url + "/embed", body, {
                "Content-Type": "application/json", "Authorization": f"Bearer {KEY}", "x-bertd-priority": "bulk"})
            with urllib.request.urlopen(request, timeout=60) as answer:
                self.assertEqual(answer.headers["x-truncated-count"], count)
                self.assertEqual(answer.headers["x-truncated"], None if chunk else "1")
                self.assertEqual(len(json.load(answer)), 2)


if __name__ == "__main__":
    unittest.main()
