"""LangChain's HuggingFaceEndpointEmbeddings."""
import asyncio

from huggingface_hub import AsyncInferenceClient, InferenceClient
from huggingface_hub.errors import HfHubHTTPError
from langchain_huggingface import HuggingFaceEndpointEmbeddings

from bertd import KEY, MODEL, TEXTS, TOO_LONG, URL, ClientTest


def client(key=KEY, **arguments):
    """It takes no address, but the clients that it asks are fields."""
    embeddings = HuggingFaceEndpointEmbeddings(model=MODEL, provider="hf-inference", **arguments)
    embeddings.client = InferenceClient(base_url=URL, api_key=key)
    embeddings.async_client = AsyncInferenceClient(base_url=URL, api_key=key)
    return embeddings


class LangChainHuggingFace(ClientTest):
    def test_documents_and_query(self):
        self.assert_same(client().embed_documents(TEXTS), TEXTS)
        self.assert_same(client().embed_query(TEXTS[1]), TEXTS[1:2])

    def test_arguments(self):
        self.assert_same(client(model_kwargs={"normalize": False}).embed_documents(TEXTS), TEXTS, normalize=False)

    def test_asynchronous(self):
        self.assert_same(asyncio.run(client().aembed_documents(TEXTS)), TEXTS)

    def test_refused(self):
        for embeddings, text, status in ((client("other"), "a", 401), (client(), "", 400),
                                         (client(model_kwargs={"truncate": False}), TOO_LONG, 422)):
            with self.assertRaises(HfHubHTTPError) as caught:
                embeddings.embed_query(text)
            self.assertEqual(caught.exception.response.status_code, status)
