"""ipv6.py BUILD NET PREFIX - a core whose SIP is IPv6, phones of both families.  Runs inside a network namespace of its own."""

import json
import os
import shutil
import subprocess
import sys
import tempfile

from cases import Cases, Skip, check, equal, wait_for
from core import LAB, SANITIZER, TOP, UP_S, Core, Sub
from phone import Phone as Bare
from phone import call, hang_up
from tls import DOMAIN, Certs, TlsPhone

from labcore import Lab			# core.py has put deploy/lab on the path
from labphone import Phone

HOSTS = ("10", "20", "30", "101", "102", "103", "104", "105")
X, Y, Z = (Sub(n) for n in range(1, 4))
BAN_REFUSED = 6
OPTIONS = """<?xml version="1.0" encoding="UTF-8"?>
<scenario name="options">
  <send retrans="500"><![CDATA[

    OPTIONS sip:[remote_ip]:[remote_port] SIP/2.0
    Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
    Max-Forwards: 70
    From: <sip:probe@[local_ip]>;tag=[call_number]
    To: <sip:[remote_ip]:[remote_port]>
    Call-ID: [call_id]
    CSeq: 1 OPTIONS
    Content-Length: 0

  ]]></send>
  <recv response="200"/>
</scenario>
"""


def prepare(prefix):
    """Addresses on the loopback; a bridge, because freeDiameter does not start on a host that has nothing but a loopback."""
    commands = ["ip link set lo up", "ip link add br0 type bridge", "ip addr add 192.0.2.1/24 dev br0", "ip link set br0 up"]
    commands += [f"ip -6 addr add {prefix}{h}/128 dev lo nodad" for h in HOSTS]
    for c in commands:
        p = subprocess.run(c.split(), stderr=subprocess.PIPE, text=True, check=False)
        if p.returncode:
            raise Skip(f"{c}: {p.stderr.strip()}")


class Ipv6:
    """The lab, and what runs on it."""

    def __init__(self, build, net, prefix):
        self.build, self.net, self.prefix = os.path.abspath(build), net, prefix
        self.dir = tempfile.mkdtemp(prefix="cscf-test-")
        self.lab = None

    def run(self, *argv):
        """A verb of the lab: its output, when it did what it should."""
        p = subprocess.run([LAB, argv[0], "--dir", os.path.join(self.dir, "lab"), *argv[1:]], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                           text=True, timeout=UP_S, check=False)
        equal(p.returncode, 0, f"lab {' '.join(argv)}: {p.stdout[-800:]}")
        return p.stdout

    def up(self):
        """Prepares and starts."""
        prepare(self.prefix)
        self.run("up", "--build", self.build, "--net", self.net, "--ip6", self.prefix, "--workers", "2")
        self.lab = Lab.load(os.path.join(self.dir, "lab"))
        equal(self.lab.doc["sip"]["icscf"], f"[{self.prefix}20]:4060", "the I-CSCF's address")

    def call(self, proto):
        """Registration with AKA, MESSAGE, call with preconditions: the lab's own checks."""
        out = self.run("call", "--hold", "0.3", "--proto", proto)
        check("PASSED" in out, out[-500:])

    def phone(self, label, index, ip):
        """A phone at an address of either family."""
        p = Phone(self.lab, label, index, self.lab.doc["subscribers"][index], options=("--answer", "auto", "--ring-ms", "50"))
        p.argv[p.argv.index("--bind") + 1] = p.ip = ip
        if ":" not in ip:
            p.argv[p.argv.index("--pcscf") + 1] = f"udp:{self.net}.10:5060"
        return p

    def mixed(self):
        """IPv4 calls IPv6 and the other way round, one P-CSCF for both: double Record-Route (RFC 5658)."""
        with self.phone("A", 0, f"{self.net}.104") as a, self.phone("B", 1, f"{self.prefix}104") as b:
            for p in (a, b):
                p.do("register")
                p.wait("registered", 10)
            for one, other in ((a, b), (b, a)):
                since = other.here()
                one.do(f"call {other.uri}")
                one.wait("answered", 15, fail=("call-failed",))
                other.wait("incoming", 5, since=since)
                one.do("hangup")
                one.wait("ended", 10)
                other.wait("ended", 10, since=since)
                since = other.here()
                one.do(f"message {other.uri} hello")
                equal(one.wait("message-sent", 10)["status"], 200, "MESSAGE")
                other.wait("message-received", 5, since=since)
            for p in (a, b):
                p.do("deregister")
                p.wait("deregistered", 10)

    def sipp(self):
        """A client that is not ours: OPTIONS to each CSCF."""
        if not shutil.which("sipp"):
            raise Skip("sipp is not installed (package sip-tester)")
        path = os.path.join(self.dir, "options.xml")
        with open(path, "w", encoding="utf-8") as f:
            f.write(OPTIONS)
        for node, where in self.lab.doc["sip"].items():
            for transport in ("u1", "t1"):
                p = subprocess.run(["sipp", "-sf", path, "-i", f"{self.prefix}103", "-t", transport, "-m", "1", "-timeout", "8s", "-nostdin",
                                    where], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=self.dir, timeout=20, check=False)
                equal(p.returncode, 0, f"OPTIONS to {node} by {transport}: {p.stdout[-300:].decode('utf-8', 'replace')}")

    def rest(self):
        """Nothing is left, and addresses show as RFC 5952 and RFC 3261 write them."""
        info = self.lab.rest("pcscf").get("/api/v1/info")
        check(f"udp:[{self.prefix}10]:5060" in info["sipListen"] and f"udp:{self.net}.10:5060" in info["sipListen"], json.dumps(info))
        equal(self.lab.rest("scscf").items("/api/v1/dialogs"), [], "dialogs")
        equal(self.lab.rest("scscf").items("/api/v1/registrations"), [], "registrations")

    def down(self):
        """Ends it; no log holds what must not be in it."""
        logs = dict(self.lab.doc["logs"]) if self.lab else {}
        self.run("down", "--keep")
        for node, path in logs.items():
            with open(path, encoding="utf-8", errors="replace") as f:
                bad = [line for line in f if SANITIZER.search(line)]
            equal(bad, [], node)

    def rows(self):
        """Every case in its order."""
        return [
            ("a core over IPv6", self.up), ("two phones over UDP", self.call, "udp"), ("two phones over TCP", self.call, "tcp"),
            ("IPv4 and IPv6 phones call each other", self.mixed), ("SIPp asks each CSCF", self.sipp), ("what REST shows", self.rest),
            ("down", self.down),
        ]


