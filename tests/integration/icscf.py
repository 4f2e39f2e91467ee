"""icscf.py BUILD_DIR - icscfd against labhssd, with this script as P-CSCF and as S-CSCFs.

TS 24.229 §5.3.1, §5.3.2; feature rows I1-I6, D10, D11, R8, R16.  Runs with one worker and with four.
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
import time
import urllib.error
import urllib.request

DOMAIN = "ims.mnc001.mcc001.3gppnetwork.org"
ALICE = "001010000000001"
SUSPECT_S = 4
BUSY_S = 30			# what must come has this time: sanitizers are slow, machines busy


def fail(text):
    raise AssertionError(text)


def check(cond, text):
    if not cond:
        fail(text)


def await_true(what, fn, seconds=10):
    end = time.monotonic() + seconds + BUSY_S
    while time.monotonic() < end:
        got = fn()
        if got:
            return got
        time.sleep(0.02)
    fail("did not happen: " + what)


class Message:
    def __init__(self, data, source):
        head, _, self.body = data.decode("utf-8", "replace").partition("\r\n\r\n")
        lines = head.split("\r\n")
        self.start, self.lines, self.source = lines[0], lines[1:], source

    def all(self, name):
        return [l.split(":", 1)[1].strip() for l in self.lines if l.split(":", 1)[0].strip().lower() == name.lower()]

    def get(self, name):
        return (self.all(name) or [""])[0]

    @property
    def status(self):
        return int(self.start.split()[1]) if self.start.startswith("SIP/2.0 ") else 0

    @property
    def method(self):
        return "" if self.status else self.start.split()[0]

    @property
    def ruri(self):
        return self.start.split()[1]


class Agent:
    """One UDP socket that speaks SIP by hand."""

    def __init__(self, host, port):
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind((host, port))
        self.host, self.port, self.n = host, port, 0

    def close(self):
        self.sock.close()

    def receive(self, seconds=BUSY_S):
        self.sock.settimeout(seconds)
        try:
            return Message(*self.sock.recvfrom(65536))
        except socket.timeout:
            return None

    def queued(self):
        """What is there."""
        return list(iter(lambda: self.receive(0.05), None))

    def drain(self):
        self.queued()

    def send_request(self, to, method, ruri, extra="", user=ALICE, cseq=1, to_uri=None):
        self.n += 1
        call = "c%d.%d@%s" % (self.n, random.getrandbits(48), self.host)
        self.sock.sendto((
            "%s %s SIP/2.0\r\nVia: SIP/2.0/UDP %s:%d;branch=z9hG4bK%s\r\nMax-Forwards: 70\r\n"
            "From: <sip:%s@%s>;tag=f\r\nTo: <%s>\r\nCall-ID: %s\r\nCSeq: %d %s\r\n%sContent-Length: 0\r\n\r\n"
            % (method, ruri, self.host, self.port, call.split("@")[0], user, DOMAIN,
               to_uri or "sip:%s@%s" % (user, DOMAIN), call, cseq, method, extra)).encode(), to)
        return call

    def answer(self, m, status, extra=""):
        keep = [l for l in m.lines if l.split(":", 1)[0].strip().lower() in ("via", "from", "call-id", "cseq")]
        self.sock.sendto(("SIP/2.0 %d X\r\n%s\r\nTo: %s;tag=t\r\n%sContent-Length: 0\r\n\r\n"
                          % (status, "\r\n".join(keep), m.get("To"), extra)).encode(), m.source)

    def final(self, call, seconds=BUSY_S):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            m = self.receive(max(0.01, end - time.monotonic()))
            if m and m.status >= 200 and m.get("Call-ID") == call:
                return m
        fail("no final answer to " + call)

    def request(self, seconds=BUSY_S):
        m = self.receive(seconds)
        check(m and m.method, "the S-CSCF got no request")
        return m


class Core:
    def __init__(self, build, work, workers):
        self.build, self.work, self.procs = build, work, {}
        self.net = "127.%d.%d" % (random.randint(100, 220), random.randint(1, 250))
        first = 13200 + 2 * random.randrange(25)
        self.icscf = (self.net + ".20", 4060)
        self.write("hss.yaml", """
plmn: {mcc: "001", mnc: "01"}
diameter: {identity: hss.%s, listen: "%s.40:%d"}
rest: {listen: "%s.40:18080", token: t}
subscribers_file: subscribers.yaml
""" % (DOMAIN, self.net, first, self.net))
        self.write("subscribers.yaml", """
