#!/usr/bin/env python3
"""Cards that fail under bertd: faults.py BUILD [unittest's options]

While requests come without a pause, a card's device process or its host process is killed, stopped, hangs, is slow,
corrupts transfers, or is gone for a while. Every request is answered, with the bytes of an emulated board; the card comes
back and computes; bertd lives on. Skipped (77) where XRT or the model is not there.
"""
import os
import re
import signal
import sys
import threading
import unittest
import urllib.request

from cards import Cards, await_that
from pool import REQUESTS, ask, build_folder, card_server, tasks_done
from server import Server

PATIENCE = 400   # seconds: of a machine that others keep busy


def metric(url, name, board):
    with urllib.request.urlopen(f"{url}/metrics", timeout=60) as answer:
        text = answer.read().decode()
    return int(re.search(rf'^{name}{{board="{board}"[^}}]*}} (\d+)', text, re.M)[1])


def has_ended(pid):
    """A process that nobody waits for, as in a container without an init, ends and stays."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            return file.read().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


class Load:
    """Requests one after the other in some threads, until the end of a `with`: all are answered, with the right bytes."""

    def __init__(self, url, expected):
        self.url, self.expected = url, expected
        self.wrong, self.answered, self.over = [], 0, threading.Event()
        self.threads = [threading.Thread(target=self._run, args=(i,)) for i in range(3)]

    def _run(self, i):
        while not self.over.is_set() and not self.wrong:
            which = i % len(self.expected)
            try:
                if ask(self.url, REQUESTS[which]) != self.expected[which]:
                    self.wrong.append(f"request {which}: other bytes")
            except Exception as error:  # any failure of a request is one
                self.wrong.append(f"request {which}: {error}")
            self.answered += 1
            i += 1

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join()


class Faults(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cards = cls.enterClassContext(Cards(BUILD, "--cards", "2"))
        with Server(os.path.join(BUILD, "bertd"), "--boards", "2") as server:
            cls.expected = [ask(server.url, inputs) for inputs in REQUESTS[:4]]

    def setUp(self):
        self.server = self.enterContext(card_server(self.cards, *self.boards))
        self.load = self.enterContext(Load(self.server.url, self.expected))

    def back(self, since):
        """The first card has been taken out since, and has come back."""
        return metric(self.server.url, "bertd_board_readmissions_total", "xrt0") > since

    def check(self, cause, mend=None):
        url = self.server.url
        before = metric(url, "bertd_board_readmissions_total", "xrt0")
        quarantined = metric(url, "bertd_board_quarantines_total", "xrt0")
        cause()
        await_that(lambda: metric(url, "bertd_board_quarantines_total", "xrt0") > quarantined or self.load.wrong, PATIENCE)
        if mend:
            mend()
        await_that(lambda: self.back(before) or self.load.wrong, PATIENCE)
        done, answered = tasks_done(url)["xrt0"], self.load.answered
        await_that(lambda: (tasks_done(url)["xrt0"] > done and self.load.answered > answered + 3) or self.load.wrong, PATIENCE)
        self.assertEqual(self.load.wrong, [])
        self.assertIsNone(self.server.process.poll(), "bertd has ended")

    def fault(self, *words):
        return lambda: self.cards.fault(0, *words)

    def test_the_device_process_dies_in_a_list(self):
        self.check(self.fault("die"))

    def test_a_list_hangs(self):
        self.check(self.fault("hang"))

    def test_a_list_is_slow(self):
        self.check(self.fault("slow", 1, 100_000_000))   # microseconds: longer than any list is waited for

    def test_transfers_are_corrupted(self):
        self.check(self.fault("corrupt-in", 1, 1000))
        self.check(self.fault("corrupt-out", 1, 1000))

    def test_the_processes_are_killed(self):
        self.check(lambda: os.kill(self.cards.counts(0)["process"], signal.SIGKILL))
        self.check(lambda: os.kill(self.host(), signal.SIGKILL))

    def host(self):
        """The host process of the first card: its device process is a child of it."""
        device = self.cards.counts(0)["process"]
        with open(f"/proc/{device}/status", encoding="ascii") as file:
            return int(re.search(r"PPid:\s*(\d+)", file.read())[1])

    def test_the_device_process_is_stopped(self):
        process = self.cards.counts(0)["process"]
        self.check(lambda: os.kill(process, signal.SIGSTOP))
        await_that(lambda: has_ended(process), PATIENCE)

    def test_the_card_is_lost_and_returns(self):
        tests = lambda: sum("board failed its test" in line for line in self.server.words)  # noqa: E731
        def mend():
            await_that(lambda: tests() > 0, PATIENCE)
            self.cards.fault(0, "lose", 0)
        self.check(self.fault("lose"), mend)


class BesideEmulatedBoards(Faults):
    boards = ("--board", "xrt:0", "--board", "emu", "--boards", "1")


class TwoCards(Faults):
    boards = ("--board", "xrt:0", "--board", "xrt:1")


del Faults

if __name__ == "__main__":
    BUILD = build_folder(__doc__)
    unittest.main()
