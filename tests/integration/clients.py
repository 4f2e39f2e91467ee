"""clients.py BUILD NET WORKERS - what real user agents do that breaks other cores: eleven points, by phones that do just that."""

import base64
import json
import os
import re
import signal
import subprocess
import sys
import time

from aka import Usim, f2345
from cases import Cases, Fail, check, equal, wait_for
from core import Core, K, OPC, Sub
from phone import Dialog, Message, Phone, call, hang_up, params, token, uri_of

A, B, C, D, DIGEST = (Sub(n) for n in range(1, 6))
DIGEST.password = "open sesame"
RANDS = 120					# chance that none has a zero octet by luck: 2.4 %
RANDS_MAX = 400


class Clients:
    """The cases."""

    def __init__(self, core):
        self.core = core

    def phone(self, sub, last, **how):
        """A phone of this case alone."""
        return Phone(self.core, sub, self.core.ip(last), **how)

    def once(self, sub, last, change=None, headers=None, again=None):
        """Registers; change(credentials) is what goes into the second REGISTER."""
        with self.phone(sub, last) as p:
            r = p.register_once(again, headers=headers)
            equal(r.status, 401, "the first REGISTER")
            credentials = p.credentials("REGISTER", "sip:" + self.core.domain, r)
            r = p.register_once(change(credentials) if change else credentials, headers=headers)
            equal(r.status, 200, "the second REGISTER")
            p.must_register(expires=0)

    # 1
    def no_authorization(self):
        """Twinkle, baresip and linphone: TS 24.229 §5.3.1.2 derives the private identity from the public one."""
        for sub in (A, DIGEST):
            self.once(sub, 101)

    # 2
    def two_authorizations(self):
        """PJSIP: an empty one for realm "*", then the answer; and the other way round."""
        empty = f'Digest username="{self.core.impi(A)}", realm="*", nonce="", uri="sip:{self.core.domain}", response=""'
        for sub in (A, DIGEST):
            empty = empty.replace(self.core.impi(A), self.core.impi(sub))
            self.once(sub, 102, lambda c, e=empty: [e, c], again=empty)
            self.once(sub, 102, lambda c, e=empty: [c, e], again=empty)

    # 3
    def other_uri(self):
        """SIPp: the uri parameter is the address that it sends to."""
        for sub in (A, DIGEST):
            with self.phone(sub, 103) as p:
                r = p.register_once()
                credentials = p.credentials("REGISTER", "", r, uri_param=f"sip:{self.core.in_uri(10)}:5060")
                equal(p.register_once(credentials).status, 200, "the second REGISTER")
                p.must_register(expires=0)

    # 4
    def same_challenge(self):
        """A REGISTER that comes again, while the HSS thinks and after the 401, gets one challenge."""
        self.core.behave({"MAR": {"delayMs": 900}})
        try:
            with self.phone(B, 104) as p:
                text = p.build("REGISTER", "sip:" + self.core.domain, {"Expires": "600"}, to=p.impu)
                req = Message(text)
                for _ in range(3):
                    p.send(text)
                    p.nothing(lambda m: m.status >= 200, 0.2, "an early answer")
                nonces = {params(p.final(req).get("WWW-Authenticate"))["nonce"]}
                for _ in range(2):
                    p.send(text)
                    nonces.add(params(p.final(req).get("WWW-Authenticate"))["nonce"])
                equal(len(nonces), 1, "nonces in the answers to one REGISTER")
                r = p.register_once(p.credentials("REGISTER", "sip:" + self.core.domain, Message(
                    "SIP/2.0 401 x\r\nWWW-Authenticate: " + f'Digest realm="{self.core.domain}", nonce="{nonces.pop()}", '
                    'algorithm=AKAv1-MD5, qop="auth"\r\n\r\n')))
                check(r.status in (200, 401), f"the answer to it gets {r}")
        finally:
            self.core.behave({})
        with self.phone(B, 104) as p:
            p.must_register()
            p.must_register(expires=0)

    # 5
    def no_sec_agree(self):
        """What is agreed with the P-CSCF stays there: the far phone would answer 420."""
        sec = {"Require": "sec-agree", "Proxy-Require": "sec-agree",
               "Security-Verify": "ipsec-3gpp;alg=hmac-sha-1-96;prot=esp;mod=trans;spi-c=1;spi-s=2;port-c=5062;port-s=5064;q=0.1"}
        with self.phone(A, 105) as a, self.phone(B, 106) as b:
            a.must_register(headers={"Security-Client": sec["Security-Verify"], "Require": "sec-agree", "Proxy-Require": "sec-agree"})
            b.must_register()
            req = a.start("MESSAGE", self.core.number(B), sec, "x")
            seen = b.incoming("MESSAGE")
            b.reply(seen, 200)
            equal(a.final(req).status, 200, "MESSAGE with sec-agree")
            for name in ("Security-Client", "Security-Verify", "Security-Server"):
                check(not seen.all(name), f"{name} reached the other phone")
            check("sec-agree" not in str(seen.all("Require") + seen.all("Proxy-Require")), f"{seen.text}")
            a.must_register(expires=0)
            b.must_register(expires=0)

    # 7
    def record_route(self):
        """A TCP phone is told TCP, a UDP phone is not: two values where the legs differ (RFC 5658)."""
        with self.phone(A, 107, transport="tcp") as a, self.phone(B, 108) as b:
            a.must_register()
            b.must_register()
            for one, other, sub in ((a, b, B), (b, a, A)):
                inv = one.invite(self.core.number(sub))
                seen = other.incoming("INVITE")
                ok = other.reply(seen, 200, body=other.sdp())
                r = one.final(inv)
                nearest = (uri_of(r.listed("Record-Route")[-1]), uri_of(seen.listed("Record-Route")[0]))
                for phone, route in zip((one, other), nearest):
                    check(("transport=tcp" in route.lower()) == (phone.transport == "tcp"), f"{phone.transport} phone: {route}")
                do, dt = Dialog(one, inv, r, True), Dialog(other, seen, ok, False)
                do.ack(inv)
                other.incoming("ACK")
                for x, y in ((do, dt), (dt, do)):
                    req = x.start("INFO")
                    y.phone.reply(y.phone.incoming("INFO"), 200)
                    equal(x.phone.final(req).status, 200, "INFO")
                hang_up(dt, do)
            a.must_register(expires=0)
            b.must_register(expires=0)

    # 8
    def late_unsubscribe(self):
        """A phone that has de-registered still ends its subscription, from another port: an answer, and no alarm."""
        with self.phone(A, 109) as a:
            a.must_register()
            r = a.ask("SUBSCRIBE", self.core.impu(A), {"Event": "reg", "Expires": "600"})
            a.must_register(expires=0)
        with self.phone(A, 109, port=0) as a:
            h = {"Event": "reg", "Expires": "0", "Route": r.listed("Record-Route")[::-1] or None, "From": r.get("From"), "To": r.get("To")}
            r = a.ask("SUBSCRIBE", uri_of(r.get("Contact")), h, call_id=r.get("Call-ID"))
            check(r.status in (200, 481), f"it gets {r}")
        for node in ("pcscf", "scscf"):
            with open(self.core.doc["logs"][node], encoding="utf-8", errors="replace") as f:
                check(not re.search(r"^\S+ [EW] .*SUBSCRIBE", f.read(), re.M), f"{node} cries about it")

    # 9
    def routed_register(self):
        """PJSIP puts the Service-Route on later REGISTERs; what stands below our own Route is not followed."""
        with self.phone(A, 110) as a:
            r = a.must_register()
            routes = [f"<sip:{self.core.in_uri(10)}:5060;lr>"] + r.listed("Service-Route")
            a.must_register(headers={"Route": routes})
            equal(len(self.core.registered("scscf", A)), 1, "registrations")
            a.must_register(headers={"Route": routes}, expires=0)

    # 10
    def rands(self, sub, last, enough, most):
        """Registers until enough(results so far); the RES octets of each."""
        results = []
        with self.phone(sub, last) as p:
            while not enough(results) and len(results) < most:
                p.must_register()
                nonce = base64.b64decode(params(p.challenge.get("WWW-Authenticate"))["nonce"])
                results.append(f2345(bytes.fromhex(K), bytes.fromhex(OPC), nonce[:16])[0])
            p.must_register(expires=0)
        return results

    def no_zero(self):
        """SIPp, Twinkle and Doubango fail on a zero octet in RES: the lab HSS spares them."""
        results = self.rands(C, 111, lambda r: False, RANDS)
        check(not any(0 in r for r in results), "a RES has a zero octet")

    def zero(self):
        """On order it does not, and a phone that is right registers with it."""
        with open(self.core.doc["configs"]["hss"], "a", encoding="utf-8") as f:
            f.write("hss: {zero_in_res: true}\n")
        os.kill(self.core.pid("hss"), signal.SIGHUP)
        results = self.rands(D, 112, lambda r: any(0 in x for x in r), RANDS_MAX)
        check(any(0 in r for r in results), f"no zero octet in {len(results)} RES")

    # 11
    def auts(self):
        """No agent here sends AUTS: a phone of ours and imsue do (TS 33.102 §6.3.3)."""
        usim = Usim(bytes.fromhex(K), bytes.fromhex(OPC), sqn=1 << 20)
        with self.phone(B, 113, usim=usim) as p:
            p.must_register()
            check(usim.sqn > 1 << 20, "the sequence number did not move")
            p.must_register(expires=0)

    def auts_imsue(self):
        """The same with imsue, whose events say what happened."""
        events = self.imsue(B, 114, "--sqn", str(1 << 24), "-e", "register; deregister")
        check("resync" in events and "registered" in events and "deregistered" in events, f"events: {events}")

    def imsue(self, sub, last, *args):
        """Names of the events of a run."""
        p = subprocess.run([self.core.program("tests/ue/imsue"), "--pcscf", f"udp:{self.core.in_uri(10)}:5060", "--bind", self.core.ip(last),
                            "--imsi", sub.imsi, "--msisdn", sub.msisdn, "--mcc", "001", "--mnc", "01", "--k", K, "--opc", OPC, *args],
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, timeout=60, text=True, check=False)
        if p.returncode:
            raise Fail(f"imsue: exit {p.returncode}: {p.stdout[-600:]} {p.stderr[-600:]}")
        return [json.loads(line)["event"] for line in p.stdout.splitlines()]

    def rows(self):
        """One for each point."""
        return [
            ("client-01 the first REGISTER without Authorization", self.no_authorization),
            ("client-02 two Authorization headers", self.two_authorizations),
            ("client-03 the uri parameter is another one", self.other_uri),
            ("client-04 one challenge for one REGISTER", self.same_challenge),
            ("client-05 sec-agree ends at the P-CSCF", self.no_sec_agree),
            # client-06, protected ports over UDP, needs a kernel with ESP: ipsec.py
            ("client-07 Record-Route of mixed transports", self.record_route),
            ("client-08 the subscription of a phone that is gone", self.late_unsubscribe),
            ("client-09 Service-Route on a REGISTER", self.routed_register),
            ("client-10 no zero octet in RES unless ordered", self.no_zero),
            ("client-10 a zero octet in RES", self.zero),
            ("client-11 AUTS", self.auts),
            ("client-11 AUTS of imsue", self.auts_imsue),
        ]


def main():
    """The script."""
    build, net, workers = sys.argv[1], sys.argv[2], int(sys.argv[3])
    cases = Cases()
    with Core(build, net, [A, B, C, D, DIGEST], workers) as core:
        for case in Clients(core).rows():
            cases.run(*case)
    core.finish(cases)
    cases.end()


main()
