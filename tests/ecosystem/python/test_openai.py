"""openai's client, synchronous and asynchronous."""
import asyncio

import openai

from bertd import KEY, MODEL, STRICT_URL, TEXTS, TOO_LONG, TOO_MANY, URL, ClientTest

IDS = [101, 7592, 1010, 2088, 102]


class OpenAi(ClientTest):
    @classmethod
    def setUpClass(cls):
        cls.client = openai.OpenAI(base_url=URL + "/v1", api_key=KEY)

    def embed(self, inputs, client=None, **arguments):
        answer = (client or self.client).embeddings.create(model=MODEL, input=inputs, **arguments)
        self.assertEqual([item.index for item in answer.data], list(range(len(answer.data))))
        return [item.embedding for item in answer.data]

    def test_one_text(self):
        self.assert_same(self.embed("Hello, world"), ["Hello, world"])

    def test_texts(self):
        self.assert_same(self.embed(TEXTS), TEXTS)

    def test_decimal_numbers(self):
        self.assert_same(self.embed(TEXTS, encoding_format="float"), TEXTS)

    def test_token_ids(self):
        self.assert_same(self.embed(IDS), [IDS])
        self.assert_same(self.embed([IDS, IDS[1:3]]), [IDS, IDS[1:3]])

    def test_dimensions(self):
        self.assert_same(self.embed(TEXTS, dimensions=16), TEXTS, dimensions=16)

    def test_large_batch(self):
        texts = [f"text number {i}" for i in range(1000)]
        self.assert_same(self.embed(texts), texts)

    def test_base_without_version(self):
        client = openai.OpenAI(base_url=URL, api_key=KEY)
        self.assert_same(self.embed(TEXTS, client), TEXTS)

    def test_usage(self):
        answer = self.client.embeddings.create(model=MODEL, input=["Hello, world", "Hello, world"])
        self.assertEqual((answer.usage.prompt_tokens, answer.usage.total_tokens, answer.object), (10, 10, "list"))

    def test_headers(self):
        answer = self.client.embeddings.with_raw_response.create(model=MODEL, input="Hello, world")
        self.assertEqual(answer.headers["x-compute-tokens"], "5")
        self.assertEqual(answer.request_id, answer.headers["x-request-id"])
        self.assert_same([answer.parse().data[0].embedding], ["Hello, world"])

    def test_models(self):
        names = [model.id for model in self.client.models.list()]
        self.assertEqual(len(names), 1)
        self.assertEqual(self.client.models.retrieve(names[0]).owned_by, "bertd")
        with self.assertRaises(openai.NotFoundError):
            self.client.models.retrieve("another")

    def test_bad_key(self):
        with self.assertRaises(openai.AuthenticationError) as caught:
            self.embed("a", openai.OpenAI(base_url=URL + "/v1", api_key="other"))
        self.assertEqual(caught.exception.status_code, 401)

    def test_refused(self):
        with self.assertRaises(openai.UnprocessableEntityError) as caught:
            self.embed(TOO_MANY)
        self.assertIn("batch size 1025 > maximum allowed batch size 1024", caught.exception.message)
        self.assertIn("batch size 1025", caught.exception.body["message"])
        with self.assertRaises(openai.BadRequestError):
            self.embed("")

    def test_too_long(self):
        strict = openai.OpenAI(base_url=STRICT_URL + "/v1", api_key=KEY)
        with self.assertRaises(openai.UnprocessableEntityError) as caught:
            self.embed(TOO_LONG, strict)
        self.assertIn("must have at most 256 tokens. Given: 402", caught.exception.message)
        self.assert_same(self.embed(TOO_LONG), [TOO_LONG])

    def test_many_at_once(self):
        async def ask():
            async with openai.AsyncOpenAI(base_url=URL + "/v1", api_key=KEY) as client:
                answers = [client.embeddings.create(model=MODEL, input=f"text {i % 8}") for i in range(64)]
                return await asyncio.gather(*answers)

        self.assert_same([answer.data[0].embedding for answer in asyncio.run(ask())],
                         [f"text {i % 8}" for i in range(64)])
