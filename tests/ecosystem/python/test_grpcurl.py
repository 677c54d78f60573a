"""grpcurl, which learns the services from the server's reflection."""
import json
import subprocess

from bertd import KEY, TARGET, TEXTS, TOO_LONG, WIDTH, ClientTest

BEARER = ("-H", f"authorization: Bearer {KEY}")


def grpcurl(*arguments, data=None):
    """What it did, with data as its standard input: the requests."""
    options = ("-d", "@") if data is not None else ()
    command = ["grpcurl", "-plaintext", "-max-time", "60", *options, *arguments]
    return subprocess.run(command, input=data, capture_output=True, text=True, timeout=120)


def messages(words):
    """The JSON values of a text, one behind the other."""
    decoder, found = json.JSONDecoder(), []
    while words := words.lstrip():
        value, end = decoder.raw_decode(words)
        found.append(value)
        words = words[end:]
    return found


class Grpcurl(ClientTest):
    def answers(self, *arguments, **options):
        done = grpcurl(*arguments, **options)
        self.assertEqual(done.returncode, 0, done.stderr)
        return messages(done.stdout)

    def test_list(self):
        done = grpcurl(TARGET, "list")
        self.assertLessEqual({"tei.v1.Embed", "bertd.v1.Embeddings", "grpc.health.v1.Health"}, set(done.stdout.split()))

    def test_describe(self):
        done = grpcurl(TARGET, "describe", "bertd.v1.EmbedBatchRequest")
        self.assertIn(".tei.v1.TruncationDirection truncation_direction = 4;", done.stdout)

    def test_unary(self):
        (answer,) = self.answers(*BEARER, TARGET, "tei.v1.Embed/Embed", data=json.dumps({"inputs": TEXTS[1]}))
        self.assert_same(answer["embeddings"], TEXTS[1:2])

    def test_bidirectional_stream(self):
        data = "".join(json.dumps({"inputs": text}) for text in TEXTS)
        answers = self.answers(*BEARER, TARGET, "tei.v1.Embed/EmbedStream", data=data)
        self.assert_same([answer["embeddings"] for answer in answers], TEXTS)

    def test_gzip(self):
        (answer,) = self.answers(*BEARER, "-H", "grpc-accept-encoding: gzip", TARGET, "tei.v1.Embed/Embed",
                                 data=json.dumps({"inputs": TEXTS[0]}))
        self.assertEqual(len(answer["embeddings"]), WIDTH)

    def test_health(self):
        self.assertEqual(self.answers(TARGET, "grpc.health.v1.Health/Check"), [{"status": "SERVING"}])

    def test_refused(self):
        done = grpcurl(*BEARER, TARGET, "tei.v1.Embed/Embed", data=json.dumps({"inputs": TOO_LONG}))
        self.assertIn("Code: InvalidArgument", done.stderr)
        self.assertIn("must have at most 256 tokens", done.stderr)

    def test_bad_key(self):
        done = grpcurl(TARGET, "tei.v1.Embed/Embed", data=json.dumps({"inputs": "a"}))
        self.assertIn("Code: Unauthenticated", done.stderr)

    def test_deadline(self):
        texts = [f"{TEXTS[2]} {i}" for i in range(1024)]
        done = grpcurl(*BEARER, "-max-time", "0.1", TARGET, "bertd.v1.Embeddings/EmbedBatch", data=json.dumps({"inputs": texts}))
        self.assertIn("Code: DeadlineExceeded", done.stderr)
