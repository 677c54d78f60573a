"""Emulated cards for tests in Python: Cards, as deploy/xrt-emu lays them out."""
import glob
import json
import os
import re
import select
import signal
import subprocess
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def missing(build):
    """Why there can be no cards, None where there can."""
    if os.access(os.path.join(build, "accel/device/bertd-xclbin"), os.X_OK):
        return None
    return "no bertd-xclbin in the build: XRT (libxrt-dev, uuid-dev) was not there when it was configured"


def coreutil():
    """XRT's library that programs are linked with."""
    return glob.glob("/usr/lib/*/libxrt_coreutil.so.2")[0]


def xrt_release():
    """(2, 13): tests that hold on all releases do not ask."""
    return tuple(int(n) for n in re.search(r"\.so\.(\d+)\.(\d+)", os.path.realpath(coreutil())).groups())


class Cards:
    """Until the end of a `with`: a folder with everything, and the environment of a host."""

    def __init__(self, build, *options):
        self.build = os.path.abspath(build)
        self.place = tempfile.TemporaryDirectory(prefix="bertd-cards-")
        self.folder = self.place.name
        self.xclbin = os.path.join(self.folder, "bertd.xclbin")
        subprocess.run([os.path.join(ROOT, "deploy/xrt-emu"), self.folder, "--build", self.build, *options], check=True)
        shown = subprocess.run(["sh", "-c", f". {self.folder}/env; env -0"], stdout=subprocess.PIPE, check=True).stdout
        self.environment = dict(each.split("=", 1) for each in shown.decode().rstrip("\0").split("\0"))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.place.cleanup()

    def program(self, name):
        return os.path.join(self.build, "accel/device", name)

    def control(self, card):
        return os.path.join(self.environment["BERTD_CARD_DIR"], f"card{card}")

    def fault(self, card, kind, count=1, value=0):
        subprocess.run([self.program("bertd-card"), "fault", self.control(card), kind, str(count), str(value)], check=True)

    def counts(self, card):
        return json.loads(subprocess.check_output([self.program("bertd-card"), "counts", self.control(card)]))

    def make_xclbin(self, name, *options):
        path = os.path.join(self.folder, name)
        subprocess.run([self.program("bertd-xclbin"), path, *options], check=True)
        return path


def await_that(what, seconds=60):
    """Until it is so: of things that another process does."""
    end = time.monotonic() + seconds
    while not what():
        if time.monotonic() > end:
            raise AssertionError("it never became so")
        time.sleep(0.01)


# XRT's threads run until the end and after it, which the leak detector does not survive.
WITHOUT_LEAK_DETECTION = {"ASAN_OPTIONS": "detect_leaks=0"}


class Host:
    """A program that uses a card, in a session of its own: XRT's shims end their whole process group at times."""

    def __init__(self, cards, *command, environment=None):
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=cards.folder,
            env=cards.environment | WITHOUT_LEAK_DETECTION | (environment or {}), bufsize=0, start_new_session=True)
        self.words = b""
        self.taken = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()

    def say(self, line):
        try:
            self.process.stdin.write(f"{line}\n".encode())
        except BrokenPipeError:  # it has ended: what it said tells why
            pass

    def _read(self, seconds):
        if not select.select([self.process.stdout], [], [], seconds)[0]:
            raise AssertionError(f"nothing more was said in {seconds} s after: {self.words.decode()}")
        more = os.read(self.process.stdout.fileno(), 1 << 16)
        self.words += more
        return bool(more)

    def await_line(self, text, seconds=120):
        """The next line that has it."""
        while True:
            end = self.words.find(b"\n", self.taken)
            if end >= 0:
                line, self.taken = self.words[self.taken:end].decode(errors="replace"), end + 1
                if text in line:
                    return line
            elif not self._read(seconds):
                raise AssertionError(f"it ended without \"{text}\": {self.words.decode(errors='replace')}")

    def end(self, seconds=120):
        """Close its input; (exit status, all that it said)."""
        self.process.stdin.close()
        while self._read(seconds):
            pass
        return self.process.wait(), self.words.decode(errors="replace")
