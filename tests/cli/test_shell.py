#!/usr/bin/env python3
"""bertctl for shells and people: help, completion, manual page, colours, exit codes. test_shell.py BERTCTL"""
import os
import re
import shutil
import subprocess
import sys
import unittest

import bertctl
from bertctl import Case, lines_of_json
from standin import Tei, vector

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
COMMANDS = ["embed", "similar", "tokenize", "status", "bench", "pull", "info", "completion"]


class Shell(Case):
    def options(self, command):
        """(long, short or None) of each option that --help names."""
        found = re.findall(r"(?m)^  (?:-(\w), |    )--([\w-]+)", self.good(command, "--help"))
        self.assertGreater(len(found), 2)
        return [(name, letter or None) for letter, name in found]

    def test_help(self):
        words = self.good("--help")
        for command in COMMANDS:
            self.assertRegex(words, rf"(?m)^  {command} ")
            help_of = self.good(command, "--help")
            self.assertTrue(help_of.startswith(f"usage: bertctl {command} [option ..]"), help_of)
            self.assertEqual(help_of, self.good(command, "-q", "-h"))
            for line in (words + help_of).splitlines():
                self.assertLessEqual(len(line), 80, line)
        self.assertRegex(self.good("--version"), r"^bertctl \d+\.\d+\.\d+\n$")

    def test_usage(self):
        self.wrong(2, "which command")
        self.wrong(2, "there is no command 'emebd'", "emebd")
        for command in COMMANDS:
            self.wrong(2, "does not know --nothing", command, "--nothing")
            self.wrong(2, "--json takes no value", command, "--json=1")
            self.wrong(2, "--colour needs a value", command, "--colour")
            self.wrong(2, "takes one of auto|always|never, not 'red'", command, "--colour=red")
        self.wrong(2, "a number from 0.001 to 86400, not 'soon'", "info", "--timeout", "soon")
        self.wrong(2, "more than 64 times", "info", *["--url=http://a"] * 65)
        self.wrong(2, "shows one server", "status", "--url", "http://a", "--url", "http://b")
        self.wrong(2, "usage: bertctl info", "info", "word")
        self.wrong(2, "", "info", "--url", "gopher://x")

    def test_words_after_two_dashes(self):
        with Tei() as tei:
            def each(text):
                return [float(f"{value:.9g}") for value in vector(text)]
            found = self.good("embed", "-u", tei.url, "--", "--help", "-")
            self.assertEqual([item["embedding"] for item in lines_of_json(found)], [each("--help"), each("-")])
            self.assertEqual(found, self.good("embed", f"-u{tei.url}", "--", "--help", "-"))
            self.assertEqual(found, self.good("embed", f"--url={tei.url}", "--", "--help", "-"))

    def test_key(self):
        self.wrong(6, "No such file", "info", "--api-key-file", "/nonexistent")
        self.wrong(6, "should be the API key", "info", "--api-key-file", "/dev/null")

    # Completion ---------------------------------------------------------------------------------------------------

    def complete(self, *words):
        """What bash completes the last of the words to."""
        script = (self.good("completion", "bash") + f"\nCOMP_WORDS=(bertctl {' '.join(repr(word) for word in words)})\n"
                  "COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _bertctl; printf '%s\\n' \"${COMPREPLY[@]}\"")
        done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, cwd="/", timeout=60)
        self.assertEqual(done.stderr, "")
        return sorted(done.stdout.split())

    def test_bash(self):
        done = subprocess.run(["bash", "-n"], input=self.good("completion", "bash"), text=True, capture_output=True)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(self.complete("em"), ["embed"])
        self.assertEqual(self.complete(""), sorted([*COMMANDS, "--help", "--version"]))
        self.assertEqual(self.complete("embed", "--format", ""), ["auto", "fvecs", "jsonl", "npy"])
        self.assertEqual(self.complete("embed", "-f", "n"), ["npy"])
        self.assertEqual(self.complete("completion", ""), ["bash", "man", "zsh"])
        self.assertEqual(self.complete("embed", "--output", "et"), ["etc"])
        for command in COMMANDS:
            names = sorted(f"--{name}" for name, _ in self.options(command))
            self.assertEqual(self.complete(command, "--"), sorted([*names, "--help"]))

    def test_zsh(self):
        script = self.good("completion", "zsh")
        self.assertTrue(script.startswith("#compdef bertctl\n"))
        for command in COMMANDS:
            part = re.search(rf"(?ms)^    {command}\)\n(.*?;;)$", script)[1]
            for name, letter in self.options(command):
                self.assertIn(f"--{name}[", part)
                self.assertTrue(letter is None or f"-{letter}[" in part, letter)
        if shutil.which("zsh"):
            done = subprocess.run(["zsh", "-n"], input=script, text=True, capture_output=True)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.wrong(2, "knows bash, zsh and man", "completion", "fish")

    # Pages --------------------------------------------------------------------------------------------------------

    def test_manual(self):
        page = self.good("completion", "man")
        plain = page.replace("\\-", "-").replace("\\fB", "").replace("\\fR", "").replace("\\fI", "")
        for command in COMMANDS:
            self.assertIn(f".SS bertctl {command} ", plain)
            for name, _ in self.options(command):
                self.assertIn(f"--{name}", plain)
        if shutil.which("man"):
            done = subprocess.run(["man", "--warnings", "-l", "-"], input=page, text=True, capture_output=True,
                                  env={**os.environ, "MANWIDTH": "80", "LC_ALL": "C.UTF-8"}, timeout=60)
            self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_page(self):
        """docs/bertctl.md names each command, each option that is a command's own, and each exit code."""
        with open(os.path.join(ROOT, "docs/bertctl.md"), encoding="utf-8") as file:
            page = file.read()
        common = {name for name, _ in self.options("info")}
        for command in COMMANDS:
            self.assertIn(f"\n## bertctl {command}\n", page)
            for name, _ in self.options(command):
                self.assertTrue(f"`--{name}" in page or name in common and f"--{name}" in page, name)
        with open(os.path.join(ROOT, "clients/cli/command.h"), encoding="utf-8") as file:
            codes = re.findall(r"CLI_\w+ = (\d+)", file.read())
        self.assertEqual(re.findall(r"(?m)^\| (\d+) \|", page), codes)

    # Terminals ----------------------------------------------------------------------------------------------------

    def test_colours(self):
        """Only on a terminal, not with NO_COLOR or a dumb one; --colour says otherwise."""
        with Tei() as tei:
            words = ("tokenize", "--url", tei.url, "a")
            self.assertIn("\x1b[2m", bertctl.on_terminal(*words)[1])
            self.assertNotIn("\x1b[2m", bertctl.on_terminal(*words, NO_COLOR="1")[1])
            self.assertIn("\x1b[2m", bertctl.on_terminal(*words, NO_COLOR="")[1])
            self.assertNotIn("\x1b[2m", bertctl.on_terminal(*words, TERM="dumb")[1])
            self.assertIn("\x1b[2m", bertctl.on_terminal(*words, "--colour", "always", NO_COLOR="1")[1])
            self.assertNotIn("\x1b[2m", bertctl.on_terminal(*words, "--colour", "never")[1])
            self.assertNotIn("\x1b", self.good(*words))
            self.assertIn("\x1b[2m", self.good(*words, "--colour", "always"))

    def test_closed_output(self):
        """A reader that leaves is an error, and no signal."""
        with Tei() as tei:
            process = subprocess.Popen([bertctl.BERTCTL, "embed", "-u", tei.url], stdin=subprocess.PIPE, text=True,
                                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=bertctl.environment())
            process.stdout.close()
            try:
                process.stdin.write("a\n" * 5000)
                process.stdin.close()
            except BrokenPipeError:
                pass
            self.assertEqual(process.wait(bertctl.LIMIT), 6)
            self.assertIn("Broken pipe", process.stderr.read())
            process.stderr.close()


if __name__ == "__main__":
    if "--help" in sys.argv or "-h" in sys.argv:
        print(__doc__)
        sys.exit(0)
    bertctl.BERTCTL = sys.argv[1]
    unittest.main(argv=sys.argv[:1] + sys.argv[2:])
