"""Haystack's embedders for text-embeddings-inference, over HTTP and over gRPC."""
import asyncio

import grpc
from haystack import Document
from haystack.utils import Secret
from haystack_integrations.components.embedders.huggingface_api import (HuggingFaceAPIDocumentEmbedder,
                                                                        HuggingFaceAPITextEmbedder)
from huggingface_hub.errors import HfHubHTTPError

from bertd import KEY, TARGET, TEXTS, TOO_LONG, URL, ClientTest


def embedder(kind, over_grpc=False, key=KEY, **arguments):
    return kind(api_type="text_embeddings_inference", api_params={"url": TARGET if over_grpc else URL},
                token=Secret.from_token(key), use_grpc=over_grpc, **arguments)


class Http(ClientTest):
    over_grpc, error = False, HfHubHTTPError

    def text(self, text, **arguments):
        client = embedder(HuggingFaceAPITextEmbedder, self.over_grpc, **arguments)
        client.warm_up()
        self.addCleanup(client.close)
        return client.run(text=text)["embedding"]

    def test_text(self):
        self.assert_same(self.text(TEXTS[1], truncate=True, normalize=True), TEXTS[1:2])

    def test_defaults(self):
        """truncate is true and normalize false."""
        self.assert_same(self.text(TOO_LONG), [TOO_LONG], normalize=False)

    def test_documents(self):
        """In batches of 32."""
        texts = [f"text number {i}" for i in range(100)]
        client = embedder(HuggingFaceAPIDocumentEmbedder, self.over_grpc, normalize=True, progress_bar=False)
        client.warm_up()
        self.addCleanup(client.close)
        documents = client.run(documents=[Document(content=text) for text in texts])["documents"]
        self.assert_same([document.embedding for document in documents], texts)

    def test_asynchronous(self):
        async def ask():
            client = embedder(HuggingFaceAPITextEmbedder, self.over_grpc, normalize=True)
            await client.warm_up_async()
            try:
                return (await client.run_async(text=TEXTS[0]))["embedding"]
            finally:
                await client.close_async()

        self.assert_same(asyncio.run(ask()), TEXTS[:1])

    def test_bad_key(self):
        with self.assertRaises(self.error) as caught:
            self.text("a", key="other")
        self.assertEqual(self.code(caught.exception), self.codes[0])

    def test_too_long(self):
        with self.assertRaises(self.error) as caught:
            self.text(TOO_LONG, truncate=False)
        self.assertEqual(self.code(caught.exception), self.codes[1])
        self.assertIn("must have at most 256 tokens", str(caught.exception))

    codes = (401, 422)

    def code(self, error):
        return error.response.status_code


class Grpc(Http):
    over_grpc, error = True, grpc.RpcError
    codes = (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.INVALID_ARGUMENT)

    def code(self, error):
        return error.code()
