"""softphones.py BUILD NET WORKERS - phones from Debian's packages register, call and send text through the core.

Twinkle (twinkle-console) with AKAv1-MD5, baresip and linphone (linphonec) with SIP Digest.  Each of them sends its first
REGISTER without Authorization.  None has a sound card here: Twinkle plays to alsa:null, baresip and linphone to files or nothing.
"""

import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading

from cases import Cases, Fail, Skip, check, equal, wait_for
from core import Core, K_TEXT, OP_TEXT, Sub

TWINKLE, TWINKLE2, BARESIP, LINPHONE = (Sub(n) for n in range(1, 5))
BARESIP.password, LINPHONE.password = "baresip-password", "linphone-password"
REGISTER_S, CALL_S, QUIT_S = 20, 20, 10


def free_port():
    """A port that nobody has on any address, UDP and TCP, outside of the kernel's own: Twinkle cannot be told an address."""
    for _ in range(100):
        port = random.randrange(22000, 30000, 2)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as u, socket.socket(socket.AF_INET, socket.SOCK_STREAM) as t:
            try:
                u.bind(("", port))
                t.bind(("", port))
                return port
            except OSError:
                continue
    raise Fail("no port is free")


class Agent:
    """A phone that runs: commands go in on stdin, what it says is collected."""

    program = ""

    def __init__(self, core, sub, ip, answer=False, transport="udp"):
        if not shutil.which(self.program):
            raise Skip(f"{self.program} is not installed")
        self.core, self.sub, self.ip, self.answer, self.transport = core, sub, ip, answer, transport
        self.dir = tempfile.mkdtemp(prefix="phone-", dir=core.dir)
        self.said, self.read_to = "", 0
        argv = self.prepare()
        self.p = subprocess.Popen(argv, cwd=self.dir, env={**os.environ, "HOME": self.dir, "LANG": "C"}, stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)
        threading.Thread(target=self.collect, daemon=True).start()

    def write(self, name, text):
        """A configuration file."""
        path = os.path.join(self.dir, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        return path

    def prepare(self):
        """Writes the configuration, returns the command line."""
        raise NotImplementedError

    def collect(self):
        """Own thread: what it says."""
        while True:
            data = os.read(self.p.stdout.fileno(), 4096)
            if not data:
                return
            self.said += data.decode("utf-8", "replace")

    def tell(self, command):
        """A command."""
        try:
            self.p.stdin.write((command + "\n").encode())
            self.p.stdin.flush()
        except OSError:
            raise Fail(f"{self.program} is gone: {self.said[-300:]}") from None

    def hears(self, pattern, seconds, what):
        """Waits until it says so, after what was heard before."""
        def found():
            m = re.search(pattern, self.said[self.read_to:])
            if m:
                self.read_to += m.end()
            return m
        try:
            return wait_for(found, seconds, what)
        except Fail as e:
            words = " | ".join(line.strip() for line in self.said[self.read_to:].splitlines() if line.strip())
            raise Fail(f"{self.program}: {e}; it says: {words[-400:]}") from None

    def registered(self):
        """Registered, by the S-CSCF's own word."""
        wait_for(lambda: self.core.registered("scscf", self.sub), REGISTER_S, f"the registration of {self.program}")

    def quit(self):
        """Ends it in good order; it de-registers."""
        self.tell("quit")
        try:
            self.p.wait(QUIT_S)
        except subprocess.TimeoutExpired:
            self.stop()
            raise Fail(f"{self.program} does not end") from None

    def stop(self):
        """Ends it whatever happens."""
        if self.p.poll() is None:
            os.killpg(self.p.pid, signal.SIGKILL)
        self.p.wait()


class Twinkle(Agent):
    """AKA; one command line, answers by command."""

    program = "twinkle-console"

    def prepare(self):
        port, rtp = free_port(), free_port()
        self.write(".twinkle/user.cfg", f"""user_name={self.sub.imsi}
user_domain={self.core.domain}
auth_name={self.core.impi(self.sub)}
auth_pass={K_TEXT}
auth_aka_op={OP_TEXT.encode().hex()}
auth_aka_amf=8000
outbound_proxy={self.core.ip(10)}
all_requests_to_proxy=yes
register_at_startup=yes
sip_transport={self.transport}
""")
        self.write(".twinkle/twinkle.sys", f"""dev_ringtone=alsa:null
dev_speaker=alsa:null
dev_mic=alsa:null
validate_audio_dev=no
sip_udp_port={port}
sip_tcp_port={port}
rtp_port={rtp}
start_user_profile=user
""")
        return [self.program, "user.cfg"]

    def call(self, uri):
        self.tell(f"call {uri}")

    def up(self):
        self.hears(r"(?i)call established|far end answered call", CALL_S, "an established call")

    def pick_up(self):
        self.hears(r"(?i)incoming call", CALL_S, "an incoming call")
        self.tell("answer")
        self.up()

    def hang_up(self):
        self.tell("bye")

    def over(self):
        self.hears(r"(?i)far end ended call|call ended|call released", CALL_S, "the end of the call")

    def text(self, uri, words):
        self.tell(f'message {uri} "{words}"')

    def got_text(self, words):
        self.hears(re.escape(words), CALL_S, f"the text {words!r}")


class Baresip(Agent):
    """Digest; commands over TCP, answers by itself."""

    program = "baresip"
    control_port = 4444

    def prepare(self):
        self.write(".baresip/config", f"""sip_listen {self.ip}:5060
net_interface {self.ip}
audio_player aubridge,nil
audio_source aubridge,nil
audio_alert aubridge,nil
module_path {self.modules()}
module g711.so
module aubridge.so
module_app account.so
module_app menu.so
module_app ctrl_tcp.so
ctrl_tcp_listen {self.ip}:{self.control_port}
""")
        self.write(".baresip/accounts", f"<{self.core.impu(self.sub)}>;auth_user={self.core.impi(self.sub)};auth_pass={self.sub.password}"
                   f";outbound=\"sip:{self.core.ip(10)}:5060\";regint=3600;answermode=auto\n")
        self.write(".baresip/contacts", "")
        return [self.program, "-f", os.path.join(self.dir, ".baresip")]

    def modules(self):
        """Where Debian keeps its modules."""
        for path in ("/usr/lib/baresip/modules", "/usr/lib/x86_64-linux-gnu/baresip/modules"):
            if os.path.isdir(path):
                return path
        raise Skip("the modules of baresip are not found")

    def command(self, name, params=""):
        """One command in a netstring; events may come before its response."""
        doc, answer = json.dumps({"command": name, "params": params}), ""
        with socket.create_connection((self.ip, self.control_port), 5) as s:
            s.sendall(f"{len(doc)}:{doc},".encode())
            s.settimeout(5)
            while '"response":true' not in answer:
                data = s.recv(65536)
                if not data:
                    break
                answer += data.decode("utf-8", "replace")
        check('"ok":true' in answer, f"baresip: {name}: {answer}")

    def call(self, uri):
        self.command("dial", uri)

    def up(self):
        self.hears(r"(?i)call established", CALL_S, "an established call")

    def pick_up(self):
        self.up()

    def hang_up(self):
        self.command("hangup")

    def over(self):
        self.hears(r"(?i)terminated|session closed", CALL_S, "the end of the call")

    def quit(self):
        self.command("quit")
        try:
            self.p.wait(QUIT_S)
        except subprocess.TimeoutExpired:
            self.stop()
            raise Fail("baresip does not end") from None


class Linphone(Agent):
    """Digest; one command line, answers by itself."""

    program = "linphonec"

    def prepare(self):
        for d in (".local/share/linphone", ".config/linphone"):
            os.makedirs(os.path.join(self.dir, d))
        path = self.write("rc", f"""[sip]
sip_port={5060 if self.transport == "udp" else 0}
sip_tcp_port={5060 if self.transport == "tcp" else 0}
sip_tls_port=0
bind_address={self.ip}
use_ipv6=0
default_proxy=0
[proxy_0]
reg_proxy=<sip:{self.core.ip(10)}:5060;transport={self.transport}>
reg_route=<sip:{self.core.ip(10)}:5060;transport={self.transport};lr>
reg_identity={self.core.impu(self.sub)}
reg_expires=3600
reg_sendregister=1
[auth_info_0]
username={self.sub.imsi}
userid={self.core.impi(self.sub)}
passwd={self.sub.password}
realm={self.core.domain}
""")
        return [self.program, "-c", path] + (["-a"] if self.answer else [])

    def call(self, uri):
        self.tell("soundcard use files")
        self.tell(f"call {uri}")

    def up(self):
        self.hears(r"(?i)connected|media streams established", CALL_S, "an established call")

    def pick_up(self):
        self.up()

    def hang_up(self):
        self.tell("terminate")

    def over(self):
        self.hears(r"(?i)call \d+ .*ended|call .*terminated|ended", CALL_S, "the end of the call")

    def text(self, uri, words):
        self.tell(f"chat {uri} {words}")

    def got_text(self, words):
        self.hears(re.escape(words), CALL_S, f"the text {words!r}")


class Softphones:
    """The cases.  A phone that cannot be had takes its cases with it, as skips."""

    def __init__(self, core):
        self.core, self.agents, self.missing = core, {}, {}

    def start(self, name, kind, sub, last, **how):
        """Starts a phone and waits for its registration."""
        try:
            self.agents[name] = kind(self.core, sub, self.core.ip(last), **how)
        except Skip as e:
            self.missing[name] = str(e)
            raise
        self.agents[name].registered()
        check(self.core.registered("pcscf", sub), "the P-CSCF does not list it")

    def get(self, name):
        """That phone, or a skip."""
        if name in self.missing:
            raise Skip(self.missing[name])
        check(name in self.agents, f"{name} did not start")
        return self.agents[name]

    def dialogs(self):
        """Calls that stand at the S-CSCF."""
        return [d for d in self.core.rest("scscf").items("/api/v1/dialogs") if d["state"] == "confirmed"]

    def call(self, caller, callee, ender):
        """A call from one to the other; `ender` hangs up."""
        a, b = self.get(caller), self.get(callee)
        equal(self.dialogs(), [], "calls before")
        a.call(self.core.number(b.sub))
        b.pick_up()
        a.up()
        wait_for(self.dialogs, 5, "the call in REST")
        one, other = (a, b) if ender == caller else (b, a)
        one.hang_up()
        other.over()
        wait_for(lambda: not self.dialogs(), 10, "the end of the call in REST")

    def text(self, sender, receiver):
        """A MESSAGE from one to the other."""
        a, b = self.get(sender), self.get(receiver)
        words = f"hello from {sender}"
        a.text(self.core.number(b.sub), words)
        b.got_text(words)

    def quit(self, name):
        """It ends, and its registration with it."""
        agent = self.get(name)
        agent.quit()
        wait_for(lambda: not self.core.registered("scscf", agent.sub), 10, f"the de-registration of {name}")

    def over_tcp(self, name, sub):
        """The P-CSCF reaches it over TCP."""
        flows = [c["flow"] for r in self.core.registered("pcscf", sub) for c in r["contacts"]]
        check(flows and all(f.startswith("tcp:") for f in flows), f"{name}: {flows}")

    def start_tcp(self, name, kind, sub, last):
        """As start(), over TCP."""
        self.start(name, kind, sub, last, answer=True, transport="tcp")
        self.over_tcp(name, sub)

    def rows(self):
        """In order."""
        return [
            ("twinkle registers with AKAv1-MD5", self.start, "twinkle", Twinkle, TWINKLE, 0),
            ("a second twinkle registers", self.start, "twinkle two", Twinkle, TWINKLE2, 0),
            ("baresip registers with SIP Digest", self.start, "baresip", Baresip, BARESIP, 121),
            ("linphone registers with SIP Digest", self.start, "linphone", lambda *a: Linphone(*a, answer=True), LINPHONE, 122),
            ("twinkle calls twinkle, the caller hangs up", self.call, "twinkle", "twinkle two", "twinkle"),
            ("twinkle calls baresip, the callee hangs up", self.call, "twinkle", "baresip", "baresip"),
            ("baresip calls linphone, the caller hangs up", self.call, "baresip", "linphone", "baresip"),
            ("linphone calls twinkle, the callee hangs up", self.call, "linphone", "twinkle", "twinkle"),
            ("linphone calls baresip, the caller hangs up", self.call, "linphone", "baresip", "linphone"),
            ("twinkle sends text to linphone", self.text, "twinkle", "linphone"),
            ("linphone sends text to twinkle", self.text, "linphone", "twinkle"),
            ("twinkle de-registers", self.quit, "twinkle"), ("the second twinkle de-registers", self.quit, "twinkle two"),
            ("linphone de-registers", self.quit, "linphone"),
            ("twinkle registers over TCP", self.start_tcp, "twinkle", Twinkle, TWINKLE, 0),
            ("linphone registers over TCP", self.start_tcp, "linphone", Linphone, LINPHONE, 122),
            ("twinkle calls linphone, TCP to TCP, the callee hangs up", self.call, "twinkle", "linphone", "linphone"),
            ("linphone calls baresip, TCP to UDP, the callee hangs up", self.call, "linphone", "baresip", "baresip"),
            ("baresip calls twinkle, UDP to TCP, the caller hangs up", self.call, "baresip", "twinkle", "baresip"),
            ("twinkle sends text to linphone, TCP to TCP", self.text, "twinkle", "linphone"),
            ("twinkle over TCP de-registers", self.quit, "twinkle"), ("linphone over TCP de-registers", self.quit, "linphone"),
            ("baresip de-registers", self.quit, "baresip"),
        ]


def main():
    """The script."""
    build, net, workers = sys.argv[1], sys.argv[2], int(sys.argv[3])
    cases = Cases()
    with Core(build, net, [TWINKLE, TWINKLE2, BARESIP, LINPHONE], workers) as core:
        phones = Softphones(core)
        try:
            for case in phones.rows():
                cases.run(*case)
        finally:
            for agent in phones.agents.values():
                agent.stop()
    core.finish(cases)
    cases.end()


main()
