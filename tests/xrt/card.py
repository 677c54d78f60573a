#!/usr/bin/env python3
"""The genuine XRT and an emulated card: card.py BUILD [unittest's options]

A host in C without bertd (tests/xrt/host/lists.c) loads xclbins and runs lists; faults, counts, what is refused. Skipped
(77) where XRT is not there.
"""
import os
import signal
import subprocess
import sys
import unittest

from cards import Cards, Host, await_that, missing

SKIPPED = 77
GOOD = "state 4, status 0, same bits"
RUNNING = "state 3"


def lists_host(cards, card=0, unit=1, seconds=20, xclbin=None):
    return Host(cards, os.path.join(cards.build, "tests/xrt-lists"), xclbin or cards.xclbin, str(card),
                f"bertd_kernel_{unit}", str(seconds))


def read(path):
    with open(path, "rb") as file:
        return file.read()


class Lists(unittest.TestCase):
    def setUp(self):
        self.cards = self.enterContext(Cards(BUILD, "--cards", "2", "--units", "2"))

    def test_every_unit_of_two_cards(self):
        hosts = [self.enterContext(lists_host(self.cards, card, unit)) for card in (0, 1) for unit in (1, 2)]
        for host in hosts:
            host.await_line("ready")
            host.say(5)
        for host in hosts:
            status, words = host.end()
            self.assertEqual(status, 0, words)
            self.assertEqual(words.count(GOOD), 5, words)
        for card in (0, 1):
            await_that(lambda: self.cards.counts(card)["process"] == 0)
            counts = self.cards.counts(card)
            self.assertEqual(counts["lists"], 10)
            self.assertEqual(counts["lists_done"], 10)
            self.assertEqual(counts["lists_failed"], 0)
            self.assertEqual(counts["starts"], 2)

    def test_buffers_are_counted(self):
        with lists_host(self.cards) as host:
            host.await_line("ready")
            before = self.cards.counts(0)
            host.say(200)
            status, words = host.end()
            self.assertEqual((status, words.count(GOOD)), (0, 200), words)
        await_that(lambda: self.cards.counts(0)["process"] == 0)
        counts = self.cards.counts(0)
        self.assertGreater(before["bytes_allocated"], 0)
        self.assertEqual(counts["buffers_allocated"], counts["buffers_freed"])
        self.assertEqual((counts["buffers_left"], counts["bytes_allocated"]), (0, 0))
        self.assertGreaterEqual(counts["transfers_in"] - before["transfers_in"], 600)
        self.assertGreaterEqual(counts["bytes_out"], 200 * 40 * 64 * 4)

    def test_a_host_that_is_killed_leaves_buffers_and_no_process(self):
        with lists_host(self.cards) as host:
            host.await_line("ready")
            self.assertGreater(self.cards.counts(0)["process"], 0)
            os.kill(host.process.pid, signal.SIGKILL)
            await_that(lambda: self.cards.counts(0)["process"] == 0)
        self.assertGreater(self.cards.counts(0)["buffers_left"], 0)
        self.check_good()

    def check_good(self, card=0):
        with lists_host(self.cards, card) as host:
            host.say(1)
            host.await_line(GOOD)
            self.assertEqual(host.end()[0], 0)

    def test_lists_that_hang(self):
        self.cards.fault(0, "hang")
        with lists_host(self.cards, seconds=1) as host:
            host.say(1)
            host.await_line(RUNNING)
        self.check_good()

    def test_a_process_that_dies(self):
        self.cards.fault(0, "die")
        with lists_host(self.cards, seconds=1) as host:
            host.say(1)
            self.assertNotIn(GOOD, host.end()[1])
        self.check_good()

    def test_lists_that_are_slow(self):
        with lists_host(self.cards, seconds=1) as host:
            host.await_line("ready")
            self.cards.fault(0, "slow", 1, 100_000)
            host.say(2)
            self.assertEqual(host.end()[1].count(GOOD), 2)
        with lists_host(self.cards, seconds=1) as host:
            host.await_line("ready")
            self.cards.fault(0, "slow", 1, 3_000_000_000)
            host.say(1)
            host.await_line(RUNNING)

    def test_transfers_that_are_corrupted(self):
        for kind in ("corrupt-in", "corrupt-out"):
            with lists_host(self.cards) as host:
                host.await_line("ready")
                self.cards.fault(0, kind, 1, 10_000)   # the rows
                host.say(2)
                self.assertIn("other bits", host.await_line("state 4"))
                self.assertEqual(host.await_line("state 4"), GOOD)

    def test_a_card_that_is_lost_and_comes_back(self):
        with lists_host(self.cards, seconds=1) as host:
            host.await_line("ready")
            self.cards.fault(0, "lose")
            host.say(1)
            with lists_host(self.cards) as second:
                self.assertNotIn("ready", second.end()[1])
            self.check_good(card=1)
        self.cards.fault(0, "lose", 0)
        self.check_good()


