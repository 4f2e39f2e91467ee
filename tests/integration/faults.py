"""faults.py BUILD NET WORKERS - a network that loses, doubles and delays (F16), and a configuration that is read again and again (F22), under a crowd."""

import os
import re
import signal
import sys
import threading
import time

from cases import Cases, check, equal, wait_for
from core import Core, Sub, sanitized
from crowd import Crowd

NODES = ("pcscf", "icscf", "scscf")
RATES, RATES_SLOW = (30, 10), (10, 3)		# registrations and calls that begin in a second; of a build with sanitizers
ROUGH_RATES, CALLS, PHONES = (15, 5), 80, 120	# of each of three crowds at a time
ROUGH_RATES_SLOW, CALLS_SLOW, PHONES_SLOW = (5, 2), 30, 45
RELOADS, APART_S, RELOAD_PHONES = 340, 0.03, 360	# of each daemon
# Lost each way, doubled, reordered by up to 200 ms; set-ups that may stay without an answer, losses (calls whose end nobody confirmed).
#
# What chance may do, with p lost each way and q = 1 - p.  INVITE goes at 0, 0.5, 1.5, 3.5, 7.5, 15.5 s from the caller and, as soon as one is
# there, from the P-CSCF (TIMERS); the callee's 2xx at 0, 0.5, 1.5, 3.5 s and then every 4 s until 32 s (RFC 3261 §17.1.1.2, §13.3.1.4), each of them
# forwarded.  A caller who waits 32 s, of which a busy machine takes 4, has no answer with the probability
#     f(p) = sum over i, j of p^i q p^j q (1 - q^2)^n(28 - a_i - a_j), and what is left of the sum of p^i q p^j q
# (a: the times of INVITE, n(t): how often a 2xx goes within t): 2e-12, 2.1e-6 and 3.0e-3 at 1, 10 and 30 %.  Of 80 calls
#     more than 0 at 1 %: 2e-10; more than 1 at 10 %: 1.4e-8; more than 5 at 30 %: 2e-7.
# BYE, at 0, 0.5, 1.5, 3.5 s and then every 4 s on both ways, stays without its 200 with 7e-17, 3.5e-7 and 5.1e-3: more than 0 of 80 at 10 %: 3e-5;
# more than 9 at 30 %: 1.3e-11.
ROUGH = ((0.01, 0.1, 0.2, 0, 0), (0.1, 0.1, 0.2, 1, 0), (0.3, 0.1, 0.2, 5, 9))
TIMERS = "sip: {ue_timers: {t1_ms: 500, t2_ms: 4000}}\n"	# as the crowd's: 32 s are then 32 s on both sides


