"""Triton's client for HTTP, tensors in binary and in JSON."""
import asyncio

import numpy as np
import tritonclient.http
import tritonclient.http.aio
from tritonclient.utils import InferenceServerException

from bertd import KEY, MODEL, TARGET, TEXTS, TOO_LONG, TOO_MANY, WIDTH, ClientTest


def headers():
    """For one request: the client leaves its own in there."""
    return {"authorization": f"Bearer {KEY}"}


def tensor(texts, binary=True):
    made = tritonclient.http.InferInput("text", [len(texts)], "BYTES")
    made.set_data_from_numpy(np.array([text.encode() for text in texts], object), binary_data=binary)
    return made


class Triton(ClientTest):
    def setUp(self):
        self.client = tritonclient.http.InferenceServerClient(TARGET, network_timeout=60, connection_timeout=60)
        self.addCleanup(self.client.close)

    def infer(self, texts, binary=True, **arguments):
        return self.client.infer(MODEL, [tensor(texts, binary)], headers=headers(), **arguments).as_numpy("embedding")

    def refused(self, status, words, ask, *arguments, **named):
        with self.assertRaises(InferenceServerException) as caught:
            ask(*arguments, **named)
        self.assertIn(str(status), caught.exception.status())
        self.assertIn(words, caught.exception.message())

    def test_binary(self):
        rows = self.infer(TEXTS)
        self.assertEqual(rows.dtype, np.float32)
        self.assert_same(rows, TEXTS)

    def test_json(self):
        output = tritonclient.http.InferRequestedOutput("embedding", binary_data=False)
        self.assert_same(self.infer(TEXTS, binary=False, outputs=[output]), TEXTS)

    def test_large_batch(self):
        texts = [f"text number {i}" for i in range(1000)]
        self.assert_same(self.infer(texts), texts)

    def test_compression(self):
        for coding in ("gzip", "deflate"):
            rows = self.infer(TEXTS, request_compression_algorithm=coding, response_compression_algorithm=coding)
            self.assert_same(rows, TEXTS)

    def test_parameters(self):
        rows = self.infer(TEXTS, parameters={"normalize": False, "dimensions": 16})
        self.assert_same(rows, TEXTS, normalize=False, dimensions=16)

    def test_token_ids(self):
        ids = np.array([[101, 7592, 1010, 2088, 102]])
        made = tritonclient.http.InferInput("input_ids", list(ids.shape), "INT64")
        made.set_data_from_numpy(ids)
        rows = self.client.infer(MODEL, [made], request_id="7", headers=headers())
        self.assertEqual(rows.get_response()["id"], "7")
        self.assert_same(rows.as_numpy("embedding"), ids.tolist())

    def test_asynchronous(self):
        pending = [self.client.async_infer(MODEL, [tensor([text])], headers=headers()) for text in TEXTS]
        self.assert_same(np.concatenate([ask.get_result().as_numpy("embedding") for ask in pending]), TEXTS)

    def test_asyncio(self):
        async def ask():
            async with tritonclient.http.aio.InferenceServerClient(TARGET) as client:
                answer = await client.infer(MODEL, [tensor(TEXTS)], headers=headers())
                return answer.as_numpy("embedding")

        self.assert_same(asyncio.run(ask()), TEXTS)

    def test_health_and_metadata(self):
        self.assertTrue(self.client.is_server_live())
        self.assertTrue(self.client.is_server_ready())
        self.assertTrue(self.client.is_model_ready(MODEL, headers=headers()))
        self.assertIn("binary_tensor_data", self.client.get_server_metadata(headers=headers())["extensions"])
        (output,) = self.client.get_model_metadata(MODEL, headers=headers())["outputs"]
        self.assertEqual((output["name"], output["datatype"], output["shape"]), ("embedding", "FP32", [-1, WIDTH]))

    def test_refused(self):
        self.refused(401, "", self.client.infer, MODEL, [tensor(["a"])])
        self.refused(404, "", self.client.infer, "another", [tensor(["a"])], headers=headers())
        self.refused(422, "batch size 1025 > maximum allowed batch size 1024", self.infer, TOO_MANY)
        self.refused(422, "must have at most 256 tokens", self.infer, [TOO_LONG], parameters={"truncate": False})
