"""A core for one script: started by deploy/lab/lab, asked by REST, taken down with a look at what its logs say."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time

from cases import Fail, Skip, wait_for

TOP = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))
sys.path.insert(0, os.path.join(TOP, "deploy", "lab"))

from labproc import start_time		# noqa: E402  pylint: disable=wrong-import-position
from labrest import Rest, RestError	# noqa: E402,F401  pylint: disable=wrong-import-position,unused-import

LAB = os.path.join(TOP, "deploy", "lab", "lab")
UP_S = 150
SANITIZER = re.compile(r"AddressSanitizer|LeakSanitizer|ThreadSanitizer|runtime error:|Sanitizer:|assertion failed|Assertion")

# K and OP of every AKA subscriber here.  Sixteen printable characters, since Twinkle takes K no other way and SIPp
# reads it as text: IntegrationTest1 and OperatorVariant1.
K_TEXT, OP_TEXT = "IntegrationTest1", "OperatorVariant1"
K, OPC = K_TEXT.encode().hex(), "e1f7adf3b85fc6808517de88e2b7bdd8"
PASSWORD = "open sesame"
MCC, MNC = "001", "01"
IP6 = os.environ.get("CSCF_IP6")	# a prefix: everything over IPv6


def host(ip):
    """An address as it stands in a URI or a Via."""
    return f"[{ip}]" if ":" in ip else ip


def family(ip):
    """For a socket of it."""
    return socket.AF_INET6 if ":" in ip else socket.AF_INET


class Sub:
    """One subscriber: index n gives its numbers; with a password it is one of SIP Digest."""

    def __init__(self, n, password=None, **more):
        self.imsi, self.msisdn, self.password = f"00101{n:010d}", f"49152{n:06d}", password
        self.more = more

    def yaml(self):
        """Its entry in the subscribers file."""
        keys = {"imsi": self.imsi, "msisdn": self.msisdn}
        keys.update({"password": self.password} if self.password else {"k": K, "opc": OPC, "amf": "8000"})
        keys.update(self.more)
        return "- {" + ", ".join(f"{k}: {json.dumps(v)}" for k, v in keys.items()) + "}\n"


def _in_sip(text, key, value):
    """A configuration with that key of `sip`, unless it says something of it."""
    if f"{key}:" in text:
        return text
    text, n = re.subn(r"(?m)^sip:( \{|\n  )", lambda m: m.group(0) + f"{key}: {value}" + (", " if "{" in m.group(1) else "\n  "), text)
    return text if n else text + f"sip:\n  {key}: {value}\n"


class Core:
    """with Core(build, net, subs) as core: ...   extra is {node: YAML} for settings that differ from the lab's.

    sheds: messages that wait for too long are overload, as usual.  Otherwise only where `extra` says so: a busy machine is late by itself.
    quiet_errors: texts that may stand in an error line of a log, since the script provokes them.
    ip6: a prefix; SIP is IPv6 then, and the P-CSCF has both.  With CSCF_IP6 in the environment every core has one, and ip() is of it:
    a script runs over IPv6 as it stands (over_ipv6.sh).
    """

    def __init__(self, build, net, subs, workers=1, extra=None, quiet_errors=(), more_subscribers="", ip6=None, policy="off", sheds=False):
        self.build, self.net, self.subs, self.workers = os.path.abspath(build), net, subs, workers
        self.extra, self.quiet_errors, self.more_subscribers = extra or {}, quiet_errors, more_subscribers
        self.policy, self.sheds = policy, sheds
        self.dir, self.ip6_prefix = tempfile.mkdtemp(prefix="cscf-test-"), ip6 or IP6
        self.six = not ip6 and bool(IP6)
        self.doc = {}
        self.own = []			# processes that a script started in place of the lab's

    # ---- start and stop ----

    def write(self, name, text):
        """A file that goes with the core."""
        path = os.path.join(self.dir, name)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        os.chmod(path, 0o600)
        return path

    def _extra(self):
        """What differs from the lab's; over IPv6 the addresses of the loopback are exempt from limits, as 127.0.0.0/8 is."""
        extra = {n: self.extra.get(n, "") for n in ("pcscf", "icscf", "scscf")}
        if not self.sheds:
            extra = {n: _in_sip(text, "overload", "{target_delay_ms: 10000}") for n, text in extra.items()}
        if self.six:
            extra["pcscf"] = _in_sip(extra["pcscf"], "sources", f"{{exempt: [\"{self.ip6_prefix}/64\"]}}")
        return {**self.extra, **{n: text for n, text in extra.items() if text}}

    def __enter__(self):
        argv = [LAB, "up", "--json", "--net", self.net, "--dir", os.path.join(self.dir, "lab"), "--build", self.build,
                "--workers", str(self.workers), "--policy", self.policy,
                "--subscribers", self.write("subscribers.yaml", "".join(s.yaml() for s in self.subs) + self.more_subscribers)]
        argv += ["--ip6", self.ip6_prefix] if self.ip6_prefix else []
        for node, text in self._extra().items():
            argv += ["--extra", f"{node}={self.write(node + '.extra.yaml', text)}"]
        p = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, timeout=UP_S, text=True,
                           check=False)
        if p.returncode:
            print(p.stderr, file=sys.stderr)
            shutil.rmtree(self.dir, ignore_errors=True)
            raise SystemExit(f"not ok - lab up: exit {p.returncode}: {p.stderr.strip().splitlines()[-1:]}")
        self.doc = json.loads(p.stdout)
        self.domain = self.doc["domain"]
        return self

    def __exit__(self, kind, value, tb):
        for p in self.own:
            if p.poll() is None:
                p.terminate()
        for p in self.own:
            try:
                p.wait(8)
            except subprocess.TimeoutExpired:
                p.kill()
        subprocess.run([LAB, "down", "--keep", "--dir", self.doc["dir"]], stdout=subprocess.DEVNULL, timeout=UP_S, check=False)
        if kind is not None and kind is not SystemExit:
            self.print_tails()

    def print_tails(self, lines=15):
        """The ends of the logs, for who reads a failure."""
        for node, path in self.doc.get("logs", {}).items():
            with open(path, encoding="utf-8", errors="replace") as f:
                for line in f.readlines()[-lines:]:
                    print(f"   {node}: {line}", end="")

    def finish(self, cases):
        """The last cases of every script: nothing runs any more, no log holds what must not be in it.  Removes the files."""
        cases.run("nothing is left running", self.check_gone)
        cases.run("no sanitizer report, no error that nobody provoked", self.check_logs)
        if cases.bad:
            self.print_tails()
        if os.environ.get("CSCF_KEEP"):
            print(f"   kept: {self.dir}")
        else:
            shutil.rmtree(self.dir, ignore_errors=True)

    def check_gone(self):
        """Every pid of lab.json is free again."""
        left = [n for n, pid in self.doc["pids"].items() if start_time(pid) == self.doc["started"][n]]
        if left:
            raise Fail(", ".join(left))

    def check_logs(self):
        """Sanitizers write to the same file."""
        for node, path in self.doc["logs"].items():
            if node == "dns":
                continue
            with open(path, encoding="utf-8", errors="replace") as f:
                for line in f:
                    if SANITIZER.search(line):
                        raise Fail(f"{node}: {line.strip()}\n" + line + "".join(f.readlines()[:40]))
                    if re.search(r'^\S+ E |"lvl":"error"', line) and not any(q in line for q in self.quiet_errors):
                        raise Fail(f"{node}: {line.strip()}")

    # ---- what the scripts ask ----

    def addr(self, node):
        """(address, port) of a CSCF."""
        host, port = self.doc["sip"][node].rsplit(":", 1)
        return host.strip("[]"), int(port)

    def ip(self, last):
        """An address of this lab's net."""
        return self.ip6(last) if self.six else f"{self.net}.{last}"

    def in_uri(self, last):
        """The same as it stands in a URI."""
        return host(self.ip(last))

    def where(self, node):
        """"ADDRESS:PORT" of a CSCF, as it stands in a URI."""
        return self.doc["sip"][node]

    def ip6(self, last):
        """One under its prefix."""
        return f"{self.ip6_prefix}{last}"

    def rest(self, node):
        """Its REST client."""
        return Rest(self.doc["rest"][node], self.doc["token"])

    def impi(self, sub):
        """Private identity."""
        return f"{sub.imsi}@{self.domain}"

    def impu(self, sub):
        """The public identity that the IMSI gives: what a phone registers with."""
        return f"sip:{sub.imsi}@{self.domain}"

    def number(self, sub):
        """The public identity that others call."""
        return f"sip:+{sub.msisdn}@{self.domain}"

    def registrations(self, node):
        """All that are listed, without the profiles that the S-CSCF keeps for the services of unregistered users."""
        return [r for r in self.rest(node).items("/api/v1/registrations") if r.get("state") != "unregistered"]

    def registered(self, node, sub):
        """The entries of one subscriber at the P- or S-CSCF."""
        return [r for r in self.registrations(node) if sub.imsi in json.dumps(r)]

    def behave(self, knobs):
        """Tells the HSS how to misbehave; {} for well."""
        self.rest("hss").send("PUT", "/api/v1/behaviour", knobs)

    # ---- processes ----

    def program(self, name):
        """A program of the build."""
        path = os.path.join(self.build, name)
        if not os.access(path, os.X_OK):
            raise Skip(f"{name} is not built")
        return path

    def pid(self, node):
        """Of the process that stands for this node now."""
        return self.doc["pids"][node]

    def stop_node(self, node, sig):
        """Signals one daemon by its pid and waits until it is gone."""
        os.kill(self.doc["pids"][node], sig)
        self.gone(node)

    def gone(self, node):
        """Waits for the end of one that was signalled."""
        pid, started = self.doc["pids"][node], self.doc["started"][node]
        for p in self.own:
            if p.pid == pid:
                p.wait(15)
        wait_for(lambda: start_time(pid) != started, 15, f"the end of {node}")

    def start_node(self, node):
        """Starts a daemon of this core again; it is stopped with the core.  Returns at once."""
        programs = {"hss": "tests/hss/labhssd", "hss2": "tests/hss/labhssd", "pcrf": "tests/pcrf/labpcrfd", "pcf": "tests/pcf/labpcfd",
                    "pcscf": "pcscf/pcscfd", "icscf": "icscf/icscfd", "scscf": "scscf/scscfd"}
        with open(self.doc["logs"][node], "ab") as log:
            p = subprocess.Popen([self.program(programs[node.partition("-")[0]]), "-c", self.doc["configs"][node]], stdin=subprocess.DEVNULL, stdout=log,
                                 stderr=log, start_new_session=True)
        self.own.append(p)
        self.doc["pids"][node], self.doc["started"][node] = p.pid, start_time(p.pid)
        return p

    def second_hss(self, port, edit):
        """Another labhssd, hss2 at address .41 and that Diameter port; edit changes its configuration.  It is "hss2" for the other methods."""
        base = self.doc["configs"]["hss"]
        lab = base.replace("hss.yaml", "hss.lab.yaml")
        with open(lab if os.path.exists(lab) else base, encoding="utf-8") as f:
            conf = f.read().replace("identity: hss.", "identity: hss2.").replace(f"{self.ip(40)}:8080", f"{self.ip(41)}:8080")
        conf = re.sub(re.escape(self.ip(40)) + r":\d+", f"{self.ip(41)}:{port}", conf)
        self.doc["configs"]["hss2"] = self.write("hss2.yaml", edit(conf))
        self.doc["logs"]["hss2"] = os.path.join(self.doc["dir"], "log", "hss2.log")
        self.doc["rest"]["hss2"] = self.doc["rest"]["hss"].replace(self.ip(40), self.ip(41))
        self.start_node("hss2")
        self.wait_ready("hss2")

    def wait_peers(self, node, n, seconds=20):
        """Until it has so many open Diameter peers."""
        wait_for(lambda: sum(p["state"] == "open" for p in self.rest(node).items("/api/v1/diameter/peers")) == n, seconds, f"{node}: {n} open peers")

    def ready(self, node):
        """(is it ready, the reason)."""
        return self.rest(node).ready()

    def wait_ready(self, node, seconds=20):
        """Until /readyz says so."""
        wait_for(lambda: self.ready(node)[0], seconds, f"{node} ready")

    def cpu_s(self, node):
        """Processor time of its own so far, all threads."""
        with open(f"/proc/{self.pid(node)}/stat", encoding="ascii", errors="replace") as f:
            return sum(map(int, f.read().rpartition(")")[2].split()[11:13])) / os.sysconf("SC_CLK_TCK")

    def rss_kib(self, node):
        """Resident memory of its own.  Mapped pages of files (the state, programs) are the kernel's cache, which takes them back as it needs."""
        with open(f"/proc/{self.pid(node)}/status", encoding="ascii", errors="replace") as f:
            return sum(int(n) for n in re.findall(r"Rss(?:Anon|Shmem):\s+(\d+)", f.read()))


def sanitized(build):
    """Was it configured with sanitizers?"""
    with open(build + "/Makefile", encoding="utf-8") as f:
        return re.search(r"^SAN_CFLAGS = *-fsanitize", f.read(), re.M) is not None


def settle(seconds):
    """Time that must really pass, where the thing to show is that nothing happens in it."""
    time.sleep(seconds)
