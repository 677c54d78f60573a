#!/usr/bin/env python3
"""What is installed can be used: test_install.py BUILD. Programs in C and C++ are built with it by pkg-config, shared
and static, and by CMake's package; the library shows its own names alone; there is a man page for each function."""
import os
import re
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAM = """#include <bertd.h>
int main(void) { bertd_options o = bertd_options_default(); bertd_client *c = 0; bertd_error e;
    int status = bertd_client_create(&c, &o, &e); bertd_client_destroy(&c); return status; }
"""
CMAKE = """cmake_minimum_required(VERSION 3.20)
project(user C CXX)
find_package(bertd 0.1 REQUIRED)
foreach(kind bertd static)
  add_executable(user-${kind} user.cpp)
  target_link_libraries(user-${kind} PRIVATE bertd::${kind})
endforeach()
"""


def run(*command, **options):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}"
    return done.stdout


def write(path, text):
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)


def main():
    build = sys.argv[1]
    with tempfile.TemporaryDirectory() as folder:
        prefix = os.path.join(folder, "prefix")
        run("cmake", "--install", build, "--prefix", prefix, "--component", "libbertd")
        found = {name: os.path.join(path, name) for path, _, names in os.walk(prefix) for name in names}
        lib = os.path.dirname(found["libbertd.a"])

        # pkg-config has the prefix of the configuration; this one stands in for it.
        pc = os.path.dirname(found["bertd.pc"])
        with open(found["bertd.pc"], encoding="utf-8") as f:
            text = f.read()
        write(found["bertd.pc"], re.sub(r"(?m)^(prefix|libdir|includedir)=.*", lambda m: f"{m[1]}=" + {
            "prefix": prefix, "libdir": lib, "includedir": os.path.dirname(found["bertd.h"])}[m[1]], text))
        environment = {**os.environ, "PKG_CONFIG_PATH": pc, "LD_LIBRARY_PATH": lib}
        write(f"{folder}/user.c", re.sub(r"\bbertd_(options|client|error) (?=\*?\w)", r"struct bertd_\1 ", PROGRAM))
        write(f"{folder}/user.cpp", PROGRAM)
        flags = run("pkg-config", "--cflags", "--libs", "bertd", env=environment).split()
        for compiler, standard, source in (("cc", "c11", "user.c"), ("c++", "c++11", "user.cpp"), ("c++", "c++20", "user.cpp")):
            run(compiler, "-std=" + standard, "-Wall", "-Wextra", "-Werror", "-pedantic", source, "-o", "user", *flags, cwd=folder)
            run(f"{folder}/user", env=environment)
        curl = run("pkg-config", "--libs", "libcurl").split()
        run("cc", "user.c", "-I" + os.path.dirname(found["bertd.h"]), "-o", "user", found["libbertd.a"], *curl, "-lm", "-pthread", cwd=folder)
        run(f"{folder}/user")

        write(f"{folder}/CMakeLists.txt", CMAKE)
        for name in ("bertdConfig.cmake", "bertdConfigVersion.cmake", "bertdTargets.cmake"):
            assert name in found, name
        run("cmake", "-S", folder, "-B", f"{folder}/made", "-DCMAKE_PREFIX_PATH=" + prefix)
        run("cmake", "--build", f"{folder}/made")
        for kind in ("bertd", "static"):
            run(f"{folder}/made/user-{kind}", env=environment)

        with open(found["bertd.h"], encoding="utf-8") as f:
            declared = set(re.findall(r"BERTD_API [^;]*?(bertd_\w+)\(", f.read()))
        shown = run("nm", "-D", "--defined-only", found["libbertd.so"])
        names = set(re.findall(r" T (\w+)@@BERTD_", shown))
        others = [line for line in shown.splitlines() if not re.search(r" T bertd_\w+@@BERTD_| A BERTD_", line)]
        assert names == declared and not others, (names ^ declared, others)
        assert "libbertd.so.0]" in run("readelf", "-d", found["libbertd.so"])
        pages = {name[:-2] for name in found if name.endswith(".3")}
        assert pages == declared | {"bertd.h"}, pages ^ declared
        for page in pages:
            assert not run("groff", "-man", "-ww", "-z", found[page + ".3"]).strip(), page


if __name__ == "__main__":
    if "--help" in sys.argv or "-h" in sys.argv:
        print(__doc__)
        sys.exit(0)
    main()