class Xclbins(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cards = cls.enterClassContext(Cards(BUILD))

    def refused(self, xclbin, words):
        with lists_host(self.cards, xclbin=xclbin) as host:
            host.say(1)
            status, said = host.end()
        self.assertNotEqual(status, 0)
        self.assertIn(words, said)

    def test_another_kernel(self):
        self.refused(self.cards.make_xclbin("kernel", "--kernel", "vadd"), "xrtPLKernelOpen")

    def test_an_argument_less(self):
        self.refused(self.cards.make_xclbin("argument", "--without", "count"), "xrtRunSetArg")

    def test_no_xclbin(self):
        self.refused(os.path.join(self.cards.folder, "nowhere"), "xrtDeviceLoadXclbinFile")

    def test_the_card_refuses_it(self):
        self.cards.fault(0, "refuse")
        self.refused(self.cards.xclbin, "xrtDeviceLoadXclbinFile")

    def test_the_same_options_make_the_same_file(self):
        first, again, other = (read(self.cards.make_xclbin(f"same{i}", "--units", units))
                               for i, units in enumerate(("2", "2", "3")))
        self.assertEqual(first, again)
        self.assertNotEqual(first, other)

    def test_options_that_are_none(self):
        for options in (["--units", "0"], ["--units", "17"], ["--color", "red"], ["--uuid", "12"], ["--units"], ["--rows", "x"]):
            done = subprocess.run([self.cards.program("bertd-xclbin"), os.path.join(self.cards.folder, "bad"), *options],
                                  stderr=subprocess.PIPE, text=True)
            self.assertNotEqual(done.returncode, 0, options)
            self.assertTrue(done.stderr, options)
        self.assertFalse(os.path.exists(os.path.join(self.cards.folder, "bad")))

    def test_faults_that_are_none(self):
        done = subprocess.run([self.cards.program("bertd-card"), "fault", self.cards.control(0), "explode"],
                              stderr=subprocess.PIPE, text=True)
        self.assertEqual(done.returncode, 2)
        self.assertIn("explode", done.stderr)


class Repair(unittest.TestCase):
    """The copy of the shim that the cards' environment has."""

    def test_once_is_enough(self):
        with Cards(BUILD) as cards:
            shim = os.path.join(cards.folder, "xrt/lib/libxrt_swemu.so.2")
            with open(os.path.join(cards.folder, "run/repair.log"), encoding="utf-8") as file:
                path, told = file.read().split(": ")
            places = int(told.split()[0])
            changed = sum(a != b for a, b in zip(read(path), read(shim), strict=True))
            self.assertEqual(changed, places)
            again = subprocess.check_output([cards.program("bertd-xrt-repair"), shim, shim + ".again"], text=True)
            self.assertIn(": 0 places", again)


class Simulated(unittest.TestCase):
    """accel/rtl behind the genuine XRT: the smallest array where the benches of accel/rtl are built."""

    def test_a_list(self):
        small = os.path.join(BUILD, "tests/rtl/rtl-card")
        options = ["--card", small] if os.path.exists(small) else []
        with Cards(BUILD, "--compute", "rtl", *options) as cards, lists_host(cards, seconds=500) as host:
            host.say(1)
            try:
                host.await_line("ready")
            except AssertionError as ended:
                if "built without" not in str(ended):
                    raise
                self.skipTest("the build has no simulated engine: preset rtl")
            self.assertEqual(host.await_line("state", seconds=500), GOOD)
            self.assertEqual(host.end()[0], 0)


if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] in ("--help", "-h"):
        print(__doc__)
        sys.exit(0)
    BUILD = sys.argv.pop(1)
    if reason := missing(BUILD):
        print(f"skipped: {reason}")
        sys.exit(SKIPPED)
    unittest.main(verbosity=2)
