"""flows.py BUILD NET WORKERS - registrations, calls and messages between SIPp phones, over UDP and over TCP at the same time."""

import sys

from cases import Cases, check, equal, wait_for
from core import Core, Sub
from phone import Phone
from sipp import Sipp

TIMER_C_S = 3
EXTRA = f"sip: {{timer_c_s: {TIMER_C_S}}}\n"
UDP_A, UDP_B, UDP_C, TCP_A, TCP_B, TCP_C = (Sub(n) for n in range(1, 7))


class Pair:
    """Two phones of one transport; the callee has a second one of the same user."""

    def __init__(self, core, transport, a, b, c, first_ip):
        self.core, self.transport, self.a, self.b, self.c = core, transport, a, b, c
        self.caller = Sipp(core, a, core.ip(first_ip), 5060, transport)
        self.callee = Sipp(core, b, core.ip(first_ip + 1), 5060, transport)
        self.second = Sipp(core, b, core.ip(first_ip + 2), 5060, transport)
        self.third = Sipp(core, c, core.ip(first_ip + 3), 5060, transport)

    def named(self, text):
        """The name of a case."""
        return f"{text}, {self.transport.upper()}"

    def rows(self):
        """Every case in its order."""
        cases = [
            ("registration, re-registration, de-registration with AKAv1-MD5", self.lifetime),
            ("two phones register with AKAv1-MD5", self.register),
            ("the registrations stand in REST at the P- and the S-CSCF", self.listed),
            ("call with PRACK, UPDATE, INFO, re-INVITE, REFER, SUBSCRIBE, NOTIFY, PUBLISH, MESSAGE, FOO; the callee hangs up", self.long_call),
            ("a dialog stands in REST during a call and is gone after it; the caller hangs up", self.short_call),
            ("CANCEL while it rings", self.cancel),
            ("busy: 486", self.refused, "486"),
            ("refused everywhere: 603", self.refused, "603"),
            ("moved: 302 comes through", self.refused, "302"),
            ("no answer: Timer C cancels it, its 487 comes through (RFC 3261 §16.8)", self.no_answer),
            ("MESSAGE", self.request, "MESSAGE", "text", "200"),
            ("a method that nobody knows", self.request, "FOO", "", "200"),
            ("SUBSCRIBE to the other phone", self.request, "SUBSCRIBE", '"Event: dialog" "Expires: 60"', "200"),
            ("PUBLISH to the other phone", self.request, "PUBLISH", '"Event: presence" "Expires: 60"', "200"),
            ("OPTIONS to the other phone", self.request, "OPTIONS", "", "200"),
            ("two contacts ring, one answers, the other gets CANCEL", self.fork),
            ("de-registered: 480 for who calls, gone from REST", self.deregister),
        ]
        return [(self.named(name), fn, *args) for name, fn, *args in cases]

    # ---- registration ----

    def lifetime(self):
        self.third.play("lifetime")
        equal(self.core.registered("scscf", self.c), [], "left at the S-CSCF")

    def register(self):
        self.caller.play("register")
        self.callee.play("register")

    def listed(self):
        for sub in (self.a, self.b):
            for node in ("pcscf", "scscf"):
                check(self.core.registered(node, sub), f"{sub.imsi} is not listed by {node}")

    def deregister(self):
        self.second.play("deregister")
        self.callee.play("deregister")
        for node in ("pcscf", "scscf"):
            wait_for(lambda n=node: not self.core.registered(n, self.b), 3, f"the end of the registration at {node}")
        self.caller.play("refused", peer=self.core.number(self.b), status="480")
        self.caller.play("deregister")

    # ---- calls ----

    def between(self, out, into, during=None, **values):
        """The callee plays `into`, the caller `out`."""
        b = self.callee.serve(into, **values)
        try:
            a = self.caller.start(out, peer=self.core.number(self.b), **values)
            try:
                if during:
                    during()
                a.finish()
            finally:
                a.stop()
            b.finish()
        finally:
            b.stop()

    def long_call(self):
        self.between("call_out", "call_in")

    def dialogs(self):
        """Those of our callee at the S-CSCF."""
        return [d for d in self.core.rest("scscf").items("/api/v1/dialogs") if self.b.msisdn in str(d) or self.b.imsi in str(d)]

    def short_call(self):
        self.between("call_short", "answer", lambda: wait_for(self.dialogs, 5, "the dialog in REST"))
        wait_for(lambda: not self.dialogs(), 5, "the end of the dialog in REST")

    def cancel(self):
        self.between("cancel", "ring_until_cancel")

    def refused(self, status):
        self.between("refused", "refuse", status=status)

    def no_answer(self):
        b = self.callee.serve("ring_until_cancel")
        try:
            self.caller.play("refused", peer=self.core.number(self.b), status="487")
            b.finish()
        finally:
            b.stop()

    def request(self, method, body, status):
        self.between("ask", "serve", method=method, body=body, status=status)

    def fork(self):
        self.second.play("register")
        one = self.callee.serve("answer")
        other = self.second.serve("ring_until_cancel")
        try:
            self.caller.play("call_short", peer=self.core.number(self.b))
            one.finish()
            other.finish()
        finally:
            one.stop()
            other.stop()


def options_to(core, node, transport):
    """OPTIONS to a daemon itself: 200 with Allow (RFC 3261 §11.2).

    A stranger hears from the P-CSCF no more than it sent over UDP (SEC-11), so it sends enough.
    """
    with Phone(core, UDP_A, core.ip(90), 0, transport, proxy=core.addr(node)) as p:
        for uri in (f"sip:{core.where(node)}", f"sip:{node}.{core.domain}:{core.addr(node)[1]}"):
            r = p.ask("OPTIONS", uri, {"User-Agent": "a long name " * 20})
            equal(r.status, 200, f"OPTIONS {uri}")
            check("OPTIONS" in r.get("Allow"), f"Allow is {r.get('Allow')!r}")


def main():
    """The script."""
    build, net, workers = sys.argv[1], sys.argv[2], int(sys.argv[3])
    cases = Cases()
    extra = {n: EXTRA for n in ("pcscf", "icscf", "scscf")}
    with Core(build, net, [UDP_A, UDP_B, UDP_C, TCP_A, TCP_B, TCP_C], workers, extra) as core:
        udp = Pair(core, "udp", UDP_A, UDP_B, UDP_C, 101)
        tcp = Pair(core, "tcp", TCP_A, TCP_B, TCP_C, 111)
        options = [(f"OPTIONS to {n}, {t.upper()}", options_to, core, n, t) for n in ("pcscf", "icscf", "scscf") for t in ("udp", "tcp")]
        cases.side_by_side([udp.rows(), tcp.rows(), options])
        check_empty = [(f"nothing is left at {n}", left, core, n) for n in ("pcscf", "scscf")]
        cases.side_by_side([check_empty])
    core.finish(cases)
    cases.end()


def left(core, node):
    """Registrations and dialogs that outlived their phones."""
    equal(core.registrations(node), [], "registrations")
    equal(core.rest(node).items("/api/v1/dialogs"), [], "dialogs")


main()
