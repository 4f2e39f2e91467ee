"""scscf.py BUILD_DIR - scscfd against labhssd, with this script as phones behind a P-CSCF.

TS 24.229 §5.4.1; feature rows S1, S2, S3, S4, S7, S11, S13, S16, S17, D2; reliability rows REG-03, F5, F6.  One worker and four.
"""

import base64
import hashlib
import json
import os
import random
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

from aka import Usim, akav2_password
from cases import Cases, EXIT_SKIP, check, equal, wait_for

DOMAIN = "ims.mnc001.mcc001.3gppnetwork.org"
K, OPC = "465b5ce8b199b49faa5f0a2ee238a6bc", "cd63cb71954a9f4e48a5994e37a02baf"
AKA_IMSI, DIGEST_IMSI, FIRST_OF_MANY, MANY = "001010000000001", "001010000000002", 1010000100000, 20
STORM_S = 6


class Phone:
    """REGISTERs as a P-CSCF would forward them."""

    def __init__(self, core, imsi, password=None, usim=None):
        self.core, self.imsi, self.password, self.usim = core, imsi, password, usim
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind((core.net + ".10", 0))
        self.cseq, self.answer, self.rspauth = 0, "", ""
        self.instance = None		# urn; a phone that knows GRUUs
        self.below = ""			# Via lines of the nodes between it and our neighbour
        self.again(imsi)

    def again(self, imsi):
        """Another user, the same socket."""
        self.imsi, self.impi, self.impu = imsi, f"{imsi}@{DOMAIN}", f"sip:{imsi}@{DOMAIN}"
        self.call_id = f"{random.getrandbits(64):x}@test"

    def send(self, expires, authorization=None, seconds=10):
        """The final answer's status."""
        self.cseq += 1
        host, port = self.sock.getsockname()
        self.sock.settimeout(seconds)
        self.sock.sendto((
            f"REGISTER sip:{self.core.net}.30:6060 SIP/2.0\r\nVia: SIP/2.0/UDP {host}:{port};branch=z9hG4bK{random.getrandbits(64):x}\r\n{self.below}"
            f"Max-Forwards: 69\r\nFrom: <{self.impu}>;tag=f\r\nTo: <{self.impu}>\r\nCall-ID: {self.call_id}\r\nCSeq: {self.cseq} REGISTER\r\n"
            f"Contact: <sip:{self.imsi}@127.0.0.9:{port}>{self.features()}\r\nExpires: {expires}\r\nPath: <sip:TOKEN@{host}:{port};lr>\r\nRequire: path\r\n"
            + (f"Authorization: {authorization}\r\n" if authorization else "") + "Content-Length: 0\r\n\r\n").encode(),
            (self.core.net + ".30", 6060))
        while True:
            self.answer = self.sock.recv(65535).decode()
            if f"CSeq: {self.cseq} " in self.answer and not self.answer.startswith("SIP/2.0 1"):
                return int(self.answer[8:11])

    def features(self):
        """Of its Contact, and what it supports."""
        return f';+sip.instance="<{self.instance}>"\r\nSupported: gruu' if self.instance else ""

    def message(self, ruri, route=""):
        """Somebody sends a MESSAGE there: what this phone gets at its Path, or the status that the sender hears."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.bind((self.core.net + ".11", 0))
            other.settimeout(5)
            host, port = other.getsockname()
            other.sendto((
                f"MESSAGE {ruri} SIP/2.0\r\nVia: SIP/2.0/UDP {host}:{port};branch=z9hG4bK{random.getrandbits(64):x}\r\nMax-Forwards: 69\r\n"
                f"{route}From: <sip:x@example>;tag=f\r\nTo: <{ruri}>\r\nCall-ID: {random.getrandbits(64):x}\r\nCSeq: 1 MESSAGE\r\n"
                "Content-Length: 0\r\n\r\n").encode(), (self.core.net + ".30", 6060))
            while True:
                came = select.select([other, self.sock], [], [], 5)[0]
                check(came, "nothing came of a MESSAGE")
                text = came[0].recv(65535).decode()
                if text.startswith("SIP/2.0 1"):
                    continue
                if came[0] is self.sock:
                    lines = text.split("\r\n")
                    keep = [n for n in lines if re.match("(Via|From|To|Call-ID|CSeq):", n)]
                    self.sock.sendto("\r\n".join(["SIP/2.0 200 OK"] + keep + ["Content-Length: 0", "", ""]).encode(), (self.core.net + ".30", 6060))
                    return lines[0]
                return int(text[8:11])

    def header(self, name):
        """Its value in the last answer, or ''."""
        m = re.search(rf"^{name}: (.*)\r$", self.answer, re.M)
        return m.group(1) if m else ""

    def solve(self, wrong=False):
        """Authorization for the last 401."""
        w = dict(re.findall(r'(\w+)="?([^",]*)"?', self.header("WWW-Authenticate")))
        password, hash_name = (self.password or "").encode(), "sha256" if "SHA-256" in w["algorithm"] else "md5"
        if self.usim:
            password, auts = self.usim.answer(base64.b64decode(w["nonce"]))
            if auts:
                return (f'Digest username="{self.impi}", realm="{w["realm"]}", nonce="{w["nonce"]}", uri="sip:{DOMAIN}", response="", '
                        f'algorithm=AKAv1-MD5, auts="{base64.b64encode(auts).decode()}"')
        if w["algorithm"].startswith("AKAv2"):
            password = akav2_password(password, self.usim.ik, self.usim.ck, hash_name)
        if wrong:
            password = b"nonsense"
        return self.prove(w, password, hash_name)

    def prove(self, w, password, hash_name, nc="00000001"):
        """Authorization with qop auth; notes what the server must prove in turn (RFC 7616 §3.5)."""
        def h(text):
            return hashlib.new(hash_name, text).hexdigest()
        ha1 = h(f'{self.impi}:{w["realm"]}:'.encode() + password)
        response, self.rspauth = (h(f'{ha1}:{w["nonce"]}:{nc}:c:auth:{h(f"{m}:sip:{DOMAIN}".encode())}'.encode()) for m in ("REGISTER", ""))
        return (f'Digest username="{self.impi}", realm="{w["realm"]}", nonce="{w["nonce"]}", uri="sip:{DOMAIN}", response="{response}", '
                f'algorithm={w["algorithm"]}, qop=auth, cnonce="c", nc={nc}')

    def register(self, expires=600, wrong=False):
        """Challenge and answer; the last status."""
        status = self.send(expires)
        return self.send(expires, self.solve(wrong)) if status == 401 else status


class Core:
    """scscfd and labhssd."""

    def __init__(self, build, workers):
        self.build, self.procs = build, {}
        self.work = tempfile.mkdtemp(prefix="cscf-scscf-")
        self.net = f"127.{random.randint(100, 220)}.{random.randint(1, 250)}"
        hss, own = random.sample(range(13100, 13150), 2)
        self.write("hss.yaml", f"""
