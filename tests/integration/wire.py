"""Raw octets for a daemon and what comes of them: the answer, what arrived at the far end, a closed connection, or nothing."""

import os
import re
import select
import socket
import threading
import time

from cases import Fail, equal, wait_for
from core import sanitized
from phone import Message, Phone, T1_S

SIP_PORT = 5060
QUIET_S = 0.12			# nothing came back within this, and a probe behind it was answered: the message was dropped
FINAL_S = 10.0
SLACK = 3 if os.environ.get("CSCF_SLOW") else 1


def slow_build(build):
    """Tells this module that the build has sanitizers; True then."""
    global SLACK						# pylint: disable=global-statement
    if sanitized(build):
        SLACK = 3
    return SLACK > 1


def via_ports(data):
    """Ports that the Vias of raw messages name: answers go there (RFC 3261 §18.2.2)."""
    return {int(p) for p in re.findall(rb"(?im)^v(?:ia)?\s*:\s*SIP\s*/\s*2\.0\s*/\s*\S+\s+(?:\[[^\]]*\]|[^;:,\s]+):(\d{1,5})\b", data)
            if 0 < int(p) < 65536}


def message(data):
    """A message out of octets, line ends of either kind."""
    return Message(re.sub(r"\r?\n", "\r\n", data.decode("utf-8", "surrogateescape").lstrip("\r\n")))


def identity(m):
    """What a response has in common with its request, however odd both are: Call-ID and branch."""
    branch = re.search(r";\s*branch\s*=\s*([^;,\s]*)", m.get("Via"))
    return m.get("Call-ID"), branch.group(1) if branch else ""


class FarEnd(threading.Thread):
    """A neighbour over UDP and TCP: keeps every request as it came and answers it, INVITE with 480, the rest with 200."""

    def __init__(self, ip, port=SIP_PORT):
        super().__init__(daemon=True)
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind((ip, port))
        self.tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.tcp.bind((ip, port))
        self.tcp.listen(16)
        self.lock, self.seen, self.streams, self.running = threading.Lock(), [], {}, True
        self.start()

    def close(self):
        """Stops it."""
        self.running = False
        self.join(5)
        for s in [self.udp, self.tcp, *self.streams]:
            s.close()

    def run(self):
        while self.running:
            for s in select.select([self.udp, self.tcp, *self.streams], [], [], 0.05)[0]:
                if s is self.udp:
                    data, source = s.recvfrom(65536)
                    self._take(data, lambda text, to=source: self.udp.sendto(text, to))
                elif s is self.tcp:
                    self.streams[s.accept()[0]] = b""
                else:
                    self._stream(s)

    def _stream(self, s):
        try:
            data = s.recv(65536)
        except OSError:
            data = b""
        if not data:
            del self.streams[s]
            s.close()
            return
        buf = self.streams[s] + data
        while True:
            head, sep, rest = buf.lstrip(b"\r\n").partition(b"\r\n\r\n")
            m = re.search(rb"(?im)^(?:content-length|l)\s*:\s*(\d+)", head)
            if not sep or not m or len(rest) < int(m.group(1)):
                break
            n = int(m.group(1))
            self._take(head + sep + rest[:n], s.sendall)
            buf = rest[n:]
        self.streams[s] = buf

    def _take(self, data, send):
        m = message(data)
        if m.status or not data.strip():
            return
        with self.lock:
            self.seen.append((identity(m)[0], data))
        if m.method == "ACK":
            return
        to = m.get("To") + ("" if "tag=" in m.get("To") else ";tag=far")
        lines = ["SIP/2.0 " + ("480 Away" if m.method == "INVITE" else "200 OK")] + [f"Via: {v}" for v in m.all("Via")]
        lines += [f"From: {m.get('From')}", f"To: {to}", f"Call-ID: {m.get('Call-ID')}", f"CSeq: {m.get('CSeq')}", "Content-Length: 0"]
        try:
            send(("\r\n".join(lines) + "\r\n\r\n").encode("utf-8", "surrogateescape"))
        except OSError:
            pass

    def taken(self, call_id=None):
        """What came since the last call, with that Call-ID or at all; no ACKs, and what came again counts once."""
        with self.lock:
            mine = [d for c, d in self.seen if call_id in (None, c)]
            self.seen = [(c, d) for c, d in self.seen if call_id not in (None, c)]
        return [d for d in dict.fromkeys(mine) if not d.startswith(b"ACK ")]


class Outcome:
    """What came of a message."""

    def __init__(self, data=b""):
        self.sent = identity(message(data))
        self.responses, self.requests, self.forwarded, self.closed = [], [], [], False

    @property
    def statuses(self):
        """All of them, in order."""
        return [m.status for m in self.responses]

    @property
    def final(self):
        """The first final response's status, or 0."""
        return next((s for s in self.statuses if s >= 200), 0)

    def __str__(self):
        out = [str(m) for m in self.responses if m.status > 100]
        if self.forwarded:
            out.append("forwarded")
        if self.closed:
            out.append("closed")
        return ", ".join(out) or "nothing"


