"""overload.py BUILD NET - a P-CSCF that gets several times what it can serve, is scanned, and could be used against others.

Rows C18 and X10, reliability L2, SEC-06, SEC-11.
"""

import collections
import multiprocessing
import re
import socket
import sys
import time

from cases import BUSY_S, Cases, check, equal, wait_for
from core import Core, Sub
from phone import Phone, call, hang_up
from wire import figure, slow_build

A, B, C = Sub(1), Sub(2), Sub(3)
PROBE_RATE, PROBE_S = 8000, 1.5	# more than any build serves here: what is served of it is the capacity
TIMES, FLOOD_S = 5, 3		# what comes then, against that
LEAST, MOST = 20000, 60000	# requests per second; one process here can send no more
CALM_S = 5
# Of what is served for a second of the core's processor time.  Not of what is served in a second: sender, core, phones and whatever else
# runs share the machine.  The benchmark looks closer.
GOODPUT = 0.3
QUIET_S = 2			# T1 toward phones is 500 ms here: what comes by itself comes within that
SCANNER, OTHER, BROKEN, SPOOFED = 66, 67, 68, 69	# last octets of strangers' addresses
BAN_REFUSED, BAN_MALFORMED = 40, 30
SCSCF = """sessions: {{routes: [{{domain: partner.example, next_hop: "sip:{gw}:5060"}}]}}
"""	# past the HSS: it has limits of its own
ELSEWHERE = "sip:someone@partner.example"
EXTRA = f"""sip:
  ue_timers: {{t1_ms: 500, t2_ms: 4000}}
  overload: {{target_delay_ms: 30}}
  sources: {{messages_per_s: 0, exempt_loopback: false, ban_after_malformed: {BAN_MALFORMED}, ban_after_refused: {BAN_REFUSED}}}
access: {{emergency: {{numbers: ["112"]}}}}
"""


def flood(sock, to, text, rate, seconds, out):
    """Sends `text` with a new Call-ID and branch `rate` times a second; counts what comes back."""
    head, mid, tail = text.encode().split(b"@@@")
    seen = {"sent": 0, "status": collections.Counter(), "retry": collections.Counter()}
    sock.setblocking(False)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    began = time.monotonic()
    end = began + seconds

    def read():
        while True:
            try:
                data = sock.recv(4096)
            except (BlockingIOError, ConnectionError):
                return
            seen["status"][data[8:11].decode("ascii", "replace")] += 1
            m = re.search(rb"\r\nRetry-After: *(\d+)", data)
            if m:
                seen["retry"][int(m.group(1))] += 1

    while True:
        now = time.monotonic()
        if now >= end + 0.5:
            break
        due = int(rate * (min(now, end) - began)) - seen["sent"]
        for _ in range(min(due, 64)):
            mark = b"f%d" % seen["sent"]
            try:
                sock.sendto(head + mark + mid + mark + tail, to)
            except (BlockingIOError, ConnectionError):
                break
            seen["sent"] += 1
        read()
        if due <= 0:
            time.sleep(0.0005)
    out.send(seen)


def serve(sock):
    """A phone that says 200 to every request, by turning its head into a response."""
    keep = re.compile(rb"(?im)^(?:Via|From|To|Call-ID|CSeq|Record-Route):.*\r\n")
    sock.setblocking(True)
    while True:
        data, peer = sock.recvfrom(65536)
        if data.startswith((b"SIP/2.0", b"ACK")) or not data.strip():
            continue
        lines = keep.findall(data)
        text = b"SIP/2.0 200 OK\r\n" + b"".join(lines) + b"Content-Length: 0\r\n\r\n"
        if not re.search(rb"(?im)^To:.*;tag=", text):
            text = re.sub(rb"(?im)^(To:.*?)\r\n", rb"\1;tag=served\r\n", text, count=1)
        sock.sendto(text, peer)


