"""ONNX Runtime behind a plain FIFO, as an HTTP server: what one gets without a scheduler.

    fifo.py ONNX MODEL_DIR THREADS       prints its port

One worker takes requests in the order they came, tokenizes, pads, runs. The answer holds no floats, so that Python's
time to write them does not count against it, but says how many tokens were computed, as bertd does.
"""
import sys

if {"-h", "--help"} & set(sys.argv[1:]):
    sys.exit(print(__doc__))    # before what may not be installed

import asyncio
import json
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnxruntime
from tokenizers import BertWordPieceTokenizer, Tokenizer


def tokenizer_of(model):
    path = os.path.join(model, "tokenizer.json")
    if os.path.exists(path):
        return Tokenizer.from_file(path)
    return BertWordPieceTokenizer(os.path.join(model, "vocab.txt"))


class Engine:
    def __init__(self, onnx, model, threads):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self.session = onnxruntime.InferenceSession(onnx, options, providers=["CPUExecutionProvider"])
        self.tokenizer = tokenizer_of(model)
        self.tokenizer.enable_padding()
        self.tokenizer.enable_truncation(512)

    def run(self, body):
        """(answer, tokens)"""
        encodings = self.tokenizer.encode_batch(json.loads(body)["inputs"])
        ids = np.array([encoding.ids for encoding in encodings], dtype=np.int64)
        mask = np.array([encoding.attention_mask for encoding in encodings], dtype=np.int64)
        vectors = self.session.run(None, {"input_ids": ids, "attention_mask": mask})[0]
        return json.dumps({"vectors": len(vectors)}).encode(), int(mask.sum())


class Front:
    def __init__(self, engine):
        self.engine = engine
        self.worker = ThreadPoolExecutor(1)

    async def serve(self, reader, writer):
        loop = asyncio.get_running_loop()
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = next((int(line.split(b":")[1]) for line in head.split(b"\r\n")
                               if line.lower().startswith(b"content-length:")), 0)
                body = await reader.readexactly(length)
                answer, tokens = await loop.run_in_executor(self.worker, self.engine.run, body)
                writer.write(b"HTTP/1.1 200 OK\r\nX-Compute-Tokens: %d\r\nContent-Length: %d\r\n\r\n" %
                             (tokens, len(answer)) + answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


async def main():
    onnx, model, threads = sys.argv[1:]
    front = Front(Engine(onnx, model, int(threads)))
    server = await asyncio.start_server(front.serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
