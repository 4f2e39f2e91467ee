"""faults.py BUILD NET WORKERS - a network that loses, doubles and delays (F16), and a configuration that is read again and again (F22), under a crowd."""

import os
import re
import signal
import sys
import time

from cases import Cases, check, equal
from core import Core, Sub, sanitized, settle
from crowd import Crowd

NODES = ("pcscf", "icscf", "scscf")
RATES, RUN_S = (30, 10), 8
RELOADS, APART_S = 340, 0.03		# of each daemon
ROUGH = ((0.01, 0.1, 0.2), (0.1, 0.1, 0.2), (0.3, 0.1, 0.2))	# lost each way, doubled; reordered by up to 200 ms


class Faults:
    """The cases; each takes phones that have not registered yet."""

    def __init__(self, core, slow):
        self.core, self.next, self.slow = core, 1, slow

    def crowd(self, seconds, **how):
        """One that registers and calls."""
        n = RATES[0] * seconds
        subs = [Sub(k, password="crowd") for k in range(self.next, self.next + n)]
        self.next += n
        return Crowd(self.core, subs, *RATES, **how)

    def figure(self, node, pattern):
        """Sum of a metric."""
        return sum(int(n) for n in re.findall(pattern + r" (\d+)", self.core.rest(node).get("/metrics")))

    def rough(self, loss, twice, late_s):
        """Retransmissions carry it; nothing is done twice."""
        before = self.figure("scscf", r'cscf_registrar_outcomes_total\{kind="initial",cause="ok"\}')
        crowd = self.crowd(RUN_S, loss=loss, twice=twice, late_s=late_s)
        try:
            settle(RUN_S)
            r = crowd.finish()
        finally:
            crowd.close()
        c = r["count"]
        print(f"   {loss:.0%} lost: {c.get('registrations', 0)} registered, {c.get('calls', 0)} calls, {c.get('set-ups without an answer', 0)} without an "
              f"answer, {len(r['lost'])} lost, {c.get('retransmissions', 0)} retransmissions, {c.get('datagrams lost', 0)} datagrams lost")
        check(c.get("calls up", 0) > RATES[1], f"calls: {c}")
        if loss <= 0.1:
            equal(r["lost"], [], "lost")
            equal(c["registrations"], len(r["registered"]), "registrations")
            check(c.get("set-ups without an answer", 0) <= 1, f"{c.get('set-ups without an answer')} set-ups without an answer")
        made = self.figure("scscf", r'cscf_registrar_outcomes_total\{kind="initial",cause="ok"\}') - before
        check(c["registrations"] <= made <= c["registrations"] + len(r["lost"]), f"{made} registrations were made for {c['registrations']} phones")

    def reloads(self):
        """A good one, a bad one, and so on: nobody notices."""
        texts = {}
        for n in NODES:
            with open(self.core.doc["configs"][n], encoding="utf-8") as f:
                texts[n] = f.read()
        crowd = self.crowd(int(RELOADS * APART_S) + 2)
        try:
            settle(2)
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
    total = RATES[0] * (RUN_S * len(ROUGH) + int(RELOADS * APART_S) + 2)
    cases = Cases()
    with Core(build, net, [Sub(n, password="crowd") for n in range(1, total + 1)], workers, quiet_errors=("nonsense", "configuration")) as core:
        script = Faults(core, sanitized(build))
        for loss, twice, late_s in ROUGH:
            cases.run(f"F16 {loss:.0%} of the datagrams are lost, others doubled and late", script.rough, loss, twice, late_s)
        cases.run("F22 the configuration is read a thousand times, every other time a bad one", script.reloads)
    core.finish(cases)
    cases.end()


main()
