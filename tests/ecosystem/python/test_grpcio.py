"""grpcio with stubs made of tei.proto and bertd.proto: channels that block and asyncio's."""
import asyncio
import queue
import unittest

import bertd_pb2
import bertd_pb2_grpc
import grpc
import numpy as np
import tei_pb2
import tei_pb2_grpc
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from grpc_status import rpc_status

from bertd import KEY, TARGET, TEXTS, TOO_LONG, TOO_MANY, ClientTest

BEARER = (("authorization", f"Bearer {KEY}"),)
WAIT = 60


def requests(texts):
    return [tei_pb2.EmbedRequest(inputs=text) for text in texts]


class Blocking(ClientTest):
    def setUp(self):
        self.channel = grpc.insecure_channel(TARGET)
        self.addCleanup(self.channel.close)
        self.embed = tei_pb2_grpc.EmbedStub(self.channel)
        self.batch = bertd_pb2_grpc.EmbeddingsStub(self.channel)

    def refused(self, code, words, call, request, **arguments):
        with self.assertRaises(grpc.RpcError) as caught:
            call(request, **{"metadata": BEARER, "timeout": WAIT, **arguments})
        self.assertEqual(caught.exception.code(), code)
        self.assertIn(words, caught.exception.details())
        return caught.exception

    def test_unary(self):
        answer = self.embed.Embed(tei_pb2.EmbedRequest(inputs=TEXTS[0]), metadata=BEARER)
        self.assert_same(answer.embeddings, TEXTS[:1])
        self.assertEqual(answer.metadata.compute_tokens, 5)

    def test_options(self):
        answer = self.embed.Embed(tei_pb2.EmbedRequest(inputs=TEXTS[1], normalize=False, dimensions=16), metadata=BEARER)
        self.assert_same(answer.embeddings, TEXTS[1:2], normalize=False, dimensions=16)

    def test_batch(self):
        texts = [f"text number {i}" for i in range(1000)]
        answer = self.batch.EmbedBatch(bertd_pb2.EmbedBatchRequest(inputs=texts), metadata=BEARER, timeout=WAIT)
        self.assert_same(np.frombuffer(answer.vectors, "<f4").reshape(answer.rows, answer.width), texts)
        self.assertEqual(list(answer.truncated), [False] * len(texts))

    def test_stream(self):
        texts = [f"text number {i}" for i in range(500)]
        answers = self.embed.EmbedStream(iter(requests(texts)), metadata=BEARER, timeout=WAIT)
        self.assert_same([answer.embeddings for answer in answers], texts)

    def test_stream_by_turns(self):
        """The next request is made of the answer before: each answer comes while the stream is open."""
        pending = queue.SimpleQueue()
        answers = self.embed.EmbedStream(iter(pending.get, None), metadata=BEARER, timeout=WAIT)
        for request, text in zip(requests(TEXTS), TEXTS):
            pending.put(request)
            self.assert_same(next(answers).embeddings, [text])
        pending.put(None)
        self.assertEqual(list(answers), [])

    def test_server_stream(self):
        boards = bertd_pb2_grpc.BoardsStub(self.channel)
        answers = boards.Watch(bertd_pb2.WatchBoardsRequest(interval_ms=100), metadata=BEARER, timeout=WAIT)
        for _ in range(3):
            self.assertEqual(next(answers).in_service, 2)
        answers.cancel()
        with self.assertRaises(grpc.RpcError):
            next(answers)
        self.assertEqual(answers.code(), grpc.StatusCode.CANCELLED)

    def test_tokens_and_info(self):
        tokens = tei_pb2_grpc.TokenizeStub(self.channel)
        answer = tokens.Tokenize(tei_pb2.EncodeRequest(inputs=TEXTS[1], add_special_tokens=True), metadata=BEARER)
        self.assertEqual([token.text for token in answer.tokens], ["[CLS]", "Für", "Elise", "[SEP]"])
        self.assertEqual(answer.tokens[2].start, 5)
        ids = [token.id for token in answer.tokens]
        answer = tokens.Decode(tei_pb2.DecodeRequest(ids=ids, skip_special_tokens=True), metadata=BEARER)
        self.assertEqual(answer.text, "fur elise")
        info = tei_pb2_grpc.InfoStub(self.channel).Info(tei_pb2.InfoRequest(), metadata=BEARER)
        self.assertEqual((info.max_input_length, info.model_type), (256, tei_pb2.MODEL_TYPE_EMBEDDING))

    def test_gzip(self):
        channel = grpc.insecure_channel(TARGET, compression=grpc.Compression.Gzip)
        self.addCleanup(channel.close)
        answer = tei_pb2_grpc.EmbedStub(channel).Embed(tei_pb2.EmbedRequest(inputs=TEXTS[2]), metadata=BEARER)
        self.assert_same(answer.embeddings, TEXTS[2:])
        answers = tei_pb2_grpc.EmbedStub(channel).EmbedStream(iter(requests(TEXTS)), metadata=BEARER, timeout=WAIT)
        self.assert_same([answer.embeddings for answer in answers], TEXTS)

    def test_keepalive(self):
        """A stream goes on with a ping every 100 ms."""
        channel = grpc.insecure_channel(TARGET, [("grpc.keepalive_time_ms", 100), ("grpc.http2.max_pings_without_data", 0)])
        self.addCleanup(channel.close)
        boards = bertd_pb2_grpc.BoardsStub(channel)
        answers = boards.Watch(bertd_pb2.WatchBoardsRequest(interval_ms=1000), metadata=BEARER, timeout=WAIT)
        for _ in range(4):
            self.assertEqual(next(answers).in_service, 2)
        answers.cancel()

    def test_bad_key(self):
        for metadata in (None, (("authorization", "Bearer other"),)):
            error = self.refused(grpc.StatusCode.UNAUTHENTICATED, "", self.embed.Embed,
                                 tei_pb2.EmbedRequest(inputs="a"), metadata=metadata)
            self.assertTrue(error.details())

    def test_refused(self):
        invalid = grpc.StatusCode.INVALID_ARGUMENT
        self.refused(invalid, "must have at most 256 tokens. Given: 402", self.embed.Embed,
                     tei_pb2.EmbedRequest(inputs=TOO_LONG))
        self.refused(invalid, "must have at most 256 tokens", self.batch.EmbedBatch,
                     bertd_pb2.EmbedBatchRequest(inputs=[TOO_LONG], truncate=False))
        self.refused(invalid, "batch size 1025 > maximum allowed batch size 1024", self.batch.EmbedBatch,
                     bertd_pb2.EmbedBatchRequest(inputs=TOO_MANY))
        self.refused(invalid, "cannot be empty", self.embed.Embed, tei_pb2.EmbedRequest())
        self.refused(grpc.StatusCode.FAILED_PRECONDITION, "", self.embed.EmbedSparse,
                     tei_pb2.EmbedSparseRequest(inputs="a"))

    def test_details(self):
        error = self.refused(grpc.StatusCode.INVALID_ARGUMENT, "", self.embed.Embed, tei_pb2.EmbedRequest(inputs=TOO_LONG))
        status, info = rpc_status.from_call(error), error_details_pb2.ErrorInfo()
        self.assertTrue(status.details[0].Unpack(info))
        self.assertEqual((info.reason, info.domain), ("VALIDATION", "bertd"))

    def test_failed_stream(self):
        """The answers before the request that fails come first."""
        answers = self.embed.EmbedStream(iter(requests([*TEXTS, TOO_LONG, "a"])), metadata=BEARER, timeout=WAIT)
        self.assert_same([next(answers).embeddings for _ in TEXTS], TEXTS)
        with self.assertRaises(grpc.RpcError):
            next(answers)
        self.assertEqual(answers.code(), grpc.StatusCode.INVALID_ARGUMENT)

    def test_deadline(self):
        texts = [f"{TEXTS[2]} {i}" for i in range(1024)]
        self.refused(grpc.StatusCode.DEADLINE_EXCEEDED, "", self.batch.EmbedBatch,
                     bertd_pb2.EmbedBatchRequest(inputs=texts), timeout=0.02)

    def test_unknown_method(self):
        call = self.channel.unary_unary("/tei.v1.Embed/Another")
        self.refused(grpc.StatusCode.UNIMPLEMENTED, "", call, b"")

    def test_health(self):
        stub = health_pb2_grpc.HealthStub(self.channel)
        for service in ("", "tei.v1.Embed"):
            answer = stub.Check(health_pb2.HealthCheckRequest(service=service))
            self.assertEqual(answer.status, health_pb2.HealthCheckResponse.SERVING)
        self.refused(grpc.StatusCode.NOT_FOUND, "", stub.Check, health_pb2.HealthCheckRequest(service="another"))
        answers = stub.Watch(health_pb2.HealthCheckRequest())
        self.assertEqual(next(answers).status, health_pb2.HealthCheckResponse.SERVING)
        answers.cancel()

    def test_reflection(self):
        database = ProtoReflectionDescriptorDatabase(self.channel)
        self.assertLessEqual({"tei.v1.Embed", "bertd.v1.Embeddings", "grpc.health.v1.Health"},
                             set(database.get_services()))
        file = database.FindFileContainingSymbol("bertd.v1.Embeddings")
        self.assertEqual((file.name, list(file.dependency)), ("bertd.proto", ["tei.proto"]))


