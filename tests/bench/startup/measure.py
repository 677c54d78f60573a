"""measure.py BERTD ROUNDS OUT NAME=MODEL_DIR...: start bertd, ask for one embedding, look at its memory, stop it."""
import http.client
import json
import os
import platform
import signal
import statistics
import subprocess
import sys
import tempfile
import time

MIB = 1 << 20


def log_line(path, message):
    """The first log line with this message, once it is there."""
    with open(path, encoding="utf-8") as log:
        for line in log:
            if line.endswith("\n") and json.loads(line)["message"] == message:
                return json.loads(line)
    return None


def embed(port):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("POST", "/embed", '{"inputs": "From start to first embedding."}',
                       {"Content-Type": "application/json"})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    if answer.status != 200:
        raise SystemExit(f"error: bertd answered {answer.status}: {body[:200]!r}")


def resident_bytes(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        fields = dict(line.split(":", 1) for line in status)
    return int(fields["VmRSS"].split()[0]) * 1024, int(fields["VmHWM"].split()[0]) * 1024


def start_once(bertd, model):
    """(seconds to the first embedding, resident bytes then, most resident bytes so far, image bytes)"""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "log")
        with open(path, "wb") as log:
            begin = time.monotonic()
            process = subprocess.Popen([bertd, "--model-id", model, "--port", "0", "--drain-seconds", "0"],
                                       stdout=log, stderr=log)
        try:
            while not (listening := log_line(path, "listening")):
                if process.poll() is not None or time.monotonic() - begin > 120:
                    raise SystemExit("error: bertd does not start:\n" + open(path, encoding="utf-8").read())
                time.sleep(0.001)
            embed(listening["port"])
            seconds = time.monotonic() - begin
            resident, peak = resident_bytes(process.pid)
            return seconds, resident, peak, log_line(path, "model loaded")["bytes"]
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()


def processor():
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as info:
        fields = dict(map(str.strip, line.split(":", 1)) for line in info if ":" in line)
    return f"{fields.get('model name', platform.machine())} family {fields.get('cpu family', '?')}"


def main():
    if {"-h", "--help"} & set(sys.argv[1:]):
        sys.exit(print(__doc__))
    bertd, rounds, out, *models = sys.argv[1:]
    rows = []
    print(f"{'model':12}{'start s':>9}{'best s':>8}{'image MiB':>11}{'resident':>10}{'peak':>8}{'limit MiB':>11}")
    for name, model in (entry.split("=", 1) for entry in models):
        start_once(bertd, model)                    # the files into the page cache
        starts, resident, peaks, images = zip(*(start_once(bertd, model) for _ in range(int(rounds))))
        row = {"model": name, "seconds_median": round(statistics.median(starts), 3),
               "seconds_best": round(min(starts), 3), "image_bytes": images[0], "resident_bytes": max(resident),
               "peak_resident_bytes": max(peaks), "resident_limit_bytes": images[0] * 3 // 2 + 64 * MIB}
        rows.append(row)
        print(f"{name:12}{row['seconds_median']:9.3f}{row['seconds_best']:8.3f}{row['image_bytes'] / MIB:11.1f}"
              f"{row['resident_bytes'] / MIB:10.1f}{row['peak_resident_bytes'] / MIB:8.1f}"
              f"{row['resident_limit_bytes'] / MIB:11.1f}", flush=True)
    with open(out, "w", encoding="utf-8") as file:
        json.dump({"machine": {"processor": processor(), "cores": os.cpu_count()}, "rounds": int(rounds),
                   "rows": rows}, file, indent=1)
        file.write("\n")


if __name__ == "__main__":
    main()
