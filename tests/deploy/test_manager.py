#!/usr/bin/env python3
"""bertd below a service manager, by systemd's protocols: test_manager.py BERTD

It tells when it is ready, reads again and stops (NOTIFY_SOCKET), and takes sockets that are listened on (LISTEN_FDS), of
which no client is refused when bertd is started anew. Skipped (77) without the model.
"""
import atexit
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import unittest
from os.path import abspath, dirname, exists

sys.path.insert(0, dirname(dirname(abspath(__file__))))
from server import has_model, model_dir

REQUEST = (b"POST /embed HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 14\r\nConnection: close\r\n\r\n"
           b'{"inputs":"a"}')


class Child:
    """A bertd with these sockets as descriptors from 3 on, and these variables; $$ in them is its process's id."""

    def __init__(self, *options, sockets=(), **variables):
        high = [fcntl.fcntl(each.fileno(), fcntl.F_DUPFD, 20) for each in sockets]
        script = "".join(f'export {name}="{value}"; ' for name, value in variables.items())
        script += "".join(f"exec {3 + i}<&{fd} {fd}<&-; " for i, fd in enumerate(high)) + 'exec "$@"'
        self.process = subprocess.Popen(
            ["bash", "-c", script, "bash", BERTD, "--model-id", model_dir(), "--boards", "1", "--drain-seconds", "0", "--json-output",
             *options],
            stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env={"PATH": os.environ["PATH"]}, pass_fds=high)
        atexit.register(self.process.kill)      # nothing once it has ended
        for fd in high:
            os.close(fd)

    def await_line(self, message):
        for line in self.process.stderr:
            record = json.loads(line)
            if record["message"] == message:
                return record
        raise AssertionError(f"bertd ended without the line {message}")

    def end(self):
        """SIGTERM; (exit status, what it wrote to its end)."""
        self.process.send_signal(signal.SIGTERM)
        return self.refused()

    def refused(self):
        words = self.process.stderr.read()
        self.process.stderr.close()
        return self.process.wait(), words


def listener(family=socket.AF_INET, address=("127.0.0.1", 0)):
    it = socket.socket(family)
    it.bind(address)
    it.listen()
    return it


def begin_request(family, address):
    client = socket.socket(family)
    client.connect(address)
    client.sendall(REQUEST)
    return client


def answer_of(client):
    with client, client.makefile("rb") as stream:
        head, _, body = stream.read().partition(b"\r\n\r\n")
    return head.split(b" ")[1], len(json.loads(body)[0])


class Manager(unittest.TestCase):
    def setUp(self):
        self.folder = self.enterContext(tempfile.TemporaryDirectory())

    def notifications(self, address, name):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(address)
            child = Child("--port", "0", NOTIFY_SOCKET=name)
            self.assertEqual(manager.recv(200), b"READY=1")
            manager.setblocking(False)
            self.assertRaises(BlockingIOError, manager.recv, 1)
            manager.setblocking(True)
            port = child.await_line("listening")["port"]
            self.assertEqual(answer_of(begin_request(socket.AF_INET, ("127.0.0.1", port))), (b"200", 384))
            child.process.send_signal(signal.SIGHUP)
            self.assertRegex(manager.recv(200), rb"^RELOADING=1\nMONOTONIC_USEC=\d+$")
            self.assertEqual(manager.recv(200), b"READY=1")
            child.process.send_signal(signal.SIGTERM)
            self.assertEqual(manager.recv(200), b"STOPPING=1")
            self.assertEqual(child.refused()[0], 0)

    def test_tells_a_socket_in_the_file_system(self):
        path = os.path.join(self.folder, "notify")
        self.notifications(path, path)

    def test_tells_an_abstract_socket(self):
        name = f"bertd-test-{os.getpid()}"
        self.notifications("\0" + name, "@" + name)

    def test_serves_when_nobody_is_told(self):
        for name in (os.path.join(self.folder, "nobody"), "x" * 500, ""):
            child = Child("--port", "0", NOTIFY_SOCKET=name)
            child.await_line("listening")
            self.assertEqual(child.end()[0], 0, name)

    def test_sockets_outlive_servers(self):
        path = os.path.join(self.folder, "socket")
        with listener() as tcp, listener(socket.AF_UNIX, path) as local:
            places = ((socket.AF_INET, tcp.getsockname()), (socket.AF_UNIX, path))
            late = []
            for _ in range(4):  # the others serve who connected before they were there
                waiting = [begin_request(*place) for place in places]
                child = Child(sockets=(tcp, local), LISTEN_PID="$$", LISTEN_FDS=2)
                self.assertEqual(child.await_line("listening")["port"], tcp.getsockname()[1])
                for client in waiting + late:
                    self.assertEqual(answer_of(client), (b"200", 384))
                late = [begin_request(*place) for place in places]  # accepted by this one or not
                self.assertEqual(child.end()[0], 0)
                self.assertTrue(exists(path))
            child = Child(sockets=(tcp, local), LISTEN_PID="$$", LISTEN_FDS=2)
            child.await_line("listening")
            for client in late:
                self.assertEqual(answer_of(client), (b"200", 384))
            self.assertEqual(child.end()[0], 0)

    def test_sockets_of_another_process_are_left(self):
        with listener() as tcp:
            child = Child("--port", "0", sockets=(tcp,), LISTEN_PID=1, LISTEN_FDS=1)
            self.assertNotEqual(child.await_line("listening")["port"], tcp.getsockname()[1])
            self.assertEqual(child.end()[0], 0)

    def test_what_is_no_listening_socket_is_refused(self):
        with listener() as tcp, socket.socket() as idle, socket.socket(type=socket.SOCK_DGRAM) as datagrams, \
                open("/dev/null", encoding="utf-8") as file:
            for sockets, n, words in (((idle,), 1, "descriptor 3 is no socket that listens"),
                                      ((datagrams,), 1, "descriptor 3 is no socket that listens"),
                                      ((tcp, file), 2, "descriptor 4 is no socket that listens"),
                                      ((tcp,), 9, "is not a number up to 8"), ((tcp,), "1x", "is not a number up to 8"),
                                      ((tcp,), "-1", "is not a number up to 8")):
                status, said = Child(sockets=sockets, LISTEN_PID="$$", LISTEN_FDS=n).refused()
                self.assertEqual(status, 2, words)
                self.assertIn(words, said)


if __name__ == "__main__":
    if "--help" in sys.argv or "-h" in sys.argv:
        print(__doc__)
        sys.exit(0)
    BERTD, = sys.argv[1:]
    if not has_model():
        print("skipped: there is no model")
        sys.exit(77)
    unittest.main(argv=sys.argv[:1])
