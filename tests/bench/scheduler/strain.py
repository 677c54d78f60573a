"""Parts (c) and (d): overload, hangers-on, and clients that leave."""
import json
import socket
import threading
import time

from server import Server, load, mean_tokens, quantile

WORK = "texts=8,tokens=64"
CLIENTS = 16                     # what the server admits at once in the overload
TIMES = 10
LEAST_GOODPUT = 0.90
MOST_REFUSAL_MS = 50
DEADLINE_REQUESTS = 40           # the deadline beside hangers-on: the time of so many such requests at capacity
REFUSED_IN_TIME = 0.999
MOST_GROWTH = 16 << 20           # bytes: allocators keep what threads once had
WARM_CANCELS = 6000              # before memory is looked at: by then it has reached its level
MIB = 1 << 20


class Memory:
    """Samples of a server's resident memory while something goes on."""

    def __init__(self, server):
        self.server, self.samples, self.stop = server, [], threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self):
        while not self.stop.wait(0.25):
            self.samples.append(self.server.resident())

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join()

    def growth(self):
        """The most of the second half over the most of the first."""
        half = len(self.samples) // 2
        return max(self.samples[half:], default=0) - max(self.samples[:half], default=0)


def overload(bertd, generator, model, level):
    server = Server(bertd, model, "--max-concurrent-requests", str(CLIENTS))
    try:
        def capacity():
            return load(generator, server, level.capacity, f"name=loop,clients={CLIENTS},{WORK}",
                        options=["--warmup", "0.5"])["loop"].rate
        before = capacity()
        rate = TIMES * before
        with Memory(server) as memory:
            groups = load(generator, server, level.overload,
                          f"name=rush,mode=open,rate={rate:.1f},clients=1024,timeout-ms=30000,{WORK}",
                          options=["--warmup", "1"])
        after = capacity()
    finally:
        server.stop()
    base, group = (before + after) / 2, groups["rush"]
    in_time = sum(ms <= MOST_REFUSAL_MS for ms in group.refused_ms) / max(1, len(group.refused_ms))
    row = {"seconds": level.overload, "tokens_per_request": mean_tokens([groups])["rush"],
           "capacity": round(base, 2), "offered": round(rate, 1), "goodput": round(group.rate, 2),
           "goodput_share": round(group.rate / base, 3), "refused": group.refused,
           "refused_p50_ms": round(quantile(group.refused_ms, 0.5), 2),
           "refused_p999_ms": round(quantile(group.refused_ms, 0.999), 2),
           "refused_in_time": round(in_time, 5), "other": group.failed - group.refused, "statuses": group.statuses,
           "unsent": group.unsent,
           "resident_growth_bytes": memory.growth()}
    row["reached"] = (row["goodput_share"] >= LEAST_GOODPUT and in_time >= REFUSED_IN_TIME and row["other"] == 0 and
                      memory.growth() <= MOST_GROWTH)
    return row


def hangers_on(bertd, generator, model, level):
    """Requests with a deadline at half of capacity, beside 2,000 idle connections and 200 slow readers.

    The deadline goes by the model: the 200 also have their answers computed, which takes the larger model two seconds.
    """
    server = Server(bertd, model)
    try:
        base = load(generator, server, level.capacity, f"name=loop,clients={CLIENTS},{WORK}")["loop"].rate
        deadline = int(DEADLINE_REQUESTS / base * 1e3)
        groups = load(generator, server, level.hangers,
                      f"name=due,mode=open,rate={base / 2:.1f},clients=512,timeout-ms={deadline},{WORK}",
                      "name=idle,mode=idle,clients=2000", "name=slow,mode=slow,clients=200,path=/embed_all,tokens=16",
                      options=["--warmup", "4"])
    finally:
        server.stop()
    due = groups["due"]
    row = {"tokens_per_request": mean_tokens([groups])["due"], "deadline_ms": deadline,
           "requests": due.begun, "in_time": due.ok, "late": due.failed, "statuses": due.statuses,
           "p50_ms": round(quantile(due.ok_ms, 0.5), 2), "p99_ms": round(quantile(due.ok_ms, 0.99), 2)}
    row["reached"] = due.failed == 0 and due.ok > 0
    return row


