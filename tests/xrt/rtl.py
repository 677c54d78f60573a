#!/usr/bin/env python3
"""POST /embed of a short text by accel/rtl, simulated, behind the genuine XRT: rtl.py BUILD [unittest's options]

BUILD is of the preset rtl. The bytes are those of an emulated board, and so is each self-test on the way. Takes minutes.
Skipped (77) where XRT or the model is not there.
"""
import os
import unittest

from cards import Cards
from pool import ask, build_folder, card_server
from server import Server

# Simulation takes seconds a layer: nothing is late, and nothing is longer than it must be.
SLOW = ("--board-timeout-scale", "100", "--request-timeout-ms", "0", "--max-input-length", "16", "--max-batch-tokens", "64")


class Simulated(unittest.TestCase):
    def test_a_short_text(self):
        with Server(os.path.join(BUILD, "bertd"), "--boards", "1") as server:
            expected = ask(server.url, ["Hi"])
        with Cards(BUILD, "--compute", "rtl") as cards, card_server(cards, "--board", "xrt:0", *SLOW) as server:
            self.assertEqual(ask(server.url, ["Hi"], seconds=2400), expected)


if __name__ == "__main__":
    BUILD = build_folder(__doc__)
    unittest.main()
