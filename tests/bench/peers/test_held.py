#!/usr/bin/env python3
"""What holds the engines of tests/bench/peers to one instruction set: test_held.py BUILD, a CMake build with benches."""
import contextlib
import ctypes
import io
import json
import os
import signal
import subprocess
import sys
import unittest

import compare
import held
import report

OLDER = {"amx": ["avx512vnni", "avx2"], "avx512vnni": ["avx2"], "avxvnni": ["avx2"]}
NEWEST = """
import ctypes, subprocess, sys, threading
ask = ctypes.CDLL(None).hide_newest_seen
ask.restype = ctypes.c_char_p
thread = threading.Thread(target=lambda: print(ask().decode(), flush=True))
thread.start()
thread.join()
if sys.argv[1:]:
    subprocess.run([sys.executable, "-c", sys.argv[1]], check=True)
"""
SETS = ["c", "avx2", "avx512vnni", "amx"]
BUILD = ""


class Stub:
    """What report.py and place_of() want of limits, and of options."""
    isa, threads, gmacs, read_gb_s = "avx2", 2, 160.0, 20.0


def machine(environment):
    run = subprocess.run([os.path.join(BUILD, "tests", "bench", "bench-machine"), "1"], env=os.environ | environment,
                         check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(run.stdout)


def cpuid_faults():
    get, set_, syscall = 0x1011, 0x1012, ctypes.CDLL(None, use_errno=True).syscall
    arch_prctl = 158
    if os.uname().machine != "x86_64" or syscall(arch_prctl, set_, 0) != 0:
        return False
    syscall(arch_prctl, set_, 1)
    return syscall(arch_prctl, get, 0) == 1


def parse(*words, faults=True):
    """(options, what was said) of a command line, on a machine whose CPUID faults or does not."""
    said = io.StringIO()

    def stand_in(self):
        self.hidden = faults
        return faults
    can_hide, held.Held.can_hide = held.Held.can_hide, stand_in
    has_bf16, compare.has_bf16 = compare.has_bf16, lambda: True
    try:
        with contextlib.redirect_stderr(said):
            return compare.parse_options(list(words)), said.getvalue()
    finally:
        held.Held.can_hide, compare.has_bf16 = can_hide, has_bf16


class Hiding(unittest.TestCase):
    """The library itself."""

    def setUp(self):
        if not cpuid_faults():
            self.leave("CPUID of this machine does not fault")

    def leave(self, why):
        print(f"\nskipped: {why}", flush=True)
        self.skipTest(why)

    def held(self, isa):
        return held.Held(isa, BUILD, lambda name, why: self.fail(f"{name} is left out: {why}"))

    def test_programs_find_the_set(self):
        native = machine({"BERTD_CPU_MASK": "amx"})["isa"]
        sets = OLDER.get(native, [])
        if not sets:
            self.leave(f"this machine has nothing newer than {native}")
        for isa in sets:
            self.assertTrue(self.held(isa).can_hide(), isa)
            self.assertEqual(machine(self.held(isa).by_hiding())["isa"], isa)

    def test_threads_and_children(self):
        for isa in held.SETS:
            run = subprocess.run([sys.executable, "-c", NEWEST, NEWEST], env=os.environ | self.held(isa).by_hiding(),
                                 stdout=subprocess.PIPE, text=True, check=True)
            seen = run.stdout.split()
            self.assertEqual(len(seen), 2)
            self.assertLessEqual(max(map(SETS.index, seen)), SETS.index(isa))

    def test_a_fault_of_the_program_ends_it(self):
        run = subprocess.run([sys.executable, "-c", "import ctypes; ctypes.string_at(0)"],
                             env=os.environ | self.held("avx2").by_hiding(), check=False, timeout=60)
        self.assertEqual(run.returncode, -signal.SIGSEGV)

    def test_a_set_that_it_does_not_know(self):
        run = subprocess.run(["/bin/true"], env=os.environ | self.held("avx2").by_hiding() | {"BENCH_HIDE": "avx3"},
                             stderr=subprocess.PIPE, text=True, check=False)
        self.assertEqual(run.returncode, 3)
        self.assertIn("BENCH_HIDE", run.stderr)


class Choice(unittest.TestCase):
    def test_nobody_is_held(self):
        options, said = parse()
        self.assertEqual((options.peers, options.left_out, said), (compare.PEERS, {}, ""))
        self.assertEqual([options.held.peer(name) for name in options.peers], [{}] * len(options.peers))
        self.assertEqual(options.held.bertd(), {})

    def test_all_are_held(self):
        options, said = parse("--isa", "avx2")
        self.assertEqual(options.peers, [name for name in compare.PEERS if name not in compare.BF16_PEERS])
        self.assertEqual(list(options.left_out), compare.BF16_PEERS)
        self.assertIn("torch-bf16 is left out: avx2 has no products of bf16", said)
        for name in options.peers:
            self.assertEqual(options.held.peer(name)["BENCH_HIDE"], "avx2")
        self.assertEqual(options.held.bertd(), {"BERTD_CPU_MASK": "avx2"})
        self.assertEqual(options.limits.environment["BERTD_CPU_MASK"], "avx2")

    def test_without_faults_of_cpuid(self):
        options, said = parse("--isa", "avx512vnni", "--peers", *compare.INT8_PEERS, faults=False)
        self.assertEqual(options.peers, ["openvino-int8"])
        self.assertEqual(options.held.peer("openvino-int8"), {"ONEDNN_MAX_CPU_ISA": "AVX512_CORE_VNNI",
                                                              "OV_CPU_MAX_ISA": "AVX512_CORE_VNNI"})
        self.assertIn("onnxruntime-int8 is left out: it cannot be held to avx512vnni", said)
        with self.assertRaisesRegex(SystemExit, "no peer can be held to avx2"):
            parse("--isa", "avx2", "--peers", "onnxruntime-int8", faults=False)

    def test_a_library_that_is_not_loaded(self):
        """The loader only warns of it."""
        one = held.Held("c", BUILD, None)
        one.hide = os.path.join(BUILD, "missing.so")
        self.assertFalse(one.can_hide())

    def test_a_peer_that_is_not_held(self):
        options, _ = parse("--isa", "avx2")
        options.held.check("openvino-int8", "avx2")
        for seen in ("avx512vnni", "all"):
            with self.assertRaisesRegex(SystemExit, f"openvino-int8 is not held to avx2: it found {seen}"):
                options.held.check("openvino-int8", seen)
        parse()[0].held.check("openvino-int8", "all")


class Result(unittest.TestCase):
    def test_places(self):
        """None is that of a run in which nobody is held, nor of another set."""
        def place(*words):
            options, _ = parse(*words)
            options.limits = Stub
            return compare.place_of(options)
        commands = [("--isa", "avx2"), ("--isa", "avx512vnni"), ()]
        places = [place(*words, *more) for words in commands for more in ([], ["--publish"])]
        self.assertEqual(len(set(places)), len(places))
        self.assertTrue(places[1].endswith("-as-avx2"), places[1])
        self.assertTrue(places[-1].endswith("-avx2") and not places[-1].endswith("-as-avx2"), places[-1])
        self.assertEqual(place("--isa", "avx2", "--out", "elsewhere"), "elsewhere")

    def test_the_machine_says_so(self):
        without = report.describe_machine(Stub, 0.0)
        self.assertFalse({"held_to", "left_out"} & set(without))
        self.assertEqual(report.describe_set(without), "avx2")
        why = {"torch-bf16": "why"}
        one = report.describe_machine(Stub, 0.0, "avx2", why)
        self.assertEqual((one["held_to"], one["left_out"], one["int8_peak_gmacs"]), ("avx2", why, 160.0))
        times = {("bertd", "minilm", (1, 8)): 1.0, ("openvino-int8", "minilm", (1, 8)): 2.0}
        result = {"machine": one, "rows": report.make_rows(times, {}, {}), "summary": {
            "limits": {"minilm 1x8": {"ms": 0.5, "bound_by": "weights", "share": 0.5}}, "ragged": {}, "split": {},
            "fidelity_on": ""}}
        self.assertIn("avx2, to which all are held", report.draw(result))
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            report.print_table(result)
        self.assertIn("avx2, to which all are held", said.getvalue())
        self.assertIn("torch-bf16 is left out: why", said.getvalue())


if __name__ == "__main__":
    if {"-h", "--help"} & set(sys.argv[1:]) or len(sys.argv) < 2:
        print(__doc__)
        sys.exit(0 if sys.argv[1:] else 2)
    BUILD = sys.argv.pop(1)
    unittest.main()