- {imsi: "001010000000001", msisdn: "491510000001", k: 465b5ce8b199b49faa5f0a2ee238a6bc, opc: cd63cb71954a9f4e48a5994e37a02baf,
   unregistered_services: true}
- {imsi: "001010000000002", msisdn: "491510000002", k: 465b5ce8b199b49faa5f0a2ee238a6bc, opc: cd63cb71954a9f4e48a5994e37a02baf}
- {imsi: "001010000000003", msisdn: "491510000003", k: 465b5ce8b199b49faa5f0a2ee238a6bc, opc: cd63cb71954a9f4e48a5994e37a02baf,
   mandatory_capabilities: [7]}
- {imsi: "001010000000004", msisdn: "491510000004", k: 465b5ce8b199b49faa5f0a2ee238a6bc, opc: cd63cb71954a9f4e48a5994e37a02baf,
   mandatory_capabilities: [99]}
- {impi: "chat@%s", psi: true, impu: ["sip:chat-![a-z]+!@%s", "tel:+4930555![0-9]{2}!"]}
""" % (DOMAIN, DOMAIN))
        self.write("icscf.yaml", self.icscf_yaml(first, workers))

    def icscf_yaml(self, first, workers, more=""):
        return """
plmn: {mcc: "001", mnc: "01"}
workers: %d
sip: {listen: ["udp:%s.20:4060", "tcp:%s.20:4060"], overload: {target_delay_ms: 10000}}
diameter: {identity: icscf.%s, listen: "%s.20:%d", request_timeout_ms: 2000,
  peers: [{identity: hss.%s, address: %s.40, port: %d}]}
rest: {listen: "%s.20:18080", token: t}
selection:
  server_wait_ms: 1500
  suspect_s: %d
  servers:
    - {name: "sip:%s.31:6060", capabilities: [1, 7]}
    - {name: "sip:%s.32:6060", capabilities: [1], priority: 1}
