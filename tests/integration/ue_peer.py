"""The simulated phone against a scripted far end: a UDP socket that says exactly what a scenario wants.

Each scenario_* function is one test; the sentence under its name says what must come of it, with the clause."""

import json
import random
import re
import socket
import subprocess
import sys
import threading
import time

UE = sys.argv[1]
NET = f"127.36.{random.randrange(1, 250)}"
WAIT_S = 40.0			# of a busy machine
K, OPC = "465b5ce8b199b49faa5f0a2ee238a6bc", "cd63cb71954a9f4e48a5994e37a02baf"
SDP = ("v=0\r\no=- 1 {version} IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio 4000 RTP/AVP {pt}\r\n{more}")
PRECOND = ("a=curr:qos local {local}\r\na=curr:qos remote {remote}\r\na=des:qos mandatory local sendrecv\r\n"
           "a=des:qos mandatory remote sendrecv\r\n")


class Message:
    """A SIP message, split."""

    def __init__(self, raw):
        head, _, self.body = raw.partition("\r\n\r\n")
        self.start, *lines = head.split("\r\n")
        self.headers = [tuple(x.strip() for x in line.split(":", 1)) for line in lines]

    def all(self, name):
        return [v for n, v in self.headers if n.lower() == name.lower()]

    def get(self, name):
        return (self.all(name) or [""])[0]

    @property
    def status(self):
        return int(self.start.split()[1]) if self.start.startswith("SIP/2.0 ") else 0

    @property
    def method(self):
        return self.get("CSeq").split()[1] if self.status else self.start.split()[0]

    @property
    def what(self):
        return f"{self.status} {self.method}" if self.status else self.method

    def tag(self, name):
        found = re.search(r";tag=([^;>\s]+)", self.get(name))
        return found.group(1) if found else ""


