"""LlamaIndex's embeddings for text-embeddings-inference."""
import asyncio

from llama_index.embeddings.text_embeddings_inference import TextEmbeddingsInference

from bertd import KEY, MODEL, TEXTS, TOO_LONG, TOO_MANY, URL, ClientTest


def client(**arguments):
    return TextEmbeddingsInference(**{"model_name": MODEL, "base_url": URL, "auth_token": KEY, **arguments})


class LlamaIndex(ClientTest):
    def test_text_and_query(self):
        self.assert_same(client().get_text_embedding(TEXTS[1]), TEXTS[1:2])
        self.assert_same(client().get_query_embedding(TEXTS[1]), TEXTS[1:2])

    def test_batches(self):
        texts = [f"text number {i}" for i in range(100)]
        self.assert_same(client().get_text_embedding_batch(texts), texts)

    def test_truncation(self):
        self.assert_same(client().get_text_embedding(TOO_LONG), [TOO_LONG])

    def test_instruction(self):
        rows = client(text_instruction="passage:").get_text_embedding(TEXTS[1])
        self.assert_same(rows, [f"passage: {TEXTS[1]}"])

    def test_asynchronous(self):
        self.assert_same(asyncio.run(client().aget_text_embedding_batch(TEXTS)), TEXTS)

    def test_refused(self):
        """This client looks at no status: what it stumbles over is that the answer is no list."""
        for options, text in (({"truncate_text": False}, TOO_LONG), ({"auth_token": "other"}, "a"), ({}, "")):
            with self.assertRaises(KeyError):
                client(**options).get_text_embedding(text)
        with self.assertRaises(Exception):
            client(embed_batch_size=2000).get_text_embedding_batch(TOO_MANY)
