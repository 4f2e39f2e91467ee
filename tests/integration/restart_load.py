"""restart_load.py BUILD NET WORKERS kill|drain - each daemon ends and comes back, and all three, under registrations and calls: F1, F2, F3, F4; F23.

A crowd registers, calls, re-INVITEs and hangs up while daemons die and come back.  Nobody who heard 200 to REGISTER is forgotten, every call that
was up can be changed and ended, and service is back within a second.  After kill -9 what is lost are set-ups in flight: transactions are not kept.
After SIGTERM nothing is: a daemon that drains ends what it has begun and refuses what is new.
"""

import os
import signal
import sys
import time

from cases import BUSY_S, Cases, check, equal, wait_for
from core import Core, Sub, sanitized, settle
from crowd import Crowd, back_after, percentile

NODES = ("pcscf", "icscf", "scscf")
KILLS = (("F1", ("scscf",)), ("F2", ("pcscf",)), ("F3", ("icscf",)), ("F4", NODES))
DRAINS = (("F23", ("scscf",)), ("F23", ("pcscf",)), ("F23", ("icscf",)))
BETWEEN_S, WARM_S = 5, 8
BACK_S = 1.0
PATIENCE_S = 6.0		# of a caller whose set-up may have died with a process; a daemon that drains answers all
# CSCF_RATES=200/100: what the goal names.  It takes the two cores for itself; beside other scripts less is asked for.


class Killing:
    """The cases, in their order."""

    def __init__(self, core, subs, rates, strict, drain):
        self.core, self.subs, self.strict, self.drain = core, subs, strict, drain
        self.rates, self.kills, self.report, self.cpu_s = rates, [], None, []
        self.crowd = Crowd(core, subs, *rates, **({} if drain else {"patience_s": PATIENCE_S}))

    def begins(self):
        """Calls are up before anything dies."""
        wait_for(lambda: self.crowd.report()["count"].get("calls up", 0) > 2 * self.rates[1], WARM_S, "a crowd that talks")
        report = self.crowd.report()
        equal(report["lost"], [], "lost before anything happened")

    def ends(self, nodes):
        """By kill -9 or SIGTERM; started at once."""
        before = self.crowd.report()["count"]
        told = then = time.monotonic()
        for n in nodes:
            os.kill(self.core.pid(n), signal.SIGTERM if self.drain else signal.SIGKILL)
        for n in nodes:
            self.core.gone(n)
        if self.drain:
            then = time.monotonic()
            print(f"   {'+'.join(nodes)}: drained in {then - told:.2f} s")
        for n in nodes:
            self.core.start_node(n)
        for n in nodes:
            self.core.wait_ready(n)
        ready = time.monotonic() - then
        self.cpu_s.append(sum(self.core.cpu_s(n) for n in nodes))
        settle(max(0, then + BETWEEN_S - time.monotonic()))
        self.kills.append((nodes, then, ready, before))

    def accounts(self):
        """Everything that began has ended; who is registered is registered everywhere."""
        self.report = r = self.crowd.finish()
        print("   " + ", ".join(f"{k} {v}" for k, v in sorted(r["count"].items())))
        lost = [t for t in r["lost"] if "registration" in t]
        equal(lost[:5], [], f"{len(lost)} registrations lost")
        equal(r["open"][0], 0, "registrations that never ended")
        for node in ("pcscf", "scscf"):
            text = {str(e.get("impi") or e.get("privateIdentity")) for e in self.core.registrations(node)}
            missing = [i for i in r["registered"] if self.core.impi(Sub(int(i[5:]))) not in text]
            equal(missing[:5], [], f"of {len(r['registered'])} who heard 200 to REGISTER {len(missing)} are missing at {node}")

    def calls(self):
        """Each that was up was changed and ended."""
        r = self.report
        check(r is not None, "there is no report")
        lost = [t for t in r["lost"] if "registration" not in t]
        equal(lost[:5], [], f"{len(lost)} of {r['count']['calls up']} calls lost")
        equal(r["count"].get("calls ended"), r["count"]["calls up"], "calls ended of those that were up")
        equal(r["open"][1], 0, "calls that never ended")

    def set_ups(self):
        """Those in flight while nobody was there, or before: no more than half as many again as begin in that time.  None that was drained."""
        r = self.report
        check(r is not None, "there is no report")
        down = sum(ready for _, _, ready, _ in self.kills)
        hung = r["count"].get("set-ups without an answer", 0)
        print(f"   {r['count']['calls']} calls begun, {hung} without an answer, {r['count'].get('set-ups refused', 0)} refused; "
              f"{down:.2f} s without a daemon in {len(self.kills)} kills")
        check(not self.drain or hung == 0, f"{hung} set-ups without an answer")
        set_up_s = max(0.2, percentile(r, "call", 99) / 1000)
        check(not self.strict or hung <= 1.5 * (down + len(self.kills) * set_up_s) * self.rates[1], f"{hung} set-ups without an answer")

    def quick(self):
        """The first who registers and the first who calls after the kill: a second of processor time, which a busy machine stretches."""
        slow = []
        check(self.report is not None, "there is no report")
        for (nodes, then, ready, _), cpu_s in zip(self.kills, self.cpu_s):
            reg, call, change = (back_after(self.report, k, then) for k in ("register", "call", "change"))
            print(f"   {'+'.join(nodes)}: ready after {ready * 1000:.0f} ms, {cpu_s * 1000:.0f} ms of processor time, registration " +
                  ", call ".join(f"{v * 1000:.0f} ms" if v else "never" for v in (reg, call)) +
                  f", re-INVITE {change * 1000:.0f} ms after the kill" if change else "")
            slow += [] if cpu_s < BACK_S and ready < BACK_S + BUSY_S and reg and call and max(reg, call) < 2 * BACK_S + BUSY_S else [nodes]
        print("   at rest: " + ", ".join(f"{k} p50 {percentile(self.report, k, 50):.0f} p99 {percentile(self.report, k, 99):.0f} ms"
                                         for k in ("register", "call", "change", "bye")))
        check(not self.strict or not slow, f"not back within {BACK_S} s: {slow}")

    def rows(self):
        """What runs."""
        a, b = self.rates
        what, ends, names = ("drain", DRAINS, "F23") if self.drain else ("kill -9", KILLS, "F1 F2 F3 F4")
        return [(f"a crowd registers ({a} a second) and calls ({b} a second)", self.begins),
                *[(f"{row} {what} of {' and '.join(nodes)} under it", self.ends, nodes) for row, nodes in ends],
                (f"{names} no registration is lost", self.accounts), (f"{names} every call that was up goes on and ends", self.calls),
                (f"{names} set-ups in flight", self.set_ups), (f"{names} service is back within a second", self.quick)]


def main():
    """The script."""
    build, net, workers = sys.argv[1], sys.argv[2], int(sys.argv[3])
    slow, drain = sanitized(build), sys.argv[4] == "drain"
    rates = tuple(int(n) for n in os.environ["CSCF_RATES"].split("/")) if "CSCF_RATES" in os.environ else (20, 8) if slow else (100, 40)
    last_s = WARM_S + BETWEEN_S * len(KILLS)
    subs = [Sub(n, password="crowd") for n in range(1, rates[0] * last_s + 1)]
    cases = Cases()
    with Core(build, net, subs, workers) as core:
        script = Killing(core, subs, rates, not slow, drain)
        try:
            for name, fn, *args in script.rows():
                cases.run(name, fn, *args)
        finally:
            script.crowd.close()
    core.finish(cases)
    cases.end()


main()
