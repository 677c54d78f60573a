#!/usr/bin/env python3
"""deploy/haproxy/haproxy.cfg between a client and a bertd that it finds by DNS: test_haproxy.py BERTD

The same bits as without it, and the kernel's options of its connections to servers, by which it notices that a machine
is gone. Skipped (77) without the model or HAProxy.
"""
import ctypes
import errno
import glob
import json
import os
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.error
import urllib.request
from os.path import abspath, dirname, join

sys.path.insert(0, dirname(dirname(abspath(__file__))))
from server import Server, has_model

CONFIGURATION = join(dirname(dirname(dirname(abspath(__file__)))), "deploy", "haproxy", "haproxy.cfg")
PATIENCE = 60
PIDFD_GETFD = 438
OPTIONS = {"TCP_USER_TIMEOUT": 3000, "TCP_KEEPIDLE": 2, "TCP_KEEPINTVL": 1, "TCP_KEEPCNT": 3}


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def answer_names(dns):
    """Each name is 127.0.0.1, as an A record."""
    while True:
        query, sender = dns.recvfrom(4096)
        if not query:
            return
        end = query.index(b"\0", 12) + 5
        is_a = query[end - 4:end - 2] == b"\0\1"
        record = b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 600, 4) + socket.inet_aton("127.0.0.1")
        dns.sendto(query[:2] + struct.pack(">HHHHH", 0x8180, 1, is_a, 0, 0) + query[12:end] + record * is_a, sender)


def embed(port):
    request = urllib.request.Request(f"http://127.0.0.1:{port}/embed", b'{"inputs": "The river is quiet"}',
                                     {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
        return json.load(answer)


def options(process, port):
    """[{option: value}] of the process's connections to this port."""
    kernel, pidfd, found = ctypes.CDLL(None, use_errno=True), os.pidfd_open(process), []
    for path in glob.glob(f"/proc/{process}/fd/*"):
        fd = kernel.syscall(PIDFD_GETFD, pidfd, int(os.path.basename(path)), 0)
        if fd < 0 and ctypes.get_errno() == errno.EBADF:  # closed meanwhile
            continue
        if fd < 0:
            raise OSError(ctypes.get_errno(), f"{path} could not be looked at")
        try:
            with socket.socket(fileno=fd) as copy:
                if copy.family == socket.AF_INET and copy.type == socket.SOCK_STREAM and copy.getpeername()[1] == port:
                    found.append({name: copy.getsockopt(socket.IPPROTO_TCP, getattr(socket, name)) for name in OPTIONS})
        except OSError as error:
            if error.errno == errno.ENOTSOCK:
                os.close(fd)
            elif error.errno != errno.ENOTCONN:
                raise
    os.close(pidfd)
    return found


class HAProxy(unittest.TestCase):
    def setUp(self):
        self.dns = self.enterContext(socket.socket(type=socket.SOCK_DGRAM))
        self.dns.bind(("127.0.0.1", 0))
        thread = threading.Thread(target=answer_names, args=(self.dns,))
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(self.dns.sendto, b"", self.dns.getsockname())
        self.server = self.enterContext(Server(BERTD, "--boards", "1"))
        self.start()

    def start(self):
        self.port = free_port()
        with open(CONFIGURATION, encoding="utf-8") as file:
            text = file.read()
        for here, there in (("bind :3000", f"bind 127.0.0.1:{self.port}"), ("bind :8404", f"bind 127.0.0.1:{free_port()}"),
                            ("127.0.0.11:53", f"127.0.0.1:{self.dns.getsockname()[1]}"),
                            ("@server:3000", f"@server:{self.server.ports['listening']}")):
            self.assertEqual(text.count(here), 1, here)
            text = text.replace(here, there)
        path = join(self.enterContext(tempfile.TemporaryDirectory()), "haproxy.cfg")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        self.process = subprocess.Popen([PROGRAM, "-db", "-f", path], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(self.process.wait)
        self.addCleanup(self.process.terminate)

    def first_answer(self):
        end = time.monotonic() + PATIENCE
        while True:
            try:
                return embed(self.port)
            except urllib.error.URLError as error:  # it does not listen yet, or knows no server yet
                self.assertLess(time.monotonic(), end, error)
                time.sleep(0.1)

    def test_between_client_and_server(self):
        port = self.server.ports["listening"]
        self.assertEqual(self.first_answer(), embed(port))
        found = options(self.process.pid, port)
        self.assertTrue(found)
        for each in found:
            self.assertEqual(each, OPTIONS)


if __name__ == "__main__":
    if "--help" in sys.argv or "-h" in sys.argv:
        print(__doc__)
        sys.exit(0)
    BERTD, = sys.argv[1:]
    PROGRAM = shutil.which("haproxy", path=f"{os.environ['PATH']}:/usr/sbin")
    for there, what in ((has_model(), "model"), (PROGRAM, "HAProxy (Debian's package haproxy)")):
        if not there:
            print(f"skipped: there is no {what}")
            sys.exit(77)
    unittest.main(argv=sys.argv[:1])
