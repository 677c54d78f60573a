"""huggingface_hub's InferenceClient, synchronous and asynchronous."""
import asyncio

import numpy as np
from huggingface_hub import AsyncInferenceClient, InferenceClient
from huggingface_hub.errors import BadRequestError, HfHubHTTPError

from bertd import KEY, TEXTS, TOO_LONG, TOO_MANY, URL, ClientTest, embed


class HuggingfaceHub(ClientTest):
    @classmethod
    def setUpClass(cls):
        cls.client = InferenceClient(base_url=URL, api_key=KEY)

    def refused(self, status, words, **arguments):
        with self.assertRaises(HfHubHTTPError) as caught:
            self.client.feature_extraction(**arguments)
        self.assertEqual(caught.exception.response.status_code, status)
        self.assertIn(words, str(caught.exception))

    def test_one_text(self):
        self.assert_same(self.client.feature_extraction("Hello, world"), ["Hello, world"])

    def test_route_by_name(self):
        client = InferenceClient(model=URL + "/embed", api_key=KEY)
        self.assert_same(client.feature_extraction("Hello"), ["Hello"])

    def test_large_batch(self):
        texts = [f"text number {i}" for i in range(500)]
        self.assert_same(self.client.feature_extraction(texts), texts)

    def test_parameters(self):
        self.assert_same(self.client.feature_extraction(TEXTS, normalize=False), TEXTS, normalize=False)
        self.assert_same(self.client.feature_extraction(TEXTS, dimensions=16), TEXTS, dimensions=16)
        text = "first " + "word " * 600 + "last"
        for direction in ("right", "left"):
            row = self.client.feature_extraction(text, truncate=True, truncation_direction=direction)
            self.assert_same(row, [text], truncation_direction=direction)

    def test_sentence_similarity(self):
        nearness = self.client.sentence_similarity(TEXTS[0], TEXTS[1:], model=URL + "/similarity")
        rows = embed(TEXTS)
        self.assertTrue(np.allclose(nearness, rows[1:] @ rows[0], atol=1e-5))

    def test_refused(self):
        self.refused(422, "must have at most 256 tokens. Given: 402", text=TOO_LONG, truncate=False)
        self.refused(422, "`prompt_name`", text="hello", prompt_name="query")
        self.refused(422, "`dimensions`", text="hello", dimensions=0)
        self.refused(422, "batch size 1025 > maximum allowed batch size 1024", text=TOO_MANY)
        with self.assertRaises(BadRequestError) as caught:
            self.client.feature_extraction("")
        self.assertIn("`inputs` cannot be empty", str(caught.exception))

    def test_bad_key(self):
        with self.assertRaises(HfHubHTTPError) as caught:
            InferenceClient(base_url=URL, api_key="other").feature_extraction("hello")
        self.assertEqual(caught.exception.response.status_code, 401)

    def test_many_at_once(self):
        async def ask():
            async with AsyncInferenceClient(base_url=URL, api_key=KEY) as client:
                return await asyncio.gather(*(client.feature_extraction(f"text {i % 8}") for i in range(64)))

        self.assert_same(np.concatenate(asyncio.run(ask())), [f"text {i % 8}" for i in range(64)])
