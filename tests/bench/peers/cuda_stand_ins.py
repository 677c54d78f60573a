"""Let PyPI's torch load without the CUDA libraries it is linked with, as a CPU build would.

The wheel names some 3 GB of libraries that a CPU never calls. For each that is missing this makes an empty one beside
torch's own, whose functions all return 100 ("no CUDA-capable device"). A CPU wheel needs none and gets none.
"""
import sys

if {"-h", "--help"} & set(sys.argv[1:]):
    sys.exit(print(__doc__))    # before what may not be installed

import glob
import importlib.util
import os
import re
import subprocess
import tempfile

CUDA = re.compile(r"lib(cu|nv|nccl)")
NO_DEVICE = 100


def output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def find_missing(folder):
    """{library name: functions} that torch's libraries ask for and nobody gives."""
    needed, wanted = set(), {}
    for path in glob.glob(os.path.join(folder, "*.so*")):
        needed |= set(re.findall(r"NEEDED.*\[(.+)\]", output("readelf", "-d", path)))
        for line in output("nm", "-D", "--undefined-only", path).splitlines():
            name, _, version = line.split()[-1].partition("@")
            wanted[name] = version
    missing = {name: [] for name in needed if CUDA.match(name) and not os.path.exists(os.path.join(folder, name))}
    versions = {version_of(name): name for name in missing}
    for function, version in wanted.items():
        if version in versions:
            missing[versions[version]].append(function)
        elif not version and re.match(r"cu|nccl|nv", function) and missing:
            missing[min(missing)].append(function)      # of a library without versions: any of them may give it
    return missing


def version_of(library):
    return "NVSHMEM" if "nvshmem" in library else library


def make_library(folder, library, functions):
    with tempfile.TemporaryDirectory() as work:
        source, versions = os.path.join(work, "stand_in.c"), os.path.join(work, "versions")
        with open(source, "w") as f:
            f.writelines(f"int {name}(void) {{ return {NO_DEVICE}; }}\n" for name in functions)
        with open(versions, "w") as f:
            f.write(f"{version_of(library)} {{ global: *; }};\n")
        subprocess.run(["gcc", "-shared", "-fPIC", "-w", "-fno-builtin", f"-Wl,-soname,{library}",
                        f"-Wl,--version-script={versions}", "-o", os.path.join(folder, library), source], check=True)


def main():
    folder = os.path.join(os.path.dirname(importlib.util.find_spec("torch").origin), "lib")
    missing = find_missing(folder)
    for library, functions in sorted(missing.items()):
        make_library(folder, library, functions)
    check = "import torch; assert not torch.cuda.is_available(); print('torch', torch.__version__, 'loads', end='')"
    subprocess.run([sys.executable, "-c", check], check=True)
    print(f", with {len(missing)} stand-ins for CUDA libraries")


if __name__ == "__main__":
    main()