def request_bytes(word, texts, tokens):
    body = json.dumps({"inputs": [" ".join([word] * (tokens - 2))] * texts}).encode()
    return (b"POST /embed HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nx-bertd-priority: bulk\r\n"
            b"Content-Length: %d\r\n\r\n" % len(body) + body)


def leave_once(server, texts, tokens, seconds):
    """Layers of the whole request that were still computed after its client left."""
    rows = texts * tokens
    connection = socket.create_connection(("127.0.0.1", server.port))
    connection.sendall(request_bytes(server.words[0], texts, tokens))
    time.sleep(seconds)
    before = server.metric("bertd_board_rows_total")
    connection.close()
    if not server.wait_idle():
        raise SystemExit("error: the server never became idle")
    return (server.metric("bertd_board_rows_total") - before) / rows


def layers_after(server, generator, level):
    """A request is left in the middle; a layer lasts long beside the time that it takes to look."""
    texts, tokens = 16, 128      # one batch: each board has a part of it, a layer at a time
    for _ in range(2):
        alone = load(generator, server, 0.1, f"name=one,texts={texts},tokens={tokens},priority=bulk")["one"]
    whole = quantile(alone.ok_ms, 0.5) / 1e3
    return sorted(leave_once(server, texts, tokens, whole * (0.2 + 0.5 * i / level.leavings))
                  for i in range(level.leavings)), whole / server.layers


def cancels(bertd, generator, model, level):
    server = Server(bertd, model)
    group = "name=gone,mode=cancel,clients=32,leave-ms=0-4,tokens=64"
    try:
        after, layer_seconds = layers_after(server, generator, level)
        load(generator, server, 600, group, options=["--cancels", str(max(WARM_CANCELS, level.cancels // 10))])
        server.wait_idle()
        time.sleep(0.5)
        memory, files = server.resident(), server.files()
        left = load(generator, server, 600, group, options=["--cancels", str(level.cancels)])["gone"].left
        idle = server.wait_idle()
        time.sleep(0.5)
        growth, more_files = server.resident() - memory, server.files() - files
        held = server.metric("bertd_request_memory_bytes") + server.metric("bertd_active_requests")
    finally:
        code = server.stop()
    row = {"leavings": len(after), "layers_after_p50": round(quantile(after, 0.5), 2),
           "layers_after_most": round(after[-1], 2), "layer_ms": round(layer_seconds * 1e3, 1), "cancelled": left,
           "resident_growth_bytes": growth, "more_files": more_files, "still_held": held}
    row["stops_reached"] = quantile(after, 0.5) <= 1.05 and after[-1] <= 2.05
    row["leaks_reached"] = idle and growth <= MOST_GROWTH and more_files <= 0 and held == 0 and code == 0
    return row


WORD = {True: "reached", False: "NOT REACHED"}
SHOW = {
    "overload": lambda row: (
        f"  overload for {row['seconds']} s: {row['goodput']:.1f} of {row['capacity']:.1f} requests/s of "
        f"{row['tokens_per_request']:g} tokens ({row['goodput_share']:.0%}) at {row['offered']:.0f}/s; {row['refused']} "
        f"times 429, {row['refused_in_time']:.2%} within {MOST_REFUSAL_MS} ms (p99.9 {row['refused_p999_ms']:.1f} ms), "
        f"other failures {row['other']}, memory {row['resident_growth_bytes'] / MIB:+.1f} MiB  {WORD[row['reached']]}"),
    "hangers_on": lambda row: (
        f"  2,000 idle connections and 200 slow readers: {row['in_time']} of {row['requests']} requests of "
        f"{row['tokens_per_request']:g} tokens within {row['deadline_ms']} ms, p99 {row['p99_ms']:.0f} ms  "
        f"{WORD[row['reached']]}"),
    "cancels": lambda row: (
        f"  clients that leave: {row['layers_after_p50']:.2f} layers computed after them, at most "
        f"{row['layers_after_most']:.2f}  {WORD[row['stops_reached']]}\n"
        f"  {row['cancelled']} cancelled: memory {row['resident_growth_bytes'] / MIB:+.1f} MiB, files "
        f"{row['more_files']:+d}, held {row['still_held']:.0f}  {WORD[row['leaks_reached']]}"),
}
