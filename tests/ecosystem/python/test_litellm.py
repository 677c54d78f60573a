"""LiteLLM's providers for servers like OpenAI's and for text-embeddings-inference."""
import asyncio

import litellm

from bertd import KEY, MODEL, STRICT_URL, TEXTS, TOO_LONG, TOO_MANY, URL, ClientTest

OPENAI = {"model": f"openai/{MODEL}", "api_base": URL + "/v1", "api_key": KEY}
TEI = {"model": f"huggingface/{MODEL}", "api_base": URL + "/embed", "api_key": KEY, "input_type": "embed"}


def rows(answer):
    return [item["embedding"] for item in answer.data]


class LiteLlm(ClientTest):
    def refused(self, error, **arguments):
        with self.assertRaises(error):
            litellm.embedding(**arguments)

    def test_openai(self):
        answer = litellm.embedding(input=TEXTS, **OPENAI)
        self.assert_same(rows(answer), TEXTS)
        self.assertEqual(answer.usage.prompt_tokens, answer.usage.total_tokens)

    def test_openai_dimensions(self):
        answer = litellm.embedding(input=TEXTS, dimensions=16, allowed_openai_params=["dimensions"], **OPENAI)
        self.assert_same(rows(answer), TEXTS, dimensions=16)

    def test_openai_decimal_numbers(self):
        answer = litellm.embedding(input=TEXTS, encoding_format="float", **OPENAI)
        self.assert_same(rows(answer), TEXTS)

    def test_openai_asynchronous(self):
        self.assert_same(rows(asyncio.run(litellm.aembedding(input=TEXTS, **OPENAI))), TEXTS)

    def test_openai_refused(self):
        self.refused(litellm.AuthenticationError, input=["a"], **{**OPENAI, "api_key": "other"})
        self.refused(litellm.BadRequestError, input=TOO_MANY, **OPENAI)
        self.refused(litellm.BadRequestError, input=[TOO_LONG], **{**OPENAI, "api_base": STRICT_URL + "/v1"})

    def test_tei(self):
        self.assert_same(rows(litellm.embedding(input=TEXTS, **TEI)), TEXTS)

    def test_tei_asynchronous(self):
        self.assert_same(rows(asyncio.run(litellm.aembedding(input=TEXTS, **TEI))), TEXTS)

    def test_tei_refused(self):
        self.refused(litellm.AuthenticationError, input=["a"], **{**TEI, "api_key": "other"})
