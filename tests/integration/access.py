"""access.py BUILD NET WORKERS - emergency calls (row P21, SEC-19), calls that the network ends (P19), early media (P15), what a phone sees of
the core (SEC-05), too many calls that nobody answers (SEC-07), phones that are known by their address (S5).  TS 24.229 §5.2.7 to §5.2.10."""

import re
import socket
import sys
import urllib.parse

from cases import Cases, check, equal, wait_for
from core import IP6, Core, Sub, family, host
from phone import Dialog, Message, Phone, call, token

A, B, NOBODY, C = Sub(1), Sub(2), Sub(3), Sub(4)
D = Sub(5)			# an old lab phone: known by the address of its bearer
ECSCF = 70
EXTRA = """access:
  hide_topology: true
  early_grace_s: 0
  emergency:
    ecscf: "sip:{ecscf}:7060"
    numbers: ["112", "110=sos.police"]
    allow_anonymous: true
"""
WAIT_S = 30


class Ecscf:
    """An E-CSCF and its PSAP in one: it answers what comes."""

    def __init__(self, core):
        self.addr = (core.ip(ECSCF), 7060)
        self.s = socket.socket(family(self.addr[0]), socket.SOCK_DGRAM)
        self.s.bind(self.addr)
        self.s.settimeout(WAIT_S)

    def incoming(self, method):
        """The next request of that method, and from where."""
        while True:
            data, peer = self.s.recvfrom(65536)
            m = Message(data.decode())
            if m.method == method and not m.status:
                return m, peer

    def answer(self, m, peer, status=200):
        """With itself on the route."""
        lines = [f"SIP/2.0 {status} OK"] + [f"Via: {v}" for v in m.all("Via")]
        lines += [f"Record-Route: {v}" for v in [f"<sip:mo@{host(self.addr[0])}:{self.addr[1]};lr>"] + m.all("Record-Route")]
        lines += [f"From: {m.get('From')}", f"To: {m.get('To')}" + ("" if ";tag=" in m.get("To") else ";tag=psap"),
                  f"Call-ID: {m.get('Call-ID')}", f"CSeq: {m.get('CSeq')}", f"Contact: <sip:psap@{host(self.addr[0])}:7060>", "Content-Length: 0"]
        text = "\r\n".join(lines) + "\r\n\r\n"
        self.s.sendto(text.encode(), peer)
        return Message(text)


