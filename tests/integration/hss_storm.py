"""hss_storm.py BUILD NET WORKERS [NAME] - the HSS is paused or killed while a crowd registers and calls.

Nothing is lost that did not need the HSS, every refused request has its specified answer, and none has no answer.  Twice with one HSS, which comes
back; twice with two on the same data, of which one goes (row D12).  CSCF_RATES=200/100 takes two cores for itself; beside other scripts less is
asked for.
"""

import os
import signal
import sys
import time

from cases import BUSY_S, Cases, Fail, check, equal, wait_for
from core import Core, Sub, sanitized, settle
from crowd import Crowd
from labnet import LabNet
from wire import figure

RATES, RATES_SLOW = (100, 40), (10, 4)		# registrations and calls that begin in a second; of a build with sanitizers
BEFORE_S, AWAY_S, AFTER_S = 2, 4, 5
HOLD_S = 4.0				# of a call, with a re-INVITE in the middle: what is up when the HSS goes is changed and ended without it
CX_TIMEOUT_MS, ANSWER_S, RECOVERED_S = 1000, 8.0 + BUSY_S, 3.0
MUTE_S = 2.5				# two deadlines, one after the other, and what a busy machine adds
SHARED = "hss: {shared_state: true}\n"
PASSWORD, FIRST, COUNT = "open sesame", 100000, 6000
CX_NODES = ("icscf", "scscf")
# What a phone may hear instead of what it wanted: TS 24.229 §5.3.1.3, §5.3.2.1 and icscf/README.md "Decisions".
REFUSED = {500, 503, 504}


class Variant:
    """One core, one fault."""

    def __init__(self, core, second, rates):
        self.core, self.second, self.rates, self.report = core, second, rates, None
        self.before_at = self.fault_at = self.back_at = self.served_at = 0
        subs = [Sub(n, PASSWORD) for n in range(FIRST, FIRST + COUNT)]
        self.crowd = Crowd(core, subs, *rates, hold_s=HOLD_S, lines=int(rates[1] * HOLD_S * 1.3) + 4)

    def count(self, what):
        """So far."""
        return self.crowd.report()["count"].get(what, 0)

    def setup(self):
        """Phones register, calls come up."""
        wait_for(lambda: self.count("calls up") >= HOLD_S / 2 * self.rates[1], 30, "calls")
        equal((self.crowd.report()["lost"], self.crowd.report()["refused"]), ([], []), "lost, and refused, before anything happened")

    def served(self):
        """Has somebody registered who began after the way back?"""
        return any(begun > self.back_at for begun, _ in self.crowd.report()["done_at"]["register"])

    def storm(self, fault, back):
        """Load, the fault in its middle, load, the way back, load."""
        settle(BEFORE_S)
        self.before_at = time.monotonic()		# the fault itself takes a while: what it refuses meanwhile is its own
        fault()
        self.fault_at = time.monotonic()
        settle(AWAY_S)
        if back:
            back()
        self.back_at = time.monotonic()
        wait_for(self.served, 10, "a registration")
        self.served_at = time.monotonic()
        settle(AFTER_S)
        self.report = r = self.crowd.finish()
        print("   " + ", ".join(f"{k} {v}" for k, v in sorted(r["count"].items())), flush=True)
        print(f"   served again after {self.served_at - self.back_at:.1f} s; the slowest: " +
              ", ".join(f"{k} {v:.1f} s" for k, v in sorted(r["slowest"].items())), flush=True)

    def answers(self):
        """Each request has one of the answers that are specified for it, in time; a refusal says when to come again."""
        bad = [r for r in self.report["refused"] if r[0] not in ("REGISTER", "INVITE") or r[1] not in REFUSED]
        check(not bad, f"{len(bad)}: {bad[:5]}")
        mute = [r for r in self.report["refused"] if not r[4].split(";")[0].strip().isdigit()]
        check(not mute, f"{len(mute)} without Retry-After: {mute[:5]}")
        late = {k: v for k, v in self.report["slowest"].items() if v > ANSWER_S}
        check(not late, f"late: {late}")
        equal(self.report["count"].get("set-ups without an answer", 0), 0, "set-ups without an answer")

    def untouched(self):
        """What was over before the fault, and what began when the HSS had served somebody again, was served."""
        bad = [r for r in self.report["refused"] if r[3] < self.before_at or r[2] > self.served_at + RECOVERED_S]
        check(not bad, f"{len(bad)}: {bad[:5]}")

    def hit(self):
        """The fault was one: somebody was refused."""
        check(self.report["refused"], "nobody noticed")

    def few(self):
        """With another HSS at hand only those are refused whose request the silent one had taken before it was known to be: for one deadline."""
        bad = self.report["refused"]
        late = [r for r in bad if r[2] > self.fault_at + MUTE_S]
        print(f"   refused: {len(bad)}", flush=True)
        check(not late, f"{len(late)} long after: {late[:5]}")

    def calls_stand(self):
        """Calls of before are still calls: they were changed while the HSS was away, and every one was ended by one side and over for both."""
        r = self.report
        check(any(self.fault_at < begun and end < self.back_at for begun, end in r["done_at"]["change"]), "no call was changed meanwhile")
        equal((r["lost"][:5], r["open"][1]), ([], 0), "calls lost, calls that never ended")
        equal(r["count"]["calls ended"], r["count"]["calls up"], "calls ended of those that were up")

    def heal(self):
        """Whoever was refused has come again, and S-CSCF and HSS agree about everybody."""
        equal(self.report["open"][0], 0, "registrations that never ended")
        here = {r["impi"] for r in self.core.registrations("scscf")}
        there = {s["impi"] for s in self.rest().items("/api/v1/subscribers", state="registered")}
        equal([len(here), sorted(here ^ there)[:5]], [len(self.report["registered"]), []], "who is registered at S-CSCF and HSS")
        print(f"   {self.report['count'].get('registrations tried again', 0)} times somebody came again, {len(here)} are registered", flush=True)

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
    return lambda: os.kill(core.pid("hss"), signal.SIGSTOP), lambda: os.kill(core.pid("hss"), signal.SIGCONT)


