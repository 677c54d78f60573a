#!/usr/bin/env python3
"""What of a core bertd and its host process use for a text on a card: measure.py BUILD

One emulated card whose device process computes; its time does not count. XRT's emulation
polls in the host process while a list is computed, as a driver does not: so that is told by itself. Requests of
8 texts of 128 tokens and of 32 texts of 16, by HTTP/1.1 and in JSON, interactive: whole lists, as cards get them that are fast.
"""
import http.client
import json
import os
import re
import sys
import threading

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
sys.path[:0] = [os.path.join(ROOT, "tests"), os.path.join(ROOT, "tests/xrt")]
from cards import Cards  # noqa: E402
from pool import build_folder, card_server  # noqa: E402

REQUESTS, THREADS = 60, 4


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def parent_of(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return int(re.search(r"PPid:\s*(\d+)", file.read())[1])


def ask(url, inputs, n):
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=600)
    body = json.dumps({"inputs": inputs})
    for _ in range(n):
        connection.request("POST", "/embed", body, {"Content-Type": "application/json", "x-bertd-priority": "interactive"})
        answer = connection.getresponse()
        if len(json.loads(answer.read())) != len(inputs):
            raise RuntimeError("a request failed")
    connection.close()


def measure(cards, texts, words, options):
    with card_server(cards, "--board", "xrt:0", *options) as server:
        inputs = [("word " * words).strip()] * texts
        ask(server.url, inputs, 3)
        pids = server.process.pid, parent_of(cards.counts(0)["process"])
        before = [cpu_seconds(pid) for pid in pids]
        threads = [threading.Thread(target=ask, args=(server.url, inputs, REQUESTS // THREADS)) for _ in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        used = [(cpu_seconds(pid) - was) / (REQUESTS * texts) * 1e6 for pid, was in zip(pids, before)]
    print(f"{texts} x {words + 2} tokens {' '.join(options):12}: bertd {used[0]:.0f} us of a core a text: one core feeds "
          f"{1e6 / used[0]:.0f} texts a second. Host process, with the emulation's polling: {used[1]:.0f} us")


if __name__ == "__main__":
    BUILD = build_folder(__doc__)
    with Cards(BUILD) as all_cards:
        for options in ((), ("--no-verify",)):
            measure(all_cards, 8, 126, options)
            measure(all_cards, 32, 14, options)