class Overload:
    """a and b are in a call; c is the one who asks for too much."""

    def __init__(self, core):
        self.core = core
        self.a, self.b, self.c = (Phone(core, s, core.ip(100 + n)) for n, s in ((1, A), (2, B), (3, C)))
        self.gateway = self.stranger(60, 5060)
        self.dialog, self.servers = None, []
        self.capacity, self.yield_s = 0, 0

    # ---- helpers ----

    def metrics(self):
        """Of the P-CSCF."""
        return self.core.rest("pcscf").get("/metrics")

    def cpu_s(self):
        """Processor time of the three daemons so far."""
        return sum(self.core.cpu_s(node) for node in ("pcscf", "icscf", "scscf"))

    def percent(self):
        """Part of the new requests that the P-CSCF lets in."""
        return figure(self.metrics(), "cscf_admission_percent")

    def start(self, rate, seconds):
        """The flood, in a process of its own.  Returns the end of the pipe that will tell."""
        text = self.c.build("OPTIONS", ELSEWHERE, call_id="@@@", branch="z9hG4bK@@@")
        mine, theirs = multiprocessing.Pipe()
        multiprocessing.Process(target=flood, args=(self.c.sock, self.c.proxy, text, rate, seconds, theirs), daemon=True).start()
        return mine

    def stranger(self, last, port=0):
        """A socket at an address that nobody is registered at."""
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.bind((self.core.ip(last), port))
        return s

    def ask(self, s, method="INVITE", more=""):
        """What a stranger sends: the least that is a request."""
        ip, port = s.getsockname()
        mark = f"{time.monotonic_ns():x}"
        return (f"{method} {self.core.impu(B)} SIP/2.0\r\nVia: SIP/2.0/UDP {ip}:{port};branch=z9hG4bK{mark};rport\r\nFrom: <sip:x@y>;tag=1\r\n"
                f"To: <{self.core.impu(B)}>\r\nCall-ID: {mark}\r\nCSeq: 1 {method}\r\nMax-Forwards: 70\r\n{more}Content-Length: 0\r\n\r\n").encode()

    def answers(self, s, seconds):
        """Everything that comes until nothing did for so long, behind the first, which a busy machine may be late with."""
        got = []
        s.settimeout(BUSY_S)
        try:
            while True:
                got.append(s.recv(65536))
                s.settimeout(seconds)
        except TimeoutError:
            return got

    def bans(self):
        """{source: reason}."""
        return {b["source"]: b["reason"] for b in self.core.rest("pcscf").items("/api/v1/bans")}

    # ---- overload ----

    def setup(self):
        for p in (self.a, self.b, self.c):
            p.must_register()
        self.dialog, _, _ = call(self.a, self.b, self.core.number(B))
        for sock in (self.b.sock, self.gateway):
            self.servers.append(multiprocessing.Process(target=serve, args=(sock,), daemon=True))
            self.servers[-1].start()
        equal(self.c.ask("OPTIONS", self.core.impu(B)).status, 200, "the callee's phone")
        equal(self.c.ask("OPTIONS", ELSEWHERE).status, 200, "the partner")

    def measure(self):
        """What can be served at all."""
        cpu = self.cpu_s()
        r = self.start(PROBE_RATE, PROBE_S).recv()
        self.capacity = r["status"]["200"] / PROBE_S
        self.yield_s = r["status"]["200"] / (self.cpu_s() - cpu)
        check(self.capacity > 100, f"{self.capacity:.0f} requests per second are served: {r['status']}")
        wait_for(lambda: self.percent() == 100, 2 * CALM_S, "calm")

    def overload(self):
        """Five times as much: calls go on, what is refused hears when to come again, what can be served is served."""
        rate, cpu = min(max(TIMES * self.capacity, LEAST), MOST), self.cpu_s()
        pipe, asked, slowest = self.start(rate, FLOOD_S), 0, 0.0
        end = time.monotonic() + FLOOD_S
        while time.monotonic() < end:
            began = time.monotonic()
            equal(self.dialog.ask("INFO").status, 200, f"INFO {asked} of a call in progress")
            slowest, asked = max(slowest, time.monotonic() - began), asked + 1
            # P21: never 503, by number either; there is no E-CSCF
            equal(self.a.ask("INVITE", "tel:112" if asked % 2 else "urn:service:sos", body=self.a.sdp()).status, 380, "an emergency call")
            time.sleep(0.05)
        r = pipe.recv()
        status, served, yield_s = r["status"], r["status"]["200"] / FLOOD_S, r["status"]["200"] / (self.cpu_s() - cpu)
        print(f"   served {self.capacity:.0f}/s, {self.yield_s:.0f} for a second of processor time; then {r['sent'] / FLOOD_S:.0f}/s came: "
              f"{served:.0f}/s, {yield_s:.0f}; answers {dict(status)}; {asked} INFOs, the slowest {slowest * 1000:.0f} ms")
        check(asked >= 3, f"only {asked} INFOs in {FLOOD_S} s")
        check(status["503"] > 0 and figure(self.metrics(), "cscf_overload_refused_total") > 0, f"nothing was refused: {status}")
        check(len(r["retry"]) >= min(8, status["503"] // 10), f"Retry-After is not spread: {r['retry']}")
        check(yield_s >= GOODPUT * self.yield_s, f"{yield_s:.0f} are served for a second of processor time, before it were {self.yield_s:.0f}")

    def calm(self):
        """Everything is let in again within five seconds."""
        began = time.monotonic()
        wait_for(lambda: self.percent() == 100, CALM_S, "the end of the overload")
        check(time.monotonic() - began < CALM_S + BUSY_S, f"after {time.monotonic() - began:.1f} s")
        for _ in range(20):
            equal(self.a.ask("OPTIONS", self.core.impu(B)).status, 200, "after the flood")

    # ---- sources ----

    def scan(self):
        """One who tries names is banned; others at other addresses are served, and told nothing by their answers."""
        with self.stranger(SCANNER) as bad, self.stranger(OTHER) as good:
            for _ in range(BAN_REFUSED + 20):
                bad.sendto(self.ask(bad, "MESSAGE"), self.a.proxy)
                time.sleep(0.002)
            got = self.answers(bad, QUIET_S)
            check(got and {g[:11] for g in got} == {b"SIP/2.0 403"}, f"answers to the scan: {[g[:20] for g in got[:3]]}")
            equal(len(got), BAN_REFUSED, "answers to the scan")
            equal(self.bans().get(self.core.ip(SCANNER)), "refused", "GET /bans")
            good.sendto(self.ask(good, "MESSAGE"), self.a.proxy)
            equal(len(self.answers(good, 0.3)), 1, "answers to another address")
            equal(self.a.ask("OPTIONS", self.core.impu(B)).status, 200, "a registered phone meanwhile")
            self.core.rest("pcscf").send("DELETE", "/api/v1/bans/" + self.core.ip(SCANNER), None)
            check(self.core.ip(SCANNER) not in self.bans(), "still banned after DELETE")
            bad.sendto(self.ask(bad, "MESSAGE"), self.a.proxy)
            equal(len(self.answers(bad, 0.3)), 1, "answers after the ban was lifted")

    def neighbour(self):
        """A registered phone behind a banned address is served all the same, unless that is banned by hand."""
        with self.stranger(103) as bad:
            for _ in range(BAN_REFUSED + 1):
                bad.sendto(self.ask(bad, "MESSAGE", "Contact: <sip:nobody@192.0.2.1>\r\n"), self.a.proxy)
                time.sleep(0.002)
            wait_for(lambda: self.core.ip(103) in self.bans(), 2, "the ban")
            while self.c.read(0):		# late answers to the flood
                self.c.queue.clear()
            equal(self.c.ask("OPTIONS", self.core.impu(B)).status, 200, "the phone at the banned address")
            self.core.rest("pcscf").send("POST", "/api/v1/bans", {"source": self.core.ip(103), "durationS": 600})
            self.c.start("OPTIONS", self.core.impu(B))
            self.c.nothing(lambda m: m.status, QUIET_S, "an answer to who is banned by hand")
            self.core.rest("pcscf").send("DELETE", "/api/v1/bans/" + self.core.ip(103), None)
            equal(self.c.ask("OPTIONS", self.core.impu(B)).status, 200, "the phone when that is lifted")

    def malformed(self):
        """Few answers to what cannot be parsed, then none."""
        with self.stranger(BROKEN) as s:
            for _ in range(BAN_MALFORMED + 20):
                s.sendto(self.ask(s).replace(b"CSeq: 1 INVITE", b"CSeq: x"), self.a.proxy)
                time.sleep(0.002)
            got = self.answers(s, 0.3)
            check(0 < len(got) < 10, f"{len(got)} answers")
            equal(self.bans().get(self.core.ip(BROKEN)), "malformed", "GET /bans")

    def amplification(self):
        """SEC-11: a forged source gets no more than was sent, in octets and in datagrams; nothing comes by itself later."""
        with self.stranger(SPOOFED) as s:
            sent = [self.ask(s), self.ask(s, "MESSAGE"), self.ask(s, "OPTIONS"), self.ask(s, "FOO"), self.ask(s, "BYE"),
                    self.ask(s, "INVITE", "Require: nothing\r\nProxy-Require: nothing\r\n"),
                    self.ask(s).replace(b"Max-Forwards: 70", b"Max-Forwards: 0"), self.ask(s).replace(b"CSeq: 1 INVITE", b"CSeq: x"),
                    self.ask(s).replace(self.core.impu(B).encode(), b"urn:service:sos", 1)]
            for one in sent:
                s.sendto(one, self.a.proxy)
                time.sleep(0.01)
            got = self.answers(s, QUIET_S)
            check(0 < len(got) <= len(sent), f"{len(got)} datagrams for {len(sent)}")
            sos = sum(len(g) for g in got if g.startswith(b"SIP/2.0 380"))
            check(sum(len(g) for g in got) - sos <= sum(len(m) for m in sent),
                  f"{sum(len(g) for g in got)} octets for {sum(len(m) for m in sent)}")

    def stop(self):
        for p in self.servers:
            p.terminate()
            p.join()


def main():
    build, net = sys.argv[1:3]
    cases = Cases()
    if slow_build(build):
        print("0 ok, 0 not ok, 1 skipped: no load on sanitizer builds")
        return 77
    with Core(build, net, [A, B, C], extra={"pcscf": EXTRA, "scscf": SCSCF.format(gw=net + ".60")}) as core:
        o = Overload(core)
        for name, fn in (("three phones, a call, and a callee that answers", o.setup), ("what can be served", o.measure),
                         (f"{TIMES} times as much: calls go on, the rest is told when to come again", o.overload),
                         (f"everything is let in again within {CALM_S} s", o.calm), ("a scan is banned, others are served", o.scan),
                         ("a phone is not liable for its neighbour", o.neighbour), ("malformed messages: few answers, then none", o.malformed),
                         ("nobody can aim more at others than he sends", o.amplification)):
            cases.run(name, fn)
        o.stop()
    core.finish(cases)
    return cases.end()


if __name__ == "__main__":
    sys.exit(main())
