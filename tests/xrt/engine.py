#!/usr/bin/env python3
"""POST /embed computed by the engine itself: engine.py BUILD CARD [unittest's options]

bertd, the genuine XRT, and a card with accel/rtl simulated in it, CARD (target rtl-card of the preset rtl, which
tests/rtl/run builds). A short text has the bytes of an emulated board. Skipped (77) where XRT, CARD or the model is not
there.
"""
import os
import sys
import unittest

from cards import Cards, missing
from pool import SKIPPED, Server, ask, card_server, has_model

TEXTS = ["Yes."]
# The simulation takes seconds for what a card does in a millisecond.
PATIENT = {"BERTD_BOARD_TIMEOUT_SCALE": "1000"}
SHORT = ("--max-input-length", "16", "--max-batch-tokens", "64", "--request-timeout-ms", "0")


class Engine(unittest.TestCase):
    def test_a_short_text(self):
        with Server(os.path.join(BUILD, "bertd"), "--boards", "1", *SHORT) as server:
            expected = ask(server.url, TEXTS)
        with Cards(BUILD, "--compute", "rtl", "--card", CARD) as cards:
            cards.environment |= PATIENT
            with card_server(cards, "--board", "xrt:0", *SHORT) as server:
                lists = cards.counts(0)["lists_done"]
                self.assertEqual(ask(server.url, TEXTS), expected)
                self.assertGreater(cards.counts(0)["lists_done"], lists)


if __name__ == "__main__":
    if len(sys.argv) < 3 or sys.argv[1] in ("--help", "-h"):
        print(__doc__)
        sys.exit(0)
    BUILD, CARD = (os.path.abspath(sys.argv.pop(1)) for _ in range(2))
    reason = missing(BUILD)
    if not reason and not os.access(CARD, os.X_OK):
        reason = f"no {CARD}: tests/rtl/run builds it"
    if not reason and not has_model():
        reason = "the model is not there: deploy/run fetches it"
    if reason:
        print(f"skipped: {reason}")
        sys.exit(SKIPPED)
    unittest.main(verbosity=2)