class Bares:
    """Phones that say exactly what a case wants, on a core with a TLS listener and limits for strangers."""

    def __init__(self, core, certs):
        self.core, self.certs = core, certs

    def transports(self):
        """A phone on UDP, one on TCP and one on TLS call each other; what comes over the wire is IPv6 throughout."""
        with Bare(self.core, X, self.core.ip6(101), 5060) as x, Bare(self.core, Y, self.core.ip6(102), 0, "tcp") as y, \
                TlsPhone(self.core, Z, self.core.ip6(103), self.certs.client(), self.core.ip6(10)) as z:
            for p in (x, y, z):
                p.must_register()
            for a, b, to in ((x, y, Y), (y, z, Z), (z, x, X)):
                da, db, invite = call(a, b, self.core.number(to))
                check(self.core.net not in invite.text, f"IPv4 in {invite.text}")
                hang_up(da, db)
            for p in (x, y, z):
                p.must_register(expires=0)

    def identity(self):
        """SEC-02 by address: the one that this address registered is asserted, whatever From says."""
        with Bare(self.core, X, self.core.ip6(101), 5060) as x, Bare(self.core, Y, self.core.ip6(102), 5060) as y:
            for p in (x, y):
                p.must_register()
            req = x.start("MESSAGE", self.core.number(Y), {"P-Preferred-Identity": f"<{self.core.impu(Y)}>"}, "x", from_uri=self.core.impu(Y))
            m = y.incoming("MESSAGE")
            asserted = " ".join(m.all("P-Asserted-Identity"))
            check((X.imsi in asserted or X.msisdn in asserted) and Y.imsi not in asserted and Y.msisdn not in asserted, asserted)
            y.reply(m, 200)
            equal(x.final(req).status, 200, "MESSAGE")
            for p in (x, y):
                p.must_register(expires=0)

    def scan(self):
        """X10: a /64 is one source; a registered phone of the same is served all the same."""
        with Bare(self.core, X, self.core.ip6(101), 5060) as x:
            x.must_register()
            for host in ("104", "105"):
                with Bare(self.core, Y, self.core.ip6(host), 5060) as stranger:
                    for _ in range(BAN_REFUSED // 2):
                        equal(stranger.ask("MESSAGE", self.core.number(X), None, "x").status, 403, "a stranger")
            bans = wait_for(lambda: self.core.rest("pcscf").items("/api/v1/bans"), 5, "a ban")
            equal([b["source"] for b in bans], [f"{self.core.ip6_prefix}/64"], "GET /bans")
            with Bare(self.core, Y, self.core.ip6("104"), 5060) as stranger:
                stranger.send(stranger.build("MESSAGE", self.core.number(X), None, "x"))
                stranger.nothing(lambda m: m.status, 0.5, "an answer to who is banned")
            x.must_register()
            x.must_register(expires=0)

    def rows(self):
        """In order."""
        return [("bare phones over UDP, TCP and TLS", self.transports), ("who asserts what", self.identity), ("a scan from one /64", self.scan)]


def bares(build, net, prefix, cases):
    """A core of their own, on the same addresses."""
    if not shutil.which("openssl"):
        raise Skip("openssl is not installed")
    with tempfile.TemporaryDirectory(prefix="cscf-tls-") as folder:
        certs = Certs(folder)
        certs.make("pcscf", f"pcscf.{DOMAIN}")
        listen = ", ".join(f'"{p}:[{prefix}10]:{port}"' for p, port in (("udp", 5060), ("tcp", 5060), ("tls", 5061)))
        extra = (f"sip:\n  listen: [{listen}]\n  tls: {{cert_file: {certs.path('pcscf')}, key_file: {certs.path('pcscf', 'key')}}}\n"
                 f"  sources: {{exempt_loopback: false, ban_after_refused: {BAN_REFUSED}}}\n")
        with Core(build, net, [X, Y, Z], 2, {"pcscf": extra}, ip6=prefix) as core:
            for case in Bares(core, certs).rows():
                cases.run(*case)
        core.finish(cases)


def main():
    """The script."""
    build, net, prefix = sys.argv[1:4]
    if not os.access(os.path.join(build, "pcscf/pcscfd"), os.X_OK):
        print(f"{build} has no daemons (checkout: {TOP})")
        sys.exit(1)
    cases, t = Cases(), Ipv6(build, net, prefix)
    rows = t.rows()
    if cases.run(*rows[0]):
        for case in rows[1:]:
            cases.run(*case)
    shutil.rmtree(t.dir, ignore_errors=True)
    bares(build, net, prefix, cases)
    cases.end()


main()