class Peer:
    """The far end: the phone's P-CSCF and every user behind it."""

    def __init__(self, number, *options):
        self.ip, ue_ip = f"{NET}.{number}", f"{NET}.{number + 100}"
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind((self.ip, 5060))
        self.ue = (ue_ip, 5060)
        self.call_id, self.tag, self.cseq, self.sdp_version = f"c{random.random()}", "peer", 1, 0
        self.log, self.events, self.seen, self.cond = [], [], set(), threading.Condition()
        self.proc = subprocess.Popen([UE, "--pcscf", f"udp:{self.ip}:5060", "--bind", f"{ue_ip}:5060", "--imsi",
                                      "001010000000001", "--mcc", "001", "--mnc", "01", "--k", K, "--opc", OPC, "--rtp", "no",
                                      *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        threading.Thread(target=self.read_events, daemon=True).start()
        self.event("ready")

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.proc.stdin.close()
        try:
            rc = self.proc.wait(WAIT_S)
        except subprocess.TimeoutExpired:
            self.proc.kill()
            rc = "killed"
        self.sock.close()
        if kind is None:
            assert rc == 0, f"the phone ended with {rc}"
        else:
            print("\n".join(self.log + [str(e) for e in self.events]))

    # ---- the phone's side ----

    def read_events(self):
        for line in self.proc.stdout:
            with self.cond:
                self.events.append(json.loads(line))
                self.cond.notify_all()

    def do(self, command):
        self.proc.stdin.write(command + "\n")
        self.proc.stdin.flush()

    def event(self, name, **match):
        """Waits for the event; those before it are forgotten."""
        end = time.monotonic() + WAIT_S
        with self.cond:
            while True:
                for i, e in enumerate(self.events):
                    if e["event"] == name and all(e.get(k) == v for k, v in match.items()):
                        del self.events[:i + 1]
                        return e
                left = end - time.monotonic()
                assert left > 0, f"no event {name} {match}"
                self.cond.wait(left)

    # ---- the wire ----

    def send(self, text):
        self.log.append("-> " + text.split("\r\n")[0])
        self.sock.sendto(text.encode("latin-1"), self.ue)

    def receive(self, *wanted, skip=("100 INVITE",), seconds=WAIT_S):
        """The next message; it must be one of `wanted`, or a repeated one of before.  None when nothing came and `wanted` is empty."""
        end = time.monotonic() + seconds
        while True:
            self.sock.settimeout(max(0.001, end - time.monotonic()))
            try:
                raw = self.sock.recv(65536)
                m = Message(raw.decode("latin-1"))
            except TimeoutError:
                assert not wanted, f"nothing came, {wanted} expected"
                return None
            self.log.append("<- " + m.start)
            again, _ = raw in self.seen, self.seen.add(raw)
            if m.what in skip or (wanted and again and m.what not in wanted):		# sent again before our answer was there
                continue
            assert m.what in wanted, f"{m.what} came, not {wanted}"
            return m

    def sdp(self, pt="8", more=""):
        self.sdp_version += 1
        return SDP.format(version=self.sdp_version, ip=self.ip, pt=pt, more=more)

    def compose(self, start, headers, body):
        kind = ["Content-Type: application/sdp"] if body and not any(h.startswith("Content-Type") for h in headers) else []
        return "\r\n".join([start] + headers + kind + [f"Content-Length: {len(body)}", "", body])

    def reply(self, m, status, *headers, body="", tag=None):
        tag = self.tag if tag is None else tag
        to = m.get("To") + ("" if m.tag("To") or status == 100 else f";tag={tag}")
        base = [f"Via: {v}" for v in m.all("Via")] + [f"From: {m.get('From')}", f"To: {to}", f"Call-ID: {m.get('Call-ID')}",
                                                      f"CSeq: {m.get('CSeq')}"]
        if m.method in ("INVITE", "UPDATE") and status < 300:
            base.append(f"Contact: <sip:{tag}@{self.ip}:5060>")
        self.send(self.compose(f"SIP/2.0 {status} x", base + list(headers), body))

    def request(self, method, *headers, body="", to_tag="", cseq=None, branch=None, uri="sip:phone@x"):
        if cseq is None:
            self.cseq += 1
            cseq = self.cseq
        base = [f"Via: SIP/2.0/UDP {self.ip}:5060;branch=z9hG4bK{branch or random.random()}", "Max-Forwards: 70",
                f"From: <sip:far@x>;tag={self.tag}", "To: <sip:phone@x>" + (f";tag={to_tag}" if to_tag else ""),
                f"Call-ID: {self.call_id}", f"CSeq: {cseq} {method}"]
        if method in ("INVITE", "UPDATE"):
            base.append(f"Contact: <sip:far@{self.ip}:5060>")
        self.send(self.compose(f"{method} {uri} SIP/2.0", base + list(headers), body))
        return cseq

    # ---- ways into a call ----

    def called(self, *headers):
        """The phone calls, we answer at once: the INVITE and the ACK."""
        self.do("call sip:far@x")
        invite = self.receive("INVITE")
        self.reply(invite, 200, *headers, body=self.sdp())
        ack = self.receive("ACK")
        self.event("answered")
        return invite, ack

    def calling(self, *headers, body=None):
        """We call, the phone answers: its 200."""
        n = self.request("INVITE", *headers, body=self.sdp() if body is None else body)
        self.receive("180 INVITE")
        ok = self.receive("200 INVITE")
        self.request("ACK", to_tag=ok.tag("To"), cseq=n)
        self.event("answered")
        return ok


# ---- the phone calls ----

def scenario_pracks_once(p):
    """A repeated reliable provisional is acknowledged once, one out of order not at all: RFC 3262 §4."""
    p.do("call sip:far@x")
    invite = p.receive("INVITE")
    assert "100rel" in invite.get("Supported") and "Require" not in dict(invite.headers)
    for rseq in (7, 7, 9):
        p.reply(invite, 183, "Require: 100rel", f"RSeq: {rseq}", body=p.sdp())
    prack = p.receive("PRACK")
    assert prack.get("RAck") == f"7 {invite.get('CSeq')}", prack.get("RAck")
    p.reply(prack, 200)
    assert p.receive(seconds=0.3) is None
    p.reply(invite, 183, "Require: 100rel", "RSeq: 8")
    p.reply(p.receive("PRACK"), 200)
    p.reply(invite, 486)
    p.receive("ACK")
    p.event("call-failed", status=486)


def scenario_acks_every_copy(p):
    """Each copy of the 200 gets the same ACK: RFC 3261 §13.2.2.4."""
    invite, ack = p.called()
    assert ack.get("CSeq").split()[0] == invite.get("CSeq").split()[0]
    p.reply(invite, 200, body=p.sdp())
    again = p.receive("ACK")
    assert again.headers == ack.headers
    p.do("hangup")
    p.reply(p.receive("BYE"), 200)
    p.event("ended", by="local")


def scenario_second_fork(p):
    """Another 200 of another To tag: acknowledged and ended, the first one stands.  RFC 3261 §13.2.2.4."""
    invite, _ack = p.called()
    p.reply(invite, 200, body=p.sdp(), tag="other")
    ack, bye = p.receive("ACK"), p.receive("BYE")
    assert ack.tag("To") == bye.tag("To") == "other" and bye.start == f"BYE sip:other@{p.ip}:5060 SIP/2.0"
    p.reply(bye, 200)
    p.do("info")
    info = p.receive("INFO")
    assert info.tag("To") == "peer"
    p.reply(info, 200)
    p.event("response", status=200)


def scenario_route_set(p):
    """Record-Route of the 200, reversed, is the route set; the Contact is the target: RFC 3261 §12.1.2."""
    _invite, ack = p.called("Record-Route: <sip:near.example;lr>, <sip:mid.example;lr>", "Record-Route: <sip:last.example;lr>")
    want = ["<sip:last.example;lr>", "<sip:mid.example;lr>", "<sip:near.example;lr>"]
    assert ack.all("Route") == want and ack.start == f"ACK sip:peer@{p.ip}:5060 SIP/2.0", ack.headers
    p.do("hangup")
    bye = p.receive("BYE")
    assert bye.all("Route") == want
    p.reply(bye, 200)


def scenario_cancel_too_late(p):
    """The 200 crosses the CANCEL: acknowledged, then BYE.  RFC 3261 §15."""
    p.do("call sip:far@x")
    invite = p.receive("INVITE")
    p.reply(invite, 180)
    p.event("ringing")
    p.do("cancel")
    cancel = p.receive("CANCEL")
    p.reply(invite, 200, body=p.sdp())
    p.reply(cancel, 200)
    p.receive("ACK")
    p.reply(p.receive("BYE"), 200)
    p.event("ended", by="local")


def scenario_no_cancel_before_a_provisional(p):
    """CANCEL waits for the first provisional: RFC 3261 §9.1."""
    p.do("call sip:far@x")
    invite = p.receive("INVITE")
    p.do("cancel")
    assert p.receive(skip=("INVITE",), seconds=0.5) is None
    p.reply(invite, 100)
    p.reply(p.receive("CANCEL", skip=("INVITE",)), 200)
    p.reply(invite, 487)
    p.receive("ACK")
    p.event("call-failed", status=487)


def scenario_hold_after_491(p):
    """491 to a re-INVITE: again after 2.1 to 4 s, for who made the Call-ID.  RFC 3261 §14.1."""
    p.called()
    p.do("hold")
    invite = p.receive("INVITE")
    assert "a=sendonly" in invite.body
    p.reply(invite, 491)
    p.receive("ACK")
    began = time.monotonic()
    invite = p.receive("INVITE")
    assert 2.0 <= time.monotonic() - began <= 8.0 and "a=sendonly" in invite.body
    p.reply(invite, 200, body=p.sdp(more="a=recvonly\r\n"))
    p.receive("ACK")
    p.event("held", by="local", direction="sendonly")


def scenario_glare(p):
    """Their re-INVITE while ours waits gets 491: RFC 3261 §14.2."""
    p.call_id = ""
    invite, _ack = p.called()
    p.call_id = invite.get("Call-ID")
    p.do("hold")
    ours = p.receive("INVITE")
    n = p.request("INVITE", body=p.sdp(), to_tag=invite.tag("From"), branch="glare")
    p.receive("491 INVITE")
    p.request("ACK", to_tag=invite.tag("From"), cseq=n, branch="glare")
    p.reply(ours, 200, body=p.sdp(more="a=recvonly\r\n"))
    p.receive("ACK")
    p.event("held", by="local")


def scenario_hold_refused(p):
    """488 to a re-INVITE leaves the session as it was; 481 ends it: RFC 3261 §14.1, §12.2.1.2."""
    p.called()
    p.do("hold")
    p.reply(p.receive("INVITE"), 488)
    p.receive("ACK")
    p.event("error")
    p.do("hold")
    p.reply(p.receive("INVITE"), 481)
    p.receive("ACK")
    p.reply(p.receive("BYE"), 481)
    p.event("ended", by="local")


def scenario_update_after_491(p):
    """The UPDATE that tells our resources comes again after a 491: RFC 3311 §5.3."""
    p.do("call sip:far@x")
    invite = p.receive("INVITE")
    p.reply(invite, 183, "Require: 100rel,precondition", "RSeq: 1",
            body=p.sdp(more=PRECOND.format(local="none", remote="none")))
    p.reply(p.receive("PRACK"), 200)
    update = p.receive("UPDATE")
    assert "a=curr:qos local sendrecv" in update.body and "a=curr:qos remote none" in update.body
    p.reply(update, 491)
    update = p.receive("UPDATE")
    p.reply(update, 200, body=p.sdp(more=PRECOND.format(local="sendrecv", remote="sendrecv")))
    p.event("update", preconditionsMet=True)
    p.reply(invite, 180)
    p.reply(invite, 200)
    p.receive("ACK")
    p.event("answered", codec="PCMA")


def scenario_reg_event(p):
    """SUBSCRIBE, a NOTIFY that overtakes its answer, refresh in the dialog, the end: RFC 6665 §4.1, RFC 3680."""
    p.do("subscribe")
    s = p.receive("SUBSCRIBE")
    assert s.get("Event") == "reg" and s.get("Accept") == "application/reginfo+xml" and s.all("Route")
    p.call_id, ours = s.get("Call-ID"), s.tag("From")
    p.request("NOTIFY", "Event: reg", "Subscription-State: active;expires=60", "Contact: <sip:scscf@x>", to_tag=ours, body="<reginfo/>")
    p.receive("200 NOTIFY")
    assert p.event("notify")["body"] == "<reginfo/>"
    p.reply(s, 200, "Expires: 60", f"Contact: <sip:notifier@{p.ip}>", "Record-Route: <sip:edge.example;lr>")
    p.event("subscribed", expires=60)
    p.request("NOTIFY", "Event: reg", "Subscription-State: active", to_tag="other")
    p.receive("481 NOTIFY")
    p.do("unsubscribe")
    s = p.receive("SUBSCRIBE")
    assert s.get("Expires") == "0" and s.start.startswith("SUBSCRIBE sip:notifier@") and s.all("Route") == ["<sip:edge.example;lr>"]
    p.reply(s, 200, "Expires: 0", f"Contact: <sip:notifier@{p.ip}>")
    p.event("subscribed", expires=0)
    p.request("NOTIFY", "Event: reg", "Subscription-State: terminated;reason=timeout", to_tag=ours)
    p.receive("200 NOTIFY")
    p.event("notify", state="terminated;reason=timeout")
    p.request("NOTIFY", "Event: reg", "Subscription-State: active", to_tag=ours)
    p.receive("481 NOTIFY")


def scenario_reg_event_ends_early(p):
    """The last NOTIFY overtakes the answer to the SUBSCRIBE that ends it, and an answer comes for no subscription: RFC 6665 §4.1.2.4."""
    p.do("subscribe")
    s = p.receive("SUBSCRIBE")
    p.call_id, ours = s.get("Call-ID"), s.tag("From")
    p.reply(s, 200, "Expires: 60", f"Contact: <sip:notifier@{p.ip}>")
    p.event("subscribed", expires=60)
    p.do("unsubscribe")
    s = p.receive("SUBSCRIBE")
    p.request("NOTIFY", "Event: reg", "Subscription-State: terminated;reason=timeout", to_tag=ours)
    p.receive("200 NOTIFY")
    p.event("notify", state="terminated;reason=timeout")
    p.reply(s, 200, "Expires: 0", f"Contact: <sip:notifier@{p.ip}>")
    p.event("subscribed", expires=0)
    p.do("subscribe")
    s = p.receive("SUBSCRIBE")
    assert s.get("Call-ID") != p.call_id
    p.call_id, ours = s.get("Call-ID"), s.tag("From")
    p.request("NOTIFY", "Event: reg", "Subscription-State: terminated;reason=rejected", to_tag=ours)
    p.receive("200 NOTIFY")
    p.event("notify", state="terminated;reason=rejected")
    p.reply(s, 200, "Expires: 60", f"Contact: <sip:notifier@{p.ip}>")
    p.event("subscribed")
    p.do("options sip:far@x")
    p.reply(p.receive("OPTIONS"), 200)
    p.event("response", status=200)


# ---- the phone is called ----

def scenario_no_prack(p):
    """183 is repeated with doubling intervals, then 504: RFC 3262 §3."""
    n = p.request("INVITE", "Supported: 100rel, precondition", branch="x",
                  body=p.sdp(more=PRECOND.format(local="none", remote="none")))
    copies = 0
    while (m := p.receive("183 INVITE", "504 INVITE")).status == 183:
        assert "precondition" in m.get("Require") and m.get("RSeq")
        copies += 1
    assert 6 <= copies <= 8, copies                     # at 0, 1, 3, 7, 15, 31, 63 times T1
    p.request("ACK", to_tag=m.tag("To"), cseq=n, branch="x")
    p.event("ended", by="local", status=504)


def scenario_no_ack(p):
    """The 200 is repeated, then BYE: RFC 3261 §13.3.1.4."""
    p.request("INVITE", body=p.sdp())
    p.receive("180 INVITE")
    copies = 0
    while (m := p.receive("200 INVITE", "BYE")).what != "BYE":
        copies += 1
    assert copies >= 9, copies                          # 0 1 3 7 15 23 31 39 47 55 63 times T1
    assert "408" in m.get("Reason")
    p.reply(m, 200)
    p.event("ended", by="local")


def scenario_their_resources_do_not_come(p):
    """No UPDATE after the PRACK: 580.  RFC 3312 §8."""
    n = p.request("INVITE", "Supported: 100rel, precondition", branch="x",
                  body=p.sdp(more=PRECOND.format(local="none", remote="none")))
    m = p.receive("183 INVITE")
    p.request("PRACK", f"RAck: {m.get('RSeq')} {n} INVITE", to_tag=m.tag("To"))
    p.receive("200 PRACK")
    m = p.receive("580 INVITE")
    p.request("ACK", to_tag=m.tag("To"), cseq=n, branch="x")
    p.event("ended", status=580)


def scenario_resources_ready_at_once(p):
    """They have their resources already: it rings after the PRACK, without UPDATE.  TS 24.229 §5.1.4.1."""
    n = p.request("INVITE", "Supported: 100rel, precondition", "Record-Route: <sip:a;lr>, <sip:b;lr>", "Record-Route: <sip:c;lr>",
                  body=p.sdp(more=PRECOND.format(local="sendrecv", remote="none")))
    m = p.receive("183 INVITE")
    assert "a=curr:qos remote sendrecv" in m.body and "a=conf" not in m.body
    assert m.all("Record-Route") == ["<sip:a;lr>, <sip:b;lr>", "<sip:c;lr>"]
    p.request("PRACK", f"RAck: {m.get('RSeq')} {n} BYE", to_tag=m.tag("To"))
    p.receive("481 PRACK")
    p.request("PRACK", f"RAck: {m.get('RSeq')} {n} INVITE", to_tag=m.tag("To"))
    p.receive("200 PRACK")
    p.receive("180 INVITE")
    m = p.receive("200 INVITE")
    assert m.body == "" and m.all("Record-Route") == ["<sip:a;lr>, <sip:b;lr>", "<sip:c;lr>"]
    p.request("ACK", to_tag=m.tag("To"), cseq=n)
    p.event("answered")
    p.do("hangup")
    bye = p.receive("BYE")
    assert bye.all("Route") == ["<sip:a;lr>", "<sip:b;lr>", "<sip:c;lr>"], bye.headers      # RFC 3261 §12.1.1
    p.reply(bye, 200)


def scenario_required_100rel(p):
    """100rel that is demanded makes the 180 reliable; the 200 waits for its PRACK: RFC 3262 §3."""
    n = p.request("INVITE", "Require: 100rel", body=p.sdp())
    m = p.receive("180 INVITE")
    assert m.get("RSeq") and m.body
    p.request("PRACK", f"RAck: {m.get('RSeq')} {n} INVITE", to_tag=m.tag("To"))
    p.receive("200 PRACK", skip=("180 INVITE",))
    m = p.receive("200 INVITE", skip=("180 INVITE",))
    assert m.body == ""
    p.request("ACK", to_tag=m.tag("To"), cseq=n)
    p.event("answered")


def scenario_no_offer(p):
    """An INVITE without SDP: our offer is in the 200, their answer in the ACK.  RFC 3261 §13.3.1."""
    n = p.request("INVITE")
    p.receive("180 INVITE")
    m = p.receive("200 INVITE")
    assert "m=audio" in m.body and "AMR-WB" in m.body
    p.request("ACK", to_tag=m.tag("To"), cseq=n, body=p.sdp(pt="0"))
    p.event("answered", codec="PCMU")


def scenario_refusals(p):
    """What cannot be served, and how it is said: RFC 3261 §8.2, §11.2, §12.2.2, §13.3.1.3; RFC 3264 §6."""
    rows = [("INVITE", ["Require: foo"], "420 INVITE", "Unsupported: foo", p.sdp()),
            ("INVITE", [], "488 INVITE", "", p.sdp(pt="18")),
            ("INVITE", ["Content-Type: multipart/mixed;boundary=x"], "415 INVITE", "Accept: application/sdp", "x"),
            ("INVITE", [], "400 INVITE", "", "v=0\r\nbroken\r\n"),
            ("SUBSCRIBE", [], "405 SUBSCRIBE", "Allow: INVITE", ""),
            ("FOO", [], "501 FOO", "Allow: INVITE", ""),
            ("OPTIONS", [], "200 OPTIONS", "Allow: INVITE", ""),
            ("INFO", [], "481 INFO", "", ""), ("BYE", [], "481 BYE", "", ""), ("NOTIFY", [], "481 NOTIFY", "", "")]
    for method, headers, status, line, body in rows:
        branch = str(random.random())
        p.call_id = f"r{branch}"
        n = p.request(method, *headers, body=body, branch=branch)
        m = p.receive(status, skip=("100 INVITE", "180 INVITE"))
        assert not line or any(f"{k}: {v}".startswith(line) for k, v in m.headers), (status, m.headers)
        if method == "INVITE":
            p.request("ACK", to_tag=m.tag("To"), cseq=n, branch=branch)
    p.request("BYE", to_tag="nobody")
    p.receive("481 BYE")


def scenario_busy(p):
    """A second call gets 486 while the first one stands, OPTIONS too: RFC 3261 §11.2, §21.4.24."""
    first = p.calling()
    first_id, p.call_id = p.call_id, "second"
    n = p.request("INVITE", body=p.sdp(), branch="second")
    m = p.receive("486 INVITE")
    p.request("ACK", to_tag=m.tag("To"), cseq=n, branch="second")
    p.request("OPTIONS")
    p.receive("486 OPTIONS")
    p.call_id = first_id
    p.request("BYE", to_tag=first.tag("To"))
    p.receive("200 BYE")
    p.event("ended", by="remote")


def scenario_bye_before_the_answer(p):
    """BYE in an early dialog: 200, and 487 to the INVITE.  RFC 3261 §15.1.2."""
    n = p.request("INVITE", body=p.sdp(), branch="x")
    m = p.receive("180 INVITE")
    p.request("BYE", "Reason: Q.850;cause=16", to_tag=m.tag("To"))
    p.receive("200 BYE")
    p.receive("487 INVITE")
    p.request("ACK", to_tag=m.tag("To"), cseq=n, branch="x")
    p.event("ended", by="remote", reason="Q.850;cause=16")


def scenario_within_a_call(p):
    """UPDATE and re-INVITE hold and resume; a CSeq that goes back gets 500, a wrong codec 488, and the session stands."""
    ok = p.calling()
    tag = ok.tag("To")
    p.request("UPDATE", to_tag=tag, body=p.sdp(more="a=sendonly\r\n"))
    assert "a=recvonly" in p.receive("200 UPDATE").body
    p.event("held", by="remote")
    p.request("UPDATE", to_tag=tag)
    assert p.receive("200 UPDATE").body == ""
    n = p.request("INVITE", to_tag=tag, body=p.sdp(), branch="re")
    assert "a=sendrecv" in p.receive("200 INVITE").body
    p.request("ACK", to_tag=tag, cseq=n)
    p.event("resumed", by="remote")
    n = p.request("INVITE", to_tag=tag, body=p.sdp(pt="18"), branch="re2")
    p.receive("488 INVITE")
    p.request("ACK", to_tag=tag, cseq=n, branch="re2")
    p.request("INFO", to_tag=tag)
    p.receive("200 INFO")
    p.request("INFO", to_tag=tag, cseq=1)
    p.receive("500 INFO")
    p.request("INVITE", to_tag=tag, branch="re3")                       # an offer wanted
    assert "m=audio" in p.receive("200 INVITE").body
    p.request("ACK", to_tag=tag, cseq=p.cseq, body=p.sdp())
    p.request("BYE", to_tag=tag)
    p.receive("200 BYE")
    p.event("ended", by="remote")


def scenario_reinvite_unacknowledged(p):
    """A re-INVITE whose ACK is lost: the next one is put off with Retry-After, copies of the 200 go on.  RFC 3261 §14.2."""
    tag = p.calling().tag("To")
    p.request("INVITE", to_tag=tag, body=p.sdp(), branch="one")
    p.receive("200 INVITE")
    n = p.request("INVITE", to_tag=tag, body=p.sdp(), branch="two")
    m = p.receive("500 INVITE", skip=("100 INVITE", "200 INVITE"))
    assert m.get("Retry-After")
    p.request("ACK", to_tag=tag, cseq=n, branch="two")


def scenario_text_of_any_octets(p):
    """What is no UTF-8 does not break the event: every line is JSON."""
    p.request("MESSAGE", "Content-Type: text/plain", 'P-Asserted-Identity: "N\xff" <sip:n@x>, <tel:+49>', body="a\x00b\xff\xc3\xa9\r\n")
    p.receive("200 MESSAGE")
    e = p.event("message-received")
    assert e["text"] == "a?b?\u00e9\r\n" and e["assertedIdentity"] == ["sip:n@x", "tel:+49"], e


OPTIONS = {"no_ack": ["--t1-ms", "30"], "no_prack": ["--t1-ms", "30"], "their_resources_do_not_come": ["--t1-ms", "20"],
           "reinvite_unacknowledged": ["--t1-ms", "50"], "bye_before_the_answer": ["--answer", "manual"],
           "refusals": ["--ring-ms", "0"]}


def main():
    failed = 0
    names = [n for n in globals() if n.startswith("scenario_")]
    for number, name in enumerate(names, 1):
        options = OPTIONS.get(name[len("scenario_"):], ["--t1-ms", "300", "--ring-ms", "10"])
        try:
            with Peer(number, *options) as p:
                globals()[name](p)
        except (AssertionError, OSError) as e:
            print(f"FAILED: {name}: {e}")
            failed += 1
    print(f"{len(names) - failed} of {len(names)} scenarios")
    return 1 if failed else 0


sys.exit(main())