class Access:
    """The cases; a and b are registered phones."""

    def __init__(self, core):
        self.core = core
        self.a, self.b = Phone(core, A, core.ip(101)), Phone(core, B, core.ip(102), transport="tcp")
        self.ecscf = Ecscf(core)

    def register(self):
        self.a.must_register()
        self.b.must_register()

    # ---- emergency ----

    def emergency(self, phone, uri, urn, asserted):
        """A whole call; whatever Route the phone writes."""
        inv = phone.invite(uri, {"Route": [f"<sip:{self.core.in_uri(10)};lr>, <sip:orig@{self.core.in_uri(30)}:6060;lr>"]})
        seen, peer = self.ecscf.incoming("INVITE")
        equal(seen.uri, urn, "Request-URI at the E-CSCF")
        equal(seen.listed("Route"), [f"<sip:{host(self.ecscf.addr[0])}:7060;lr>"], "Route")
        equal(len(seen.listed("P-Asserted-Identity")), asserted, "identities")
        self.ecscf.answer(seen, peer)
        r = phone.final(inv)
        equal(r.status, 200, "answer")
        d = Dialog(phone, inv, r, True)
        d.ack(inv)
        self.ecscf.incoming("ACK")
        bye = d.start("BYE")
        self.ecscf.answer(*self.ecscf.incoming("BYE"))
        equal(phone.final(bye).status, 200, "BYE")

    def registered_emergency(self):
        for uri, urn in (("urn:service:sos", "urn:service:sos"), ("tel:1-1-0", "urn:service:sos.police"),
                         (f"sip:112@{self.core.domain};user=phone", "urn:service:sos")):
            self.emergency(self.a, uri, urn, 2)

    def anonymous_emergency(self):
        """P21: who is not registered; SEC-19: and that opens nothing else."""
        with Phone(self.core, NOBODY, self.core.ip(103)) as p:
            self.emergency(p, "urn:service:sos.fire", "urn:service:sos.fire", 0)
            equal(p.ask("MESSAGE", self.core.number(B), body="x" * 400).status, 403, "MESSAGE of nobody")

    # ---- release ----

    def released(self, phone, call_id):
        """The BYE that this phone gets from the network: the first one; the other side's P-CSCF may say so too."""
        bye = phone.expect(lambda m: m.method == "BYE" and not m.status and m.get("Call-ID") == call_id, WAIT_S, "a BYE")
        check(re.match(r'SIP;cause=503;text="', bye.get("Reason")), f"Reason: {bye.get('Reason')}")
        phone.reply(bye, 200, "OK")
        phone.queue = [m for m in phone.queue if m.get("Call-ID") != call_id]

    def dialog_deleted(self):
        """P19: DELETE of a dialog: BYE both ways, on both P-CSCF sides of the call."""
        _, db, _ = call(self.a, self.b, self.core.number(B))
        self.core.rest("pcscf").call("DELETE", "/api/v1/dialogs/" + urllib.parse.quote(db.call_id, safe=""))
        self.released(self.a, db.call_id)
        self.released(self.b, db.call_id)

    def phone_deleted(self):
        """P19: the registration ends by administration: its call ends too, at the far end as well."""
        _, db, _ = call(self.a, self.b, self.core.number(B))
        self.core.rest("pcscf").call("DELETE", "/api/v1/registrations/" + urllib.parse.quote(self.core.impu(A), safe=""))
        self.released(self.a, db.call_id)
        self.released(self.b, db.call_id)
        self.a.must_register()

    def early_released(self):
        """P19: while it rings: CANCEL one way, 503 the other."""
        inv = self.a.invite(self.core.number(B))
        seen = self.b.incoming("INVITE")
        self.b.reply(seen, 180, "Ringing")
        self.a.provisional(inv, 180)
        self.core.rest("pcscf").call("DELETE", "/api/v1/dialogs/" + urllib.parse.quote(inv.get("Call-ID"), safe=""))
        self.b.reply(self.b.incoming("CANCEL"), 200, "OK")
        self.b.reply(seen, 487, "Request Terminated")
        equal(self.a.final(inv).status, 503, "answer to the caller")

    # ---- strangers ----

    def same_answers(self):
        """SEC-06, SEC-17: nobody learns from outside who is registered, who is a subscriber and who is neither."""
        heard = {}
        targets = {"registered": self.core.number(B), "a subscriber": self.core.number(NOBODY), "nobody": "tel:+4915299999999",
                   "registered, by name": self.core.impu(B), "nobody, by name": f"sip:nobody@{self.core.domain}"}
        with Phone(self.core, NOBODY, self.core.ip(104)) as p:
            for method in ("INVITE", "MESSAGE", "OPTIONS", "SUBSCRIBE", "PUBLISH", "REFER", "FOO"):
                for who, uri in targets.items():
                    r = p.ask(method, uri, {"Event": "reg", "Expires": "60", "Subject": "x" * 200})
                    heard.setdefault((method, r.status, r.reason, tuple(sorted(n for n, _ in r.headers))), []).append(who)
        equal({k[1] for k in heard}, {403}, "statuses")
        equal([k for k, v in heard.items() if len(v) != len(targets)], [], "answers that differ")

    # ---- the rest ----

    def no_core_at_phones(self):
        """SEC-05: nothing of the core, of the cell or of the far phone's private identity in what a phone gets."""
        pani = {"P-Access-Network-Info": "3GPP-NR;utran-cell-id-3gpp=00101cell", "Privacy": "none"}
        before = len(self.b.answered)
        da, db, seen = call(self.a, self.b, self.core.number(B), pani)
        equal(len(seen.all("Via")), 1, "Vias at the callee")
        equal(len(seen.listed("Record-Route")), 1, "Record-Routes at the callee")
        texts = [seen.text]
        upd = da.start("UPDATE", pani)
        got = self.b.incoming("UPDATE")
        texts.append(got.text)
        self.b.reply(got, 200, "OK", pani)
        texts.append(self.a.final(upd).text)
        info = db.start("INFO", pani)
        got = self.a.incoming("INFO")
        texts.append(got.text)
        self.a.reply(got, 200, "OK", pani)
        texts.append(self.b.final(info).text)
        bye = da.start("BYE")
        self.b.reply(self.b.expect(lambda m: m.method == "BYE" and not m.status and m.get("Call-ID") == da.call_id, WAIT_S, "BYE"), 200, "OK")
        equal(self.a.final(bye).status, 200, "BYE")
        check(len(self.b.answered) > before, "the callee answered nothing")
        for text in texts:
            for word in ("utran-cell", self.core.ip(20), self.core.ip(30), "P-Charging", "imei"):
                check(word not in text, f"{word} at a phone:\n{text}")

    def early_media(self):
        """P15: what a phone says of early media does not count; that it understands it does."""
        inv = self.a.invite(self.core.number(B), {"P-Early-Media": "supported, sendrecv"})
        seen = self.b.incoming("INVITE")
        equal(seen.all("P-Early-Media"), ["supported"], "P-Early-Media at the callee")
        self.b.reply(seen, 183, "Session Progress", {"P-Early-Media": "sendrecv"})
        equal(self.a.provisional(inv, 183).all("P-Early-Media"), [], "P-Early-Media of the callee")
        self.b.reply(seen, 486, "Busy Here")
        equal(self.a.final(inv).status, 486, "answer")

    def ghost_calls(self):
        """SEC-07: four calls that nobody answers, and the fifth; the victim can be called all the same."""
        calls = []
        for _ in range(4):
            calls.append(self.a.invite(self.core.number(B)))
            self.b.reply(self.b.incoming("INVITE"), 183, "Session Progress", tag=token())
            self.a.provisional(calls[-1], 183)
        equal(self.a.ask("INVITE", self.core.number(B), body=self.a.sdp()).status, 486, "the fifth")
        equal(self.a.start("OPTIONS", self.core.number(B)).method, "OPTIONS", "asked")
        self.b.reply(self.b.incoming("OPTIONS"), 200, "OK")
        for inv in calls:
            self.core.rest("pcscf").call("DELETE", "/api/v1/dialogs/" + urllib.parse.quote(inv.get("Call-ID"), safe=""))
            equal(self.a.final(inv).status, 503, "its end")
        wait_for(lambda: self.figure("cscf_pcscf_sessions") == 0, 5, "no session left")

    def flows(self):
        """P27, RFC 5626: one phone over two connections rings over one of them; when that is gone, over the other."""
        instance = '+sip.instance="<urn:gsma:imei:35209900-176148-0>"'
        with Phone(self.core, C, self.core.ip(131), transport="tcp") as one, Phone(self.core, C, self.core.ip(132), transport="tcp") as two:
            for n, p in enumerate((one, two), 1):
                r = p.must_register(headers={"Contact": f"<{p.contact}>;{instance};reg-id={n}", "Supported": "path, outbound"})
                equal(r.get("Require"), "outbound", "Require of the 200")
                check(r.get("Flow-Timer").isdigit(), f"Flow-Timer of the 200: {r.get('Flow-Timer')!r}")
            equal(len(self.core.registered("pcscf", C)), 2, "bindings at the P-CSCF")
            req = self.a.start("MESSAGE", self.core.number(C), None, "x")
            two.reply(two.incoming("MESSAGE"), 200)
            equal(self.a.final(req).status, 200, "over the younger flow")
            one.nothing(lambda m: m.method == "MESSAGE", 0.3, "the same over the other flow")
            two.close()
            req = self.a.start("MESSAGE", self.core.number(C), None, "x")
            one.reply(one.incoming("MESSAGE"), 200)
            equal(self.a.final(req).status, 200, "over the other one")
            one.must_register(expires=0, headers={"Contact": f"<{one.contact}>;{instance}"})

    def by_address(self):
        """TS 33.203 annex T: no credentials, only the address that the HSS has for the bearer; through all three CSCFs.  Who comes from
        elsewhere is refused whatever he writes into his Vias."""
        with Phone(self.core, D, self.core.ip(105)) as phone, Phone(self.core, D, self.core.ip(106)) as thief:
            mine = f"SIP/2.0/UDP {thief.host}:{thief.port};branch=z9hG4bK"
            theirs = f"SIP/2.0/UDP {phone.host}:{phone.port};branch=z9hG4bK"
            for vias in (mine + token(), theirs + token() + ";rport", mine + token() + f";received={phone.ip}",
                         [mine + token(), theirs + token()],
                         [mine + token(), f"SIP/2.0/UDP {self.core.in_uri(10)}:5060;branch=z9hG4bK{token()}", theirs + token()]):
                equal(thief.register_once(headers={"Via": vias}).status, 403, f"from another address, {vias}")
            equal(self.core.registered("scscf", D), [], "the thief's registration")
            equal(phone.must_register().get("P-Associated-URI") != "", True, "P-Associated-URI")
            equal(phone.register_once().status, 200, "again")
            req = self.a.start("MESSAGE", self.core.number(D), None, "x")
            phone.reply(phone.incoming("MESSAGE"), 200)
            equal(self.a.final(req).status, 200, "a message to it")
            equal(thief.register_once(expires=0).status, 403, "de-registered by another")
            equal(len(self.core.registered("scscf", D)), 1, "it stands")
            equal(phone.register_once(expires=0).status, 200, "leaving")
            equal(self.core.registered("scscf", D), [], "gone")

    def figure(self, name):
        """One of /metrics, over all labels."""
        text = self.core.rest("pcscf").get("/metrics")
        return sum(float(v) for v in re.findall(r"^" + name + r"(?:\{[^}]*\})? (\S+)$", text, re.M))

    def rows(self):
        """In this order."""
        return [
            ("registration", self.register),
            ("P21 emergency call of a registered phone", self.registered_emergency),
            ("P21, SEC-19 anonymous emergency call", self.anonymous_emergency),
            ("P19 DELETE of a dialog", self.dialog_deleted),
            ("P19 DELETE of a dialog that rings", self.early_released),
            ("P27 two flows of one phone", self.flows),
            ("S5 GIBA: known by its address", self.by_address),
            ("P19 DELETE of a registration", self.phone_deleted),
            ("SEC-06, SEC-17 strangers hear the same of everybody", self.same_answers),
            ("P15 early media", self.early_media),
            ("SEC-05 nothing of the core at phones", self.no_core_at_phones),
            ("SEC-07 ghost calls", self.ghost_calls),
        ]


def main():
    """The script."""
    build, net, workers = sys.argv[1], sys.argv[2], int(sys.argv[3])
    cases = Cases()
    base = IP6 or net + "."
    D.more["giba_address"] = base + "105"
    trusted = f'registrar: {{giba: GIBA, giba_trusted: ["{base}10", "{base}20"]}}\n'
    with Core(build, net, [A, B, C, D], workers, extra={"pcscf": EXTRA.format(ecscf=host(base + "70")), "scscf": trusted}) as core:
        for case in Access(core).rows():
            cases.run(*case)
    core.finish(cases)
    cases.end()


main()
