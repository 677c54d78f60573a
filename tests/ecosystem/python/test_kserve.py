"""KServe's client for the Open Inference Protocol over REST."""
import asyncio

import httpx
from kserve import InferInput, InferRequest, InferenceRESTClient, RESTConfig

from bertd import KEY, MODEL, TEXTS, TOO_LONG, TOO_MANY, URL, ClientTest

HEADERS = {"authorization": f"Bearer {KEY}"}


def ask(method, *arguments, **named):
    """What a method of a client of its own answers."""
    async def answer():
        client = InferenceRESTClient(RESTConfig(protocol="v2"))
        try:
            return await getattr(client, method)(URL, *arguments, **named)
        finally:
            await client.close()

    return asyncio.run(answer())


def infer(texts, headers=HEADERS, parameters=None):
    inputs = [InferInput(name="text", shape=[len(texts)], datatype="BYTES", data=texts)]
    return ask("infer", InferRequest(model_name=MODEL, infer_inputs=inputs, parameters=parameters),
               model_name=MODEL, headers=headers)


class KServe(ClientTest):
    def refused(self, status, *arguments, **named):
        with self.assertRaises(httpx.HTTPStatusError) as caught:
            infer(*arguments, **named)
        self.assertEqual(caught.exception.response.status_code, status)

    def test_infer(self):
        self.assert_same(infer(TEXTS).outputs[0].as_numpy(), TEXTS)

    def test_large_batch(self):
        texts = [f"text number {i}" for i in range(1000)]
        self.assert_same(infer(texts).outputs[0].as_numpy(), texts)

    def test_parameters(self):
        self.assert_same(infer(TEXTS, parameters={"dimensions": 16}).outputs[0].as_numpy(), TEXTS, dimensions=16)

    def test_health(self):
        self.assertTrue(ask("is_server_live"))
        self.assertTrue(ask("is_server_ready"))
        self.assertTrue(ask("is_model_ready", MODEL, headers=HEADERS))

    def test_refused(self):
        self.refused(401, ["a"], headers={})
        self.refused(422, TOO_MANY)
        self.refused(422, [TOO_LONG], parameters={"truncate": False})
