"""What the tests of clients share: where the server is, and the vectors that it must give."""
import json
import os
import unittest
import urllib.request

import numpy as np

URL = os.environ["BERTD_URL"]
STRICT_URL = os.environ["BERTD_STRICT_URL"]     # of a server that cuts nothing: --auto-truncate false
KEY = os.environ["BERTD_KEY"]
TARGET = URL.removeprefix("http://")
MODEL = "all-MiniLM-L6-v2"
WIDTH = 384
TEXTS = ["Hello, world", "Für Elise", "a longer text about many things " * 8]
TOO_LONG = "hello " * 400
TOO_MANY = ["a"] * 1025


def embed(inputs, **fields):
    """[inputs, width], as binary32: what POST /embed answers."""
    body = json.dumps({"inputs": inputs, **fields}).encode()
    request = urllib.request.Request(URL + "/embed", body, {"Content-Type": "application/json",
                                                            "Authorization": f"Bearer {KEY}"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return np.array(json.load(answer), np.float32)


class ClientTest(unittest.TestCase):
    def assert_same(self, rows, inputs, **fields):
        """The rows a client gave, whatever it holds them in, have the bits of /embed's."""
        rows = np.atleast_2d(np.array(rows))
        self.assertEqual(rows.shape[1], fields.get("dimensions", WIDTH))
        self.assertTrue(np.array_equal(rows.astype(np.float32), embed(inputs, **fields)))
