#!/usr/bin/env python3
"""A card that another process uses: busy.py BUILD [unittest's options]

Emulated cards belong to one process each, so the driver's part is played by a host process of the tests
(tests/xrt/host/driver.cpp). A second bertd with another xclbin is refused, and takes nothing away; with the same one both
compute. A card that somebody else took while it was lost is quarantined until it is free. Skipped (77) where XRT or the
model is not there.
"""
import fcntl
import json
import os
import signal
import unittest
import urllib.request

from cards import Cards, await_that
from pool import REQUESTS, ask, build_folder, card_server, tasks_done
from server import Server

INPUTS = REQUESTS[1]
BUSY = "the card is busy with another xclbin, or reserved"


class Busy(unittest.TestCase):
    def setUp(self):
        self.cards = self.enterContext(Cards(BUILD))
        self.cards.environment["BERTD_TEST_DRIVER"] = self.driver = os.path.join(self.cards.folder, "driver")
        with open(self.driver, "wb"):
            pass
        with Server(os.path.join(BUILD, "bertd"), "--boards", "1") as server:
            self.expected = ask(server.url, INPUTS)

    def server(self, *options):
        return card_server(self.cards, "--xrt-host", os.path.join(BUILD, "tests/xrt-driver-host"), "--board", "xrt:0", *options)

    def board(self, server):
        with urllib.request.urlopen(f"{server.url}/boards", timeout=60) as answer:
            return next(board for board in json.load(answer)["boards"] if board["kind"] == "xrt")

    def test_another_xclbin_is_refused_and_nobody_loses_the_card(self):
        with self.server() as first:
            mine, self.cards.xclbin = self.cards.xclbin, self.cards.make_xclbin("other.xclbin", "--units", "2")
            with self.assertRaises(RuntimeError) as ended:
                self.server()
            last = json.loads(str(ended.exception).splitlines()[-1])
            self.assertIn("does not load on the card (bertd_emulated_card_1)", last["error"])
            self.assertIn(BUSY, last["error"])
            self.assertEqual(ask(first.url, INPUTS), self.expected)
            self.assertEqual(self.board(first)["quarantines"], 0)
        with self.server() as second:   # it is free again
            self.assertEqual(ask(second.url, INPUTS), self.expected)
        self.cards.xclbin = mine

    def test_two_with_the_same_xclbin(self):
        with self.server() as first, self.server() as second:
            for server in (first, second, first):
                done = sum(tasks_done(server.url).values())
                self.assertEqual(ask(server.url, INPUTS), self.expected)
                self.assertGreater(sum(tasks_done(server.url).values()), done)

    def test_a_card_that_somebody_else_took_is_quarantined(self):
        with self.server("--board", "emu", "--boards", "1") as server, open(self.driver, "r+b") as driver:
            fcntl.lockf(driver, fcntl.LOCK_SH)   # this process uses the card too, and ..
            os.pwrite(driver.fileno(), b"another-one", 0)   # .. has another xclbin on it as soon as it may
            device = self.cards.counts(0)["process"]
            os.kill(device, signal.SIGKILL)
            await_that(lambda: BUSY in (self.board(server)["last_error"] or {"message": ""})["message"])
            self.assertIn(self.board(server)["state"], ("quarantined", "testing"))
            self.assertEqual(ask(server.url, INPUTS), self.expected)
            fcntl.lockf(driver, fcntl.LOCK_UN)
            await_that(lambda: self.board(server)["readmissions"] == 1)
            done = self.board(server)["tasks"]["done"]
            while self.board(server)["tasks"]["done"] == done:
                self.assertEqual(ask(server.url, INPUTS), self.expected)


if __name__ == "__main__":
    BUILD = build_folder(__doc__)
    unittest.main()