plmn: {{mcc: "001", mnc: "01"}}
diameter: {{identity: hss.{DOMAIN}, listen: "{self.net}.40:{hss}"}}
rest: {{listen: "{self.net}.40:18080", token: t}}
subscribers_file: subscribers.yaml
log: {{level: warn}}
""")
        self.write("subscribers.yaml", f"""
- {{imsi: "{AKA_IMSI}", msisdn: "491510000001", k: {K}, opc: {OPC}, sqn: "000000100000"}}
- {{imsi: "{DIGEST_IMSI}", msisdn: "491510000002", password: secret}}
- {{imsi: "{DIGEST_IMSI}", set: 2, impu: ["sip:office@{DOMAIN}", "tel:+493077"]}}
- {{generate: {{count: {MANY}, first_imsi: "{FIRST_OF_MANY:015d}", first_msisdn: "491520000000", password: secret}}}}
""")
        self.write("scscf.yaml", f"""
plmn: {{mcc: "001", mnc: "01"}}
workers: {workers}
sip: {{listen: ["udp:{self.net}.30:6060"], overload: {{target_delay_ms: 10000}}}}
diameter: {{identity: scscf.{DOMAIN}, listen: "{self.net}.30:{own}", request_timeout_ms: 1000,
  peers: [{{identity: hss.{DOMAIN}, address: {self.net}.40, port: {hss}}}]}}