class Wire:
    """One sender toward one daemon.  With a subscriber it is that one's phone, registered; UDP always from port 5060.

    More ports are opened where the messages say that they want their answers there.
    """

    def __init__(self, core, node, sub, ip, transport, far=None, registered=False, ports=()):
        self.core, self.node, self.sub, self.ip, self.transport, self.far = core, node, sub, ip, transport, far
        self.registered, self.phone, self.extra = registered, None, []
        for port in sorted(set(ports) - {SIP_PORT}) if transport == "udp" else []:
            s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            s.bind((ip, port))
            self.extra.append(s)
        self.open()

    def open(self):
        """A fresh connection, registered where that is asked for."""
        if self.phone:
            self.phone.close()
        port = SIP_PORT if self.transport == "udp" else 0
        self.phone = Phone(self.core, self.sub, self.ip, port, self.transport, proxy=self.core.addr(self.node))
        if self.registered:
            self.phone.must_register()

    def close(self):
        """Gone."""
        self.phone.close()
        for s in self.extra:
            s.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _read(self, seconds, out):
        """Takes in what is there; closed connections are noted."""
        ready = select.select([self.phone.sock, *self.extra], [], [], max(0, seconds))[0]
        for s in ready:
            if s is not self.phone.sock:
                self.phone._take(s.recv(65536))			# pylint: disable=protected-access
                continue
            try:
                self.phone.read(0)
            except Fail:
                out.closed = True

    def throw(self, data, answered=False, quiet_s=QUIET_S, wait_s=FINAL_S, ack=True):
        """Sends exactly these octets, and tells what comes of them: until a final answer, a close, or silence.

        answered: something must come, so silence is not taken for an end before wait_s.  A request that went on is waited
        for until its answer is back.  ack: a refused INVITE is acknowledged.  When the connection is closed a new one is opened.
        """
        out, p = Outcome(data), self.phone
        p.queue.clear()
        if self.far:
            self.far.taken()
        try:
            p.send(data)
        except OSError:
            out.closed = True
        began = time.monotonic()
        quiet, probe = began + quiet_s * SLACK, None
        while not out.closed:
            self._read(0.02, out)
            self._collect(out, ack)
            now = time.monotonic()
            if out.final or now > began + wait_s * SLACK:
                break
            # A 100 says that more will come; a probe that is answered says that what stood before it was looked at.
            if now > quiet and not answered and not out.statuses and not out.forwarded:
                if self.transport == "tcp" or (probe and self._answered(probe, out)):
                    break
                if not probe:
                    probe = self._probe()
                if now > quiet + 5 * SLACK:
                    raise Fail(f"{self.node} does not answer any more")
        if self.far and (out.final or out.closed):
            out.forwarded += self.far.taken()
        if not out.closed:
            self._read(0, out)
        self._collect(out, ack)
        if out.closed:
            self.open()
        return out

    def _collect(self, out, ack):
        if self.far:
            out.forwarded += self.far.taken()
        for m in self.phone.queue:
            if not m.status:
                out.requests.append(m)
            elif identity(m) == out.sent:
                out.responses.append(m)
                if ack and m.status >= 300 and m.method == "INVITE":
                    self._ack(m)
        self.phone.queue = [m for m in self.phone.queue if m.get("Call-ID").startswith("probe-")]

    def _ack(self, r):
        """So that the refusal is not sent again."""
        via = (r.listed("Via") or [""])[0]
        text = (f"ACK sip:{self.core.domain} SIP/2.0\r\nVia: {via}\r\nMax-Forwards: 70\r\nFrom: {r.get('From')}\r\nTo: {r.get('To')}\r\n"
                f"Call-ID: {r.get('Call-ID')}\r\nCSeq: {r.get('CSeq').split()[0]} ACK\r\nContent-Length: 0\r\n\r\n")
        try:
            self.phone.send(text)
        except OSError:
            pass

    def _probe(self):
        host, port = self.core.addr(self.node)
        call_id = "probe-" + os.urandom(6).hex()
        self.phone.start("OPTIONS", f"sip:{host}:{port}", call_id=call_id)
        return call_id

    def _answered(self, call_id, out):
        self._read(0.02, out)
        return any(m.status and m.get("Call-ID") == call_id for m in self.phone.queue)


def alive(core, node):
    """The process is the one that was started, and REST answers."""
    equal(core.rest(node).call("GET", "/healthz")[0], 200, f"/healthz of {node}")


def figure(text, name, label=""):
    """Sum of a family's rows that have this label text."""
    return sum(float(v) for labels, v in re.findall(rf"(?m)^{name}(\{{[^}}]*\}})? ([\d.e+]+)$", text) if label in labels)


def quiet_timers(t1_ms):
    """sip settings with which a transaction is forgotten soon."""
    t = f"{{t1_ms: {t1_ms}, t2_ms: {8 * t1_ms}, t4_ms: {10 * t1_ms}, d_ms: {64 * t1_ms}}}"
    return f"timers: {t}, ue_timers: {t}"


__all__ = ["FarEnd", "Outcome", "Wire", "alive", "figure", "quiet_timers", "slow_build", "via_ports", "wait_for", "T1_S"]