def killed(core):
    """SIGKILL, and another process on its state."""
    def back():
        core.start_node("hss")
        for node in CX_NODES:
            core.wait_ready(node, 20)
    return lambda: core.stop_node("hss", signal.SIGKILL), back


def killed_for_good(core):
    """The other HSS is left.  It owes answers when it goes."""
    def slow():
        core.behave({c: {"delayMs": CX_TIMEOUT_MS // 3} for c in ("UAR", "LIR", "MAR", "SAR")})
        settle(1)
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
    generate = f'- generate: {{count: {COUNT}, first_imsi: "{Sub(FIRST).imsi}", first_msisdn: "{Sub(FIRST).msisdn}", password: "{PASSWORD}"}}\n'
    slow = sanitized(build)
    rates = tuple(int(n) for n in os.environ["CSCF_RATES"].split("/")) if "CSCF_RATES" in os.environ else RATES_SLOW if slow else RATES
    with Core(build, net, [], workers, extra, ("diameter", "Diameter", "hss"), generate) as core:
        if two:
            core.second_hss(port + 1000, lambda conf: conf + SHARED)
            for n in CX_NODES:
                core.wait_peers(n, 2)
        v = Variant(core, two, rates)
        rows = [("every request has a specified answer", v.answers), ("nothing else is touched", v.untouched), ("calls of before stand", v.calls_stand),
                ("whoever was refused comes again", v.heal), ("nothing waits", v.quiet), ("few are refused", v.few) if two else ("it was a fault", v.hit)]
        rows += [("what the dead one owed came with the T flag", v.retransmitted)] if fault == killed_for_good else []
        try:
            if cases.run(f"{name}: phones register and talk", v.setup) and cases.run(f"{name}: the storm", v.storm, *fault(core)):
                for text, fn in rows:
                    cases.run(f"{name}: {text}", fn)
        finally:
            v.crowd.close()
    core.finish(cases)


def one_of_four(*what):
    """A core that does not come up ends the script in its own thread only."""
    try:
        one(*what)
    except SystemExit as e:
        raise Fail(str(e)) from e


def main():
    """The script."""
    build, net, workers = os.path.abspath(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    cases = Cases()
    rows = [(cases, build, f"127.{i}.{net.rpartition('.')[2]}", workers, *row)
            for i, row in enumerate((("F6 HSS paused", paused, False), ("F5 HSS killed", killed, False), ("F8 HSS killed, another there", killed_for_good, True),
                                     ("F8 HSS paused, another there", paused, True))) if len(sys.argv) < 5 or sys.argv[4] in row[0]]
    if sanitized(build):		# so few that most of the time nobody does anything
        cases.side_by_side([[(f"{row[4]}: the core", one_of_four, *row)] for row in rows])
    else:
        for row in rows:
            one(*row)
    cases.end()


main()
