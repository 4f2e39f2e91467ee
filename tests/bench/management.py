"""What management costs: a page of a full table of 100,000 registrations, and SIP latency while REST is polled (goals: 20 ms; at most 5 % more at p99)."""
import http.client
import multiprocessing
import os
import socket
import subprocess
import tempfile
import time

import load
import starts

SETTLE_S, QUIET_S = 180, 1.0
ADDRESS, PORT = "127.0.75.10", 5060
PAGES, LIMIT = 20, 100
TWIN = "127.0.75.20"
POLLS_PER_S, PINGS_PER_S = 100, 400
WINDOW_S, PAIRS = 1.0, 40
POLLED_RECORDS = 10000			# a page costs the same; a P-CSCF that was alone too long asks about each of them again
POLLED = ("/metrics", "/api/v1/registrations?limit=100", "/api/v1/flows?limit=100", "/api/v1/transactions", "/api/v1/info")


class Local(http.client.HTTPConnection):
    """HTTP over a unix socket, one connection for all."""

    def __init__(self, path):
        super().__init__("localhost", timeout=10)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.connect(self.path)

    def get(self, path):
        """The text of a resource and how long it took, in ms."""
        began = time.monotonic()
        self.request("GET", path)
        text = self.getresponse().read()
        return text, (time.monotonic() - began) * 1000


class Daemon:
    """with Daemon(build, node, top): one that is ready, on the store that is in top/node."""

    def __init__(self, build, node, top, address=ADDRESS):
        self.sock, notify, config = os.path.join(top, "rest"), os.path.join(top, "notify"), os.path.join(top, "rest.yaml")
        with open(config, "w", encoding="ascii") as f:
            f.write(f'plmn: {{mcc: "001", mnc: "01"}}\nworkers: 1\nsip: {{listen: ["udp:{address}:{PORT}"], sources: {{exempt: ["127.0.75.11"]}}}}\n' + starts.CONFIG[node].format() +
                    f"state: {{dir: {os.path.join(top, node)}}}\nlog: {{level: error}}\nrest: {{unix_socket: {self.sock}}}\n")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
            s.bind(notify)
            s.settimeout(60)
            self.p = subprocess.Popen([os.path.join(build, node, node + "d"), "-c", config], env={**os.environ, "NOTIFY_SOCKET": notify},
                                      stderr=subprocess.DEVNULL)
            while b"READY=1" not in s.recv(4096):
                pass
        os.unlink(notify)

    def __enter__(self):
        """When what a start brings with it is over: a P-CSCF subscribes for each of its phones."""
        until, before = time.monotonic() + SETTLE_S, load.cpu_s(self.p.pid)
        while time.monotonic() < until:
            time.sleep(QUIET_S)
            now = load.cpu_s(self.p.pid)
            if now - before < QUIET_S / 20:
                return self
            before = now
        raise RuntimeError("the daemon is still busy %d s after its start" % SETTLE_S)

    def __exit__(self, *_):
        self.p.kill()
        self.p.wait()


def fill(build, node, top, records=starts.RECORDS):
    """Registrations in its store."""
    program = os.path.join(build, "tests", "bench", "bench_store_" + node)
    if not os.access(program, os.X_OK):
        raise RuntimeError("%s is missing: make tests/bench/bench_store_%s" % (program, node))
    p = subprocess.run([program, os.path.join(top, node), str(records)], capture_output=True, text=True, check=False)
    if p.returncode:
        raise RuntimeError(program + ": " + p.stderr.strip())


