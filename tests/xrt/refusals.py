#!/usr/bin/env python3
"""What bertd says where a card cannot be used: refusals.py BUILD [unittest's options]

A wrong xclbin, another platform, XRT that is not set up, no card, a card that does not work: each ends the start with a
message that names the thing, and no crash. Skipped (77) where XRT or the model is not there.
"""
import json
import os
import struct
import subprocess
import sys
import unittest

from cards import Cards, coreutil, xrt_release
from pool import REQUESTS, ask, build_folder, card_server
from server import model_dir

USAGE, BROKEN = 2, 1   # exit codes: whoever starts it is to do something else; the card is at fault


class Refusals(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cards = cls.enterClassContext(Cards(BUILD, "--cards", "2"))
        cls.emconfig = os.path.join(cls.cards.folder, "emconfig.json")

    def refused(self, code, *words, xclbin=None, board="xrt:0", options=(), timeout_scale=5, without=(), **variables):
        environment = {k: v for k, v in (self.cards.environment | variables).items() if k not in without}
        done = subprocess.run(
            [os.path.join(BUILD, "bertd"), "--model-id", model_dir(), "--port", "0", "--json-output", "--board", board,
             "--xclbin", xclbin or self.cards.xclbin, "--board-timeout-scale", str(timeout_scale), *options],
            env=environment, stderr=subprocess.PIPE, text=True, timeout=120, check=False)
        last = json.loads(done.stderr.splitlines()[-1])
        self.assertEqual((last["message"], done.returncode), ("cannot start", code), done.stderr)
        for each in words:
            self.assertIn(each, last["error"])

    def make(self, *options):
        return self.cards.make_xclbin("wrong.xclbin", *options)

    def write(self, content):
        path = os.path.join(self.cards.folder, "file.xclbin")
        with open(path, "wb") as file:
            file.write(content)
        return path

    def test_xclbins_of_something_else(self):
        self.refused(USAGE, "its kernel is vadd, not bertd_kernel: it was not built from accel/rtl", xclbin=self.make("--kernel", "vadd"))
        for name in ("list", "count", "record", "weights"):
            self.refused(USAGE, "bertd_kernel has 3 arguments, this program writes 4", "another version of the engine",
                         xclbin=self.make("--without", name))
        self.refused(USAGE, "was built for the platform other_card_1; the card has bertd_emulated_card_1",
                     xclbin=self.make("--platform", "other_card_1"))
        self.refused(BROKEN, "board xrt0: ", "the engine on the card has version 9; this program was written for",
                     xclbin=self.make("--version", "9"))

    def test_files_that_are_no_xclbins(self):
        with open(self.cards.xclbin, "rb") as file:
            whole = file.read()
        self.refused(USAGE, "--xclbin /no/such.xclbin: No such file or directory", xclbin="/no/such.xclbin")
        self.refused(USAGE, "is not an xclbin", xclbin=self.cards.folder)
        self.refused(USAGE, "is not an xclbin", xclbin=self.write(b""))
        self.refused(USAGE, "is not an xclbin", xclbin=self.write(b"garbage" * 1000))
        self.refused(USAGE, "it is not all there", xclbin=self.write(whole[:-100]))
        pipe = os.path.join(self.cards.folder, "pipe.xclbin")
        os.mkfifo(pipe)
        self.refused(USAGE, "is not an xclbin", xclbin=pipe)
        self.refused(USAGE, "is not an xclbin that XRT can read", xclbin=self.write(whole.replace(b"<project", b"<<<<<<<<")))

    def test_xclbins_with_sections_behind_their_end(self):
        with open(self.cards.xclbin, "rb") as file:
            whole = file.read()
        head, sections, section_bytes, many = 304, 456, 40, 0x10000   # struct axlf of XRT's xclbin.h
        n, = struct.unpack_from("<I", whole, head + 144)
        wrong = [("<Q", head, 0), ("<Q", head, 500), ("<Q", head, len(whole) // 2), ("<I", head + 144, many), ("<I", head + 144, (1 << 32) - 1)]
        for i in (0, n - 1):
            for field in (24, 32):   # the section's begin and its size
                wrong += [("<Q", sections + i * section_bytes + field, value) for value in (1 << 40, (1 << 64) - 8)]
        for form, at, value in wrong:
            damaged = bytearray(whole)
            struct.pack_into(form, damaged, at, value)
            self.refused(USAGE, "is damaged: it has sections behind its end", xclbin=self.write(damaged))

    def test_xrt_that_finds_its_driver_by_the_environment(self):
        if xrt_release() >= (2, 16):
            self.skipTest("this release looks beside its own library")
        self.refused(USAGE, "XILINX_XRT is not set in the environment", without=["XILINX_XRT"])
        self.refused(USAGE, "XILINX_XRT is /tmp, but there is no /tmp/lib/libxrt_core.so.2", XILINX_XRT="/tmp")

    def test_xrt_that_finds_its_driver_beside_its_own_library(self):
        if xrt_release() < (2, 16):
            self.skipTest("this release needs XILINX_XRT")
        alone = self.cards.folder + "/alone" + os.path.dirname(coreutil()).removeprefix("/usr")
        os.makedirs(alone)
        os.symlink(coreutil(), os.path.join(alone, os.path.basename(coreutil())))
        self.refused(USAGE, "card 0: XRT does not find the library of its driver", f"{alone}/libxrt_swemu.so.2",
                     LD_LIBRARY_PATH=alone, without=["XILINX_XRT"])
        del self.cards.environment["XILINX_XRT"]   # and needs no more
        with card_server(self.cards, "--board", "xrt:0") as server:
            ask(server.url, REQUESTS[0])

    def test_emulation_that_is_not_set_up(self):
        self.refused(USAGE, "XILINX_VITIS is not set", without=["XILINX_VITIS"])

    def test_host_processes_that_are_none(self):
        self.refused(USAGE, "there is no /no/such/host, which opens cards", options=["--xrt-host", "/no/such/host"])
        self.refused(USAGE, "there is no /tmp, which opens cards (Is a directory)", options=["--xrt-host", "/tmp"])
        text = self.write(b"no program")
        os.chmod(text, 0o700)
        self.addCleanup(os.chmod, text, 0o600)
        self.refused(USAGE, f"{text} does not start: Exec format error", options=["--xrt-host", text])
        self.refused(BROKEN, "its host process ended with exit code 1", options=["--xrt-host", "/bin/false"])

    def test_a_log_that_cannot_be_written(self):
        self.refused(USAGE, "BERTD_XRT_LOG is /no/such/log: No such file or directory", BERTD_XRT_LOG="/no/such/log")

    def test_cards_that_there_are_not(self):
        self.refused(BROKEN, "card 7: XRT sees 2 cards, the last is 1", board="xrt:7")
        self.refused(BROKEN, "card 0: XRT sees no card", without=["XCL_EMULATION_MODE"])
        self.refused(BROKEN, "card 0000:65:00.1 does not open", board="xrt:0000:65:00.1")

    def test_a_card_with_too_little_memory(self):
        with open(self.emconfig, encoding="ascii") as file:
            whole = file.read()
        try:
            with open(self.emconfig, "w", encoding="ascii") as file:
                file.write(whole.replace("16GB", "4MB"))
            self.refused(BROKEN, "board xrt0: the card's memory (group 0) has no space for", "a smaller model")
        finally:
            with open(self.emconfig, "w", encoding="ascii") as file:
                file.write(whole)

    def failing(self, *fault):
        self.cards.fault(0, *fault)
        self.addCleanup(self.cards.fault, 0, fault[0], 0)

    def test_a_card_that_refuses_the_xclbin(self):
        self.failing("refuse")
        self.refused(BROKEN, "does not load on the card (bertd_emulated_card_1)")

    def test_a_card_that_hangs(self):
        self.failing("hang")
        self.refused(BROKEN, "self-test of board xrt0: it did not end within 5.0 seconds", timeout_scale=1)
        self.failing("hang")
        self.refused(BROKEN, "self-test of board xrt0: it did not end within 10.0 seconds", timeout_scale=2)

    def test_a_card_that_corrupts(self):
        self.failing("corrupt-in", 1, 100)
        self.refused(BROKEN, "the model on the card is not what was sent")


if __name__ == "__main__":
    BUILD = build_folder(__doc__)
    unittest.main()
