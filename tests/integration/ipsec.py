"""IPsec between phones and the P-CSCF: TS 33.203 §7, RFC 3329; rows P3 to P6, P13, P14, X1 to X3; S2, S3, S5, S8.

Runs in tests/kernel/run with namespaces ue1 (10.50.0.1), ue2 (10.50.0.2) and core (10.50.0.3).  After each step the kernel's
associations and policies are held against what must be there, and what was on the wire against ESP.
"""

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time

from cases import Cases, Fail, check, equal, wait_for
from core import Sub
from imsue import Imsue

TOP = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))
BUILD = os.path.abspath(sys.argv[1])
LAB = os.path.join(TOP, "deploy", "lab", "lab")
CTL = os.path.join(TOP, "deploy", "cscfctl", "cscfctl")
PCSCF = {4: "10.50.0.3", 6: "[fd50::3]"}
UE = {4: {"ue1": "10.50.0.1", "ue2": "10.50.0.2", "home1": "192.168.7.2", "home2": "192.168.8.2"}, 6: {"ue1": "[fd50::1]", "ue2": "[fd50::2]"}}
SUBS = {"ue1": Sub(1), "ue2": Sub(2), "home1": Sub(3), "home2": Sub(4)}
SLOW_S = 180
EXTRA = """sip:
  listen: ["udp:127.0.111.10:5060", "tcp:127.0.111.10:5060", "udp:10.50.0.3:5060", "tcp:10.50.0.3:5060",
           "udp:[fd50::3]:5060", "tcp:[fd50::3]:5060"]
  ue_timers: {t1_ms: 100}
access: {ipsec: {%s}}
"""
CHALLENGED = "registrar: {challenge_every: 1}\n"		# each REGISTER makes new associations; by default a protected one does not
ATTACKS_403 = ("verify-alg", "verify-ealg", "verify-spi-c", "verify-spi-s", "verify-port-c", "verify-port-s", "verify-q",
               "verify-short", "verify-missing", "client-spi", "client-port", "client-short", "clear-answer")


def inside(ns, *argv, **more):
    """A program's output in a namespace."""
    return subprocess.run(["ip", "netns", "exec", ns, *argv], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=SLOW_S, check=more.pop("check", True), **more).stdout


class Core:
    """The lab's core in its namespace, with that policy."""

    def __init__(self, ipsec, workers=1, scscf=CHALLENGED):
        self.ipsec, self.workers, self.scscf, self.dir = ipsec, workers, scscf, tempfile.mkdtemp(prefix="ipsec-")

    def __enter__(self):
        self._file("subscribers.yaml", "".join(s.yaml() for s in SUBS.values()))
        self._file("extra.yaml", EXTRA % self.ipsec)
        self._file("scscf.yaml", self.scscf)
        print(inside("core", LAB, "up", "--build", BUILD, "--net", "127.0.111", "--dir", self.dir + "/lab", "--no-dns", "--wait", "90",
                     "--workers", str(self.workers), "--subscribers", self.dir + "/subscribers.yaml", "--extra",
                     f"pcscf={self.dir}/extra.yaml", "--extra", f"scscf={self.dir}/scscf.yaml"), flush=True)
        with open(self.dir + "/lab/lab.json", encoding="utf-8") as f:
            self.doc = json.load(f)
        return self

    def __exit__(self, *_):
        inside("core", LAB, "down", "--dir", self.dir + "/lab", check=False)
        left = sets("core")
        if left:
            print("associations are left:", left)

    def _file(self, name, text):
        with open(os.path.join(self.dir, name), "w", encoding="utf-8") as f:
            f.write(text)

    def log(self):
        """The P-CSCF's log."""
        with open(self.doc["logs"]["pcscf"], encoding="utf-8") as f:
            return f.read()


class Phone(Imsue):
    """An imsue in a namespace."""

    def __init__(self, ns, *options, family=4, proto="udp", ipsec=True, pcscf=None):
        stale = "--stale" in options			# its card is ahead of the HSS
        super().__init__(os.path.join(BUILD, "tests/ue/imsue"), SUBS[ns], f"{proto}:{pcscf or PCSCF[family]}:5060", UE[family][ns],
                         "--sqn", str(int(time.time() * 1000) % (1 << 46)) if stale else "0", "--rtp", "no", *(["--ipsec"] if ipsec else []),
                         *(o for o in options if o != "--stale"), inside=("ip", "netns", "exec", ns))


# ---- the kernel's table ----

def sets(ns):
    """{reqid of a pair: [spi, ...]} of ESP associations."""
    out = {}
    for spi, reqid in re.findall(r"proto esp spi (0x[0-9a-f]+)(?:\(\d+\))? reqid (\d+)", inside(ns, "ip", "xfrm", "state")):
        out.setdefault(int(reqid), []).append(spi)
    return out


def policies(ns):
    """Reqids of policies that name an association."""
    return [int(r) for r in re.findall(r"proto esp reqid (\d+)", inside(ns, "ip", "xfrm", "policy"))]


def table_is(n_sets, seconds=5):
    """The core has that many sets, each of four associations and four policies of two reqids."""
    def good():
        have = sets("core")
        return len(have) == 2 * n_sets and all(len(v) == 2 for v in have.values()) and \
            sorted(policies("core")) == sorted(2 * list(have))
    try:
        wait_for(good, seconds, f"{n_sets} sets")
    except Fail as e:
        raise Fail(f"{e}: states {sets('core')}, policies {policies('core')}") from e


def counter(name):
    """One of /proc/net/xfrm_stat of the core."""
    return int(re.search(name + r"\s+(\d+)", inside("core", "cat", "/proc/net/xfrm_stat")).group(1))


