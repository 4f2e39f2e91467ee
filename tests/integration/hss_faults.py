"""hss_faults.py BUILD NET WORKERS - the HSS is down, silent, slow or talks nonsense."""

import os
import resource
import signal
import socket
import sys
import time

from cases import BUSY_S, Cases, check, equal, wait_for
from core import Core, Sub
from phone import Phone, call, hang_up
from wire import figure

A, B, C, D = (Sub(n) for n in range(1, 5))
LIMIT_S = 6.0 + BUSY_S		# long before the phone gives up (RFC 3261 timer F) or its P-CSCF speaks for the core
RECOVERY_S = 40
CX_TIMEOUT_MS = 1500
EXTRA = f"diameter: {{request_timeout_ms: {CX_TIMEOUT_MS}}}\n"
CX_NODES = ("icscf", "scscf")


class Faults:
    """The cases; a and b registered while all was well."""

    def __init__(self, core):
        self.core = core
        self.a, self.b = Phone(core, A, core.ip(101)), Phone(core, B, core.ip(102))

    def refused(self, sub, last):
        """REGISTER of a new phone: a 5xx with Retry-After, in time."""
        with Phone(self.core, sub, self.core.ip(last)) as p:
            began = time.monotonic()
            r = p.register()
            took = time.monotonic() - began
            check(500 <= r.status < 600, f"REGISTER gets {r}")
            check(r.get("Retry-After").split(";")[0].strip().isdigit(), f"{r} has Retry-After {r.get('Retry-After')!r}")
            check(took <= LIMIT_S, f"it took {took:.1f} s")

    def served(self, sub, last):
        """REGISTER of a new phone goes well."""
        with Phone(self.core, sub, self.core.ip(last)) as p:
            p.must_register()
            p.must_register(expires=0)

    def well(self):
        self.a.must_register()
        self.b.must_register()

    def alive(self):
        """OPTIONS is answered by every daemon: nothing waits for the HSS."""
        for node in ("pcscf", "icscf", "scscf"):
            host, port = self.core.addr(node)
            with Phone(self.core, A, self.core.ip(103), proxy=(host, port)) as p:
                equal(p.ask("OPTIONS", f"sip:{host}:{port}").status, 200, f"OPTIONS to {node}")

    def down(self):
        self.core.stop_node("hss", signal.SIGKILL)
        for node in CX_NODES:
            wait_for(lambda n=node: not self.core.ready(n)[0], 10, f"/readyz of {node} to say no")
            ready, why = self.core.ready(node)
            check(not ready and "hss" in why.lower(), f"{node}: {why}")
            equal(self.core.rest(node).call("GET", "/healthz")[0], 200, f"/healthz of {node}")

    def down_register(self):
        self.refused(C, 104)

    def down_call(self):
        """A call needs the HSS (LIR): 5xx in time, and never 403 or 404."""
        r = self.a.ask("INVITE", self.core.number(B))
        check(500 <= r.status < 600, f"INVITE gets {r}")

    def back(self):
        self.core.start_node("hss")
        self.core.wait_ready("hss")
        began = time.monotonic()
        for node in CX_NODES:
            self.core.wait_ready(node, RECOVERY_S)
        print(f"   ready {time.monotonic() - began:.1f} s after the HSS", flush=True)
        self.served(C, 105)
        da, db, _ = call(self.a, self.b, self.core.number(B))
        hang_up(da, db)

    def in_dialog(self):
        """A call that stands needs no HSS."""
        da, db, _ = call(self.a, self.b, self.core.number(B))
        self.core.behave({c: {"silent": True} for c in ("UAR", "LIR", "MAR", "SAR")})
        hang_up(da, db)

    def silent(self, command):
        """One command is never answered."""
        self.core.behave({command: {"silent": True}})
        try:
            self.refused(D, 106)
            self.alive()
        finally:
            self.core.behave({})
        self.served(D, 106)

    def silent_lir(self):
        self.core.behave({"LIR": {"silent": True}})
        try:
            began = time.monotonic()
            r = self.a.ask("INVITE", self.core.number(B))
            check(500 <= r.status < 600 and time.monotonic() - began <= LIMIT_S, f"INVITE gets {r}")
        finally:
            self.core.behave({})

    def slow(self):
        """Answers take longer than usual, not longer than the limit: everything works, OPTIONS is not held up."""
        delay = CX_TIMEOUT_MS // 4
        self.core.behave({c: {"delayMs": delay} for c in ("UAR", "LIR", "MAR", "SAR")})
        try:
            with Phone(self.core, D, self.core.ip(107)) as p:
                req = p.start("REGISTER", "sip:" + self.core.domain, {"Expires": "600"}, to=p.impu)
                self.alive()
                equal(p.final(req).status, 401, "the challenge of a slow HSS")
            self.served(D, 107)
        finally:
            self.core.behave({})

    def late_answers(self):
        """How many came when nobody waited for them any more."""
        return sum(figure(self.core.rest(node).get("/metrics"), "cscf_diameter_late_answers_total") for node in CX_NODES)

    def late(self):
        """Answers that come after the limit: refused in time, and the late answer harms nobody."""
        self.core.behave({c: {"delayMs": 2 * CX_TIMEOUT_MS} for c in ("UAR", "MAR", "SAR")})
        before = self.late_answers()
        try:
            self.refused(D, 108)
            self.alive()
        finally:
            self.core.behave({})
        wait_for(lambda: self.late_answers() > before, 2 * CX_TIMEOUT_MS / 1000, "the late answer")
        self.served(D, 108)

    def overloaded(self):
        """D12, RFC 7683: it wants half of the load: registrations that begin are held back with 503, calls go on; then all is as before."""
        def throttled(node):
            return sum(int(float(line.rsplit(" ", 1)[1])) for line in self.core.rest(node).get("/metrics").splitlines()
                       if line.startswith("cscf_diameter_throttled_total{"))
        self.core.behave({c: {"overloadPercent": 50, "overloadS": 30} for c in ("UAR", "LIR")})
        da, db, _ = call(self.a, self.b, self.core.number(B))		# its LIA brings the report
        seen = []
        # Past the P-CSCF, which tries another address of the I-CSCF after a 503 (RFC 3263 §4.3).
        with Phone(self.core, C, self.core.ip(110), proxy=self.core.addr("icscf")) as p:
            for _ in range(20):
                seen.append(p.register_once())
            da2, db2, _ = call(self.b, self.a, self.core.number(A))
            bad = [r for r in seen if r.status not in (401, 503)]
            check(not bad, f"REGISTER gets {bad[:1]}")
            held = [r for r in seen if r.status == 503]
            check(5 <= len(held) <= 16, f"{len(held)} of {len(seen)} were held back")
            check(all(r.get("Retry-After") for r in held), "503 without Retry-After")
            equal(throttled("icscf"), len(held), "cscf_diameter_throttled_total")
            hang_up(da, db)
            hang_up(da2, db2)
            self.core.behave({"LIR": {"overloadPercent": 0, "overloadS": 0}})		# over
            da, db, _ = call(self.a, self.b, self.core.number(B))
            hang_up(da, db)
            self.core.behave({})
            equal([p.register_once().status for _ in range(5)], [401] * 5, "REGISTERs when it is over")

    def nonsense(self):
        """Result codes and profiles that nobody expects: a mapped refusal, no crash, no registration."""
        rows = [("UAR", {"resultCode": 3002}), ("UAR", {"resultCode": 5012}), ("UAR", {"experimentalCode": 5999}), ("MAR", {"resultCode": 5012}),
                ("MAR", {"resultCode": 3004}), ("SAR", {"resultCode": 5012}), ("SAR", {"userData": "this is no XML"}),
                ("SAR", {"userData": "<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b 'c'>]><IMSSubscription>&b;</IMSSubscription>"}),
                ("SAR", {"userData": "<IMSSubscription/>"}), ("SAR", {"userData": "<a>" * 500})]
        for command, rule in rows:
            self.core.behave({command: rule})
            try:
                with Phone(self.core, D, self.core.ip(109)) as p:
                    r = p.register()
                    check(400 <= r.status < 600, f"{command} {str(rule)[:60]}: REGISTER gets {r}")
                    check(not self.core.registered("scscf", D), f"{command} {str(rule)[:60]}: it is registered")
            finally:
                self.core.behave({})
        self.served(D, 109)

    def scscf_restart(self):
        """Daemons that start without a HSS wait for it."""
        self.core.stop_node("hss", signal.SIGTERM)
        for node in CX_NODES:
            self.core.stop_node(node, signal.SIGTERM)
            self.core.start_node(node)
            wait_for(lambda n=node: self.core.rest(n).ready()[1] and "hss" in self.core.rest(n).ready()[1], 15, f"{node} without its HSS")
        self.refused(C, 104)
        self.core.start_node("hss")
        for node in CX_NODES:
            self.core.wait_ready(node, RECOVERY_S)
        self.served(C, 104)

    def listener_of(self, node):
        """Where its Diameter listener is."""
        ip, port = self.core.doc["diameter"][node].rsplit(":", 1)
        return ip, int(port)

    def out_of_descriptors(self):
        """D1: somebody connects while there is none left.  The library's listener would end the Diameter node for good."""
        for node in CX_NODES + ("hss",):
            pid, was = self.core.pid(node), resource.prlimit(self.core.pid(node), resource.RLIMIT_NOFILE)
            used = {int(n) for n in os.listdir(f"/proc/{pid}/fd")}
            free = next(n for n in range(len(used) + 1) if n not in used)
            own = [socket.socket() for _ in range(3)]
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (free, was[1]))
            try:
                for s in own:
                    s.connect(self.listener_of(node))
                wait_for(lambda n=node: self.says(n, "no descriptor is left"), 10, f"{node} to say so")
                for s in own[1:]:
                    s.close()
            finally:
                resource.prlimit(pid, resource.RLIMIT_NOFILE, was)
            wait_for(lambda n=node: self.says(n, "descriptors are there again"), 10, f"{node} to accept again")
            own[0].close()
        for node in CX_NODES:
            check(self.core.ready(node)[0], f"{node}: {self.core.ready(node)[1]}")
        self.core.stop_node("icscf", signal.SIGTERM)		# connects to the HSS anew
        self.core.start_node("icscf")
        self.core.wait_ready("icscf", RECOVERY_S)
        self.served(C, 104)

    def says(self, node, text):
        """In its log."""
        with open(self.core.doc["logs"][node], encoding="utf-8", errors="replace") as f:
            return text in f.read()

    def rows(self):
        """In order."""
        return [
            ("all is well: two phones register", self.well), ("F6 HSS silent: a call that stands ends well", self.in_dialog),
            ("F6 HSS silent on UAR: 5xx with Retry-After in time", self.silent, "UAR"),
            ("F6 HSS silent on MAR: 5xx with Retry-After in time", self.silent, "MAR"),
            ("F6 HSS silent on SAR: 5xx with Retry-After in time", self.silent, "SAR"),
            ("F6 HSS silent on LIR: 5xx in time", self.silent_lir), ("F7 HSS slow: served, others not held up", self.slow),
            ("F7 HSS overloaded: registrations are held back, calls are not", self.overloaded),
            ("F7 HSS too late: refused in time", self.late), ("F9 HSS talks nonsense", self.nonsense),
            ("F12 D1 no descriptors left for a peer that connects", self.out_of_descriptors),
            ("F5 HSS down: daemons stay up, /readyz says why", self.down), ("F5 HSS down: REGISTER gets 5xx with Retry-After", self.down_register),
            ("F5 HSS down: INVITE gets 5xx", self.down_call), ("F5 HSS down: OPTIONS is answered", self.alive),
            ("F5 HSS back: recovered by itself", self.back), ("started without a HSS, served when it comes", self.scscf_restart),
        ]


def main():
    """The script."""
    build, net, workers = sys.argv[1], sys.argv[2], int(sys.argv[3])
    cases = Cases()
    with Core(build, net, [A, B, C, D], workers, {n: EXTRA for n in CX_NODES}, quiet_errors=("diameter", "hss")) as core:
        for case in Faults(core).rows():
            cases.run(*case)
    core.finish(cases)
    cases.end()


main()
