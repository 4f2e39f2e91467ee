"""stack.py BUILD NET WORKERS - what the SIP stack owes to its RFCs, seen from outside on a whole core."""

import os
import re
import subprocess
import sys
import tempfile

from cases import Cases, check, equal, wait_for
from core import Core, Sub, sanitized
from phone import Dialog, Phone, call, hang_up, token

A, B, C = Sub(1), Sub(2), Sub(3)

NODES = ("pcscf", "icscf", "scscf")
IDLE_KIB, PROGRAMS_BYTES = 15 << 10, 10 << 20

COMMON = """sip:
  session_timer: {min_se_s: 120, expires_s: 1800}
"""


class Stack:
    """a and b are registered phones; c registers as a second phone of its own; wire speaks to a node directly."""

    def __init__(self, core, build):
        self.core, self.build = core, build
        self.a, self.b = Phone(core, A, core.ip(101)), Phone(core, B, core.ip(102))

    def small(self):
        """What a daemon takes that has nothing to do, with the libraries that it shares with others; its program without symbols."""
        sizes = 0
        for node in NODES:
            with open(f"/proc/{self.core.pid(node)}/status", encoding="ascii", errors="replace") as f:
                idle = int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1))
            check(idle <= IDLE_KIB, f"{node}: {idle} KiB")
            with tempfile.NamedTemporaryFile() as stripped:
                subprocess.run(["strip", "-o", stripped.name, f"{self.build}/{node}/{node}d"], check=True)
                sizes += os.path.getsize(stripped.name)
        check(sizes <= PROGRAMS_BYTES, f"{sizes} octets of programs")

    def register(self):
        """Both."""
        self.a.must_register()
        self.b.must_register()

    def dialogs(self, node, call_id):
        """What a node says of a call."""
        return [d for d in self.core.rest(node).items("/api/v1/dialogs") if d["callId"] == call_id]

    def no_dialogs(self, call_id):
        """Gone everywhere on the route."""
        for node in ("pcscf", "scscf"):
            wait_for(lambda n=node: not self.dialogs(n, call_id), 3, f"the end of the call at the {node}")

    # ---- own errors: row R18 ----

    def stamped(self):
        """Who said no: Response-Source for all, Warning where the sender may know why."""
        r = self.a.ask("INVITE", f"sip:nobody@{self.core.domain}", None, self.a.sdp())
        check(r.status in (404, 480), f"an unknown callee: {r}")
        with Phone(self.core, C, self.core.ip(103)) as stranger:
            r = stranger.ask("MESSAGE", self.core.number(A), None, "x")
        equal((r.status, r.get("Response-Source"), r.get("Warning")), (403, "fe=<urn:3gpp:fe:p-cscf.orig>", ""), "an unregistered phone")
        with Phone(self.core, C, self.core.ip(104), proxy=self.core.addr("scscf")) as wire:
            r = wire.ask("MESSAGE", f"sip:nobody@{self.core.domain}", None, "x")
        equal((r.status, r.get("Response-Source")), (404, "fe=<urn:3gpp:fe:s-cscf.term>"), "the S-CSCF")
        check("399" in r.get("Warning"), "no Warning from the S-CSCF")
        metrics = self.core.rest("scscf").call("GET", "/metrics")[1]
        check('cscf_refused_total{status="404"' in metrics, "the refusal is not counted")
        flow = self.core.rest("scscf").items("/api/v1/flows/" + r.get("Call-ID"))
        check(any("404 by us" in e.get("text", "") for e in flow), f"the trace does not say so: {flow}")

    # ---- dialogs ----

    def refused_is_gone(self):
        """An INVITE that a node refuses itself leaves no dialog behind."""
        inv = self.a.invite(f"sip:nobody@{self.core.domain}")
        self.a.final(inv)
        self.no_dialogs(inv.get("Call-ID"))

    def forks(self):
        """One branch refuses after ringing, the other answers: RFC 3261 §13.2.2.4, 199 for who knows it (RFC 6228)."""
        with Phone(self.core, B, self.core.ip(105)) as other:
            other.must_register()
            inv = self.a.invite(self.core.number(B), {"Supported": "199"})
            one, two = self.b.incoming("INVITE"), other.incoming("INVITE")
            self.b.reply(one, 180, "Ringing", tag="one")
            other.reply(two, 180, "Ringing", tag="two")
            self.a.provisional(inv, 180)
            self.a.provisional(inv, 180)
            self.b.reply(one, 486, "Busy", tag="one")
            self.b.incoming("ACK")
            ended = self.a.provisional(inv, 199)
            check(ended.get("To").endswith("tag=one") and "cause=486" in ended.get("Reason"), f"199: {ended.get('To')} {ended.get('Reason')}")
            states = {d["toTag"]: d["state"] for d in self.dialogs("scscf", inv.get("Call-ID"))}
            equal(states, {"two": "early"}, "early dialogs at the S-CSCF")
            ok = other.reply(two, 200, "OK", body=other.sdp(), tag="two")
            r = self.a.final(inv)
            equal(r.status, 200, "the call")
            da, db = Dialog(self.a, inv, r, True), Dialog(other, two, ok, False)
            da.ack(inv)
            other.incoming("ACK")
            for node in ("pcscf", "scscf"):
                states = {d["toTag"]: d["state"] for d in self.dialogs(node, inv.get("Call-ID"))}
                equal(states, {"two": "confirmed"}, f"dialogs at the {node}")
            hang_up(db, da)
            self.no_dialogs(inv.get("Call-ID"))
            other.must_register(expires=0)

    def reason(self):
        """Reason goes along with CANCEL and BYE (RFC 3326)."""
        inv = self.a.invite(self.core.number(B))
        seen = self.b.incoming("INVITE")
        self.b.reply(seen, 180, "Ringing")
        self.a.provisional(inv, 180)
        why = 'SIP;cause=200;text="Call completed elsewhere"'
        cancel = self.a.start("CANCEL", inv.uri, {"Via": inv.get("Via"), "To": inv.get("To"), "From": inv.get("From"), "Reason": why},
                              call_id=inv.get("Call-ID"), cseq=int(inv.get("CSeq").split()[0]))
        equal(self.a.final(cancel).status, 200, "CANCEL")
        got = self.b.incoming("CANCEL")
        equal(got.get("Reason"), why, "Reason of the CANCEL")
        self.b.reply(got, 200)
        self.b.reply(seen, 487, "Request Terminated")
        equal(self.a.final(inv).status, 487, "the cancelled call")
        self.b.incoming("ACK")
        da, _, _ = call(self.a, self.b, self.core.number(B))
        bye = da.start("BYE", {"Reason": 'Q.850;cause=16;text="Terminated"'})
        got = self.b.incoming("BYE")
        equal(got.get("Reason"), 'Q.850;cause=16;text="Terminated"', "Reason of the BYE")
        self.b.reply(got, 200)
        self.a.final(bye)

    # ---- session timers: RFC 4028 §8, row C16 ----

    def too_often(self):
        """422 with what is allowed."""
        r = self.a.final(self.a.invite(self.core.number(B), {"Supported": "timer", "Session-Expires": "95"}))
        equal((r.status, r.get("Min-SE")), (422, "120"), "an interval that is too small")

    def timed(self):
        """Lowered on the way; agreed on; shown; switched by a refresh."""
        inv = self.a.invite(self.core.number(B), {"Supported": "timer", "Session-Expires": "7200"})
        seen = self.b.incoming("INVITE")
        equal(seen.get("Session-Expires"), "1800", "Session-Expires at the callee")
        ok = self.b.reply(seen, 200, "OK", {"Session-Expires": "1800;refresher=uas", "Require": "timer"}, self.b.sdp())
        r = self.a.final(inv)
        equal(r.get("Session-Expires"), "1800;refresher=uas", "Session-Expires at the caller")
        da, db = Dialog(self.a, inv, r, True), Dialog(self.b, seen, ok, False)
        da.ack(inv)
        self.b.incoming("ACK")
        for node in ("pcscf", "scscf"):
            d = self.dialogs(node, inv.get("Call-ID"))[0]
            equal((d.get("sessionExpiresS"), d.get("refresher")), (1800, "uas"), f"the session at the {node}")
            check(1700 < d["sessionLeftS"] <= 1800, f"{node}: {d}")
        up = db.start("UPDATE", {"Supported": "timer", "Session-Expires": "600;refresher=uac"})
        got = self.a.incoming("UPDATE")
        equal(got.get("Session-Expires"), "600;refresher=uac", "the refresh")
        self.a.reply(got, 200, "OK", {"Session-Expires": "600;refresher=uac", "Require": "timer"})
        equal(self.b.final(up).status, 200, "UPDATE")
        for node in ("pcscf", "scscf"):
            equal(self.dialogs(node, inv.get("Call-ID"))[0].get("sessionExpiresS"), 600, f"after the refresh, {node}")
        hang_up(da, db)

    def left_out(self):
        """The callee knows no session timers: the caller refreshes alone (§8.2)."""
        inv = self.a.invite(self.core.number(B), {"Supported": "timer"})
        seen = self.b.incoming("INVITE")
        ok = self.b.reply(seen, 200, "OK", body=self.b.sdp())
        r = self.a.final(inv)
        equal((r.get("Session-Expires"), r.get("Require")), ("1800;refresher=uac", "timer"), "what the caller hears")
        da, db = Dialog(self.a, inv, r, True), Dialog(self.b, seen, ok, False)
        da.ack(inv)
        self.b.incoming("ACK")
        hang_up(db, da)
        self.no_dialogs(inv.get("Call-ID"))

    # ---- hops ----

    def hops(self):
        """Max-Forwards and Max-Breadth go down; 483 when there is none left (RFC 3261 §16.3, RFC 5393 §5.3)."""
        req = self.a.start("MESSAGE", self.core.number(B), {"Max-Forwards": "10", "Max-Breadth": "5"}, "x")
        seen = self.b.incoming("MESSAGE")
        self.b.reply(seen, 200)
        self.a.final(req)
        equal((seen.get("Max-Forwards"), seen.get("Max-Breadth")), ("5", "5"), "after P, S, I, S, P")
        equal(self.a.ask("MESSAGE", self.core.number(B), {"Max-Forwards": "3"}, "x").status, 483, "too few hops")

    def spiral(self):
        """Through the S-CSCF twice is no loop; the same request again with the Via that a node put then is one (RFC 5393 §4)."""
        req = self.a.start("MESSAGE", self.core.number(B), None, "x")
        seen = self.b.incoming("MESSAGE")
        self.b.reply(seen, 200)
        equal(self.a.final(req).status, 200, "a spiral")
        host, port = self.core.addr("scscf")
        equal(sum(f"{host}:{port}" in v for v in seen.all("Via")), 2, "Vias of the S-CSCF")
        back = {"Via": [f"SIP/2.0/UDP {self.a.ip}:{self.a.port};branch=z9hG4bK{token()};rport"] + seen.all("Via")[-2:]}
        same = {"call_id": req.get("Call-ID"), "cseq": int(req.get("CSeq").split()[0])}
        equal(self.a.ask("MESSAGE", req.uri, back, "x", **same).status, 482, "what came back unchanged")
        changed = dict(back, Via=[f"SIP/2.0/UDP {self.a.ip}:{self.a.port};branch=z9hG4bK{token()};rport"] + seen.all("Via")[-2:])
        again = self.a.start("MESSAGE", f"tel:+{B.msisdn}", changed, "x", **same)
        self.b.reply(self.b.incoming("MESSAGE"), 200)
        equal(self.a.final(again).status, 200, "what came back for somebody else")

    def leave(self):
        """Both."""
        self.a.must_register(expires=0)
        self.b.must_register(expires=0)

    def rows(self):
        """Every case in its order."""
        return ([] if sanitized(self.build) else [("U13 daemons are small", self.small)]) + [
            ("two phones register", self.register), ("our own errors say whose they are (row R18)", self.stamped),
            ("what a node refuses leaves no dialog", self.refused_is_gone), ("a fork: 199, early dialogs, one answers", self.forks),
            ("Reason on CANCEL and BYE (RFC 3326)", self.reason), ("session interval too small: 422", self.too_often),
            ("session timer: lowered, agreed on, refreshed", self.timed), ("session timer: the callee knows nothing of it", self.left_out),
            ("Max-Forwards, Max-Breadth", self.hops), ("a spiral is no loop", self.spiral),
            ("two phones de-register", self.leave),
        ]


def main():
    """The script."""
    build, net, workers = sys.argv[1], sys.argv[2], int(sys.argv[3])
    cases = Cases()
    with Core(build, net, [A, B, C], workers, {"pcscf": COMMON, "scscf": COMMON}) as core:
        for case in Stack(core, build).rows():
            cases.run(*case)
    core.finish(cases)
    cases.end()


main()
