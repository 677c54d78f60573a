"""Holding all engines of a run to one instruction set, on a machine that has newer ones.

libbench-hide.so (hide.c) hides what is newer from a program, where the processor can do that. Elsewhere those are left
out that have no switch of their own. OpenVINO's are two: with the one of oneDNN alone it chooses kernels that do not
fit together, and takes three times as long or fails.
"""
import json
import os
import subprocess

SETS = {"avx512vnni": "AVX512_CORE_VNNI", "avx2": "AVX2"}        # with OpenVINO's names
WITHOUT_VNNI = ("avx2",)
BF16 = "-bf16"


class Held:
    """`isa`: the set, or None: nobody is held. `build`: of bertd's side. `leave_out` is called with a peer and why."""

    def __init__(self, isa, build, leave_out):
        self.isa, self.leave_out = isa, leave_out
        self.hide = os.path.join(build, "tests", "bench", "libbench-hide.so")
        self.machine = os.path.join(build, "tests", "bench", "bench-machine")
        self.hidden = None          # not tried yet

    def by_hiding(self):
        return {"LD_PRELOAD": self.hide, "BENCH_HIDE": self.isa}

    def bertd(self):
        """What bertd's programs need in their environment."""
        return {"BERTD_CPU_MASK": self.isa} if self.isa else {}

    def can_hide(self):
        """Whether a program finds the set itself under it: a library that cannot be preloaded is no error by itself."""
        if self.hidden is None:
            run = subprocess.run([self.machine, "1"], env=os.environ | self.by_hiding(), stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE, text=True, check=False)
            self.hidden = run.returncode == 0 and json.loads(run.stdout)["isa"] == self.isa
        return self.hidden

    def peer(self, name):
        """What this peer needs in its environment; None: it cannot be held."""
        if not self.isa:
            return {}
        if self.can_hide():
            return self.by_hiding()
        if name.startswith("openvino"):
            return {"ONEDNN_MAX_CPU_ISA": SETS[self.isa], "OV_CPU_MAX_ISA": SETS[self.isa]}
        return None

    def choose(self, names):
        """Those of the peers that take part."""
        chosen = []
        for name in names:
            if self.isa and name.endswith(BF16):
                self.leave_out(name, f"{self.isa} has no products of bf16")
            elif self.peer(name) is None:
                self.leave_out(name, f"it cannot be held to {self.isa}: CPUID of this machine does not fault, "
                                     "and it has no switch of its own")
            else:
                chosen.append(name)
        return chosen

    def check(self, name, seen):
        """`seen`: the newest set that a peer found, as serve.py tells it."""
        if self.isa and self.can_hide() and seen != self.isa:
            raise SystemExit(f"error: {name} is not held to {self.isa}: it found {seen}")