rest: {{listen: "{self.net}.30:18080", token: t}}
state: {{dir: state, backend: none}}
log: {{level: warn}}
""")

    def write(self, name, text):
        """A file of this core."""
        with open(os.path.join(self.work, name), "w", encoding="utf-8") as f:
            f.write(text)

    def start(self, name, program):
        """Starts one."""
        with open(os.path.join(self.work, name + ".log"), "ab") as log:
            self.procs[name] = subprocess.Popen([os.path.join(self.build, program), "-c", os.path.join(self.work, name + ".yaml")],
                                                stdout=log, stderr=log, stdin=subprocess.DEVNULL)

    def end(self, name, sig=signal.SIGTERM):
        """Stops one; its exit status."""
        p = self.procs.pop(name)
        p.send_signal(sig)
        return p.wait(60)

    def restart(self):
        """The S-CSCF is killed and starts again."""
        self.end("scscf", signal.SIGKILL)
        self.start("scscf", "scscf/scscfd")
        wait_for(self.ready, 60, "the S-CSCF again")

    def ask(self, host, method, path, body=None):
        """(status, document or text) of a REST request; 0: nobody answers."""
        r = urllib.request.Request(f"http://{self.net}.{host}:18080{path}", method=method, headers={"Authorization": "Bearer t"},
                                   data=None if body is None else json.dumps(body).encode())
        try:
            with urllib.request.urlopen(r, timeout=20) as a:
                text = a.read().decode()
                return a.status, json.loads(text) if text[:1] in ("{", "[") else text
        except urllib.error.HTTPError as e:
            return e.code, e.read().decode()
        except OSError:
            return 0, None

    def ready(self):
        """Is a HSS connected?"""
        return self.ask(30, "GET", "/readyz")[0] == 200

    def hss(self, impi, verb="", body=None):
        """A subscriber at the HSS, or an order to push something."""
        return self.ask(40, "POST" if verb else "GET", f"/api/v1/subscribers/{urllib.parse.quote(impi)}{verb}", body)

    def registration(self, key, method="GET"):
        """One registration."""
        return self.ask(30, method, "/api/v1/registrations/" + urllib.parse.quote(key, safe=""))

    def all(self):
        """Private identities of every page."""
        seen, cursor = [], ""
        while cursor is not None:
            status, page = self.ask(30, "GET", f"/api/v1/registrations?limit=1000&cursor={cursor}")
            equal(status, 200, "a page")
            seen += [r["impi"] for r in page["items"]]
            cursor = page["page"]["nextCursor"]
        return seen

    def behave(self, knobs):
        """Tells the HSS how to misbehave."""
        equal(self.ask(40, "PUT", "/api/v1/behaviour", knobs)[0], 200, "behaviour")


def refused(phone, status, expected):
    equal(status, expected, "status")
    check(phone.header("Warning"), "no reason is given")
    equal(bool(phone.header("Retry-After")), expected >= 500, "Retry-After")


def without_hss(core):
    wait_for(lambda: core.ask(30, "GET", "/healthz")[0] == 200, 20, "the daemon")
    check(not core.ready(), "ready without a HSS")
    p = Phone(core, DIGEST_IMSI, "secret")
    refused(p, p.send(600), 504)
    core.start("hss", "tests/hss/labhssd")
    wait_for(core.ready, 60, "the HSS")


def aka(core):
    p = Phone(core, AKA_IMSI, usim=Usim(bytes.fromhex(K), bytes.fromhex(OPC)))
    equal(p.register(), 200, "AKA")
    check("tel:+491510000001" in p.header("P-Associated-URI") and "@" in p.header("Service-Route"), p.answer)
    equal(core.registration("tel:+491510000001")[1]["impi"], p.impi, "by number")
    equal(core.hss(p.impi)[1]["state"], "registered", "at the HSS")
    equal(p.register(0), 200, "leaving")
    equal(core.registration(p.impi)[0], 404, "gone")
    equal(core.hss(p.impi)[1]["state"], "not-registered", "gone at the HSS")


def resync(core):
    p = Phone(core, AKA_IMSI, usim=Usim(bytes.fromhex(K), bytes.fromhex(OPC), sqn=1 << 40))
    equal(p.send(600), 401, "challenge")
    equal(p.send(600, p.solve()), 401, "AUTS")
    equal(p.send(600, p.solve()), 200, "in step again")
    equal(p.register(0), 200, "leaving")


def akav2_S3(core):
    """RFC 4169, RFC 8760: the phone names it; checked by code that shares nothing with the core."""
    for algorithm in ("AKAv2-SHA-256", "AKAv2-MD5"):
        p = Phone(core, AKA_IMSI, usim=Usim(bytes.fromhex(K), bytes.fromhex(OPC)))
        asks = f'Digest username="{p.impi}", realm="{DOMAIN}", nonce="", uri="sip:{DOMAIN}", response="", algorithm={algorithm}'
        equal(p.send(600, asks), 401, "challenge")
        check(f"algorithm={algorithm}," in p.header("WWW-Authenticate"), p.answer)
        equal(p.send(600, p.solve()), 200, algorithm)
        check(f'rspauth="{p.rspauth}"' in p.header("Authentication-Info"), p.answer)
        equal(p.register(0), 200, "leaving")


def authentication_info_S4(core):
    p = Phone(core, DIGEST_IMSI, "secret")
    equal(p.register(), 200, "digest")
    check(f'rspauth="{p.rspauth}"' in p.header("Authentication-Info"), p.answer)
    equal(p.register(0), 200, "leaving")


def repeated_S1(core):
    """The I-CSCF did not wait for us and sends the request again, RFC 3261 §16.7: 200 again, no 401 with stale.  Through another
    transaction of the P-CSCF it is a replay."""
    def below(branch):
        return "".join(f"Via: SIP/2.0/UDP {a};branch=z9hG4bK{b}\r\n" for a, b in ((core.net + ".10", branch), ("10.1.2.3", "phone")))
    for p in (Phone(core, DIGEST_IMSI, "secret"), Phone(core, AKA_IMSI, usim=Usim(bytes.fromhex(K), bytes.fromhex(OPC)))):
        p.below = below("one")
        equal(p.send(600), 401, "challenge")
        proof = p.solve()
        for what in ("the first", "the same again"):
            equal(p.send(600, proof), 200, what)
            check("@" in p.header("Service-Route") and p.header("P-Associated-URI"), p.answer)
            p.cseq -= 1
        p.below = below("two")
        equal(p.send(600, proof), 401, "a replay")
        equal(p.register(0), 200, "leaving")


def gruu_S13(core):
    """RFC 5627: two phones of a user; each GRUU leads to its own, until that phone has left."""
    first, second = (Phone(core, DIGEST_IMSI, "secret") for _ in range(2))
    first.instance, second.instance = "urn:uuid:one", "urn:uuid:two"
    gruus = []
    for p in (first, second):
        equal(p.register(), 200, "digest")
        gruus.append(dict(re.findall(rf'(pub-gruu|temp-gruu)="([^"]*)"', [n for n in p.answer.split("\r\n") if p.instance in n][0])))
    for p, g in zip((first, second), gruus):
        for kind in ("pub-gruu", "temp-gruu"):
            equal(p.message(g[kind]), f"MESSAGE sip:{p.imsi}@127.0.0.9:{p.sock.getsockname()[1]} SIP/2.0", kind)
    equal(first.register(0), 200, "leaving")
    equal(first.message(gruus[0]["pub-gruu"]), 480, "a phone that has left")
    equal(second.register(0), 200, "leaving")
    equal(second.message(gruus[1]["temp-gruu"]), 404, "a temporary one that serves no more")


def two_sets_S9(core):
    """TS 23.228 §4.3.3.4: a second implicit registration set of a private identity stands beside the first, and ends by itself."""
    first, second = (Phone(core, DIGEST_IMSI, "secret") for _ in range(2))
    second.impu = f"sip:office@{DOMAIN}"
    for p, known in ((first, "tel:+491510000002"), (second, "tel:+493077")):
        asks = f'Digest username="{p.impi}", realm="{DOMAIN}", nonce="", uri="sip:{DOMAIN}", response=""'
        equal(p.send(600, asks), 401, p.impu)
        equal(p.send(600, p.solve()), 200, p.impu)
        check(known in p.header("P-Associated-URI"), p.answer)
    check("491510000002" not in second.header("P-Associated-URI"), second.answer)
    for p in (first, second):
        equal(p.message(p.impu), f"MESSAGE sip:{p.imsi}@127.0.0.9:{p.sock.getsockname()[1]} SIP/2.0", p.impu)
        equal(core.hss(p.impu)[1]["state"], "registered", p.impu)
    equal(first.register(0), 200, "the first set leaves")
    equal([core.hss(p.impu)[1]["state"] for p in (first, second)], ["not-registered", "registered"], "at the HSS")
    equal(second.message(second.impu), f"MESSAGE sip:{second.imsi}@127.0.0.9:{second.sock.getsockname()[1]} SIP/2.0", "the second stays")
    equal(first.register(), 200, "the first set again")
    equal(core.hss(first.impi, "/rtr", {"reasonCode": 0})[1].get("resultCode"), 2001, "RTR for the user")
    for p in (first, second):
        equal(core.hss(p.impu)[1]["state"], "not-registered", p.impu)
        check(first.message(p.impu) in (404, 480), p.impu)


def in_time(send):
    """What came of a request, asked again when the HSS of a busy machine was late (504)."""
    for _ in range(5):
        came = send()
        if came != 504:
            break
    return came


def restoration_TS_23_380(core):
    """A S-CSCF that has forgotten everything serves calls to, and from, a user whose registration the HSS kept."""
    p = Phone(core, DIGEST_IMSI, "secret")
    equal(p.register(), 200, "digest")
    service_route, own = p.header("Service-Route"), f"sip:{p.imsi}@127.0.0.9:{p.sock.getsockname()[1]}"
    core.restart()
    equal(core.registration(p.impi)[0], 404, "forgotten")
    by_icscf = f"Route: <sip:{core.net}.30:6060;lr>\r\n"		# as the I-CSCF does, whom the HSS had named us
    equal(in_time(lambda: p.message(p.impu, by_icscf)), f"MESSAGE {own} SIP/2.0", "a call to the user")
    equal([c["uri"] for c in core.registration(p.impi)[1]["contacts"]], [own], "contacts")
    core.restart()
    mine = f"Route: {service_route}\r\nP-Asserted-Identity: <{p.impu}>\r\n"
    check(in_time(lambda: p.message(f"sip:somebody@{DOMAIN}", mine)) != 504, "the user has to register again")	# no I-CSCF: it ends otherwise
    equal([c["uri"] for c in core.registration(p.impi)[1]["contacts"]], [own], "contacts, after a call from the user")
    equal(p.register(0), 200, "leaving")
    core.restart()
    equal(in_time(lambda: p.message(p.impu, by_icscf)), 480, "nothing is kept of who has left")


def wrong_password(core):
    p = Phone(core, DIGEST_IMSI, "secret")
    refused(p, p.register(wrong=True), 403)
    wait_for(lambda: not core.hss(p.impi)[1]["authPending"], 5, "the report to the HSS")	# the phone's answer does not wait for it
    equal(p.register(), 200, "the right one")


def unknown(core):
    p = Phone(core, "001019999999999", "x")
    refused(p, p.send(600), 403)


def pushes(core):
    p = Phone(core, DIGEST_IMSI, "secret")
    equal(p.register(), 200, "digest")
    equal(core.hss(p.impi, "/ppr", {})[1]["resultCode"], 2001, "PPR")
    equal(core.hss(p.impi, "/rtr", {"reasonCode": 0, "reasonInfo": "test"})[1]["resultCode"], 2001, "RTR")
    equal(core.registration(p.impi)[0], 404, "gone")


def reload_O6(core):
    """registrar.* is taken over on SIGHUP, on every worker, with what is registered untouched."""
    p = Phone(core, DIGEST_IMSI, "secret")
    equal(p.register(30), 423, "30 s")
    with open(os.path.join(core.work, "scscf.yaml"), encoding="utf-8") as f:
        text = f.read()
    for least in (20, 60):
        core.write("scscf.yaml", text + f"registrar: {{min_expires_s: {least}}}\n")
        core.procs["scscf"].send_signal(signal.SIGHUP)
        wait_for(lambda n=least: p.register(15) == 423 and p.header("Min-Expires") == str(n), 10, f"Min-Expires {least}")
    core.write("scscf.yaml", text)


def server_name_S7(core):
    """Who leaves stays ours when both sides want it (SAR 7 and 6, TS 29.228 §6.1.2.1), without another SAR for who is called then."""
    p = Phone(core, DIGEST_IMSI, "secret")
    with open(os.path.join(core.work, "scscf.yaml"), encoding="utf-8") as f:
        text = f.read()
    core.write("scscf.yaml", text + "registrar: {keep_server_name: true, min_expires_s: 1, unregistered_keep_s: 2}\n")
    core.procs["scscf"].send_signal(signal.SIGHUP)
    wait_for(lambda: p.register(1) == 200, 10, "the new settings")
    # by its time, then by the phone; each time the HSS keeps us for a while
    for how in ("its time", "the phone"):
        if how == "the phone":
            equal(p.register(600), 200, "registered")
            equal(p.register(0), 200, "left")
        wait_for(lambda: core.hss(p.impi)[1]["state"] == "unregistered", 10, f"ended by {how}: unregistered at the HSS")
        check("serverName" in core.hss(p.impi)[1], "the HSS has no S-CSCF")
        wait_for(lambda: '"unregistered"' in json.dumps(core.registration(p.impi)[1]), 5, "unregistered here")	# once the SAA is there
        wait_for(lambda: core.hss(p.impi)[1]["state"] == "not-registered", 10, "not for ever")
        wait_for(lambda: core.registration(p.impi)[0] == 404, 5, "the end here")
    core.write("scscf.yaml", text)
    core.procs["scscf"].send_signal(signal.SIGHUP)
    wait_for(lambda: p.register(30) == 423, 10, "the old settings")


def release(core):
    p = Phone(core, DIGEST_IMSI, "secret")
    equal(p.register(), 200, "digest")
    equal(core.registration(p.impu, "DELETE")[0], 204, "DELETE")
    equal(core.hss(p.impi)[1]["state"], "not-registered", "at the HSS")
    equal(core.registration(p.impu, "DELETE")[0], 404, "DELETE again")


def silent_hss(core):
    p = Phone(core, DIGEST_IMSI, "secret")
    core.behave({"SAR": {"silent": True}})
    try:
        refused(p, p.register(), 504)
        equal(core.registration(p.impi)[0], 404, "half a registration")
    finally:
        core.behave({})
    equal(p.register(), 200, "afterwards")
    core.behave({"SAR": {"silent": True}})
    try:
        equal(core.registration(p.impi, "DELETE")[0], 504, "DELETE")
        equal(core.registration(p.impi)[0], 404, "gone all the same")
    finally:
        core.behave({})


def lost_hss(core):
    p = Phone(core, DIGEST_IMSI, "secret")
    equal(p.register(), 200, "before")
    core.end("hss", signal.SIGKILL)
    wait_for(lambda: not core.ready(), 30, "the loss")
    q = Phone(core, AKA_IMSI)
    refused(q, q.send(600), 504)
    equal(core.registration(p.impi)[0], 200, "what stood")
    core.start("hss", "tests/hss/labhssd")
    wait_for(core.ready, 60, "the HSS again")
    equal(p.register(0), 200, "leaving")


def storm(core):
    """All generated users register, leave, are deleted, pushed and de-registered by the HSS at the same time (REG-03)."""
    end, lost = time.monotonic() + STORM_S, []

    def phones(seed):
        rnd = random.Random(seed)
        p = Phone(core, AKA_IMSI, "secret")
        while time.monotonic() < end:
            p.again(f"{FIRST_OF_MANY + rnd.randrange(MANY):015d}")
            try:
                p.register(rnd.choice((0, 60, 600)), rnd.random() < 0.1)
            except socket.timeout:
                lost.append(p.impi)

    def operator(seed):
        rnd = random.Random(seed)
        while time.monotonic() < end:
            impi = f"{FIRST_OF_MANY + rnd.randrange(MANY):015d}@{DOMAIN}"
            rnd.choice((lambda: core.registration(impi, "DELETE"), lambda: core.hss(impi, "/rtr", {"reasonCode": 0}),
                        lambda: core.hss(impi, "/ppr", {}), core.all))()
    threads = [threading.Thread(target=phones, args=(n,)) for n in range(6)] + [threading.Thread(target=operator, args=(n,)) for n in (7, 8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    equal(lost, [], "REGISTERs without an answer")
    for impi in core.all():
        check(core.registration(impi, "DELETE")[0] in (204, 502), impi + " stays")
    equal(core.all(), [], "still there")


def stop(core):
    """Orderly, with registrations standing; nothing of a sanitizer in the log."""
    equal(Phone(core, DIGEST_IMSI, "secret").register(), 200, "one that stands")
    equal(core.end("scscf"), 0, "exit status")
    with open(os.path.join(core.work, "scscf.log"), encoding="utf-8", errors="replace") as f:
        log = f.read()
    check("Sanitizer" not in log and "runtime error" not in log, log[-4000:])
    check("secret" not in log, "a password in the log")


def run(build, workers, cases):
    core = Core(build, workers)
    core.start("scscf", "scscf/scscfd")
    try:
        todo = [without_hss, restoration_TS_23_380, aka, resync, akav2_S3, authentication_info_S4, repeated_S1, gruu_S13, two_sets_S9, wrong_password, unknown, pushes,
                reload_O6, server_name_S7, release, silent_hss, lost_hss, storm]
        for fn in todo + [stop]:
            cases.run(f"{fn.__name__}, {workers} worker(s)", fn, core)
    finally:
        for name in list(core.procs):
            core.end(name, signal.SIGKILL)
        if not cases.bad:
            shutil.rmtree(core.work, ignore_errors=True)
        else:
            print(f"   kept: {core.work}")


def main():
    build = os.path.abspath(sys.argv[1])
    for program in ("scscf/scscfd", "tests/hss/labhssd"):
        if not os.access(os.path.join(build, program), os.X_OK):
            print(program + " is not built")
            return EXIT_SKIP
    cases = Cases()
    for workers in (1, 4):
        run(build, workers, cases)
    return 1 if cases.bad else 0


sys.exit(main())
