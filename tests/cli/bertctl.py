"""bertctl for tests in Python: run it, piped or on a terminal of its own."""
import fcntl
import json
import os
import pty
import select
import struct
import subprocess
import termios
import time
import unittest

BERTCTL = os.environ.get("BERTCTL", "")
LIMIT = 300


def environment(**more):
    kept = {name: os.environ[name] for name in ("PATH", "ASAN_OPTIONS", "TSAN_OPTIONS", "UBSAN_OPTIONS") if name in os.environ}
    return {**kept, "HOME": "/nonexistent", "TERM": "xterm", "LC_ALL": "C.UTF-8", "no_proxy": "*", **more}


def run(*arguments, text="", **more):
    """What `bertctl` did: returncode, stdout, stderr, in bytes where `text` is."""
    return subprocess.run([BERTCTL, *arguments], input=text, capture_output=True, text=isinstance(text, str),
                          timeout=LIMIT, env=environment(**more))


def on_terminal(*arguments, columns=80, rows=24, keys="", until=None, **more):
    """The exit code and what stood on a terminal. `keys` are pressed once `until` was seen there."""
    pid, fd = pty.fork()
    if pid == 0:
        try:
            os.execve(BERTCTL, [BERTCTL, *arguments], environment(**more))
        finally:
            os._exit(99)
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    seen, end = b"", time.monotonic() + LIMIT
    while time.monotonic() < end:
        if select.select([fd], [], [], 1)[0]:
            try:
                piece = os.read(fd, 65536)
            except OSError:
                break
            if not piece:
                break
            seen += piece
        if keys and until in seen.decode(errors="replace"):
            os.write(fd, keys.encode())
            keys = ""
    os.close(fd)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), seen.decode(errors="replace")


class Case(unittest.TestCase):
    maxDiff = None

    def enter(self, context):
        """`context` until the test's end."""
        entered = context.__enter__()
        self.addCleanup(context.__exit__, None, None, None)
        return entered

    def good(self, *arguments, **more):
        """What a run that must end with 0 and without a word on standard error wrote."""
        done = run(*arguments, **more)
        self.assertEqual((done.returncode, done.stderr if isinstance(done.stderr, str) else done.stderr.decode()), (0, ""))
        return done.stdout

    def wrong(self, code, word, *arguments, **more):
        """A run that must end with `code`, and says `word`."""
        done = run(*arguments, **more)
        self.assertEqual(done.returncode, code, done.stderr)
        self.assertIn(word, done.stderr)
        return done

    def shape(self, value, wanted):
        """`value` has the fields and types of `wanted`: {name: type or shape}, [shape of each], or a type."""
        if isinstance(wanted, dict):
            self.assertEqual(sorted(value), sorted(wanted))
            for name, part in wanted.items():
                self.shape(value[name], part)
        elif isinstance(wanted, list):
            self.assertGreater(len(value), 0)
            for item in value:
                self.shape(item, wanted[0])
        else:
            self.assertIsInstance(value, wanted)


def lines_of_json(text):
    return [json.loads(line) for line in text.splitlines()]