class Asyncio(ClientTest, unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self):
        self.channel = grpc.aio.insecure_channel(TARGET)
        self.embed = tei_pb2_grpc.EmbedStub(self.channel)

    async def asyncTearDown(self):
        await self.channel.close()

    async def test_many_at_once(self):
        texts = [f"text {i % 8}" for i in range(64)]
        answers = await asyncio.gather(*(self.embed.Embed(request, metadata=BEARER) for request in requests(texts)))
        self.assert_same([answer.embeddings for answer in answers], texts)

    async def test_stream(self):
        stream = self.embed.EmbedStream(metadata=BEARER)
        for request, text in zip(requests(TEXTS), TEXTS):
            await stream.write(request)
            self.assert_same((await stream.read()).embeddings, [text])
        await stream.done_writing()
        self.assertIs(await stream.read(), grpc.aio.EOF)
        self.assertEqual(await stream.code(), grpc.StatusCode.OK)

    async def test_cancelled(self):
        stream = self.embed.EmbedStream(metadata=BEARER)
        await stream.write(requests(TEXTS)[0])
        await stream.read()
        stream.cancel()
        self.assertEqual(await stream.code(), grpc.StatusCode.CANCELLED)
        answer = await self.embed.Embed(requests(TEXTS)[0], metadata=BEARER)   # the connection goes on
        self.assert_same(answer.embeddings, TEXTS[:1])

    async def test_refused(self):
        with self.assertRaises(grpc.aio.AioRpcError) as caught:
            await self.embed.Embed(tei_pb2.EmbedRequest(inputs=TOO_LONG), metadata=BEARER)
        self.assertEqual(caught.exception.code(), grpc.StatusCode.INVALID_ARGUMENT)
