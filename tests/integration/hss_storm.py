"""hss_storm.py BUILD NET WORKERS - the HSS is paused or killed under load: 200 registrations and 100 calls begin each second.

Nothing is lost that did not need the HSS, every refused request has its specified answer, and none has no answer.  Twice with one HSS, which comes
back; twice with two on the same data, of which one goes (row D12).
"""

import collections
import os
import signal
import sys
import time

from cases import BUSY_S, Cases, Skip, check, equal
from core import Core, Sub
from labnet import LabNet
from loadgen import Load
from wire import figure, slow_build

REGISTRATIONS, CALLS = 200, 100		# a second
SLOW = 10				# a build with sanitizers bears a part of it only
BEFORE_S, AWAY_S, AFTER_S = 2, 4, 5
HOLD_S = 1.0
PAIRS, KEPT = 100, 100		# phones that call each other; calls that stand through it all
CX_TIMEOUT_MS, ANSWER_S, RECOVERED_S = 1000, 8.0 + BUSY_S, 3.0
MUTE_S = 2.5				# two deadlines, one after the other, and what a busy machine adds
SHARED = "hss: {shared_state: true}\n"
PASSWORD, FIRST = "open sesame", 100000
CX_NODES = ("icscf", "scscf")
# What a phone may hear instead of what it wanted: TS 24.229 §5.3.1.3, §5.3.2.1 and icscf/README.md "Decisions".
REFUSED = {500, 503, 504}


