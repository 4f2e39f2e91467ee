"""sessions.py BUILD NET WORKERS - TS 24.229 §5.4.3 from outside: where the S-CSCF sends what phones dial, and whom it serves."""

import signal
import sys
import time
import urllib.parse

from cases import BUSY_S, Cases, check, equal, wait_for
from core import Core, host, IP6, Sub
from phone import Phone, call, hang_up

A, B, ABSENT = Sub(1), Sub(2), Sub(3)
WAIT_MS = 1500

SCSCF = """sessions:
  country_code: "49"
  non_invite_wait_ms: {wait}
  routes:
    - {{prefix: "+1", next_hop: "sip:{gw}:5060"}}
    - {{domain: partner.example, next_hop: "sip:{gw}:5060", trusted: false}}
"""


class Sessions:
    """a and b are registered phones; gw is what lies outside of the IMS; wire speaks to the S-CSCF directly."""

    def __init__(self, core):
        self.core = core
        self.a, self.b = Phone(core, A, core.ip(101)), Phone(core, B, core.ip(102))
        self.gw = Phone(core, ABSENT, core.ip(60), proxy=core.addr("scscf"))
        self.wire = Phone(core, ABSENT, core.ip(61), proxy=core.addr("scscf"))
        self.scscf = f"sip:{core.where('scscf')}"

    def register(self):
        self.a.must_register()
        self.b.must_register()

    # ---- numbers ----

    def dial(self, uri):
        """A MESSAGE to what was dialled reaches b, who is told how it was called."""
        req = self.a.start("MESSAGE", uri, None, "x")
        seen = self.b.incoming("MESSAGE")
        self.b.reply(seen, 200)
        equal(self.a.final(req).status, 200, uri)
        equal(seen.uri, self.b.contact, f"{uri}: the Request-URI of the callee")

    def spellings(self):
        """Every way to write a number that can mean b (row C3, TS 23.228 §5.3.2)."""
        msisdn, domain = B.msisdn, self.core.domain
        national = "0" + msisdn[2:]
        dashed = f"+{msisdn[:2]}-{msisdn[2:5]}-{msisdn[5:]}"
        for uri in (self.core.impu(B), f"tel:+{msisdn}", f"tel:{dashed}", f"sip:+{msisdn}@{domain}", f"sip:+{msisdn}@{domain};user=phone",
                    f"sip:{dashed}@{domain};user=phone", f"sip:{msisdn}@{domain}", f"tel:{msisdn};phone-context={domain}",
                    f"tel:{national};phone-context={domain}", f"sip:{national}@{domain}", f"sip:{national}@{domain};user=phone",
                    f"sip:{national};phone-context={domain}@{domain};user=phone", f"tel:00{msisdn};phone-context={domain}",
                    f"tel:{msisdn[2:]};phone-context=+49", f"sip:00{msisdn}@{domain}"):
            self.dial(uri)

    def unknown_number(self):
        equal(self.a.ask("MESSAGE", "tel:+4999999", None, "x").status, 404, "a number that nobody has")

    def breakout(self):
        """Nobody at home has it: the longest prefix of sessions.routes (row R9)."""
        req = self.a.start("MESSAGE", "tel:+1-914-555-1234", {"P-Access-Network-Info": "3GPP-E-UTRAN-FDD; utran-cell-id-3gpp=1"}, "x")
        seen = self.gw.incoming("MESSAGE")
        self.gw.reply(seen, 200)
        equal(self.a.final(req).status, 200, "the gateway's answer")
        equal(seen.uri, f"sip:+19145551234@{self.core.domain};user=phone", "Request-URI at the gateway")
        asserted = ", ".join(seen.all("P-Asserted-Identity"))
        check(A.msisdn in asserted and "tel:" in asserted, f"P-Asserted-Identity is {asserted!r}")

    def border(self):
        """Outside of the trust domain (TS 24.229 §4.4, RFC 3325 §5)."""
        req = self.a.start("MESSAGE", "sip:someone@partner.example", {"Privacy": "id"}, "x")
        seen = self.gw.incoming("MESSAGE")
        self.gw.reply(seen, 200)
        equal(self.a.final(req).status, 200, "the partner's answer")
        for name in ("P-Asserted-Identity", "P-Charging-Vector", "P-Access-Network-Info", "P-Served-User"):
            equal(seen.all(name), [], name)

    # ---- who comes in ----

    def direct(self):
        """Somebody speaks to the S-CSCF itself: it serves its users and is nobody's relay."""
        domain = self.core.domain
        forged = f"<{self.scscf.replace('sip:', 'sip:' + 'A' * 32 + '@')};lr>"
        for method, uri, headers, wanted in (
                ("OPTIONS", self.scscf, None, 200), ("INVITE", self.scscf, None, 405), ("FOO", self.scscf, None, 405),
                ("SUBSCRIBE", self.scscf, {"Event": "presence"}, 489),
                ("MESSAGE", "sip:x@partner.example", None, 403), ("MESSAGE", self.core.impu(B), {"Route": forged}, 403),
                ("MESSAGE", "sip:x@partner.example", {"Route": f"<{self.scscf};lr;orig>", "P-Served-User": f"<{self.core.impu(A)}>"}, 403),
                ("MESSAGE", f"sip:nobody@{domain}", None, 404),
                ("MESSAGE", f"sip:nobody@{domain}", {"Route": f"<{self.scscf};lr>"}, 480)):
            r = self.wire.ask(method, uri, headers)
            equal(r.status, wanted, f"{method} {uri} {headers}")
            check(wanted == 200 or "399" in r.get("Warning"), f"{method} {uri}: no Warning says why")
        r = self.wire.ask("OPTIONS", self.scscf)
        check("REGISTER" in r.get("Allow") and r.get("Accept") and r.get("Supported"), "OPTIONS without Allow, Accept or Supported")

    # ---- silence and restart ----

    def silence(self):
        """A phone that says nothing: 480 in time, though its P-CSCF still waits (RFC 4320 §4.2)."""
        began = time.monotonic()
        req = self.a.start("MESSAGE", self.core.number(B), None, "x")
        equal(self.a.final(req).status, 480, "a MESSAGE that nobody answers")
        took = time.monotonic() - began
        check(WAIT_MS / 1000 - 0.1 < took < WAIT_MS / 1000 + BUSY_S, f"it took {took:.1f} s")
        self.b.reply(self.b.incoming("MESSAGE"), 480)		# nobody hears it, but the P-CSCF stops asking

    def killed(self):
        """The call goes on by its tokens when the S-CSCF was killed, and nobody need register anew (row H1)."""
        da, db, _ = call(self.a, self.b, self.core.number(B))
        self.core.stop_node("scscf", signal.SIGKILL)
        self.core.start_node("scscf")
        self.core.wait_ready("scscf")
        info = da.start("INFO", None, "")
        self.b.reply(self.b.incoming("INFO"), 200)
        equal(self.a.final(info).status, 200, "INFO after the restart")
        hang_up(db, da)
        known = wait_for(lambda: self.a.ask("OPTIONS", f"sip:{self.core.domain}"), 5, "an answer").status == 200
        check(known, "OPTIONS along the Service-Route is not answered")
        equal(len(self.core.registered("scscf", A)), 1, "registrations after the restart")
        self.dial(self.core.number(B))

    def bye(self, phone, text):
        """It hears a BYE of the network's."""
        seen = phone.incoming("BYE")
        check(text in seen.get("Reason"), f"Reason is {seen.get('Reason')!r}")
        phone.reply(seen, 200)

    def none_left(self):
        wait_for(lambda: not self.core.rest("scscf").items("/api/v1/dialogs"), 5, "the end of the dialogs")

    def leaver_called(self):
        """T18, TS 24.229 §5.4.1.4.1: who de-registers has no calls any more, and the far end hears of it."""
        call(self.a, self.b, self.core.number(B))
        self.b.must_register(expires=0)
        self.bye(self.a, "not registered")
        self.none_left()
        self.b.must_register()

    def ended_by_rest(self):
        """T18, §5.4.1.5: the network ends the registration of the one who called."""
        call(self.a, self.b, self.core.number(B))
        self.core.rest("scscf").send("DELETE", "/api/v1/registrations/" + urllib.parse.quote(self.core.impi(A), safe=""))
        self.bye(self.b, "not registered")
        self.none_left()
        self.a.must_register()

    def rings(self):
        inv = self.a.invite(self.core.number(B))
        seen = self.b.incoming("INVITE")
        self.b.reply(seen, 180, "Ringing")
        self.a.provisional(inv, 180)
        return inv, seen

    def cancelled(self, inv, seen, status):
        self.b.reply(self.b.incoming("CANCEL"), 200, "OK")
        self.b.reply(seen, 487, "Request Terminated")
        equal(self.a.final(inv).status, status, "answer to the caller")
        self.none_left()

    def ringing_by_rest(self):
        """T18, §5.4.5.1.1: CANCEL one way, the status the other."""
        inv, seen = self.rings()
        self.core.rest("scscf").send("DELETE", f"/api/v1/dialogs/{urllib.parse.quote(inv.get('Call-ID'), safe='')}?cause=486")
        self.cancelled(inv, seen, 486)

    def ringing_leaver(self):
        """T18: the caller's registration ends while it rings."""
        inv, seen = self.rings()
        self.core.rest("scscf").send("DELETE", "/api/v1/registrations/" + urllib.parse.quote(self.core.impi(A), safe=""))
        self.cancelled(inv, seen, 480)
        self.a.must_register()

    def leave(self):
        self.a.must_register(expires=0)
        self.b.must_register(expires=0)

    def rows(self):
        """Every case in its order."""
        return [
            ("two phones register", self.register), ("every spelling of a number reaches its owner", self.spellings),
            ("a number that nobody has: 404", self.unknown_number), ("a number outside: the gateway of its prefix", self.breakout),
            ("outside of the trust domain no identity, no charging", self.border), ("who speaks to the S-CSCF itself", self.direct),
            ("a silent phone: 480 in time", self.silence), ("a call outlives a S-CSCF that was killed", self.killed),
            ("T18 a phone that leaves ends its call", self.leaver_called), ("T18 a caller whom the network de-registers", self.ended_by_rest),
            ("T18 a ringing call ended over REST", self.ringing_by_rest), ("T18 a caller who is de-registered while it rings", self.ringing_leaver),
            ("two phones de-register", self.leave),
        ]


def main():
    """The script."""
    build, net, workers = sys.argv[1], sys.argv[2], int(sys.argv[3])
    cases = Cases()
    extra = {"scscf": SCSCF.format(wait=WAIT_MS, gw=host(f"{IP6}60" if IP6 else f"{net}.60"))}
    with Core(build, net, [A, B, ABSENT], workers, extra) as core:
        for case in Sessions(core).rows():
            cases.run(*case)
    core.finish(cases)
    cases.end()


main()