class Wire:
    """What is on a phone's wire: nothing in clear between protected ports."""

    def __init__(self, ns):
        self.p = subprocess.Popen(["ip", "netns", "exec", ns, "tcpdump", "-n", "-l", "-i", "eth0"], stdout=subprocess.PIPE,
                                  stderr=subprocess.DEVNULL, text=True)
        self.lines = []
        threading.Thread(target=lambda: self.lines.extend(self.p.stdout), daemon=True).start()
        time.sleep(1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.p.kill()

    def check(self):
        """ESP was seen and nothing in clear at a protected port."""
        check(any("ESP" in line for line in self.lines), "no ESP on the wire")
        # (sockets of a phone that has ended may still send a FIN)
        clear = [line for line in self.lines if re.search(r"IP6? (10\.50\.0\.3|fd50::3)\.51[012]\d >", line)]
        check(not clear, f"in clear from a protected port: {clear[:2]}")


# ---- cases ----

def number(ns):
    """How to dial it."""
    return "+" + SUBS[ns].msisdn


def call(a, b, to):
    """A call from a to b, ended by a."""
    a.do(f"call {number(to)}", "answered", "call-failed", seconds=40)
    check(a.events[a.at - 1]["event"] == "answered", f"call: {a.events[-2:]}")
    b.wait("incoming")
    a.do("hangup", "ended")
    b.wait("ended")


def register_and_go(_core, family, proto):
    """Registration, four associations, ESP on the wire, de-registration, none."""
    with Wire("ue1") as wire, Phone("ue1", family=family, proto=proto) as a:
        e = a.do("register", "registered", "registration-failed")
        equal(e["event"], "registered", "outcome")
        equal([x["keysInChallenge"] for x in a.events if x["event"] == "challenged"], [False], "keys in the challenge")
        table_is(1)
        equal(a.do("deregister", "deregistered", "registration-failed")["event"], "deregistered", "de-registration")
        table_is(0, 12)
        wire.check()


def calls(_core, family, proto_a, proto_b):
    """Calls and messages both ways, and a re-registration in the middle of a call (row P14)."""
    with Wire("ue1") as wire, Phone("ue1", family=family, proto=proto_a) as a, Phone("ue2", family=family, proto=proto_b) as b:
        for p in (a, b):
            equal(p.do("register", "registered", "registration-failed")["event"], "registered", "registration")
        table_is(2)
        call(a, b, "ue2")
        call(b, a, "ue1")
        equal(a.do(f"message {number('ue2')} hello", "message-sent")["status"], 200, "MESSAGE")
        equal(b.wait("message-received")["text"], "hello", "text")
        a.do(f"call {number('ue2')}", "answered", seconds=40)
        equal(a.do("reregister", "registered", "registration-failed")["event"], "registered", "re-registration")
        equal(b.do("reregister", "registered", "registration-failed")["event"], "registered", "re-registration")
        equal((a.seen("secured"), b.seen("secured")), (2, 2), "agreements")
        b.do("hangup", "ended")
        a.wait("ended")
        table_is(2, 15)			# the old sets have gone 64*T1 later
        for p in (a, b):
            equal(p.do("deregister", "deregistered", "registration-failed")["event"], "deregistered", "de-registration")
        table_is(0, 12)
        wire.check()


def packets_out():
    """{reqid: packets} of the core's associations toward phones: how often each pair of ports was used."""
    text = inside("core", "ip", "-s", "xfrm", "state")
    return {int(r): int(n) for r, n in re.findall(r"^src 10\.50\.0\.3 dst \S+\n\s+proto esp spi \S+ reqid (\d+).*?"
                                                  r"lifetime current:\n\s+\d+\(bytes\), (\d+)\(packets\)", text, re.M | re.S)}


def udp_port_roles(_core):
    """client-06: over protected UDP answers and requests to a phone leave from port-pc for port-us (clients.md point 6)."""
    with Phone("ue1") as a, Phone("ue2") as b:
        for p in (a, b):
            equal(p.do("register", "registered", "registration-failed")["event"], "registered", "registration")
        call(a, b, "ue2")
        call(b, a, "ue1")
        used = packets_out()
        first = min(used) & ~1
        equal(len(used), 4, "associations toward phones")
        for reqid, n in used.items():		# the pair at our server port is the even one: ipsec.h
            server = (reqid - first) % 2 == 0
            check(n == 0 if server else n > 5, f"{n} packets by the {'server' if server else 'client'} port: {used}")
        for p in (a, b):
            p.do("deregister", "deregistered")
        table_is(0, 12)


def again_and_again(_core, n):
    """Re-registrations: never more than two sets, and one in the end."""
    with Phone("ue1") as a:
        a.do("register", "registered")
        for _ in range(n):
            equal(a.do("reregister", "registered", "registration-failed")["event"], "registered", "re-registration")
            check(len(sets("core")) <= 4, f"more than two sets: {sets('core')}")
        equal(a.seen("secured"), n + 1, "agreements")
        table_is(1, 15)
        a.do("deregister", "deregistered")
        table_is(0, 12)


def by_rest(core):
    """Row O1: the set of a phone as REST shows it, without a key; ended by hand, the kernel forgets it and the phone is not registered."""
    def rest(*argv):
        return json.loads(inside("core", CTL, "--lab", core.dir + "/lab", "--json", "raw", *argv, "--node", "pcscf") or "{}")

    with Phone("ue1") as a:
        a.do("register", "registered")
        text = json.dumps(rest("GET", "/api/v1/security-associations"))
        one = json.loads(text)["items"]
        equal([(s["state"], s["mode"]) for s in one], [("live", "trans")], "sets")
        check(rest("GET", "/api/v1/security-associations/" + one[0]["id"]) == one[0], one)
        for key in re.findall(r"(?:auth-trunc|enc|aead) \S+ 0x([0-9a-f]{32})", inside("core", "ip", "xfrm", "state")):
            check(key not in text, "a key is shown")
        check(rest("GET", "/api/v1/algorithms")["offered"], "algorithms")
        rest("DELETE", "/api/v1/security-associations/" + one[0]["id"])
        equal(rest("GET", "/api/v1/registrations")["items"], [], "registrations")
        table_is(0, 12)


def pair(_core, alg, ealg):
    """One algorithm pair from end to end."""
    with Phone("ue1", "--ipsec-offer", f"{alg}/{ealg}") as a:
        equal(a.do("register", "registered", "registration-failed", seconds=40)["event"], "registered", "registration")
        equal([(x["alg"], x["ealg"]) for x in a.events if x["event"] == "secured"], [(alg, ealg)], "pair")
        table_is(1)
        a.do("deregister", "deregistered")
        table_is(0, 12)


def explained(core, cause, text):
    """The first sentence of cscfctl explain: goal U4."""
    doc = json.loads(inside("core", CTL, "--lab", core.dir + "/lab", "--json", "explain", SUBS["ue1"].imsi, check=False))
    equal(doc["cause"], cause, f"the cause ({doc['summary']})")
    check(text in doc["summary"].split(". ")[0], doc["summary"])


def attack(core, name):
    """S2, S3: the registration ends with 403 and the pending set is gone at once."""
    with Phone("ue1", "--attack", name) as a:
        e = a.do("register", "registered", "registration-failed")
        equal((e["event"], e.get("status")), ("registration-failed", 403), "outcome")
        explained(core, *(("in_clear", "in clear") if name == "clear-answer" else ("security_verify", name.split("-")[0].capitalize())))
        if name == "clear-answer":
            return			# the set waits for its owner: reg-await-auth
        table_is(0, 4)


def clear_requests(core):
    """S5: in clear from a phone that has associations."""
    with Phone("ue1", "--attack", "clear-requests") as a, Phone("ue2") as b:
        a.do("register", "registered")
        b.do("register", "registered")
        a.do(f"message {number('ue2')} hello")		# the 403 goes to its Via, a protected port: the phone's kernel drops it
        wait_for(lambda: "in clear from a phone that has security associations" in core.log(), 10, "a line in the log")
        equal(b.seen("message-received"), 0, "messages at the far phone")
        a.do("deregister", "deregistered")
        b.do("deregister", "deregistered")
        table_is(0, 12)


def foreign_port(_core):
    """What comes in clear to a protected port is dropped by the kernel, and never answered."""
    before = counter("XfrmInPolBlock")
    code = ("import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); "
            "s.sendto(b'OPTIONS sip:10.50.0.3 SIP/2.0\\r\\n\\r\\n', ('10.50.0.3', 5100)); s.sendto(b'x', ('10.50.0.3', 5120))")
    inside("ue1", "python3", "-c", code)
    wait_for(lambda: counter("XfrmInPolBlock") >= before + 2, 5, "two blocked datagrams")


def in_clear(core, status):
    """A phone without a security agreement."""
    with Phone("ue1", ipsec=False) as a:
        e = a.do("register", "registered", "registration-failed")
        equal((e["event"], e.get("status")), ("registered", None) if status == 200 else ("registration-failed", status), "outcome")
        equal(sets("core"), {}, "associations")
        if status == 421:
            explained(core, "no_security_client", "no Security-Client")
        if status == 200:
            a.do("deregister", "deregistered")


def protected_works(_core, foreign=0):
    """With an agreement a phone is protected."""
    with Phone("ue1") as a:
        equal(a.do("register", "registered", "registration-failed")["event"], "registered", "registration")
        wait_for(lambda: len(policies("core")) == 4, 5, "four policies")
        a.do("deregister", "deregistered")
        wait_for(lambda: len(sets("core")) == foreign and not policies("core"), 12, "their end")


class Second:
    """Another P-CSCF of the same core, in the same kernel: its own address, and ranges of its own (row P29)."""

    ADDRESS, FIRST = "10.50.0.13", 3000000

    def __init__(self, core):
        self.conf = core.dir + "/lab2/conf"
        shutil.copytree(core.dir + "/lab/conf", self.conf)
        shutil.copy(core.dir + "/lab/token", core.dir + "/lab2/token")
        for name in os.listdir(self.conf):
            with open(os.path.join(self.conf, name), encoding="utf-8") as f:
                text = f.read()
            for old, new in (("127.0.111.10", "127.0.111.11"), ("10.50.0.3", self.ADDRESS), ("fd50::3", "fd50::13"),
                             (core.dir + "/lab/", core.dir + "/lab2/"),
                             ("policy: require", f"policy: require, spi_first: {self.FIRST}, reqid_first: {self.FIRST}")):
                text = text.replace(old, new)
            if name.startswith("pcscf"):		# its Path must lead to this one
                text = re.sub(r'name: "?pcscf\.[^\s",}]+"?', "name: 127.0.111.11", text)
            with open(os.path.join(self.conf, name), "w", encoding="utf-8") as f:
                f.write(text)
            for path in re.findall(r"(?m)^\s*(?:state: \{)?dir: \"?([^\s\"},]+)", text) + re.findall(r"state: \{[^}]*dir: \"?([^\s\"},]+)", text):
                os.makedirs(path, exist_ok=True)
        inside("core", "ip", "addr", "add", self.ADDRESS + "/24", "dev", "eth0")
        inside("core", "ip", "-6", "addr", "add", "fd50::13/64", "dev", "eth0", "nodad")

    def start(self):
        """Runs, once it says so."""
        self.p = subprocess.Popen(["ip", "netns", "exec", "core", os.path.join(BUILD, "pcscf/pcscfd"), "-c", self.conf + "/pcscf.yaml"],
                                  stderr=subprocess.PIPE, text=True)
        said = []
        for line in self.p.stderr:
            said.append(line)
            if " ready" in line:
                break
        else:
            raise Fail("the second P-CSCF: " + "".join(said[-5:]))
        threading.Thread(target=self.p.stderr.read, daemon=True).start()

    def kill(self):
        """Without a word."""
        self.p.kill()
        self.p.wait(10)


def two_instances(core):
    """P29: phones at two P-CSCFs call each other; one that is killed and comes back takes up what was its own, and nothing else."""
    second = Second(core)
    second.start()
    try:
        with Phone("ue1") as a, Phone("ue2", pcscf=Second.ADDRESS) as b:
            for p in (a, b):
                equal(p.do("register", "registered", "registration-failed")["event"], "registered", "registration")
            table_is(2)
            own = {r for r in sets("core") if r >= Second.FIRST}
            equal((len(own), len(sets("core"))), (2, 4), "pairs of the second P-CSCF, and of both")
            call(a, b, "ue2")
            call(b, a, "ue1")
            second.kill()
            table_is(2)
            second.start()
            table_is(2)
            check(own <= set(sets("core")), f"its own associations: {sets('core')}")
            call(a, b, "ue2")
            for p in (a, b):
                equal(p.do("reregister", "registered", "registration-failed")["event"], "registered", "re-registration")
                p.do("deregister", "deregistered")
            table_is(0, 12)
    finally:
        second.p.terminate()
        second.p.wait(10)


class Box:
    """A NAT with two homes behind it, home1 and home2; on the segment it has 10.50.0.20."""

    ADDRESS = "10.50.0.20"

    def __enter__(self):
        run = lambda *argv: subprocess.run(argv, check=True, timeout=SLOW_S)
        with open("/proc/sys/kernel/modprobe", encoding="ascii") as f:
            run(f.read().strip(), "-a", "ip_tables", "iptable_nat", "xt_MASQUERADE", "nf_conntrack")
        run("ip", "netns", "add", "box")
        run("ip", "link", "add", "box0", "type", "veth", "peer", "name", "eth0", "netns", "box")
        run("ip", "link", "set", "box0", "master", "lan", "up")
        run("ip", "-n", "box", "addr", "add", self.ADDRESS + "/24", "dev", "eth0")
        run("ip", "-n", "box", "link", "set", "eth0", "up")
        for home, net in (("home1", "192.168.7"), ("home2", "192.168.8")):
            run("ip", "netns", "add", home)
            run("ip", "-n", "box", "link", "add", home, "type", "veth", "peer", "name", "eth0", "netns", home)
            run("ip", "-n", "box", "addr", "add", net + ".1/24", "dev", home)
            run("ip", "-n", "box", "link", "set", home, "up")
            run("ip", "-n", home, "link", "set", "lo", "up")
            run("ip", "-n", home, "addr", "add", net + ".2/24", "dev", "eth0")
            run("ip", "-n", home, "link", "set", "eth0", "up")
            run("ip", "-n", home, "route", "add", "default", "via", net + ".1")
        inside("box", "sysctl", "-q", "-w", "net.ipv4.ip_forward=1")
        inside("box", "iptables-legacy", "-t", "nat", "-A", "POSTROUTING", "-o", "eth0", "-p", "udp", "-j", "MASQUERADE", "--random")
        inside("box", "iptables-legacy", "-t", "nat", "-A", "POSTROUTING", "-o", "eth0", "-j", "MASQUERADE")
        return self

    def remember(self, seconds):
        """How long it keeps what a datagram from now on makes or renews."""
        for name in ("nf_conntrack_udp_timeout", "nf_conntrack_udp_timeout_stream"):
            inside("box", "sysctl", "-q", "-w", f"net.netfilter.{name}={seconds}")

    def __exit__(self, *_):
        for ns in ("home1", "home2", "box"):
            subprocess.run(["ip", "netns", "delete", ns], check=False)


def nat_ports():
    """Ports that the NAT sends ESP from, as the core's kernel has them."""
    return {int(p) for p in re.findall(r"encap type espinudp sport (\d+) dport 4500", inside("core", "ip", "xfrm", "state"))}


def behind_nat(_core, proto):
    """P23, TS 33.203 annex M: registration, calls both ways, re-registration within a call; ESP in tunnel mode within UDP, 4500 on both sides of
    the NAT, and no other ESP."""
    with Box() as box, Wire("core") as wire, Phone("home1", "--nat", proto=proto) as a, Phone("ue2") as b:
        for p in (a, b):
            equal(p.do("register", "registered", "registration-failed")["event"], "registered", "registration")
        equal([[x["mode"] for x in p.events if x["event"] == "secured"] for p in (a, b)], [["UDP-enc-tun"], ["trans"]], "modes")
        table_is(2)
        state = inside("core", "ip", "xfrm", "state")
        equal(len(re.findall(r"mode tunnel.*?encap type espinudp", state, re.S)), 4, f"associations within UDP: {state}")
        call(a, b, "ue2")
        call(b, a, "home1")
        equal(a.do(f"message {number('ue2')} hello", "message-sent")["status"], 200, "MESSAGE")
        a.do(f"call {number('ue2')}", "answered", seconds=40)
        b.wait("answered")
        equal(a.do("reregister", "registered", "registration-failed")["event"], "registered", "re-registration")
        b.do("hangup", "ended")
        a.wait("ended")
        table_is(2, 15)
        for p in (a, b):
            equal(p.do("deregister", "deregistered", "registration-failed")["event"], "deregistered", "de-registration")
        table_is(0, 12)
        wire.check()
        check(any(re.search(rf"{box.ADDRESS}\.\d+ > 10\.50\.0\.3\.4500: UDP-encap: ESP", line) for line in wire.lines), "no ESP within UDP")
        bare = [line for line in wire.lines if box.ADDRESS in line and "ESP" in line and "UDP-encap" not in line]
        check(not bare, f"ESP that no NAT lets pass: {bare[:2]}")


def two_behind_nat(_core):
    """P23, X5: two phones with one public address call each other."""
    with Box(), Phone("home1", "--nat") as a, Phone("home2", "--nat") as b:
        for p in (a, b):
            equal(p.do("register", "registered", "registration-failed")["event"], "registered", "registration")
        table_is(2)
        equal(len(nat_ports() - {0}), 2, "ports of the NAT")
        call(a, b, "home2")
        call(b, a, "home1")
        for p in (a, b):
            p.do("deregister", "deregistered")
        table_is(0, 12)


def nat_forgets(_core):
    """P23, RFC 3948: the NAT takes another port; the phone's next message tells, and calls to it arrive."""
    with Box() as box, Phone("home1", "--nat") as a, Phone("ue2") as b:
        for p in (a, b):
            equal(p.do("register", "registered", "registration-failed")["event"], "registered", "registration")
        for _ in range(2):
            before = nat_ports()
            box.remember(1)
            equal(a.do(f"message {number('ue2')} hello", "message-sent")["status"], 200, "MESSAGE")
            time.sleep(2.5)				# of the NAT's clock
            box.remember(120)
            equal(a.do(f"message {number('ue2')} hello", "message-sent")["status"], 200, "MESSAGE")
            now = nat_ports()
            check(len(now) == 1 and now != before, f"ports before {before}, now {now}")
            call(b, a, "home1")
        for p in (a, b):
            p.do("deregister", "deregistered")
        table_is(0, 12)


def nat_without(_core):
    """P23: a phone behind a NAT that does not know how: 494, for its ESP would get nowhere."""
    with Box(), Phone("home1") as a:
        e = a.do("register", "registered", "registration-failed")
        equal((e["event"], e.get("status")), ("registration-failed", 494), "outcome")
        equal(sets("core"), {}, "associations")


def nat_killed(core):
    """P23, F2: a phone behind a NAT notices nothing of a P-CSCF that was killed."""
    with Box(), contextlib.ExitStack() as stack, Phone("home1", "--nat") as a, Phone("ue2") as b:
        for p in (a, b):
            equal(p.do("register", "registered", "registration-failed")["event"], "registered", "registration")
        stack.enter_context(Again(core))
        check("taken_up=2 made_anew=0 failed=0" in core.log(), "the log does not tell")
        call(b, a, "home1")
        call(a, b, "ue2")
        for p in (a, b):
            p.do("deregister", "deregistered")
        table_is(0, 12)


# ---- what handsets do, one by one: README.md says which row of the table is shown where ----

MANY = "hmac-md5-96/des-ede3-cbc,hmac-md5-96/aes-cbc,hmac-md5-96/null,hmac-sha-1-96/des-ede3-cbc,hmac-sha-1-96/aes-cbc,hmac-sha-1-96/null"
SHA1_FIRST = "hmac-sha-1-96/des-ede3-cbc,hmac-sha-1-96/aes-cbc,hmac-sha-1-96/null,hmac-md5-96/des-ede3-cbc,hmac-md5-96/aes-cbc,hmac-md5-96/null"


def must_register(*phones):
    """Each of them."""
    for p in phones:
        equal(p.do("register", "registered", "registration-failed")["event"], "registered", "registration")


def leave(*phones):
    """De-registration, and nothing is left in the kernel."""
    for p in phones:
        equal(p.do("deregister", "deregistered", "registration-failed")["event"], "deregistered", "de-registration")
    table_is(0, 12)


def secured(phone):
    """The algorithm pairs that it took so far."""
    return [(e["alg"], e["ealg"]) for e in phone.events if e["event"] == "secured"]


def handset_2(_core):
    """It registers over TCP and sends its messages over UDP: the same four associations."""
    with Wire("ue1") as wire, Phone("ue1", "--message-proto", "udp", proto="tcp") as a, Phone("ue2") as b:
        must_register(a, b)
        before = sets("core")
        for to, text in (("ue2", "one"), ("ue2", "two")):
            equal(a.do(f"message {number(to)} {text}", "message-sent")["status"], 200, "MESSAGE over UDP")
            equal(b.wait("message-received")["text"], text, "text")
        call(a, b, "ue2")
        equal(sets("core"), before, "associations")
        leave(a, b)
        wire.check()


def handset_3(_core):
    """A card that is ahead of the HSS: AUTS goes in clear, there is no ESP before the second challenge, and one set afterwards."""
    for family in (4, 6):
        with Phone("ue1", "--stale", family=family) as a:
            must_register(a)
            equal((a.seen("resync"), a.seen("challenged"), len(secured(a))), (1, 2, 1), "resynchronisations, challenges, agreements")
            table_is(1)
            leave(a)


def handset_offers(_core, offer, proto, status):
    """What it offers, in its order; ours decides (S1)."""
    with Phone("ue1", "--ipsec-offer", offer, proto=proto) as a:
        e = a.do("register", "registered", "registration-failed")
        equal((e["event"], e.get("status")), ("registered", None) if status == 200 else ("registration-failed", status), "outcome")
        if status == 200:
            equal(secured(a), [("hmac-sha-1-96", "aes-cbc")], "the pair")
            leave(a)
        else:
            equal(sets("core"), {}, "associations")


def handset_10(_core):
    """A REGISTER in the middle of a call, as for a video upgrade, then a change of the call: it goes on."""
    with Phone("ue1", proto="tcp") as a, Phone("ue2") as b:
        must_register(a, b)
        a.do(f"call {number('ue2')}", "answered", seconds=40)
        b.wait("answered")
        must_register(a)
        equal(a.seen("secured"), 2, "agreements")
        a.do("hold", "held")
        a.do("resume", "resumed")
        table_is(2, 15)			# the old set has gone, the call has not
        b.do("hold", "held")
        a.do("hangup", "ended")
        b.wait("ended")
        leave(a, b)


def handset_23(_core):
    """It agrees and answers in clear on 5060 all the same, where that may be; its set goes.  (Where it may not: attack clear-answer.)"""
    with Phone("ue1", "--attack", "clear-answer") as a:
        must_register(a)
        wait_for(lambda: not sets("core"), 12, "the end of the set")
        a.do("deregister", "deregistered")


def handset_24(core):
    """PRACK outside of ESP: it gets nowhere, and the log says what was wrong with it."""
    with Phone("ue1", "--attack", "clear-prack", "--t1-ms", "100") as a, Phone("ue2", "--t1-ms", "100") as b:
        must_register(a, b)
        a.do(f"call {number('ue2')}", "progress", "ringing")
        wait_for(lambda: re.search("in clear from a phone that has security associations.*PRACK", core.log()), 10, "a line in the log")
        a.wait("call-failed", seconds=40)
        equal((b.seen("prack"), a.seen("answered")), (0, 0), "PRACKs that arrived, answers")
        leave(a, b)


def handset_25(_core):
    """Its TCP connections are forgotten while it sleeps: still registered, and reached by a connection from our client port."""
    with Wire("ue1") as wire, Phone("ue1", proto="tcp") as a, Phone("ue2") as b:
        must_register(a, b)
        for _ in range(2):
            a.do("disconnect", "disconnected")
            equal(b.do(f"message {number('ue1')} hello", "message-sent")["status"], 200, "MESSAGE")
            a.do("disconnect", "disconnected")
            call(b, a, "ue1")
        equal(a.seen("registered"), 1, "registrations")
        call(a, b, "ue2")
        leave(a, b)
        wire.check()


def handset_27(_core):
    """600000 s are asked for, another client port each time: granted as the network wants, one set in the end."""
    with Phone("ue1") as a:
        must_register(a)
        for _ in range(4):
            must_register(a)
        ports = [e["portC"] for e in a.events if e["event"] == "secured"]
        check(len(ports) == 5 and all(x != y for x, y in zip(ports, ports[1:])), f"client ports: {ports}")
        check(all(0 < e["expires"] < 600000 for e in a.events if e["event"] == "registered"), "granted times")
        table_is(1, 15)
        leave(a)


def hard_limits():
    """Seconds that the kernel gives the core's associations."""
    return [int(n) for n in re.findall(r"expire add: soft \d+\(sec\), hard (\d+)\(sec\)", inside("core", "ip", "-s", "xfrm", "state"))]


def handset_28(_core):
    """A refresh within the associations gets 200 and no challenge: the set stays, and lives longer."""
    with Phone("ue1") as a:
        must_register(a)
        before, limits = sets("core"), hard_limits()
        time.sleep(2.5)					# of the associations' life
        must_register(a)
        equal((a.seen("challenged"), len(secured(a))), (1, 1), "challenges, agreements")
        equal(sets("core"), before, "associations")
        now = hard_limits()
        check(len(now) == 4 and min(now) > max(limits), f"lifetimes before {limits}, now {now}")
        leave(a)


def handset_29(_core):
    """Its connection goes while the far phone rings: the answer finds it at the server port that its Via names."""
    with Phone("ue1", proto="tcp") as a, Phone("ue2", "--answer", "manual") as b:
        must_register(a, b)
        a.do(f"call {number('ue2')}", "ringing", seconds=40)
        a.do("disconnect", "disconnected")
        b.do("answer", "answered")
        a.wait("answered")
        b.do("hangup", "ended")
        a.wait("ended")
        leave(a, b)


def handset_30(_core):
    """Several entries in Security-Server: the phone takes the one with the highest q, and Security-Verify has them all."""
    with Phone("ue1", "--ipsec-offer", ",".join(EVERY.strip("[]").split(", ")[::-1])) as a:
        must_register(a)
        equal(secured(a), [("hmac-sha-1-96", "aes-cbc")], "the pair")
        leave(a)


def helper_pid():
    """The process with the privilege."""
    return int(inside("core", "pgrep", "-x", "-r", "S,R,D", "cscf-ipsec").split()[0])


def ended(pid):
    """Gone, or nobody has asked for its status yet."""
    try:
        with open(f"/proc/{pid}/status", encoding="ascii") as f:
            return "State:\tZ" in f.read()
    except FileNotFoundError:
        return True


def helper_killed(core):
    """Without the helper: 5xx, no half of a set, and /readyz says so (F20)."""
    os.kill(helper_pid(), 9)
    with Phone("ue1") as a:
        e = a.do("register", "registered", "registration-failed")
        equal((e["event"], e["status"] // 100), ("registration-failed", 5), "outcome")
    equal(sets("core"), {}, "associations")
    out = inside("core", "curl", "-s", "-o", "-", "-w", "%{http_code}", core.doc["rest"]["pcscf"] + "/readyz", check=False) \
        if os.path.exists("/usr/bin/curl") else "503"
    check("503" in out, f"/readyz: {out}")


def killed(core):
    """A P-CSCF that is killed leaves its associations; its helper is gone too.  What is another's, for swept(), comes besides."""
    with Phone("ue1") as a:
        a.do("register", "registered")
        table_is(1)
        helper = helper_pid()
        os.kill(core.doc["pids"]["pcscf"], 9)
        wait_for(lambda: ended(helper), 5, "the end of the helper")
        table_is(1)
    inside("core", "ip", "xfrm", "state", "add", "src", "10.50.0.9", "dst", "10.50.0.3", "proto", "esp", "spi", "0x9999", "reqid", "7",
           "mode", "transport", "auth-trunc", "hmac(sha1)", "0x" + "11" * 20, "96", "enc", "ecb(cipher_null)", "")


class Again:
    """The P-CSCF killed and started again with the same state.  meanwhile: done while it is away."""

    def __init__(self, core, meanwhile=lambda: None):
        helper = helper_pid()
        os.kill(core.doc["pids"]["pcscf"], 9)
        wait_for(lambda: ended(helper) and ended(core.doc["pids"]["pcscf"]), 5, "the end of P-CSCF and helper")
        meanwhile()
        began, before = time.monotonic(), core.log().count(" ready")
        with open(core.doc["logs"]["pcscf"], "ab") as log:
            self.p = subprocess.Popen(["ip", "netns", "exec", "core", os.path.join(BUILD, "pcscf/pcscfd"), "-c", core.doc["configs"]["pcscf"]],
                                      stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_for(lambda: core.log().count(" ready") > before, 20, "the P-CSCF again")
        self.ms = (time.monotonic() - began) * 1000
        core.doc["pids"]["pcscf"] = self.p.pid

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.p.terminate()
        self.p.wait(10)


def taken_up(core):
    """F2: phones of before need not register again; calls of before go on and end, new ones come in.  A set that the kernel has lost a
    part of is made anew (row X4)."""
    def one_lost():
        src, dst, spi = re.search(r"^src (10\.50\.0\.3) dst (10\.50\.0\.1)\n\s+proto esp spi (0x[0-9a-f]+)",
                                  inside("core", "ip", "xfrm", "state"), re.M).groups()
        inside("core", "ip", "xfrm", "state", "delete", "src", src, "dst", dst, "proto", "esp", "spi", spi)

    with contextlib.ExitStack() as stack, Wire("ue1") as wire, Phone("ue1") as a, Phone("ue2") as b:
        for p in (a, b):
            equal(p.do("register", "registered", "registration-failed")["event"], "registered", "registration")
        table_is(2)
        for whole, made, meanwhile in ((2, 0, lambda: None), (1, 1, one_lost)):
            a.do(f"call {number('ue2')}", "answered", "call-failed", seconds=40)
            b.wait("answered")
            before = sets("core")
            again = stack.enter_context(Again(core, meanwhile))
            equal(sets("core").keys(), before.keys(), "associations")
            check(f"taken_up={whole} made_anew={made} failed=0 taken_away=" in core.log(), "the log does not tell")
            table_is(2)
            b.do("hold", "held")
            a.do("info", "response")
            a.do("hangup", "ended")
            b.wait("ended")
            call(a, b, "ue2")
            call(b, a, "ue1")
            equal((a.seen("registered"), b.seen("registered")), (1, 1), "registrations")
            print(f"   P-CSCF ready after {again.ms:.0f} ms in this kernel")
        for p in (a, b):
            equal(p.do("deregister", "deregistered", "registration-failed")["event"], "deregistered", "de-registration")
        table_is(0, 12)
        wire.check()


def lost(core):
    """X4: a set that can neither be found nor made again takes its phone with it; the phone registers anew, others notice nothing."""
    def somebody_has_it():
        spi = re.search(r"^src 10\.50\.0\.3 dst 10\.50\.0\.1\n\s+proto esp spi (0x[0-9a-f]+)", inside("core", "ip", "xfrm", "state"),
                        re.M).group(1)
        inside("core", "ip", "xfrm", "state", "delete", "src", "10.50.0.3", "dst", "10.50.0.1", "proto", "esp", "spi", spi)
        inside("core", "ip", "xfrm", "state", "add", "src", "10.50.0.3", "dst", "10.50.0.1", "proto", "esp", "spi", spi, "reqid", "7",
               "mode", "transport", "auth-trunc", "hmac(sha1)", "0x" + "11" * 20, "96", "enc", "ecb(cipher_null)", "")
        return spi

    with contextlib.ExitStack() as stack, Phone("ue1") as a, Phone("ue2") as b:
        for p in (a, b):
            equal(p.do("register", "registered", "registration-failed")["event"], "registered", "registration")
        spis = []
        stack.enter_context(Again(core, lambda: spis.append(somebody_has_it())))
        check("taken_up=1 made_anew=0 failed=1" in core.log(), "the log does not tell")
        check("bindings are back bindings=1 expired_or_unusable=1" in core.log(), "a phone without associations was taken up")
        equal([v for k, v in sets("core").items() if k == 7], [spis], "what is another's")
        inside("core", "ip", "xfrm", "state", "delete", "src", "10.50.0.3", "dst", "10.50.0.1", "proto", "esp", "spi", spis[0])
        table_is(1)
        b.do(f"message {number('ue1')} hello", "message-sent")
        equal(a.seen("message-received"), 0, "messages at the phone that is gone")
        with Phone("ue1") as anew:
            equal(anew.do("register", "registered", "registration-failed")["event"], "registered", "registration anew")
            table_is(2)


def swept(_core):
    """The next start takes away what the killed one left, and nothing of others (row X4)."""
    equal(sets("core"), {7: ["0x00009999"]}, "associations")
    equal(policies("core"), [], "policies")
    protected_works(_core, foreign=1)


def no_privilege(core):
    """The process that parses SIP cannot change associations; its helper can do nothing else (row X12)."""
    def caps(pid):
        with open(f"/proc/{pid}/status", encoding="ascii") as f:
            return int(re.search(r"CapEff:\s+(\w+)", f.read()).group(1), 16)
    helper = helper_pid()
    equal(caps(core.doc["pids"]["pcscf"]) & 1 << 12, 0, "CAP_NET_ADMIN of pcscfd")
    equal(caps(helper), 1 << 12, "capabilities of the helper")


def no_keys_in_log(core):
    """No key of the kernel's table is in any log (row X11)."""
    with Phone("ue1") as a:
        a.do("register", "registered")
        keys = re.findall(r"(?:auth-trunc|enc|aead) \S+ 0x([0-9a-f]{32})", inside("core", "ip", "xfrm", "state"))
        check(len(keys) >= 8, f"{len(keys)} keys")
        for key in set(keys):
            check(key not in core.log().lower(), "a key is in the log of the P-CSCF")
        a.do("deregister", "deregistered")
        table_is(0, 12)


def in_clear_off(_core):
    """Policy off: as if there were no IPsec."""
    with Phone("ue1", ipsec=False) as a:
        equal(a.do("register", "registered", "registration-failed")["event"], "registered", "registration")
        a.do("deregister", "deregistered")


EVERY = "[hmac-sha-1-96/aes-cbc, null/aes-gcm, aes-gmac/null, hmac-sha-1-96/des-ede3-cbc, hmac-sha-1-96/null, " \
        "hmac-md5-96/aes-cbc, hmac-md5-96/des-ede3-cbc, hmac-md5-96/null]"


def groups():
    """Cores, one after the other: access.ipsec, workers, the cases (name, function, what it takes besides the core), more for the S-CSCF."""
    yield "policy: require", 1, [
        *((f"register, IPv{family}, {proto}", register_and_go, family, proto) for family in (4, 6) for proto in ("udp", "tcp")),
        ("calls over UDP", calls, 4, "udp", "udp"),
        ("calls over TCP and UDP", calls, 4, "tcp", "udp"),
        ("calls over IPv6", calls, 6, "udp", "tcp"),
        ("client-06 protected ports over UDP", udp_port_roles),
        ("re-registrations", again_and_again, 12),
        ("O1 associations by REST", by_rest),
        *(("attack " + name, attack, name) for name in ATTACKS_403),
        ("attack clear-requests", clear_requests),
        ("in clear to a protected port", foreign_port),
        ("require: 421 without an agreement", in_clear, 421),
        ("privileges", no_privilege),
        ("no key in a log", no_keys_in_log),
        ("F20 helper killed", helper_killed)]
    yield f"policy: prefer, allow_null: true, algorithms: {EVERY}", 2, [
        ("prefer: without an agreement", in_clear, 200),
        ("prefer: with one", protected_works),
        ("two workers: calls over TCP", calls, 4, "tcp", "tcp"),
        *(("pair " + p, pair, *p.split("/")) for p in EVERY.strip("[]").split(", ")),
        ("handset 7 MD5 alone, where the operator wants it", pair, "hmac-md5-96", "des-ede3-cbc"),
        ("handset 21 no IPsec at all, where that may be", in_clear, 200),
        ("handset 23 an answer in clear, where that may be", handset_23),
        ("handset 30 the highest q", handset_30)]
    yield "policy: require", 1, [("two P-CSCFs", two_instances)]
    yield "policy: require", 1, [
        ("P23 behind a NAT, udp", behind_nat, "udp"),
        ("P23 behind a NAT, tcp", behind_nat, "tcp"),
        ("P23 two phones behind one NAT", two_behind_nat),
        ("P23 the NAT forgets", nat_forgets),
        ("P23 behind a NAT without a word of it", nat_without),
        ("P23 behind a NAT, killed and back", nat_killed)]
    yield "policy: require", 1, [("F2 killed and back: associations are taken up", taken_up)]
    yield "policy: require", 1, [("X4 killed and back: a set that is lost takes its phone along", lost)]
    yield "policy: require", 1, [("killed, another's", killed)]
    yield "policy: require", 1, [("after one that was killed, another's stay", swept)]
    yield "policy: require", 1, [
        ("handset 1 strict port roles", udp_port_roles),
        ("handset 2 TCP, and MESSAGE over UDP", handset_2),
        ("handset 3 AUTS, both families", handset_3),
        ("handset 7 many entries, MD5 first", handset_offers, MANY, "udp", 200),
        ("handset 7 MD5 alone", handset_offers, "hmac-md5-96/des-ede3-cbc,hmac-md5-96/aes-cbc", "udp", 494),
        ("handset 10 REGISTER in a call", handset_10),
        ("handset 16 every entry in one header, TCP alone", handset_offers, MANY + ",null/aes-gcm,aes-gmac/null", "tcp", 200),
        ("handset 17 brands: TCP and TCP", calls, 4, "tcp", "tcp"),
        ("handset 17 brands: UDP and TCP, IPv6", calls, 6, "udp", "tcp"),
        ("handset 20 SHA-1 first", handset_offers, SHA1_FIRST, "udp", 200),
        ("handset 21 no IPsec at all", in_clear, 421),
        ("handset 23 an answer in clear", attack, "clear-answer"),
        ("handset 24 PRACK outside of ESP", handset_24),
        ("handset 25 connections that are forgotten", handset_25),
        ("handset 27 another port each time", handset_27),
        ("handset 29 no connection while it rings", handset_29)]
    yield "policy: require", 1, [("handset 28 200 without a challenge", handset_28)], "registrar: {challenge_every: 0}\n"
    yield "policy: off", 1, [("off: without an agreement", in_clear_off)]


def main():
    """All but what ipsec_nat.sh, ipsec_handsets.sh and ipsec_pairs.sh run, or the cases with that in their name."""
    c, part = Cases(), sys.argv[2] if len(sys.argv) > 2 else None
    for ipsec, workers, cases, *scscf in groups():
        chosen = [one for one in cases if (part in one[0] if part else not one[0].startswith(("P23 ", "handset ", "pair ")))]
        if chosen:
            with Core(ipsec, workers, *scscf) as core:
                for name, fn, *args in chosen:
                    c.run(name, fn, core, *args)
    c.end()


if __name__ == "__main__":
    main()
