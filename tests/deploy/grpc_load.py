#!/usr/bin/env python3
"""tei.v1.Embed/Embed over and over, by grpcio over one connection, until SIGTERM.

grpc_load.py TARGET --key KEY [--at-once 4], by the Python of tests/ecosystem/install. Nothing is tried again: each call
that fails counts, and each answer with other bits than the first for its text. Writes a line of JSON.
"""
import argparse
import collections
import json
import os
import signal
import sys
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TEXTS = [f"the text number {i} of those that are asked for again and again" for i in range(50)]


class Load:
    def __init__(self, stub, messages, key):
        self.stub, self.messages = stub, messages
        self.metadata = (("authorization", f"Bearer {key}"),)
        self.lock = threading.Lock()
        self.first, self.seconds = {}, []
        self.wrong, self.errors = 0, collections.Counter()
        self.end = threading.Event()

    def ask(self, text):
        begin = time.monotonic()
        try:
            answer = self.stub.Embed(self.messages.EmbedRequest(inputs=text), metadata=self.metadata, timeout=150)
            failure, bits = None, tuple(answer.embeddings)
        except Exception as error:  # what grpcio raises has a code and words
            failure, bits = f"{error.code().name}: {error.details()}", None
        with self.lock:
            if failure:
                self.errors[failure] += 1
                return
            self.seconds.append(time.monotonic() - begin)
            self.wrong += self.first.setdefault(text, bits) != bits

    def run(self, at_once):
        def loop(number):
            while not self.end.is_set():
                self.ask(TEXTS[number % len(TEXTS)])
                number += 1
        threads = [threading.Thread(target=loop, args=(7 * i,)) for i in range(at_once)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def figures(self):
        self.seconds.sort()
        return {"requests": len(self.seconds) + self.errors.total(), "failed": self.errors.total(), "wrong": self.wrong,
                "errors": dict(self.errors), "latency_seconds": {
                    "p50": self.seconds[len(self.seconds) // 2] if self.seconds else None,
                    "max": self.seconds[-1] if self.seconds else None}}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target")
    parser.add_argument("--key", required=True)
    parser.add_argument("--at-once", type=int, default=4)
    arguments = parser.parse_args()
    sys.path.insert(0, os.path.join(ROOT, "build/ecosystem/python/stubs"))
    import grpc  # pylint: disable=import-outside-toplevel
    import tei_pb2  # pylint: disable=import-outside-toplevel
    import tei_pb2_grpc  # pylint: disable=import-outside-toplevel
    with grpc.insecure_channel(arguments.target, options=[("grpc.enable_retries", 0)]) as channel:
        load = Load(tei_pb2_grpc.EmbedStub(channel), tei_pb2, arguments.key)
        signal.signal(signal.SIGTERM, lambda *_: load.end.set())
        load.run(arguments.at_once)
    print(json.dumps(load.figures()))


if __name__ == "__main__":
    main()
