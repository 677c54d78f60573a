#!/usr/bin/env python3
"""Mixed load on emulated boards that fail in every way: nothing lost, nothing wrong, every board back.

Run it by tests/chaos/run. The same requests are asked once of a server without faults; every later answer must have
the same bytes. Ends with 1 where something does not hold.
"""
import argparse
import json
import os
import random
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "bench", "scheduler"))
from server import Server, end_load, load, start_load  # noqa: E402

BOARDS = 4
GROUPS = ["name=short,clients=6,tokens=4-48,variants=64", "name=bulk,clients=2,texts=12,tokens=8-96,variants=3",
          "name=long,clients=1,tokens=200-400,variants=4",
          "name=due,mode=open,rate=5,clients=64,tokens=8-32,variants=16"]
KINDS = ["fail", "hang", "slow", "accumulator", "weight", "activation", "hidden", "load"]  # and "image", see damage
GAP_SECONDS = (0.5, 3.0)       # between faults
SHORT_GAP_SECONDS = (0.2, 1.0)  # in a run of less than a minute, so that there are some of every kind
SLOW_SECONDS = 20               # but not where it took so long to ask for all right answers, one by one
RED_SECONDS = 2.0
GREEN_SECONDS = 60.0
DRAIN_SECONDS = 60.0            # what was asked last is answered by then
PATIENCE = 10                   # --patient: and so many times what it took to ask for all right answers, one by one
SPENT_SECONDS = 10.0           # a fault that did not make its board fail by then does not
SKIPPED = 77


def say(text):
    print(text, file=sys.stderr, flush=True)


class Faults:
    """One fault after another on boards at random, as long as another board serves unharmed."""

    def __init__(self, server, seed):
        self.server, self.random = server, random.Random(seed)
        self.injected = {kind: 0 for kind in KINDS + ["image"]}
        self.refused = 0
        self.next_kinds = []
        self.struck = {}        # board: (quarantines it had, when) at its last fault, until it is over that
        self.stop = threading.Event()
        self.error = None
        self.thread = threading.Thread(target=self.run)

    def boards(self):
        return json.loads(self.server.call("GET", "/boards")[2])["boards"]

    def inject(self, board, kind, count=1):
        fault = {"board": board, "kind": kind, "seed": self.random.randrange(1 << 48)}
        if kind == "slow":
            fault |= {"factor": self.random.choice([2, 5, 10]), "for_ms": self.random.randrange(200, 2000)}
        elif count > 1:
            fault["count"] = count
        code, _, body = self.server.call("POST", "/admin/faults", json.dumps(fault))
        if code != 200:
            raise RuntimeError(f"the fault {fault} was answered {code}: {body[:300]!r}")
        self.injected[kind] += 1

    def next_kind(self):
        """Each kind once, then each again in another order: a short run has them all."""
        if not self.next_kinds:
            self.next_kinds = self.random.sample(KINDS, len(KINDS))
        return self.next_kinds.pop()

    def unharmed(self):
        """Boards that serve and have no fault before them; those that have are struck no more."""
        boards = self.boards()
        serving = [i for i, board in enumerate(boards) if board["state"] in ("idle", "busy")]
        for i, (quarantines, when) in list(self.struck.items()):
            over = time.monotonic() - when
            if i in serving and (boards[i]["quarantines"] > quarantines and over > 1 or over > SPENT_SECONDS):
                del self.struck[i]
        return boards, [i for i in serving if i not in self.struck]

    def one(self):
        """On a board at random, unless no other were left: a fault may wait for the next task."""
        boards, unharmed = self.unharmed()
        if len(unharmed) < 2:
            return
        board = self.random.choice(unharmed)
        self.struck[board] = (boards[board]["quarantines"], time.monotonic())
        self.inject(board, self.next_kind(), self.random.choice([1, 1, 2]))

    def run(self):
        try:
            while not self.stop.wait(self.random.uniform(*self.gap)) and time.monotonic() < self.last:
                self.one()
        except Exception as error:  # told by the main thread
            self.error = error

    def start(self, gap, seconds):
        self.gap, self.last = gap, time.monotonic() + seconds
        self.thread.start()

    def end(self):
        self.stop.set()
        self.thread.join()
        if self.error:
            raise SystemExit(f"error: {self.error}")


def wait_for(what, seconds):
    """Seconds until it held; None where it did not."""
    begin = time.monotonic()
    while time.monotonic() - begin < seconds:
        if what():
            return time.monotonic() - begin
        time.sleep(0.02)
    return None


def settled(faults):
    """The boards at a moment at which all serve, or as they are at last: their figures are of one moment."""
    boards = []

    def all_serve():
        boards[:] = faults.boards()
        return all(board["state"] in ("idle", "busy") for board in boards)

    back = wait_for(all_serve, GREEN_SECONDS) is not None
    return boards, back


def healthy(server):
    return server.call("GET", "/health")[0] == 200


def ask(server):
    return server.call("POST", "/embed", json.dumps({"inputs": "Is anybody there?"}))


def chaos(options, server, hashes, drain, slow):
    """Mixed load, and faults as long as it begins requests. The groups of the load."""
    faults = Faults(server, options.seed)
    gap = GAP_SECONDS if options.seconds >= 60 or slow else SHORT_GAP_SECONDS
    process = start_load(options.load, server, options.seconds, *GROUPS,
                         options=["--check", hashes, "--drain", str(drain)])
    faults.start(gap, options.seconds)
    groups = end_load(process)
    faults.end()
    return groups, faults


