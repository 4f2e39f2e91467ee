"""refusals.py BUILD NET WORKERS - what must be refused, stripped or survived."""

import os
import socket
import sys
import urllib.parse

from aka import Usim
from cases import Cases, check, equal, wait_for
from core import Core, K, OPC, Sub, family, settle
from phone import Dialog, Phone, call, hang_up, params, token, uri_of

A, B, ABSENT, OTHER, DIGEST, BAD_KEY = (Sub(n) for n in range(1, 7))
DIGEST.password = "open sesame"
NOBODY = Sub(99)
BARRED = Sub(8)
BARRED.more = {"impu": [f"sip:{BARRED.imsi}@ims.mnc001.mcc001.3gppnetwork.org", "sip:barred@ims.mnc001.mcc001.3gppnetwork.org"],
               "barred": ["sip:barred@ims.mnc001.mcc001.3gppnetwork.org"]}
FORGED = "<sip:somebody.else@evil.example>"
INTERNAL = ("P-Charging-Vector", "P-Charging-Function-Addresses", "P-Visited-Network-ID", "P-Served-User", "P-User-Database",
            "P-Profile-Key", "P-Access-Network-Info", "Path", "Service-Route", "X-Invented")


class Refusals:
    """The cases; a and b are registered phones."""

    def __init__(self, core):
        self.core = core
        self.a, self.b = Phone(core, A, core.ip(101)), Phone(core, B, core.ip(102))

    def phone(self, sub, last, **how):
        """A phone of this case alone."""
        return Phone(self.core, sub, self.core.ip(last), **how)

    # ---- registration ----

    def register(self):
        self.a.must_register()
        self.b.must_register()

    def keys_stay(self):
        """CK and IK never leave the P-CSCF (row R7)."""
        c = params(self.a.challenge.get("WWW-Authenticate"))
        check("ck" not in c and "ik" not in c, f"the challenge has {sorted(c)}")

    def unknown_user(self):
        with self.phone(NOBODY, 110) as p:
            equal(p.register().status, 403, "REGISTER of a user that the HSS does not know")

    def wrong_key(self):
        with self.phone(BAD_KEY, 111, usim=Usim(bytes.fromhex(K), bytes.fromhex(OPC))) as p:
            r = p.register_once()
            equal(r.status, 401, "the challenge")
            credentials = p.credentials("REGISTER", "sip:" + self.core.domain, r)
            wrong = credentials[:-9] + ("0" if credentials[-9] != "0" else "1") + credentials[-8:]
            equal(p.register_once(wrong).status, 403, "a wrong response")
            check(not self.core.registered("scscf", BAD_KEY), "it is registered")

    def old_survives(self):
        """A failed re-authentication leaves the registration (TS 24.229 §5.4.1.2.2)."""
        r = self.a.register_once()
        equal(r.status, 401, "the challenge")
        credentials = self.a.credentials("REGISTER", "sip:" + self.core.domain, r)
        wrong = credentials[:-9] + ("0" if credentials[-9] != "0" else "1") + credentials[-8:]
        equal(self.a.register_once(wrong).status, 403, "a wrong response")
        check(self.core.registered("scscf", A), "the old registration is gone")
        r = self.b.ask("OPTIONS", self.core.number(ABSENT))
        check(self.core.registered("pcscf", A), "the P-CSCF dropped the binding")

    def wrong_password(self):
        with self.phone(DIGEST, 112, password="wrong") as p:
            r = p.register()
            check(r.status in (401, 403), f"a wrong password gets {r}")
            check(not self.core.registered("scscf", DIGEST), "it is registered")

    def right_password(self):
        with self.phone(DIGEST, 112) as p:
            p.must_register()
            p.must_register(expires=0)

    def others_identity(self):
        """The private identity of one subscriber, the public one of another: 403."""
        with self.phone(OTHER, 114) as p:
            p.impu = self.core.impu(A)
            first = f'Digest username="{self.core.impi(OTHER)}", realm="{self.core.domain}", nonce="", uri="sip:{self.core.domain}", response=""'
            equal(p.register(first=first).status, 403, "REGISTER for somebody else")

    def foreign_domain(self):
        with self.phone(OTHER, 115) as p:
            r = p.ask("REGISTER", "sip:foreign.example", {"Expires": "60"}, to="sip:me@foreign.example")
            check(400 <= r.status < 500, f"REGISTER for a foreign domain gets {r}")

    def short_expires(self):
        r = self.a.register(expires=5)
        equal(r.status, 423, "Expires 5")
        check(int(r.get("Min-Expires") or 0) > 5, f"Min-Expires is {r.get('Min-Expires')!r}")

    def require_unknown(self):
        r = self.a.register(headers={"Require": "invented"})
        equal((r.status, r.get("Unsupported")), (420, "invented"), "Require: invented")

    def barred(self):
        """A barred identity does not call; the one beside it does (TS 24.229 §5.4.3.2)."""
        with self.phone(BARRED, 116) as p:
            p.must_register()
            r = p.ask("MESSAGE", self.core.number(ABSENT), {"P-Preferred-Identity": f"<sip:barred@{self.core.domain}>"}, "x")
            check(r.status in (403, 480), f"a barred preferred identity gets {r}")
            r = self.a.ask("MESSAGE", f"sip:barred@{self.core.domain}", None, "x")
            equal(r.status, 404, "MESSAGE to a barred identity")
            p.must_register(expires=0)

    # ---- senders and targets ----

    def unregistered(self):
        with self.phone(OTHER, 117) as p:
            for method in ("INVITE", "MESSAGE", "OPTIONS", "SUBSCRIBE", "FOO"):
                equal(p.ask(method, self.core.number(B)).status, 403, f"{method} of a phone that is not registered")
            self.b.nothing(lambda m: not m.status, 0.3, "a request of an unregistered phone")

    def callee_absent(self):
        for method in ("INVITE", "MESSAGE"):
            equal(self.a.ask(method, self.core.number(ABSENT), None, "x").status, 480, f"{method} to a user who is not registered")

    def callee_unknown(self):
        for uri in (f"sip:nobody@{self.core.domain}", self.core.number(NOBODY)):
            equal(self.a.ask("INVITE", uri).status, 404, f"INVITE {uri}")

    def scheme(self):
        equal(self.a.ask("INVITE", "http://example.org/").status, 416, "INVITE http:")

    def forged_route(self):
        """Somebody else's way through our nodes: a token that does not verify is refused."""
        at, port = self.core.where("scscf"), self.core.addr("scscf")[1]
        for value in (f"<sip:{token()}@{at};lr>", f"<sip:{token()}@scscf.{self.core.domain}:{port};lr>"):
            req = self.a.start("MESSAGE", self.core.number(B), {"Route": [f"<sip:{self.core.in_uri(10)}:5060;lr>", value]}, "x")
            self.b.reply(self.b.incoming("MESSAGE"), 200)		# the stored Service-Route counts, not what the phone wrote
            equal(self.a.final(req).status, 200, "a phone's own Route")
        with Phone(self.core, A, self.core.ip(118), proxy=self.core.addr("scscf")) as p:
            r = p.ask("MESSAGE", self.core.number(B), {"Route": f"<sip:{token()}@{at};lr>"}, "x")
            equal(r.status, 403, "a forged token at the S-CSCF")

    def no_dialog(self):
        r = self.a.ask("BYE", f"sip:{A.imsi}@{self.core.in_uri(102)}:5060", to_tag=token())
        check(r.status in (403, 404, 481), f"BYE of no dialog gets {r}")

    # ---- the trust border ----

    def lies(self):
        """Headers of a phone that only the core may write."""
        h = {"P-Asserted-Identity": FORGED, "P-Served-User": FORGED, "P-Charging-Vector": "icid-value=forged", "X-Invented": "1",
             "P-Profile-Key": FORGED, "P-User-Database": "<aaa://evil.example>", "Record-Route": "<sip:evil.example;lr>",
             "P-Access-Network-Info": "3GPP-E-UTRAN-FDD;utran-cell-id-3gpp=0010100010001", "p-asserted-identity ": FORGED}
        req = self.a.start("MESSAGE", self.core.number(B), h, "x")
        seen = self.b.incoming("MESSAGE")
        self.b.reply(seen, 200, "OK", {"P-Asserted-Identity": FORGED, "P-Charging-Vector": "icid-value=forged"})
        return seen, self.a.final(req)

    def forged_pai(self):
        seen, r = self.lies()
        equal(r.status, 200, "the answer")
        for what, values in (("request", seen.listed("P-Asserted-Identity")), ("response", r.listed("P-Asserted-Identity"))):
            check("evil" not in str(values), f"P-Asserted-Identity of the {what}: {values}")
        who = [uri_of(v) for v in seen.listed("P-Asserted-Identity")]
        check(who and all(A.imsi in v or A.msisdn in v for v in who), f"asserted is {who}")

    def stripped(self):
        seen, r = self.lies()
        for name in INTERNAL:
            check(not seen.all(name), f"{name}: {seen.all(name)} reached the other phone")
            check(not r.all(name), f"{name}: {r.all(name)} came back in the response")
        check("evil.example" not in " ".join(seen.all("Record-Route")), "a Record-Route of the phone came through")

    def preferred(self):
        """P-Preferred-Identity chooses among the identities of the registration, and only among them (TS 24.229 §5.2.6.3)."""
        for wanted, expected in ((self.core.number(A), A.msisdn), (self.core.number(B), None)):
            req = self.a.start("MESSAGE", self.core.number(B), {"P-Preferred-Identity": f"<{wanted}>"}, "x")
            seen = self.b.incoming("MESSAGE")
            self.b.reply(seen, 200)
            self.a.final(req)
            who = [uri_of(v) for v in seen.listed("P-Asserted-Identity")]
            check(who and B.msisdn not in str(who), f"asserted is {who}")
            check(not expected or expected in who[0], f"asserted is {who}, preferred was {wanted}")
            check(not seen.all("P-Preferred-Identity"), "P-Preferred-Identity went on")

    def private(self):
        """Privacy: id keeps the identity from the other phone (RFC 3325 §7)."""
        req = self.a.start("MESSAGE", self.core.number(B), {"Privacy": "id", "From": f"<sip:anonymous@anonymous.invalid>;tag={token()}"}, "x")
        seen = self.b.incoming("MESSAGE")
        self.b.reply(seen, 200)
        self.a.final(req)
        equal(seen.all("P-Asserted-Identity"), [], "P-Asserted-Identity")

    def called_party(self):
        """The callee learns which of its identities was called (TS 24.229 §5.4.3.3)."""
        da, db, seen = call(self.a, self.b, self.core.number(B))
        called = uri_of(seen.get("P-Called-Party-ID"))
        check(called in (self.core.number(B), "tel:+" + B.msisdn), f"P-Called-Party-ID is {called!r}")
        equal(seen.uri.split(";")[0], self.b.contact, "Request-URI")
        hang_up(da, db)

    def other_phone_in_dialog(self):
        """A phone that uses the Route of somebody else's call is refused (SEC-09)."""
        da, db, _ = call(self.a, self.b, self.core.number(B))
        with self.phone(DIGEST, 119) as p:
            p.must_register()
            thief = Dialog.__new__(Dialog)
            thief.__dict__.update(da.__dict__, phone=p)
            r = thief.ask("BYE")
            check(r.status in (403, 481), f"BYE of somebody else's call gets {r}")
            self.b.nothing(lambda m: m.method == "BYE", 0.3, "the stolen BYE")
            p.must_register(expires=0)
        hang_up(db, da)

    # ---- messages that are wrong ----

    def max_forwards(self):
        equal(self.a.ask("MESSAGE", self.core.number(B), {"Max-Forwards": "0"}, "x").status, 483, "Max-Forwards 0")

    def proxy_require(self):
        r = self.a.ask("MESSAGE", self.core.number(B), {"Proxy-Require": "invented"}, "x")
        equal((r.status, r.get("Unsupported")), (420, "invented"), "Proxy-Require: invented")

    def malformed(self):
        rows = [("CSeq of another method", {"CSeq": "7 BYE"}), ("CSeq that is no number", {"CSeq": "x MESSAGE"}), ("no To", {"To": None}),
                ("no From", {"From": None}), ("no CSeq", {"CSeq": None}), ("two To", {"To": ["<sip:a@b.example>", "<sip:c@d.example>"]}),
                ("Max-Forwards that is no number", {"Max-Forwards": "many"}), ("a To that never ends", {"To": '"x <sip:a@b.example>'}),
                ("Content-Length beyond the end", {"Content-Length": "5000"})]
        for what, h in rows:
            text = self.a.build("MESSAGE", self.core.number(B), h)
            self.a.send(text)
            call_id = [line for line in text.split("\r\n") if line.startswith("Call-ID")][0].split(": ")[1]
            r = self.a.expect(lambda m, c=call_id: m.status and m.get("Call-ID") == c, 3, f"the answer to a request with {what}")
            equal(r.status, 400, what)

    def version(self):
        text = self.a.build("MESSAGE", self.core.number(B), call_id="nine").replace("SIP/2.0\r\n", "SIP/9.0\r\n", 1)
        self.a.send(text)
        equal(self.a.expect(lambda m: m.status and m.get("Call-ID") == "nine", 3, "the answer").status, 505, "SIP/9.0")

    def noise(self):
        """Octets that are no SIP, to every daemon over UDP and TCP; all stay up and answer."""
        blobs = [b"", b"\0" * 1000, os.urandom(1400), b"\r\n\r\n", b"REGISTER", b"SIP/2.0 200 OK\r\n\r\n", b"INVITE sip:x SIP/2.0\r\n" * 50,
                 b"A" * 60000, b"INVITE sip:a@b SIP/2.0\r\nContent-Length: 4294967299\r\n\r\n",
                 b"INVITE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP ;branch=\r\nContent-Length: -1\r\n\r\n"]
        for node in ("pcscf", "icscf", "scscf"):
            to = self.core.addr(node)
            s = socket.socket(family(to[0]), socket.SOCK_DGRAM)
            s.bind((self.core.ip(120), 0))
            for b in blobs:
                s.sendto(b, to)
                with socket.create_connection(to, 2, (self.core.ip(120), 0)) as c:
                    try:
                        c.sendall(b)
                    except OSError:
                        pass
            s.close()
            equal(self.core.rest(node).call("GET", "/healthz")[0], 200, f"{node} after noise")
        equal(self.a.ask("OPTIONS", f"sip:{self.core.in_uri(10)}:5060").status, 200, "OPTIONS after noise")

    def slices(self):
        """A request over TCP in single octets, two in one segment: both answered."""
        with self.phone(OTHER, 121, transport="tcp") as p:
            one, two = (p.build("OPTIONS", f"sip:{self.core.in_uri(10)}:5060") for _ in range(2))
            for c in one:
                p.send(c)
            p.send(two + two.replace("z9hG4bK", "z9hG4bKb"))
            for _ in range(3):
                p.expect(lambda m: m.status == 200, 5, "200 to OPTIONS")

    # ---- the network ends it ----

    def away(self, sub):
        """Gone from S-CSCF and, at the HSS, not registered."""
        wait_for(lambda: not self.core.registered("scscf", sub), 5, "the end of the registration at the S-CSCF")
        state = self.core.rest("hss").get("/api/v1/subscribers/" + urllib.parse.quote(self.core.impi(sub)))["state"]
        check(state in ("not-registered", "unregistered"), f"the HSS says {state}")

    def rest_delete(self):
        with self.phone(OTHER, 122) as p:
            p.must_register()
            self.core.rest("scscf").send("DELETE", "/api/v1/registrations/" + urllib.parse.quote(self.core.impi(OTHER), safe=""))
            self.away(OTHER)
            equal(self.a.ask("MESSAGE", self.core.number(OTHER), None, "x").status, 480, "MESSAGE after it")

    def rtr(self):
        with self.phone(OTHER, 123) as p:
            p.must_register()
            self.core.rest("hss").send("POST", f"/api/v1/subscribers/{urllib.parse.quote(self.core.impi(OTHER))}/rtr",
                                       {"reasonCode": 0, "reasonInfo": "test"})
            wait_for(lambda: not self.core.registered("scscf", OTHER), 5, "the end of the registration")

    def ppr(self):
        with self.phone(OTHER, 124) as p:
            p.must_register()
            doc = self.core.rest("hss").send("POST", f"/api/v1/subscribers/{urllib.parse.quote(self.core.impi(OTHER))}/ppr", {})
            check("2001" in str(doc), f"the PPA says {doc}")
            p.must_register(expires=0)

    def rest_refusals(self):
        """No token, a wrong path, a wrong method, a broken cursor: problem+json."""
        for node in ("pcscf", "icscf", "scscf"):
            rest = self.core.rest(node)
            rows = [("GET", "/api/v1/nothing", 404), ("POST", "/api/v1/info", 405)]
            if node != "icscf":
                rows += [("GET", "/api/v1/registrations?cursor=nonsense", 400), ("GET", "/api/v1/registrations?limit=-1", 400),
                         ("GET", "/api/v1/registrations/nobody@nowhere.example", 404)]
            for method, path, wanted in rows:
                status, doc = rest.call(method, path)
                equal(status, wanted, f"{node}: {method} {path}")
                check(isinstance(doc, dict) and "cause" in doc, f"{node}: {method} {path}: {doc} is no problem+json")
            rest.token = "wrong"
            equal(rest.call("GET", "/api/v1/info")[0], 401, f"{node}: a wrong token")
            rest.token = None
            equal(rest.call("GET", "/api/v1/info")[0], 401, f"{node}: no token")
            equal(rest.call("GET", "/metrics")[0] in (200, 401), True, f"{node}: /metrics")

    def bye(self):
        """The P-CSCF hears of the network's own de-registrations by the reg event only, which is not there yet: the phone says it again."""
        for last in (122, 123):
            with self.phone(OTHER, last) as p:
                p.must_register()
                p.must_register(expires=0)
        self.a.must_register(expires=0)
        self.b.must_register(expires=0)
        settle(0.2)
        for node in ("pcscf", "scscf"):
            equal(self.core.registrations(node), [], f"registrations at {node}")

    def rows(self):
        """Every case in its order."""
        return [
            ("two phones register", self.register), ("CK and IK stay in the network", self.keys_stay),
            ("REGISTER of an unknown user: 403", self.unknown_user), ("wrong key: 403", self.wrong_key),
            ("a failed re-authentication leaves the registration", self.old_survives),
            ("wrong password: refused", self.wrong_password), ("right password: registered", self.right_password),
            ("REGISTER with somebody else's identity: 403", self.others_identity),
            ("REGISTER for a foreign domain: refused", self.foreign_domain), ("Expires too short: 423", self.short_expires),
            ("REGISTER with an unknown Require: 420", self.require_unknown), ("a barred identity", self.barred),
            ("sender not registered: 403", self.unregistered), ("callee not registered: 480", self.callee_absent),
            ("callee unknown: 404", self.callee_unknown), ("unknown scheme: 416", self.scheme),
            ("a forged Route", self.forged_route), ("BYE of no dialog", self.no_dialog),
            ("a forged P-Asserted-Identity goes nowhere", self.forged_pai), ("core headers cross the border in no direction", self.stripped),
            ("P-Preferred-Identity", self.preferred), ("Privacy: id", self.private), ("P-Called-Party-ID and Request-URI", self.called_party),
            ("somebody else's dialog", self.other_phone_in_dialog), ("Max-Forwards 0: 483", self.max_forwards),
            ("Proxy-Require unknown: 420", self.proxy_require), ("malformed: 400", self.malformed), ("SIP/9.0: 505", self.version),
            ("noise", self.noise), ("TCP in slices", self.slices), ("DELETE by REST de-registers", self.rest_delete),
            ("RTR de-registers", self.rtr), ("PPR is taken", self.ppr), ("REST refuses in problem+json", self.rest_refusals),
            ("de-registration leaves nothing", self.bye),
        ]


def main():
    """The script."""
    build, net, workers = sys.argv[1], sys.argv[2], int(sys.argv[3])
    cases = Cases()
    with Core(build, net, [A, B, ABSENT, OTHER, DIGEST, BAD_KEY, BARRED], workers) as core:
        for case in Refusals(core).rows():
            cases.run(*case)
    core.finish(cases)
    cases.end()


main()