def pages(sock):
    """ms of a page, median and worst, at the begin, the middle and the end of the table."""
    c, row = Local(sock), {}
    for name, at in (("first", 0), ("middle", starts.RECORDS // 2), ("last", starts.RECORDS - LIMIT)):
        took = []
        for _ in range(PAGES):
            text, ms = c.get(f"/api/v1/registrations?limit={LIMIT}&cursor=0.{at}")
            took.append(ms)
        if text.count(b'"state"') < LIMIT:
            raise RuntimeError("a page of %d octets holds no %d registrations" % (len(text), LIMIT))
        took.sort()
        row[name] = {"median_ms": took[len(took) // 2], "worst_ms": took[-1]}
    return row


def poll(sock, stop):
    """100 requests a second, evenly."""
    c, n, began = Local(sock), 0, time.monotonic()
    while not stop.is_set():
        c.get(POLLED[n % len(POLLED)])
        n += 1
        time.sleep(max(0, began + n / POLLS_PER_S - time.monotonic()))


def ping(n):
    """An OPTIONS to the node itself."""
    return (f"OPTIONS sip:{ADDRESS}:{PORT} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.75.11:5099;branch=z9hG4bK{n}\r\nMax-Forwards: 70\r\n"
            f"From: <sip:bench@127.0.75.11>;tag={n}\r\nTo: <sip:{ADDRESS}>\r\nCall-ID: {n}@bench\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n").encode()


def latencies(s, first):
    """us from an OPTIONS to its final response, for a window."""
    found, began, n = [], time.monotonic(), 0
    while time.monotonic() < began + WINDOW_S:
        sent = time.monotonic()
        s.sendto(ping(first + n), (ADDRESS, PORT))
        while not s.recv(4096).startswith((b"SIP/2.0 2", b"SIP/2.0 4", b"SIP/2.0 5")):
            pass
        found.append((time.monotonic() - sent) * 1e6)
        n += 1
        time.sleep(max(0, began + n / PINGS_PER_S - time.monotonic()))
    return found


def percentile(values, p):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * p))]


def worker(pid):
    """Of a daemon of one worker: {thread: ns of processor time}, as the scheduler counts."""
    found = {}
    for tid in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{tid}/schedstat", encoding="ascii") as f:
            found[tid] = int(f.read().split()[0])
    return found


def busiest(before, after):
    """The SIP worker, in a window without polling: the thread that worked most."""
    return max(after, key=lambda t: after[t] - before.get(t, 0))


def window(s, pid, sock, number):
    """Latencies, and ns of each thread, while `sock` is polled."""
    stop = multiprocessing.Event()
    p = multiprocessing.Process(target=poll, args=(sock, stop))
    p.start()
    try:
        before = worker(pid)
        found = latencies(s, number)
        after = worker(pid)
    finally:
        stop.set()
        p.join()
    return found, before, after


def median(values):
    return percentile(values, 0.5)


def polled(d, twin):
    """Latency of d in pairs of windows, in one of which d is polled and in the other its twin: whatever else runs here and what the polling
    client itself costs weighs on both alike.  The p99 of each window, and what is compared are their medians; the quarters of the pairs say
    how far the figure is to be believed."""
    rows, ns, number, tid = {"quiet": [], "polled": []}, {"quiet": [], "polled": []}, int(time.time() * 1000), None
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("127.0.75.11", 5099))
        s.settimeout(5)
        for i in range(PAIRS):
            for name in ("quiet", "polled") if i % 2 else ("polled", "quiet"):
                found, before, after = window(s, d.p.pid, d.sock if name == "polled" else twin.sock, number)
                number += 100000
                tid = tid or (busiest(before, after) if name == "quiet" else None)
                rows[name].append(found)
                if tid:
                    ns[name].append((after[tid] - before[tid]) / len(found))
    row = {"windows": PAIRS, "samples": sum(map(len, rows["quiet"])),
           "worker_ns_per_request": {k: median(v) for k, v in ns.items()}}
    for name, p in (("p50", 0.5), ("p99", 0.99)):
        each = {k: [percentile(w, p) for w in v] for k, v in rows.items()}
        more = [(b / a - 1) * 100 for a, b in zip(each["quiet"], each["polled"])]
        a, b = median(each["quiet"]), median(each["polled"])
        row[name] = {"quiet_us": a, "polled_us": b, "more_percent": (b / a - 1) * 100, "pairs_percent": [percentile(more, q) for q in (0.25, 0.5, 0.75)]}
    return row


def beside_twin(build):
    """A P-CSCF, and the same with the same table once more, which gets no SIP."""
    with tempfile.TemporaryDirectory(prefix="bench-rest-") as one, tempfile.TemporaryDirectory(prefix="bench-rest-") as other:
        for top in (one, other):
            fill(build, "pcscf", top, POLLED_RECORDS)
        with Daemon(build, "pcscf", one) as d, Daemon(build, "pcscf", other, TWIN) as twin:
            return polled(d, twin)


def measure(build, say):
    """{"pages": {node: ...}, "polling": {...}}"""
    result = {"pages": {}}
    for node in starts.CONFIG:
        with tempfile.TemporaryDirectory(prefix="bench-rest-") as top:
            fill(build, node, top)
            with Daemon(build, node, top) as d:
                row = result["pages"][node] = pages(d.sock)
                say("rest %s: a page of %d of %d registrations: " % (node, LIMIT, starts.RECORDS) + ", ".join(
                    "%s %.1f ms (worst %.1f)" % (k, v["median_ms"], v["worst_ms"]) for k, v in row.items()))
    row = result["polling"] = beside_twin(build)
    say("rest: OPTIONS at the P-CSCF, %d polls a second of it or of its twin, medians of %d windows: p50 %.0f and %.0f us (%+.1f %%), p99 %.0f "
        "and %.0f us (%+.1f %%; quarters of the pairs %+.1f, %+.1f, %+.1f %%); processor time of its worker %.0f and %.0f us for a request" % (
            POLLS_PER_S, PAIRS, row["p50"]["polled_us"], row["p50"]["quiet_us"], row["p50"]["more_percent"], row["p99"]["polled_us"],
            row["p99"]["quiet_us"], row["p99"]["more_percent"], *row["p99"]["pairs_percent"], row["worker_ns_per_request"]["polled"] / 1000,
            row["worker_ns_per_request"]["quiet"] / 1000))
    return result
