"""restart_load.py BUILD NET WORKERS - kill -9 of each daemon, and of all three, under registrations and calls: F1, F2, F3, F4.

A crowd registers, calls, re-INVITEs and hangs up while daemons die and come back.  Nobody who heard 200 to REGISTER is forgotten, every call that
was up can be changed and ended, and service is back within a second.  What is lost are set-ups in flight: transactions are not kept.
"""

import os
import signal
import sys
import time

from cases import Cases, check, equal, wait_for
from core import Core, Sub, sanitized, settle
from crowd import Crowd, back_after, percentile

NODES = ("pcscf", "icscf", "scscf")
KILLS = (("F1", ("scscf",)), ("F2", ("pcscf",)), ("F3", ("icscf",)), ("F4", NODES))
BETWEEN_S, WARM_S = 5, 8
BACK_S = 1.0
# CSCF_RATES=200/100: what the goal names.  It takes the two cores for itself; beside other scripts less is asked for.


class Killing:
    """The cases, in their order."""

    def __init__(self, core, subs, rates, strict):
        self.core, self.subs, self.strict = core, subs, strict
        self.rates, self.kills, self.report = rates, [], None
        self.crowd = Crowd(core, subs, *rates)

    def begins(self):
        """Calls are up before anything dies."""
        settle(WARM_S)
        report = self.crowd.report()
        check(report["count"].get("calls up", 0) > self.rates[1], f"the crowd talks: {report['count']}")
        equal(report["lost"], [], "lost before anything happened")

    def killed(self, nodes):
        """kill -9, started at once."""
        before = self.crowd.report()["count"]
        then = time.monotonic()
        for n in nodes:
            os.kill(self.core.pid(n), signal.SIGKILL)
        for n in nodes:
            self.core.gone(n)
        started = {n: self.core.start_node(n) for n in nodes}
        for n in nodes:
            wait_for(lambda n=n: self.core.ready(n)[0] or self.core.again(n, started), 20, f"{n} ready")
        ready = time.monotonic() - then
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
        """Those in flight while nobody was there: no more than half as many again as begin in that time."""
        r = self.report
        check(r is not None, "there is no report")
        down = sum(ready for _, _, ready, _ in self.kills)
        hung = r["count"].get("set-ups without an answer", 0)
        print(f"   {r['count']['calls']} calls begun, {hung} without an answer, {r['count'].get('set-ups refused', 0)} refused; "
              f"{down:.2f} s without a daemon in {len(self.kills)} kills")
        check(not self.strict or hung <= 1.5 * (down + len(self.kills) * 0.2) * self.rates[1], f"{hung} set-ups without an answer")

    def quick(self):
        """The first who registers and the first who calls after the kill."""
        slow = []
        check(self.report is not None, "there is no report")
        for nodes, then, ready, _ in self.kills:
            reg, call, change = (back_after(self.report, k, then) for k in ("register", "call", "change"))
            print(f"   {'+'.join(nodes)}: ready after {ready * 1000:.0f} ms, registration " +
                  ", call ".join(f"{v * 1000:.0f} ms" if v else "never" for v in (reg, call)) +
                  f", re-INVITE {change * 1000:.0f} ms after the kill" if change else "")
            slow += [] if ready < BACK_S and reg and call and max(reg, call) < 2 * BACK_S else [nodes]
        print("   at rest: " + ", ".join(f"{k} p50 {percentile(self.report, k, 50):.0f} p99 {percentile(self.report, k, 99):.0f} ms"
                                         for k in ("register", "call", "change", "bye")))
        check(not self.strict or not slow, f"not back within {BACK_S} s: {slow}")

    def rows(self):
        """What runs."""
        a, b = self.rates
        return [(f"a crowd registers ({a} a second) and calls ({b} a second)", self.begins),
                *[(f"{row} kill -9 of {' and '.join(nodes)} under it", self.killed, nodes) for row, nodes in KILLS],
                ("F1 F2 F3 F4 no registration is lost", self.accounts), ("F1 F2 F3 F4 every call that was up goes on and ends", self.calls),
                ("F1 set-ups in flight", self.set_ups), ("F1 service is back within a second", self.quick)]


def main():
    """The script."""
    build, net, workers = sys.argv[1], sys.argv[2], int(sys.argv[3])
    slow = sanitized(build)
    rates = tuple(int(n) for n in os.environ["CSCF_RATES"].split("/")) if "CSCF_RATES" in os.environ else (20, 8) if slow else (100, 40)
    last_s = WARM_S + BETWEEN_S * len(KILLS)
    subs = [Sub(n, password="crowd") for n in range(1, rates[0] * last_s + 1)]
    cases = Cases()
    with Core(build, net, subs, workers, quiet_errors=("the Diameter node cannot be started", "stopped by an error")) as core:
        script = Killing(core, subs, rates, not slow)
        try:
            for name, fn, *args in script.rows():
                cases.run(name, fn, *args)
        finally:
            script.crowd.close()
    core.finish(cases)
    cases.end()


main()