%s""" % (workers, self.net, self.net, DOMAIN, self.net, first + 1, DOMAIN, self.net, first, self.net, SUSPECT_S, self.net, self.net, more)

    def write(self, name, text):
        with open(os.path.join(self.work, name), "w", encoding="utf-8") as f:
            f.write(text)

    def start(self, name, program):
        log = open(os.path.join(self.work, name + ".log"), "ab")
        self.procs[name] = subprocess.Popen([os.path.join(self.build, program), "-c", os.path.join(self.work, name + ".yaml")],
                                            stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        log.close()

    def end(self, name, sig):
        p = self.procs.pop(name)
        p.send_signal(sig)
        return p.wait(30 + BUSY_S)

    def end_all(self):
        for name in list(self.procs):
            self.end(name, signal.SIGKILL)

    def rest(self, host, path, method="GET", body=None):
        r = urllib.request.Request("http://%s.%d:18080%s" % (self.net, host, path), method=method,
                                   headers={"Authorization": "Bearer t"}, data=json.dumps(body).encode() if body is not None else None)
        try:
            with urllib.request.urlopen(r, timeout=10 + BUSY_S) as a:
                text = a.read().decode()
                return a.status, json.loads(text) if text[:1] in "{[" else text
        except urllib.error.HTTPError as e:
            return e.code, e.read().decode()
        except OSError:
            return 0, None

    def ready(self):
        return self.rest(20, "/readyz")[0] == 200

    def behave(self, rules):
        check(self.rest(40, "/api/v1/behaviour", "PUT", rules)[0] in (200, 204), "behaviour was not taken")


CONTACT = "Contact: <sip:a@127.0.0.9>\r\nExpires: 600\r\n"


def register(core, p, user, extra=CONTACT):
    return p.send_request(core.icscf, "REGISTER", "sip:" + DOMAIN, extra, user=user)


def refused(m, status, retry=False):
    check(m.status == status, "%s instead of %d" % (m.start, status))
    check(bool(m.get("Retry-After")) == retry, "Retry-After in " + "\n".join([m.start] + m.lines))


def without_hss(core, p):
    print("no HSS: stays up, says so, answers 504")
    await_true("REST answers", lambda: core.rest(20, "/healthz")[0] == 200)
    status, doc = core.rest(20, "/readyz")
    check(status == 503 and "no Diameter peer" in doc, "readyz: %s %s" % (status, doc))
    refused(p.final(register(core, p, ALICE)), 504, True)
    refused(p.final(p.send_request(core.icscf, "MESSAGE", "sip:%s@%s" % (ALICE, DOMAIN))), 504, True)
    check(p.final(p.send_request(core.icscf, "OPTIONS", "sip:%s:%d" % core.icscf)).status == 200, "OPTIONS")


def registers(core, p, s1, s2):
    print("REGISTER: to the S-CSCF and back, unknown, by capabilities")
    call = register(core, p, ALICE, CONTACT + "Route: <sip:%s:%d;lr>, <sip:orig@%s.99;lr>\r\n" % (*core.icscf, core.net))
    m = s1.request()
    check(m.ruri == "sip:%s.31:6060" % core.net and not m.get("Route") and not m.get("Record-Route"), m.start)
    s1.answer(m, 401, 'WWW-Authenticate: Digest realm="x", nonce="n"\r\n')
    m = p.final(call)
    check(m.status == 401 and m.get("WWW-Authenticate") and len(m.all("Via")) == 1, m.start)
    refused(p.final(register(core, p, "001019999999999")), 403)
    call = register(core, p, "001010000000003")
    s1.answer(s1.request(), 200)
    check(p.final(call).status == 200, "capability 7")
    refused(p.final(register(core, p, "001010000000004")), 600)


def sessions(core, p, s1):
    print("sessions: services of an unregistered user, not registered, unknown, numbers")
    for ruri in ("sip:%s@%s" % (ALICE, DOMAIN), "tel:+491510000001", "sip:+491510000001@%s;user=phone" % DOMAIN):
        call = p.send_request(core.icscf, "MESSAGE", ruri)
        m = s1.request()
        check(m.get("Route") == "<sip:%s.31:6060;lr>" % core.net, "Route " + m.get("Route"))
        check(m.ruri == ("tel:+491510000001" if "user=phone" in ruri else ruri), m.start)
        s1.answer(m, 202)
        check(p.final(call).status == 202, "MESSAGE to " + ruri)
    refused(p.final(p.send_request(core.icscf, "MESSAGE", "sip:001010000000002@" + DOMAIN)), 480)
    refused(p.final(p.send_request(core.icscf, "MESSAGE", "sip:nobody@" + DOMAIN)), 404)
    refused(p.final(p.send_request(core.icscf, "MESSAGE", "tel:+4999")), 404)
    refused(p.final(p.send_request(core.icscf, "MESSAGE", "sip:bob@elsewhere.example")), 404)


def wildcards(core, p, s1):
    print("wildcarded identities: the S-CSCF is told which one the HSS found (T10, TS 24.229 §5.3.2.1, RFC 5002)")
    for ruri, key in (("sip:chat-lobby@" + DOMAIN, "sip:chat-![a-z]+!@" + DOMAIN), ("tel:+493055542", "tel:+4930555![0-9]{2}!"),
                      ("sip:%s@%s" % (ALICE, DOMAIN), None)):
        call = p.send_request(core.icscf, "MESSAGE", ruri, "P-Profile-Key: <sip:forged@x>\r\n")
        m = s1.request()
        check(m.all("P-Profile-Key") == (["<%s>" % key] if key else []), "P-Profile-Key %s for %s" % (m.all("P-Profile-Key"), ruri))
        s1.answer(m, 202)
        check(p.final(call).status == 202, "MESSAGE to " + ruri)
    refused(p.final(p.send_request(core.icscf, "MESSAGE", "sip:chat-7@" + DOMAIN)), 404)


def result_codes(core, p):
    print("every result of the HSS has its answer (D10)")
    for code, kind, reg, ses in ((5001, "experimentalCode", 403, 404), (5002, "experimentalCode", 403, None),
                                 (5004, "experimentalCode", 403, None), (2004, "experimentalCode", None, 480),
                                 (3004, "resultCode", 503, 503), (5012, "resultCode", 500, 500), (3002, "resultCode", 504, 504)):
        core.behave({"UAR": {kind: code}, "LIR": {kind: code}})
        if reg:
            refused(p.final(register(core, p, ALICE)), reg, reg >= 500)
        if ses:
            refused(p.final(p.send_request(core.icscf, "MESSAGE", "sip:%s@%s" % (ALICE, DOMAIN))), ses, ses >= 500)
    core.behave({})


def slow_hss(core, p, s1):
    print("HSS silent, late, and slow (R8, D11)")
    core.behave({"UAR": {"silent": True}})
    began = time.monotonic()
    refused(p.final(register(core, p, ALICE)), 504, True)
    check(1.9 < time.monotonic() - began < 2 + BUSY_S, "the deadline is request_timeout_ms")
    core.behave({"UAR": {"delayMs": 2600}})
    refused(p.final(register(core, p, ALICE)), 504, True)
    await_true("the late answer is counted", lambda: "diameter_late_answers_total{" in core.rest(20, "/metrics")[1])
    s1.drain()
    core.behave({"UAR": {"delayMs": 500}})
    call = register(core, p, ALICE)
    s1.answer(s1.request(), 200)
    check(p.final(call).status == 200, "a slow HSS is waited for")
    core.behave({})


def cancelled(core, p, s1):
    print("CANCEL while the HSS thinks: 487, nothing is sent on (D11)")
    core.behave({"LIR": {"delayMs": 1200}})
    ruri = "sip:%s@%s" % (ALICE, DOMAIN)
    call = p.send_request(core.icscf, "INVITE", ruri)
    branch = call.split("@")[0]
    p.sock.sendto(("CANCEL %s SIP/2.0\r\nVia: SIP/2.0/UDP %s:%d;branch=z9hG4bK%s\r\nMax-Forwards: 70\r\nFrom: <sip:%s@%s>;tag=f\r\n"
                   "To: <%s>\r\nCall-ID: %s\r\nCSeq: 1 CANCEL\r\nContent-Length: 0\r\n\r\n"
                   % (ruri, p.host, p.port, branch, ALICE, DOMAIN, ruri, call)).encode(), core.icscf)
    seen = set()
    while len(seen) < 2:
        m = p.receive()
        check(m, "no answer to CANCEL and INVITE")
        if m.status >= 200 and m.get("Call-ID") == call:
            seen.add((m.get("CSeq"), m.status))
    check(seen == {("1 CANCEL", 200), ("1 INVITE", 487)}, str(seen))
    p.sock.sendto(("ACK %s SIP/2.0\r\nVia: SIP/2.0/UDP %s:%d;branch=z9hG4bK%s\r\nMax-Forwards: 70\r\nFrom: <sip:%s@%s>;tag=f\r\n"
                   "To: %s\r\nCall-ID: %s\r\nCSeq: 1 ACK\r\nContent-Length: 0\r\n\r\n"
                   % (ruri, p.host, p.port, branch, ALICE, DOMAIN, m.get("To"), call)).encode(), core.icscf)
    check(s1.receive(1.0) is None, "the S-CSCF heard of a cancelled call")
    core.behave({})


def failing_scscf(core, p, s1, s2):
    print("S-CSCF silent, unavailable, gone: the next one; health by REST (I4, I5)")
    call = register(core, p, ALICE)
    s1.request()
    s2.answer(s2.request(), 200)
    check(p.final(call).status == 200, "the second S-CSCF")
    table = {v["uri"]: v for v in core.rest(20, "/api/v1/scscfs")[1]["items"]}
    first, second = table["sip:%s.31:6060" % core.net], table["sip:%s.32:6060" % core.net]
    check(first["health"] == "suspect" and first["failures"] >= 1 and second["health"] == "up", str(table))
    call = register(core, p, ALICE)		# the suspect is passed over at once
    s2.answer(s2.request(), 200)
    check(p.final(call).status == 200, "past the suspect")
    check(all(m.get("Call-ID") != call for m in s1.queued()), "the suspect was asked")
    time_over = time.monotonic() + SUSPECT_S + 0.1
    await_true("trust again", lambda: time.monotonic() > time_over)
    s1.drain()
    call = register(core, p, ALICE)
    s1.answer(s1.request(), 503, "Retry-After: 9\r\n")
    s2.answer(s2.request(), 480)
    check(p.final(call).status == 480, "what the last one said")


def lost_hss(core, p, s1):
    print("HSS killed and back: 504 meanwhile, then served again without a restart")
    core.end("hss", signal.SIGKILL)
    await_true("not ready", lambda: not core.ready())
    refused(p.final(register(core, p, ALICE)), 504, True)
    core.start("hss", "tests/hss/labhssd")
    await_true("ready again", core.ready, 60)
    s1.drain()
    call = register(core, p, ALICE)
    m = s1.receive()
    if m is None:
        fail("no REGISTER after the HSS came back: " + p.final(call).start)
    s1.answer(m, 200)
    check(p.final(call).status == 200, "after the return of the HSS")


def reload(core, p):
    print("reload: a new table without a restart; a mistake is refused and the old one stays")
    path = os.path.join(core.work, "icscf.yaml")
    with open(path, encoding="utf-8") as f:
        text = f.read()
    core.write("icscf.yaml", text.replace("capabilities: [1, 7]", "capabilities: [1, 7, 8]"))
    core.procs["icscf"].send_signal(signal.SIGHUP)
    first = "sip:%s.31:6060" % core.net

    def caps():
        return [v["capabilities"] for v in core.rest(20, "/api/v1/scscfs")[1]["items"] if v["uri"] == first][0]

    await_true("capability 8", lambda: caps() == [1, 7, 8])
    core.write("icscf.yaml", text.replace("capabilities: [1, 7]", "capabilities: [x]"))
    core.procs["icscf"].send_signal(signal.SIGHUP)

    def refusal():
        with open(os.path.join(core.work, "icscf.log"), encoding="utf-8") as f:
            return "the new configuration is not taken" in f.read()

    await_true("the mistake is said", refusal)
    check(caps() == [1, 7, 8], "the old table stays")


def many(core, p, s1):
    print("200 REGISTERs at once, each answered once")
    s1.drain()
    calls = {register(core, p, ALICE, CONTACT + "X-N: %d\r\n" % n) for n in range(200)}
    seen, answers = set(), {}
    end = time.monotonic() + 30 + BUSY_S
    while len(answers) < 200 and time.monotonic() < end:
        m = s1.receive(0.02)
        if m and m.method == "REGISTER":
            seen.add(m.get("X-N"))
            s1.answer(m, 200)
        m = p.receive(0.001)
        if m and m.status >= 200:
            answers[m.get("Call-ID")] = answers.get(m.get("Call-ID"), 0) + 1
    check(set(answers) == calls, "%d of 200 answered" % len(answers))
    check(len(seen) <= 200, "doubled")


def run(build, workers):
    print("== workers: %d" % workers)
    work = tempfile.mkdtemp()
    core = Core(build, work, workers)
    agents = []
    try:
        p, s1, s2 = (Agent("%s.%d" % (core.net, h), port) for h, port in ((10, 5060), (31, 6060), (32, 6060)))
        agents = [p, s1, s2]
        core.start("icscf", "icscf/icscfd")
        without_hss(core, p)
        core.start("hss", "tests/hss/labhssd")
        await_true("ready", core.ready, 60)
        registers(core, p, s1, s2)
        sessions(core, p, s1)
        wildcards(core, p, s1)
        result_codes(core, p)
        slow_hss(core, p, s1)
        cancelled(core, p, s1)
        many(core, p, s1)
        failing_scscf(core, p, s1, s2)
        lost_hss(core, p, s1)
        reload(core, p)
        text = core.rest(20, "/metrics")[1]
        for name in ("cscf_diameter_requests_total{command=\"UAR\"", "cscf_diameter_seconds_count{command=\"LIR\"",
                     "cscf_icscf_requests_total{procedure=\"register\"", "cscf_icscf_scscf_attempts_total{"):
            check(name in text, name + " is not in /metrics")
        check(core.end("icscf", signal.SIGTERM) == 0, "icscfd did not end well")
    except BaseException:
        for name in ("icscf.log", "hss.log"):
            path = os.path.join(work, name)
            if os.path.exists(path):
                with open(path, encoding="utf-8", errors="replace") as f:
                    print("---- %s\n%s" % (name, "".join(f.readlines()[-40:])))
        raise
    finally:
        core.end_all()
        for a in agents:
            a.close()
        with open(os.path.join(work, "icscf.log"), encoding="utf-8", errors="replace") as f:
            log = f.read()
        shutil.rmtree(work)
    check(not re.search(r"ERROR: |runtime error|WARNING: ThreadSanitizer", log), "a sanitizer spoke:\n" + log[-6000:])


def main():
    build = os.path.realpath(sys.argv[1])
    for program in ("icscf/icscfd", "tests/hss/labhssd"):
        if not os.access(os.path.join(build, program), os.X_OK):
            print(program + " is not built")
            return 77
    for workers in (1, 4):
        run(build, workers)
    return 0


try:
    sys.exit(main())
except AssertionError as e:
    print("FAILED: %s" % e)
    sys.exit(1)
