#!/usr/bin/env python3
"""bertd with boards on emulated cards, by the genuine XRT: pool.py BUILD [unittest's options]

The bytes of POST /embed are those of emulated boards: on cards alone and beside emulated boards, in all placements, for
single texts, ragged batches, more sequences and more tokens than a card's command takes. No buffer is left on a card.
Skipped (77) where XRT or the model is not there.
"""
import concurrent.futures
import json
import os
import re
import sys
import unittest
import urllib.request

from cards import Cards, await_that, missing

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from server import Server, has_model  # noqa: E402

SKIPPED = 77
WORD = "a card computes what an emulated board computes, and nobody sees the difference. "
REQUESTS = [
    ["Hello, world"],
    ["x", WORD, WORD * 3, "ragged"],
    [WORD * (1 + i % 7) for i in range(24)],             # some lists of 512 tokens
    [f"short text number {i}" for i in range(70)],       # more sequences than a command has
    [WORD * 40, "short", WORD * 20],                     # cut at 256 tokens
]


def ask(url, inputs, seconds=600):
    request = urllib.request.Request(f"{url}/embed", json.dumps({"inputs": inputs}).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=seconds) as answer:
        return answer.read()


def tasks_done(url):
    """Of each board."""
    with urllib.request.urlopen(f"{url}/metrics", timeout=60) as answer:
        lines = answer.read().decode()
    return {name: int(n) for name, n in re.findall(r'bertd_board_tasks_total\{board="([^"]*)",result="done"\} (\d+)', lines)}


def card_server(cards, *options, **more):
    """No request is late, and no board hangs so soon: a machine that others keep busy is slow."""
    return Server(os.path.join(cards.build, "bertd"), "--xclbin", cards.xclbin, "--request-timeout-ms", "0",
                  "--board-timeout-scale", "5", *options, environment=cards.environment, **more)


def given_up(url):
    """How often a card of the server was given up: the session of a host process that was killed frees nothing itself."""
    with urllib.request.urlopen(f"{url}/metrics", timeout=60) as answer:
        return sum(int(n) for n in re.findall(r'bertd_board_quarantines_total\{board="xrt[^}]*\} (\d+)', answer.read().decode()))


class Pool(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cards = cls.enterClassContext(Cards(BUILD, "--cards", "2", "--units", "2"))
        cls.killed = [0, 0]  # buffers that a killed host process left to its session's end
        with Server(os.path.join(BUILD, "bertd"), "--boards", "2") as server:
            cls.expected = [ask(server.url, inputs) for inputs in REQUESTS]

    def check(self, *options):
        with card_server(self.cards, *options) as server:
            before = tasks_done(server.url)
            for inputs, expected in zip(REQUESTS, self.expected):
                self.assertEqual(ask(server.url, inputs), expected, f"{options}: {len(inputs)} texts")
            with concurrent.futures.ThreadPoolExecutor(8) as threads:
                for inputs, bytes_of in zip(REQUESTS * 3, threads.map(lambda each: ask(server.url, each), REQUESTS * 3)):
                    self.assertEqual(bytes_of, self.expected[REQUESTS.index(inputs)], f"{options}: {len(inputs)} texts at once")
            after, lost = tasks_done(server.url), given_up(server.url)
        for board, done in after.items():
            self.assertGreater(done, before[board], f"{options}: {board} has computed nothing")
        for card in (0, 1):
            await_that(lambda: self.cards.counts(card)["process"] == 0)
            counts = self.cards.counts(card)
            if lost == 0:  # on a machine that stood still for seconds a card may have been
                self.assertEqual(counts["buffers_allocated"] - self.killed[card], counts["buffers_freed"], options)
            else:
                print(f"{options}: a card was given up {lost} times")
            self.killed[card] = counts["buffers_allocated"] - counts["buffers_freed"]
            self.assertEqual(counts["bytes_allocated"], 0)
            self.assertEqual(counts["lists_failed"], 0)
        return after

    def test_cards_in_all_placements(self):
        for placement in ("auto", "replicate", "pipeline", "split"):
            after = self.check("--board", "xrt:0", "--board", "xrt:1", "--placement", placement)
            self.assertEqual(sorted(after), ["xrt0u0", "xrt0u1", "xrt1u0", "xrt1u1"])

    def test_mixed_pools_in_all_placements(self):
        for placement in ("auto", "replicate", "pipeline", "split"):
            after = self.check("--board", "emu", "--board", "xrt:1", "--boards", "2", "--placement", placement)
            self.assertEqual(sorted(after), ["emu0", "emu1", "xrt1u0", "xrt1u1"])

    def test_without_verification(self):
        self.check("--board", "xrt:0", "--no-verify")


def build_folder(about):
    """The first argument, taken away; else what to say about the program, or that it is skipped."""
    if len(sys.argv) < 2 or sys.argv[1] in ("--help", "-h"):
        print(about)
        sys.exit(0)
    build = os.path.abspath(sys.argv.pop(1))
    if reason := missing(build) or (None if has_model() else "the model is not there: deploy/run fetches it"):
        print(f"skipped: {reason}")
        sys.exit(SKIPPED)
    return build


if __name__ == "__main__":
    BUILD = build_folder(__doc__)
    unittest.main()
