"""LangChain's OpenAIEmbeddings."""
import asyncio

import openai
from langchain_openai import OpenAIEmbeddings

from bertd import KEY, MODEL, STRICT_URL, TEXTS, TOO_LONG, URL, ClientTest


def client(**arguments):
    """Its default would cut texts by OpenAI's vocabulary, and send ids of that."""
    return OpenAIEmbeddings(**{"model": MODEL, "base_url": URL + "/v1", "api_key": KEY,
                               "check_embedding_ctx_length": False, **arguments})


class LangChainOpenAi(ClientTest):
    def test_documents_and_query(self):
        self.assert_same(client().embed_documents(TEXTS), TEXTS)
        self.assert_same(client().embed_query(TEXTS[1]), TEXTS[1:2])

    def test_batches(self):
        texts = [f"text number {i}" for i in range(1500)]
        self.assert_same(client(chunk_size=500).embed_documents(texts)[1400:], texts[1400:])

    def test_dimensions(self):
        self.assert_same(client(dimensions=16).embed_documents(TEXTS), TEXTS, dimensions=16)

    def test_asynchronous(self):
        self.assert_same(asyncio.run(client().aembed_documents(TEXTS)), TEXTS)

    def test_refused(self):
        for options, texts, error in (({"api_key": "other"}, ["a"], openai.AuthenticationError),
                                      ({"base_url": STRICT_URL + "/v1"}, [TOO_LONG], openai.UnprocessableEntityError),
                                      ({"chunk_size": 2000}, ["a"] * 1025, openai.UnprocessableEntityError),
                                      ({}, [""], openai.BadRequestError)):
            with self.assertRaises(error):
                client(**options).embed_documents(texts)
