#!/usr/bin/env python3
"""Nothing is left behind by requests on a card: leaks.py BUILD [--requests N] [unittest's options]

After 10,000 requests, with tests of the boards in between and a card that was lost once, the card has as many buffers and
as many bytes in them as before, bertd and the host process have as many files open, and about as much memory. The device
process counts the buffers. And bertd that is killed leaves no process. Skipped (77) where XRT or the model is not there.
"""
import http.client
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import unittest

from cards import Cards, await_that
from faults import has_ended
from pool import build_folder, card_server, tasks_done
from server import model_dir

THREADS = 8
MOST_MORE_KIB = 16 * 1024   # allocators keep some


def parent_of(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return int(re.search(r"PPid:\s*(\d+)", file.read())[1])


def files_of(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def anonymous_kib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return int(re.search(r"RssAnon:\s*(\d+)", file.read())[1])


class Leaks(unittest.TestCase):
    def setUp(self):
        self.cards = self.enterContext(Cards(BUILD, "--units", "2"))
        # AddressSanitizer keeps what was freed, up to 256 MiB, and that would be counted.
        self.cards.environment["ASAN_OPTIONS"] = "allocator_may_return_null=1:quarantine_size_mb=1"
        options = ("--board", "xrt:0", "--board", "emu", "--boards", "1", "--placement", "replicate")
        self.server = self.enterContext(card_server(self.cards, *options))
        self.wrong = []

    def ask(self, which, n):
        connection = http.client.HTTPConnection(self.server.url.removeprefix("http://"), timeout=600)
        for i in range(which, n, THREADS):
            connection.request("POST", "/embed", json.dumps({"inputs": f"text {i % 100}"}), {"Content-Type": "application/json"})
            answer = connection.getresponse()
            body = answer.read()
            if answer.status != 200:
                self.wrong.append(body)
        connection.close()

    def requests(self, n):
        threads = [threading.Thread(target=self.ask, args=(which, n)) for which in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(self.wrong, [])

    def on_card(self):
        """Buffers, also those of device processes that died, and bytes in those of the present one."""
        counts = self.cards.counts(0)
        return counts["buffers_allocated"] - counts["buffers_freed"], counts["bytes_allocated"]

    def processes(self):
        return self.server.process.pid, parent_of(self.cards.counts(0)["process"])

    def files(self):
        """How many each has open; None while a host process ends or begins."""
        try:
            return [files_of(pid) for pid in self.processes()]
        except (OSError, TypeError):
            return None

    def memory(self):
        return [anonymous_kib(pid) for pid in self.processes()]

    def test_requests_leave_nothing(self):
        self.requests(200)
        buffers, files, memory = self.on_card(), self.files(), self.memory()
        self.assertGreater(buffers[0], 0)
        lists = self.cards.counts(0)["lists"]
        self.requests(REQUESTS)
        self.assertGreater(self.cards.counts(0)["lists"], lists, "the emulated board has not done all of it")
        await_that(lambda: self.on_card() == buffers)   # a board may be in the middle of its test
        await_that(lambda: self.files() == files)       # connections end by and by
        for before, then in zip(memory, self.memory()):
            self.assertLess(then - before, MOST_MORE_KIB)

    def test_a_card_that_was_lost_leaves_nothing(self):
        self.requests(200)
        (_, bytes_there), files = self.on_card(), self.files()
        for _ in range(3):
            done = sum(tasks_done(self.server.url).values())
            self.cards.fault(0, "die")
            self.requests(200)
            await_that(lambda: sum(tasks_done(self.server.url).values()) > done)
        await_that(lambda: self.on_card()[1] == bytes_there)
        await_that(lambda: self.files() == files)


class Killed(unittest.TestCase):
    """bertd, while its host process is caught in a call of XRT: the card never says a word."""

    def test_no_process_is_left(self):
        folder = self.enterContext(tempfile.TemporaryDirectory(prefix="bertd-mute-"))
        mute, told = os.path.join(folder, "mute-card"), os.path.join(folder, "told")
        with open(mute, "w", encoding="utf-8") as script:
            script.write(f"#!/bin/sh\necho $$ $PPID > {told}.new; mv {told}.new {told}; exec sleep 100\n")
        os.chmod(mute, 0o700)
        cards = self.enterContext(Cards(BUILD, "--card", mute))
        bertd = subprocess.Popen([os.path.join(BUILD, "bertd"), "--model-id", model_dir(), "--port", "0", "--board", "xrt:0",
                                  "--xclbin", cards.xclbin, "--board-timeout-scale", "20"],
                                 env=cards.environment, stderr=subprocess.DEVNULL)
        try:
            await_that(lambda: os.path.exists(told))
        finally:
            bertd.kill()
            bertd.wait()
        with open(told, encoding="ascii") as file:
            device, host = file.read().split()
        await_that(lambda: has_ended(device) and has_ended(host))


if __name__ == "__main__":
    BUILD = build_folder(__doc__)
    REQUESTS = 10_000
    if "--requests" in sys.argv:
        at = sys.argv.index("--requests")
        REQUESTS = int(sys.argv[at + 1])
        del sys.argv[at:at + 2]
    unittest.main()