def damage(faults):
    """A bit of each board's own image in turn, while nothing is asked: it may be one that no checksum of a product
    covers (an embedding, a bias), and answers are in doubt until the scrub has found it. True where it found all."""
    found = True
    for board in range(BOARDS):
        boards, _ = settled(faults)  # a board that is being reset would load its image anew
        before = boards[board]["quarantines"]
        faults.inject(board, "image")
        found &= wait_for(lambda: faults.boards()[board]["quarantines"] > before, GREEN_SECONDS) is not None
    return found


def blackout(server, kind, count, patient):
    """All boards at once. What came of it."""
    faults = Faults(server, 1)
    for board in range(BOARDS):
        faults.inject(board, kind, count)
    answers = []                # (code, headers): of those that find the boards gone, and of one that comes after
    threads = [threading.Thread(target=lambda: answers.append(ask(server)[:2])) for _ in range(4 * BOARDS)]
    for thread in threads:
        thread.start()
    red = wait_for(lambda: not healthy(server), 30)
    answers.append(ask(server)[:2])
    green = wait_for(lambda: healthy(server), GREEN_SECONDS)
    for thread in threads:
        thread.join()
    _, all_back = settled(faults)
    refusals = [headers.get("retry-after") for code, headers in answers if code == 503]
    codes = {code: sum(other == code for other, _ in answers) for code, _ in answers}
    row = {"kind": kind, "red_after_seconds": red and round(red, 2), "answers": codes,
           "retry_after": refusals[0] if refusals else None, "green_after_seconds": green and round(green, 2),
           "all_back": all_back, "serves_again": ask(server)[0] == 200}
    # Where a launch takes seconds, boards that hang are noticed one after another, and somebody always serves.
    unnoticed = patient and red is None and set(codes) == {200}
    refused = (red is not None and (patient or red <= RED_SECONDS) and set(codes) <= {200, 503} and bool(refusals) and
               None not in refusals and green is not None)
    row["reached"] = (unnoticed or refused) and row["all_back"] and row["serves_again"]
    return row


def run(options):
    with tempfile.TemporaryDirectory() as folder:
        hashes = os.path.join(folder, "hashes")
        say("The right answers, from a server without faults")
        reference = Server(options.bertd, options.model, "--boards", "1", "--placement", "replicate",
                           "--request-timeout-ms", "0")
        begin = time.monotonic()
        load(options.load, reference, 0, *GROUPS, options=["--learn", hashes])
        learned = time.monotonic() - begin
        drain = DRAIN_SECONDS + (PATIENCE * learned if options.patient else 0)
        reference.stop()
        server = Server(options.bertd, options.model, "--boards", str(BOARDS), "--enable-fault-injection",
                        "--request-timeout-ms", "0", "--scrub-interval-seconds", "2")
        try:
            server.patience = drain if options.patient else server.patience
            say(f"{options.seconds:g} s of mixed load and faults, seed {options.seed}; at most {drain:.0f} s more for "
                "the last answers")
            groups, faults = chaos(options, server, hashes, drain, learned > SLOW_SECONDS)
            say("The images of all boards, one after another")
            scrubbed = damage(faults)
            _, scrubbed_back = settled(faults)
            after = load(options.load, server, 1, *GROUPS, options=["--check", hashes, "--drain", str(drain)])
            boards, boards_back = settled(faults)
            say("All boards at once")
            blackouts = [blackout(server, kind, count, options.patient) for kind, count in (("load", 16), ("hang", 2))]
        finally:
            code = server.stop()
    everything = list(groups.values()) + list(after.values())
    result = {"seconds": options.seconds, "seed": options.seed, "boards": BOARDS,
              "requests": sum(group.begun for group in everything),
              "failed_requests": sum(group.failed for group in everything),
              "wrong_bits": sum(group.wrong for group in everything),
              "statuses": {name: group.statuses for name, group in groups.items()},
              "broken_connections": sum(group.broken for group in everything),
              "faults_injected": sum(faults.injected.values()), "faults_by_kind": faults.injected,
              "quarantines": sum(board["quarantines"] for board in boards),
              "boards_readmitted": sum(board["readmissions"] for board in boards),
              "boards_back": boards_back,
              "damaged_images_found": scrubbed and scrubbed_back, "all_boards_at_once": blackouts, "exit_code": code}
    result["reached"] = (result["failed_requests"] == 0 and result["wrong_bits"] == 0 and result["requests"] > 0 and
                         result["boards_back"] and result["damaged_images_found"] and
                         result["boards_readmitted"] == result["quarantines"] and
                         all(row["reached"] for row in blackouts) and code == 0)
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bertd", required=True)
    parser.add_argument("--load", required=True, help="bench-load")
    parser.add_argument("--model", required=True)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--patient", action="store_true", help="do not judge times: for tests on busy machines")
    parser.add_argument("--out", help="a folder, for chaos.json")
    options = parser.parse_args()
    if not os.path.exists(os.path.join(options.model, "config.json")):
        print(f"skipped: no model at {options.model}, run ./deploy/run --once")
        return SKIPPED
    result = run(options)
    print(json.dumps(result, indent=1))
    if options.out:
        os.makedirs(options.out, exist_ok=True)
        with open(os.path.join(options.out, "chaos.json"), "w", encoding="utf-8") as file:
            json.dump(result, file, indent=1)
            file.write("\n")
    print("reached" if result["reached"] else "NOT REACHED", file=sys.stderr)
    return 0 if result["reached"] else 1


if __name__ == "__main__":
    sys.exit(main())