class Faults:
    """The cases; each takes phones that have not registered yet."""

    def __init__(self, core, slow):
        self.rates, self.rough_rates = (RATES_SLOW, ROUGH_RATES_SLOW) if slow else (RATES, ROUGH_RATES)
        self.calls, self.phones = (CALLS_SLOW, PHONES_SLOW) if slow else (CALLS, PHONES)
        self.core, self.next, self.lock = core, 1, threading.Lock()
        self.heard, self.unheard = 0, 0		# 200 to a phone's first REGISTER; phones that gave up, or had not ended

    def crowd(self, n, rates, **how):
        """One of n phones that registers and calls."""
        with self.lock:
            subs, self.next = [Sub(k, password="crowd") for k in range(self.next, self.next + n)], self.next + n
        return Crowd(self.core, subs, *rates, **how)

    def figure(self, node, pattern):
        """Sum of a metric."""
        return sum(int(n) for n in re.findall(pattern + r" (\d+)", self.core.rest(node).get("/metrics")))

    def rough(self, last, loss, twice, late_s, most_silent, most_lost):
        """Retransmissions carry it; nothing is done twice."""
        crowd = self.crowd(self.phones, self.rough_rates, last=last, loss=loss, twice=twice, late_s=late_s)
        try:
            wait_for(lambda: crowd.report()["count"].get("calls", 0) >= self.calls, 10 * self.calls / self.rough_rates[1], "the calls")
            r = crowd.finish()
        finally:
            crowd.close()
        c = r["count"]
        silent = c.get("set-ups without an answer", 0)
        print(f"   {loss:.0%} lost: {c['registrations']} registered, {c['calls']} calls, {c.get('calls up', 0)} up, {silent} without an answer, "
              f"{len(r['lost'])} lost, {c.get('retransmissions', 0)} retransmissions, {c.get('datagrams lost', 0)} datagrams lost")
        check(silent <= most_silent, f"{silent} set-ups without an answer: {c}")
        check(len(r["lost"]) <= most_lost, f"{len(r['lost'])} lost: {r['lost'][:5]}")
        check(c["calls up"] + silent + c.get("set-ups refused", 0) + r["open"][1] >= c["calls"], f"there are calls of which nobody knows: {c}")
        check(c["calls up"] > self.calls // 8, f"calls: {c}")
        if not most_lost:
            equal(r["open"], [0, 0], "registrations and calls that never ended")
        with self.lock:
            self.heard += c["registrations"]
            self.unheard += r["open"][0] + sum("registration" in text for text in r["lost"])

    def made_once(self):
        """As many registrations began as phones heard of one: a REGISTER that comes again makes none."""
        made = self.figure("scscf", r'cscf_registrar_outcomes_total\{kind="initial",cause="ok"\}')
        check(0 < self.heard <= made <= self.heard + self.unheard, f"{made} registrations were made for {self.heard} phones, {self.unheard} heard nothing")

    def reloads(self):
        """A good one, a bad one, and so on: nobody notices."""
        texts = {}
        for n in NODES:
            with open(self.core.doc["configs"][n], encoding="utf-8") as f:
                texts[n] = f.read()
        crowd = self.crowd(RELOAD_PHONES, self.rates)
        try:
            wait_for(lambda: crowd.report()["count"].get("calls up", 0) > self.rates[1], 60, "a crowd that talks")
            for i in range(RELOADS):
                for n in NODES:
                    with open(self.core.doc["configs"][n] + ".new", "w", encoding="utf-8") as f:
                        f.write(texts[n] + ("nonsense: 1\n" if i % 2 else ""))
                    os.rename(self.core.doc["configs"][n] + ".new", self.core.doc["configs"][n])
                    os.kill(self.core.pid(n), signal.SIGHUP)
                time.sleep(APART_S)
            r = crowd.finish()
        finally:
            crowd.close()
            for n in NODES:
                with open(self.core.doc["configs"][n], "w", encoding="utf-8") as f:
                    f.write(texts[n])
        c = r["count"]
        print(f"   {RELOADS * len(NODES)} reloads: {c['registrations']} registered, {c['calls up']} of {c['calls']} calls up")
        equal(r["lost"], [], "lost")
        equal([c.get("set-ups without an answer", 0), c.get("set-ups refused", 0)], [0, 0], "set-ups without an answer, refused")
        for n in NODES:
            with open(self.core.doc["logs"][n], encoding="utf-8", errors="replace") as f:
                text = f.read()
            check(text.count("nonsense") > 10, f"{n} did not read the bad one")


def main():
    """The script."""
    build, net, workers = os.path.abspath(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    total = PHONES * len(ROUGH) + RELOAD_PHONES
    cases = Cases()
    with Core(build, net, [Sub(n, password="crowd") for n in range(1, total + 1)], workers, {"pcscf": TIMERS},
              ("nonsense", "configuration")) as core:
        script = Faults(core, sanitized(build))
        cases.side_by_side([[(f"F16 {row[0]:.0%} of the datagrams are lost, others doubled and late", script.rough, 200 + i, *row)]
                            for i, row in enumerate(ROUGH)])
        cases.run("F16 no registration is made twice", script.made_once)
        cases.run("F22 the configuration is read a thousand times, every other time a bad one", script.reloads)
    core.finish(cases)
    cases.end()


main()
