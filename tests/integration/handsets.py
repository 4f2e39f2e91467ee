"""handsets.py BUILD NET WORKERS - what real handsets do and a core must bear, row by row: README.md says which row is shown where.

Here is what needs no security associations; with them: ipsec_handsets.sh.
"""

import json
import re
import subprocess
import sys
import xml.etree.ElementTree as ET

from cases import Cases, check, equal
from core import TOP, Core, Sub
from imsue import Imsue
from phone import Dialog, Phone, call, hang_up

A, B, MUTE, DEAF, APPLE, SAMSUNG, XIAOMI, HUAWEI = (Sub(n) for n in range(1, 9))
# No MSISDN in the profile: a SIP identity alone.
MUTE.more = {"impu": [f"sip:{MUTE.imsi}@ims.mnc001.mcc001.3gppnetwork.org"]}
# T1 toward phones: silence is known after 64 of these.
EXTRA = "sip: {ue_timers: {t1_ms: 60}}\n"
BRANDS = {"Apple": (APPLE, "tcp", "yes"), "Samsung": (SAMSUNG, "udp", "yes"), "Xiaomi": (XIAOMI, "tcp", "no"), "Huawei": (HUAWEI, "udp", "no")}


class Handsets:
    """The cases."""

    def __init__(self, core):
        self.core = core

    def log(self, node):
        """What it has logged."""
        with open(self.core.doc["logs"][node], encoding="utf-8", errors="replace") as f:
            return f.read()

    def phone(self, sub, last, **how):
        """A bare one."""
        return Phone(self.core, sub, self.core.ip(last), **how)

    def imsue(self, sub, last, proto, *options):
        """A simulated one."""
        return Imsue(self.core.program("tests/ue/imsue"), sub, f"{proto}:{self.core.in_uri(10)}:5060", self.core.ip(last), "--rtp", "no", *options)

    def tel_caller(self):
        """Row 8: From and preferred identity are tel URIs; who is called sees an identity of the registered set."""
        with self.phone(A, 101) as a, self.phone(B, 102) as b:
            a.must_register()
            b.must_register()
            tel = f"tel:+{A.msisdn}"
            for headers in ({}, {"P-Preferred-Identity": f"<{tel}>"}):
                inv = a.invite(self.core.number(B), headers, from_uri=tel)
                seen = b.incoming("INVITE")
                asserted = seen.listed("P-Asserted-Identity")
                check(asserted and all(A.msisdn in v or A.imsi in v for v in asserted), f"asserted: {asserted}")
                check(tel in seen.get("From"), f"From: {seen.get('From')}")
                ok = b.reply(seen, 200, body=b.sdp())
                r = a.final(inv)
                da, db = Dialog(a, inv, r, True), Dialog(b, seen, ok, False)
                da.ack(inv)
                b.incoming("ACK")
                hang_up(db, da)
            a.must_register(expires=0)
            b.must_register(expires=0)

    def folded(self):
        """Row 13: a line break within Authorization, before nc."""
        with self.phone(A, 103) as a:
            r = a.register_once()
            credentials = a.credentials("REGISTER", "sip:" + self.core.domain, r)
            check(", nc=" in credentials, f"no nc in {credentials}")
            for fold in (",\r\n nc=", ",\r\n\tnc=", ",\r\n  \t nc="):
                r = a.register_once(credentials.replace(", nc=", fold))
                equal(r.status, 200, f"REGISTER with {fold!r}")
                r = a.register_once()			# a new challenge for the next spelling
                credentials = a.credentials("REGISTER", "sip:" + self.core.domain, r)
            equal(a.register_once(credentials, expires=0).status, 200, "de-registration")

    def numberless(self):
        """Row 14: a profile without a number: registered, and the S-CSCF warns, once; with a number it does not."""
        warning = r" W .*has no number.*impi=" + MUTE.imsi
        with self.phone(MUTE, 104) as m, self.phone(A, 103) as a:
            m.must_register()
            a.must_register()
            m.must_register()
            equal(len(re.findall(warning, self.log("scscf"))), 1, "warnings")
            check(not re.search(r"has no number.*impi=" + A.imsi, self.log("scscf")), "a warning for a phone with a number")
            m.must_register(expires=0)
            a.must_register(expires=0)

    def ignores(self):
        """Row 15: an INVITE that arrives and is ignored: the caller hears so in time, the ladder shows who was silent, the phone stays registered."""
        for transport in ("tcp", "udp"):
            with self.phone(A, 105) as a, self.phone(DEAF, 106, transport=transport) as d:
                a.must_register()
                d.must_register()
                inv = a.invite(self.core.number(DEAF))
                seen = d.expect(lambda m: m.method == "INVITE", 8, "the INVITE")
                check(seen.uri.startswith("sip:" + DEAF.imsi), f"Request-URI {seen.uri}")
                r = a.final(inv, 20)
                equal(r.status, 408, f"what the caller hears, {transport}")
                doc = self.explain(inv.get("Call-ID"))
                equal(doc["cause"], "phone_silent", doc["summary"])
                equal(len(self.core.registered("pcscf", DEAF)), 1, "bindings of the silent phone")
                a.must_register(expires=0)

    def explain(self, who):
        """cscfctl explain as JSON."""
        p = subprocess.run([f"{TOP}/deploy/cscfctl/cscfctl", "--lab", self.core.doc["dir"], "--json", "explain", who], stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE, text=True, timeout=30, check=False)
        check(p.stdout, f"cscfctl: {p.returncode}: {p.stderr}")
        return json.loads(p.stdout)

    def brands(self):
        """Rows 17, 22: every brand calls every other: transports, preconditions or none; who hangs up is the called one."""
        phones = {}
        try:
            for n, (name, (sub, proto, precond)) in enumerate(BRANDS.items()):
                phones[name] = self.imsue(sub, 110 + n, proto, "--precond", precond, "--ring-ms", "50", "--user-agent", name)
                phones[name].register()
            for one, a in phones.items():
                for other, b in phones.items():
                    if a is b:
                        continue
                    b.at = len(b.events)
                    e = a.do(f"call +{BRANDS[other][0].msisdn}", "answered", "call-failed", seconds=40)
                    equal(e["event"], "answered", f"{one} calls {other}: {e}")
                    b.wait("answered")
                    b.do("hangup", "ended")
                    a.wait("ended")
            for p in phones.values():
                p.do("deregister", "deregistered")
        finally:
            for p in phones.values():
                p.__exit__()

    def notify(self):
        """Row 26: the NOTIFYs of a phone's own state: identities as it subscribed, the version rises, it stays registered."""
        with self.phone(A, 107) as a:
            a.must_register()
            req = a.start("SUBSCRIBE", a.impu, {"Event": "reg", "Expires": "600000", "Accept": "application/reginfo+xml"}, to=a.impu)
            ok = a.final(req)
            equal(ok.status, 200, "SUBSCRIBE")
            versions = []
            for n in range(3):
                m = a.incoming("NOTIFY")
                equal(m.get("To"), req.get("From"), "To")
                equal(m.get("From"), ok.get("To"), "From")
                equal(m.get("Call-ID"), req.get("Call-ID"), "Call-ID")
                check(m.get("Subscription-State").startswith("active"), m.get("Subscription-State"))
                a.reply(m, 200)
                doc = ET.fromstring(m.body)
                versions.append(int(doc.get("version")))
                check('state="active"' in m.body and a.contact in m.body, f"{m.body}")
                if n < 2:
                    a.must_register(headers={"Contact": f"<{a.contact}>;q=0.{n + 1}"})
            equal(versions, [0, 1, 2], "versions")
            a.nothing(lambda m: m.method == "BYE", 0.2, "an end")
            a.must_register(expires=0)

    def rows(self):
        """In order."""
        return [
            ("handset 8 a tel URI as caller", self.tel_caller),
            ("handset 13 a folded Authorization", self.folded),
            ("handset 14 a profile without a number", self.numberless),
            ("handset 15 an INVITE that is ignored", self.ignores),
            ("handset 17, 22 every brand calls every other", self.brands),
            ("handset 26 NOTIFYs as a strict baseband wants them", self.notify),
        ]


def main():
    """The script."""
    build, net, workers = sys.argv[1], sys.argv[2], int(sys.argv[3])
    cases = Cases()
    with Core(build, net, [A, B, MUTE, DEAF, APPLE, SAMSUNG, XIAOMI, HUAWEI], workers, extra={"pcscf": EXTRA}) as core:
        for case in Handsets(core).rows():
            cases.run(*case)
    core.finish(cases)
    cases.end()


main()