class Variant:
    """One core, one fault."""

    def __init__(self, core, second, slow):
        self.core, self.second, self.load = core, second, Load(core, core.addr("pcscf"))
        self.rate = (REGISTRATIONS // slow, CALLS // slow)
        self.next, self.kept, self.counts = FIRST, [], collections.Counter()
        self.fault_at = self.back_at = 0
        ends = [self.load.phone(s, core.ip(101)) for s in core.subs]
        self.callers, self.callees = ends[:PAIRS], ends[PAIRS:2 * PAIRS]
        self.crowd = self.load.phone(None, core.ip(102))

    def setup(self):
        """Phones register, calls that stay come up."""
        for e in self.callers + self.callees:
            self.load.register(e, self.core.impi(e.sub), PASSWORD, lambda r: None)
        self.settle()
        equal(self.statuses("REGISTER"), {401: 2 * PAIRS, 200: 2 * PAIRS}, "registrations")
        for n in range(KEPT):
            self.call(n, None, self.kept.append)
        self.settle()
        equal(self.statuses("INVITE"), {200: KEPT}, "calls")

    def settle(self):
        """Until every request is over."""
        self.load.run(40, lambda: not self.load.open)

    def statuses(self, method):
        """{status: how many}."""
        return dict(collections.Counter(r.status for r in self.load.requests if r.method == method))

    def call(self, n, hold_s, then=None):
        """The n-th pair talks."""
        a, b = self.callers[n % PAIRS], self.callees[n % PAIRS]
        self.load.call(a, self.core.impu(a.sub), self.core.impu(b.sub), hold_s, then)

    def impi(self, n):
        """Of the crowd."""
        return f"00101{n:010d}@{self.core.domain}"

    def steady(self, seconds):
        """The load for so long, at the rate, as far as this machine bears it."""
        began = time.monotonic()
        done, end = [0, 0], began + seconds

        def due():
            elapsed = min(time.monotonic(), end) - began
            for _ in range(min(int(elapsed * self.rate[0]) - done[0], 20)):
                self.load.register(self.crowd, self.impi(self.next), PASSWORD, lambda r: None)
                self.next, done[0] = self.next + 1, done[0] + 1
            for _ in range(min(int(elapsed * self.rate[1]) - done[1], 10)):
                self.call(done[1], HOLD_S)
                done[1] += 1
            if time.monotonic() < end:
                self.load.later(0.01, due)

        due()
        self.load.run(seconds)
        return [n / (time.monotonic() - began) for n in done]

    def storm(self, fault, back):
        """Load, the fault in its middle, load, the way back, load."""
        rates = [self.steady(BEFORE_S)]
        fault(self)
        self.fault_at = time.monotonic()
        rates.append(self.steady(AWAY_S))
        if back:
            back()
        self.back_at = time.monotonic()
        rates.append(self.steady(AFTER_S))
        self.settle()
        print("   begun each second: " + "; ".join(f"{r:.0f} registrations, {c:.0f} calls" for r, c in rates), flush=True)
        for method in ("REGISTER", "INVITE", "BYE"):
            took = [r.took for r in self.load.requests if r.method == method and r.began > self.fault_at]
            print(f"   {method}: {self.statuses(method)}, the slowest {max(took or [0]):.1f} s", flush=True)

    def answers(self):
        """Each request has one of the answers that are specified for it, in time; a refusal says when to come again."""
        wanted = {"REGISTER": {200, 401}, "INVITE": {200}, "BYE": {200}, "INFO": {200}}
        bad = [str(r) for r in self.load.requests if r.status not in wanted[r.method] | (REFUSED if r.method in ("REGISTER", "INVITE") else set())]
        check(not bad, f"{len(bad)} of {len(self.load.requests)}: {bad[:5]}")
        mute = [str(r) for r in self.load.requests if r.status in REFUSED and not r.retry_after.split(";")[0].strip().isdigit()]
        check(not mute, f"{len(mute)} without Retry-After: {mute[:5]}")
        late = [f"{r} after {r.took:.1f} s" for r in self.load.requests if r.took > ANSWER_S]
        check(not late, f"{len(late)} late: {late[:5]}")

    def calm(self):
        """Skips where it was this machine that refused: what others run here may stop a daemon for a second."""
        n = sum(figure(self.core.rest(node).get("/metrics"), "cscf_overload_refused_total") for node in ("pcscf", *CX_NODES))
        if n:
            raise Skip(f"the machine was busy: {n:.0f} requests were refused for overload")

    def untouched(self):
        """What began before the fault and was over, and what began when the HSS was back, was served."""
        self.calm()
        bad = [str(r) for r in self.load.requests if r.status in REFUSED and
               (r.began + r.took < self.fault_at or r.began > self.back_at + RECOVERED_S)]
        check(not bad, f"{len(bad)}: {bad[:5]}")

    def hit(self):
        """The fault was one: somebody was refused."""
        check(any(r.status in REFUSED for r in self.load.requests), "nobody noticed")

    def few(self):
        """With another HSS at hand only those are refused whose request the silent one had taken before it was known to be: for one deadline."""
        bad = [r for r in self.load.requests if r.status in REFUSED]
        late = [str(r) for r in bad if r.began > self.fault_at + MUTE_S]
        print(f"   refused: {len(bad)} of {len(self.load.requests)}", flush=True)
        self.calm()
        check(not late, f"{len(late)} long after: {late[:5]}")

    def calls_stand(self):
        """Calls of before are still calls."""
        for r in self.kept:
            r.dialog.ask("INFO")
        self.settle()
        for r in self.kept:
            r.dialog.ask("BYE")
        self.settle()
        equal(self.statuses("INFO"), {200: KEPT}, "INFO in calls of before")
        equal({s for s in self.statuses("BYE")}, {200}, "BYE")

    def heal(self):
        """Whoever was refused registers now, and S-CSCF and HSS agree about everybody."""
        ends = {}
        for r in self.load.requests:
            if r.method == "REGISTER":
                ends[r.about] = r.status
        again = [impi for impi, status in ends.items() if status != 200]
        for impi in again:
            self.load.register(self.crowd, impi, PASSWORD, lambda r: ends.__setitem__(r.about, r.status))
            self.load.run(0.005)
        self.settle()
        equal([i for i in again if ends[i] != 200], [], "still refused")
        here = {r["impi"] for r in self.core.registrations("scscf")}
        there = {s["impi"] for s in self.rest().items("/api/v1/subscribers", state="registered")}
        equal([len(here), sorted(here ^ there)[:5]], [len(ends), []], "who is registered at S-CSCF and HSS")
        print(f"   {len(again)} had to come again, {len(ends)} are registered", flush=True)

    def quiet(self):
        """Nothing waits for the HSS any more."""
        for node in CX_NODES:
            text = self.core.rest(node).get("/metrics")
            check("\ncscf_diameter_waiting 0\n" in text, f"{node}: requests wait")

    def rest(self):
        """The HSS that is there."""
        return self.core.rest("hss2" if self.second else "hss")

    def retransmitted(self):
        """The other HSS got what the dead one owed, with the T flag (RFC 6733 §5.5.4)."""
        n = self.rest().get("/api/v1/counters")["retransmitted"]
        print(f"   {n} requests with the T flag", flush=True)
        check(n > 0, "none")


def paused(core):
    """SIGSTOP, and on."""
    return lambda _: os.kill(core.pid("hss"), signal.SIGSTOP), lambda: os.kill(core.pid("hss"), signal.SIGCONT)


def killed(core):
    """SIGKILL, and another process on its state."""
    def back():
        core.start_node("hss")
        for node in CX_NODES:
            core.wait_ready(node, 20)
    return lambda _: core.stop_node("hss", signal.SIGKILL), back


def killed_for_good(core):
    """The other HSS is left.  It owes answers when it goes."""
    def slow(v):
        core.behave({c: {"delayMs": CX_TIMEOUT_MS // 3} for c in ("UAR", "LIR", "MAR", "SAR")})
        v.steady(1)
        core.stop_node("hss", signal.SIGKILL)
    return slow, None


def one(cases, build, net, workers, name, fault, two):
    """A core of its own: what one fault leaves behind is not the next one's."""
    lab = LabNet(net)
    port = lab.diameter_port["hss"]
    second = f', {{identity: hss2.{lab.domain}, address: "{net}.41", port: {port + 1000}}}' if two else ""
    extra = {n: f'diameter: {{request_timeout_ms: {CX_TIMEOUT_MS}, peers: [{{identity: {lab.name("hss")}, address: "{net}.40", port: {port}}}{second}]}}\n'
             for n in CX_NODES}
    extra["hss"] = SHARED if two else "log: {level: info}\n"
    generate = f'- generate: {{count: 6000, first_imsi: "00101{FIRST:010d}", password: "{PASSWORD}"}}\n'
    with Core(build, net, [Sub(n, PASSWORD) for n in range(1, 2 * PAIRS + 1)], workers, extra, ("diameter", "Diameter", "hss"), generate) as core:
        if two:
            core.second_hss(port + 1000, lambda conf: conf + SHARED)
            for n in CX_NODES:
                core.wait_peers(n, 2)
        v = Variant(core, two, SLOW if slow_build(build) else 1)
        rows = [("phones register and talk", v.setup), ("the storm", v.storm, *fault(core)), ("every request has a specified answer", v.answers),
                ("nothing else is touched", v.untouched), ("calls of before stand", v.calls_stand), ("whoever was refused comes again", v.heal),
                ("nothing waits", v.quiet)]
        rows.append(("few are refused", v.few) if two else ("it was a fault", v.hit))
        if fault == killed_for_good:
            rows.append(("what the dead one owed came with the T flag", v.retransmitted))
        for row in rows:
            if not cases.run(f"{name}: {row[0]}", *row[1:]) and row[0] == "phones register and talk":
                break
    core.finish(cases)


def main():
    """The script."""
    build, net, workers = sys.argv[1], sys.argv[2], int(sys.argv[3])
    cases = Cases()
    for name, fault, two in (("HSS paused", paused, False), ("HSS killed", killed, False), ("HSS killed, another there", killed_for_good, True),
                             ("HSS paused, another there", paused, True)):
        if len(sys.argv) < 5 or sys.argv[4] in name:
            one(cases, build, net, workers, name, fault, two)
    cases.end()


main()
