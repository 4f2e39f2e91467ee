"""reg_event.py BUILD NET WORKERS - registration state (TS 24.229 §5.4.2.1, §5.2.3, §5.1.1.3; RFC 3680) between real daemons."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET

from cases import Cases, Fail, check, equal, wait_for
from core import Core, K, OPC, TOP, Sub, settle

A, B, C, D, E = (Sub(n) for n in range(1, 6))
NS = "{urn:ietf:params:xml:ns:reginfo}"
SCHEMA = os.path.join(TOP, "tests", "sip", "reginfo", "reginfo.xsd")


def logged(core, node, *texts):
    """Is there a line with all of them?"""
    with open(core.doc["logs"][node], encoding="utf-8", errors="replace") as f:
        return any(all(t in line for t in texts) for line in f)


class Ue:
    """An imsue that takes commands on stdin; its events are read from a file."""

    def __init__(self, core, sub, last):
        self.core, self.sub = core, sub
        self.out = tempfile.TemporaryFile("w+", encoding="utf-8")
        self.p = subprocess.Popen([core.program("tests/ue/imsue"), "--pcscf", f"udp:{core.in_uri(10)}:5060", "--bind", core.ip(last),
                                   "--imsi", sub.imsi, "--msisdn", sub.msisdn, "--mcc", "001", "--mnc", "01", "--k", K, "--opc", OPC,
                                   "--sqn", "0"], stdin=subprocess.PIPE, stdout=self.out, stderr=subprocess.DEVNULL, text=True)

    def __enter__(self):
        return self

    def __exit__(self, *what):
        self.p.stdin.close()
        try:
            self.p.wait(10)
        except subprocess.TimeoutExpired:
            self.p.kill()
            self.p.wait()

    def say(self, line):
        """A command."""
        self.p.stdin.write(line + "\n")
        self.p.stdin.flush()

    def events(self, name):
        """All so far of that name."""
        text = os.pread(self.out.fileno(), 1 << 24, 0).decode("utf-8")
        return [e for e in map(json.loads, text[:text.rfind("\n") + 1].splitlines()) if e["event"] == name]		# whole lines

    def wait(self, name, n=1, seconds=15):
        """The n-th of them."""
        wait_for(lambda: len(self.events(name)) >= n, seconds, f"{name} number {n}")
        return self.events(name)[n - 1]

    def register(self):
        """Registers and subscribes, and waits for the first NOTIFY, and until the P-CSCF watches as well."""
        self.say("register")
        self.wait("registered")
        self.say("subscribe")
        self.wait("subscribed")
        self.wait("notify")
        wait_for(lambda: logged(self.core, "scscf", " subscribed ", self.sub.imsi, "as=p-cscf"), 10, "the P-CSCF's subscription")


def validate(text):
    """By the schema, where xmllint is."""
    if os.access("/usr/bin/xmllint", os.X_OK):
        p = subprocess.run(["/usr/bin/xmllint", "--noout", "--schema", SCHEMA, "-"], input=text, capture_output=True, text=True, check=False)
        if p.returncode:
            raise Fail(f"not valid: {p.stderr} {text}")


def contacts(event):
    """(version, {aor: [(state, event, expires)]}) of a notify event."""
    validate(event["body"])
    root = ET.fromstring(event["body"].encode())
    return int(root.get("version")), {r.get("aor"): [(c.get("state"), c.get("event"), int(c.get("expires"))) for c in r.findall(NS + "contact")]
                                      for r in root.findall(NS + "registration")}


class RegEvent:
    """The cases."""

    def __init__(self, core):
        self.core = core

    def ended(self, sub, event):
        """The P-CSCF has heard it: a line of its log, and the binding goes."""
        wait_for(lambda: logged(self.core, "pcscf", "ends or shortens", sub.imsi, f"event={event}"), 10, f"the P-CSCF hears {event}")

    def first_state(self):
        """§5.4.2.1.2: the whole implicit set, the identity that registered and what came along."""
        with Ue(self.core, A, 101) as a:
            a.register()
            version, regs = contacts(a.events("notify")[0])
            equal(version, 0, "the first version")
            check(len(regs) >= 2, f"identities: {regs}")
            check(all(len(c) == 1 and c[0][0] == "active" for c in regs.values()), f"contacts: {regs}")
            check({c[0][1] for c in regs.values()} <= {"registered", "created"}, f"events: {regs}")
            check(a.events("notify")[0]["state"].startswith("active"), a.events("notify")[0]["state"])
            a.say("reregister")
            a.wait("registered", 2)
            version, regs = contacts(a.wait("notify", 2))
            equal(version, 1, "the next version")
            check(all(c[0][1] == "refreshed" for c in regs.values()), f"events: {regs}")
            a.say("unsubscribe")
            check(a.wait("notify", 3)["state"].startswith("terminated"), "the last NOTIFY says so")
            a.say("deregister")
            a.wait("deregistered")

    def operator_ends(self):
        """REST DELETE: phone and P-CSCF hear "deactivated"; the phone registers anew (§5.1.1.7)."""
        with Ue(self.core, B, 102) as a:
            a.register()
            wait_for(lambda: self.core.registered("pcscf", B), 5, "a binding")
            self.core.rest("scscf").send("DELETE", "/api/v1/registrations/" + self.core.impi(B))
            a.wait("registration-ended")
            self.ended(B, "deactivated")
            a.wait("registered", 2)
            equal(len(self.core.registered("scscf", B)), 1, "registrations")
            settle(6)			# longer than the grace that the P-CSCF leaves: the new one stands
            equal(len(self.core.registered("pcscf", B)), 1, "bindings")
            a.say("deregister")
            a.wait("deregistered")

    def hss_ends(self):
        """RTR, permanent termination: "rejected", nobody comes back."""
        with Ue(self.core, C, 103) as b:
            b.register()
            self.core.rest("hss").send("POST", f"/api/v1/subscribers/{self.core.impi(C)}/rtr", {"reasonCode": 0, "reasonInfo": "gone"})
            b.wait("registration-ended")
            version, regs = contacts(b.wait("notify", 2))
            check(all(c[0][:2] == ("terminated", "rejected") for c in regs.values()), f"{version} {regs}")
            self.ended(C, "rejected")
            wait_for(lambda: not self.core.registered("pcscf", C), 10, "the binding is gone")
            equal(len(b.events("registered")), 1, "registrations")

    def reauthentication(self):
        """§5.4.1.6: shortened, and the phone registers again in time."""
        with Ue(self.core, D, 104) as a:
            a.register()
            self.core.rest("scscf").send("POST", f"/api/v1/registrations/{self.core.impi(D)}/reauthenticate", {})
            check(a.wait("registration-shortened")["expires"] <= 4, "shortened")
            self.ended(D, "shortened")
            a.wait("registered", 2)
            equal(len(self.core.registered("scscf", D)), 1, "registrations")
            a.say("deregister")
            a.wait("deregistered")

    def orderly_stop(self):
        """An orderly stop ends no subscription: nobody hears "terminated", and after the start both hear what happens."""
        with Ue(self.core, E, 105) as a:
            a.register()
            heard = len(a.events("notify"))
            for node in ("scscf", "pcscf"):
                self.core.stop_node(node, signal.SIGTERM)
                self.core.start_node(node)
                self.core.wait_ready(node)
            wait_for(lambda: self.core.registered("pcscf", E), 5, "the binding")
            check(not [e for e in a.events("notify")[heard:] if e["state"].startswith("terminated")], f"no end: {a.events('notify')}")
            self.core.rest("scscf").send("DELETE", "/api/v1/registrations/" + self.core.impi(E))
            a.wait("registration-ended")
            self.ended(E, "deactivated")
            a.wait("registered", 2)
            a.say("deregister")
            a.wait("deregistered")

    def rows(self):
        """What runs, each with a phone of its own."""
        return [
            ("S14 the state of the implicit set, refresh, the end", self.first_state),
            ("P8 S16 an operator ends a registration: it begins anew", self.operator_ends),
            ("P8 S16 the HSS ends a registration: it is over", self.hss_ends),
            ("S18 network-initiated re-authentication", self.reauthentication),
        ]


def main():
    """The script."""
    build, net, workers = sys.argv[1], sys.argv[2], int(sys.argv[3])
    cases = Cases()
    with Core(build, net, [A, B, C, D, E], workers, extra={"scscf": "registrar: {reauth_expires_s: 4, min_expires_s: 1}\n"}) as core:
        reg_event = RegEvent(core)
        cases.side_by_side([[row] for row in reg_event.rows()])
        cases.run("S14 P8 H1 an orderly stop with subscriptions", reg_event.orderly_stop)
    core.finish(cases)
    cases.end()


main()
