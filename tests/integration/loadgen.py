"""Phones in numbers: one loop that registers new ones and makes calls at a steady rate, and accounts for each request that left.

Nothing is decided here: every request ends as a Request with its final response, or with none.
"""

import hashlib
import heapq
import re
import selectors
import socket
import time

from phone import SDP, params, token, uri_of

T1_S, T2_S, LIMIT_S = 0.5, 4.0, 32.0		# RFC 3261 §17.1; a phone gives up after 64*T1
STATUS = re.compile(rb"SIP/2\.0 (\d{3})")
BRANCH = re.compile(rb"(?im)^Via:[^\r]*?;branch=(z9hG4bK[^;,\r]+)")
WAY = re.compile(rb"(?im)^(?:Via|From|To|Call-ID|CSeq|Record-Route):[^\r]*\r\n")


def header(data, name):
    """The first header of that name, or empty."""
    m = re.search(rb"(?im)^" + name + rb":[ \t]*([^\r]*)", data)
    return m.group(1).decode() if m else ""


class Request:
    """One that a phone sent, until its final response."""

    def __init__(self, end, method, text, branch, then, about):
        self.end, self.method, self.text, self.branch, self.then, self.about = end, method, text, branch, then, about
        self.began, self.took, self.status, self.retry_after, self.answer = time.monotonic(), None, None, "", b""
        self.provisional, self.interval = False, T1_S

    def __str__(self):
        return f"{self.method} of {self.about} {self.status or 'without an answer'}"


class End:
    """A phone: a socket, an identity, a password."""

    def __init__(self, load, sub, ip):
        self.load, self.sub, self.cseq = load, sub, 0
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.sock.bind((ip, 0))
        self.sock.setblocking(False)
        self.ip, self.port = self.sock.getsockname()

    def head(self, method, uri, to, call_id, tag, impu, branch, more):
        """Text of a request."""
        self.cseq += 1
        user = impu[4:].split("@", maxsplit=1)[0]
        return (f"{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {self.ip}:{self.port};branch={branch};rport\r\nMax-Forwards: 70\r\n"
                f"From: <{impu}>;tag={tag}\r\nTo: {to}\r\nCall-ID: {call_id}\r\nCSeq: {self.cseq} {method}\r\n"
                f"Contact: <sip:{user}@{self.ip}:{self.port}>\r\n{more}")


class Load:
    """Registrations and calls; `requests` are those that began, in their order."""

    def __init__(self, core, proxy):
        self.core, self.proxy = core, proxy
        self.requests, self.open, self.timers, self.sel = [], {}, [], selectors.DefaultSelector()
        self.n, self.answered, self.unacknowledged = 0, {}, {}

    # ---- the wire ----

    def phone(self, sub, ip):
        """A new one."""
        e = End(self, sub, ip)
        self.sel.register(e.sock, selectors.EVENT_READ, e)
        return e

    def later(self, seconds, fn, *args):
        """fn(*args) after that time."""
        self.n += 1
        heapq.heappush(self.timers, (time.monotonic() + seconds, self.n, fn, args))

    def out(self, end, data):
        """A full socket is a lost datagram."""
        try:
            end.sock.sendto(data, self.proxy)
        except BlockingIOError:
            pass

    def send(self, end, method, text, branch, then, about):
        """A request with its retransmissions; then(request) when it is over."""
        r = Request(end, method, text.encode(), branch, then, about)
        self.requests.append(r)
        self.open[branch.encode()] = r
        self.out(end, r.text)
        self.later(T1_S, self.again, r)
        return r

    def again(self, r):
        """Timers A, B, E and F."""
        if r.status or r.took is not None:
            return
        if time.monotonic() - r.began > LIMIT_S:
            self.over(r)
            return
        if r.method != "INVITE" or not r.provisional:
            self.out(r.end, r.text)
        r.interval = min(2 * r.interval, T2_S)
        self.later(r.interval, self.again, r)

    def over(self, r):
        """It has ended, well or not."""
        self.open.pop(r.branch.encode(), None)
        r.took = time.monotonic() - r.began
        if r.then:
            r.then(r)

    def run(self, seconds, until=lambda: False):
        """Everything that is due within that time, or until it says so."""
        end = time.monotonic() + seconds
        while not until():
            now = time.monotonic()
            if now >= end:
                return
            while self.timers and self.timers[0][0] <= now:
                _, _, fn, args = heapq.heappop(self.timers)
                fn(*args)
            wait = min(end, self.timers[0][0] if self.timers else end) - time.monotonic()
            for key, _ in self.sel.select(max(0, min(wait, 0.05))):
                for _ in range(64):
                    try:
                        data = key.data.sock.recv(65536)
                    except (BlockingIOError, ConnectionError):
                        break
                    self.take(key.data, data)

    def take(self, end, data):
        """One message."""
        m = STATUS.match(data)
        if m:
            self.response(end, int(m.group(1)), data)
        elif data.startswith(b"ACK "):
            self.unacknowledged.pop((end.port, header(data, rb"Call-ID")), None)
        elif data.strip():
            self.serve(end, data)

    def response(self, end, status, data):
        """A 2xx that comes again is acknowledged again by who sent the ACK."""
        branch = BRANCH.search(data)
        r = self.open.get(branch.group(1)) if branch else None
        if not r:
            again = self.answered.get((end.port, branch.group(1) if branch else b""))
            if again:
                self.out(end, again)
            return
        if status < 200:
            r.provisional = True
            return
        r.status, r.answer, r.retry_after = status, data, header(data, rb"Retry-After")
        if r.method == "INVITE" and status >= 300:
            self.refused(r)
        self.over(r)

    def refused(self, r):
        """ACK of a refusal (RFC 3261 §17.1.1.3)."""
        text = re.sub(rb"^INVITE", b"ACK", r.text.split(b"\r\n\r\n")[0])
        text = re.sub(rb"(?im)^CSeq: (\d+) INVITE", rb"CSeq: \1 ACK", text)
        text = re.sub(rb"(?im)^(?:Content-Type|Content-Length|Contact):[^\r]*(\r\n|$)", b"", text).rstrip(b"\r\n")
        text = re.sub(rb"(?im)^To:[^\r]*", b"To: " + header(r.answer, rb"To").encode(), text)
        ack = text + b"\r\nContent-Length: 0\r\n\r\n"
        self.answered[r.end.port, r.branch.encode()] = ack
        self.out(r.end, ack)

    def serve(self, end, data):
        """Whoever is called rings and answers; whatever else comes is fine."""
        way = b"".join(WAY.findall(data))
        invite = data.startswith(b"INVITE ")
        if not re.search(rb"(?im)^To:[^\r]*;tag=", way):
            way = re.sub(rb"(?im)^(To:[^\r]*)", rb"\1;tag=b" + str(end.port).encode(), way, count=1)
        contact = f"Contact: <sip:x@{end.ip}:{end.port}>\r\n".encode() if invite else b""
        body = SDP.format(ip=end.ip, family="IP4").encode() if invite else b""
        more = b"Content-Type: application/sdp\r\n" if invite else b""
        ok = b"SIP/2.0 200 OK\r\n" + way + contact + more + b"Content-Length: %d\r\n\r\n" % len(body) + body
        if invite:
            self.out(end, b"SIP/2.0 180 Ringing\r\n" + way + contact + b"Content-Length: 0\r\n\r\n")
            key = end.port, header(data, rb"Call-ID")
            self.unacknowledged[key] = ok
            self.later(T1_S, self.answer_again, end, key, T1_S)
        self.out(end, ok)

    def answer_again(self, end, key, interval):
        """A 2xx until its ACK comes (RFC 3261 §13.3.1.4)."""
        if key in self.unacknowledged and interval < LIMIT_S:
            self.out(end, self.unacknowledged[key])
            self.later(min(2 * interval, T2_S), self.answer_again, end, key, interval * 2)

    # ---- what phones do ----

    def register(self, end, impi, password, then):
        """REGISTER, and again with the answer to the challenge; then(the last of them)."""
        impu, call_id, tag = "sip:" + impi, token(), token()
        uri = "sip:" + self.core.domain

        def one(authorization, next_fn):
            branch = "z9hG4bK" + token()
            text = end.head("REGISTER", uri, f"<{impu}>", call_id, tag, impu, branch,
                            f"Expires: 3600\r\nSupported: path\r\n{authorization}Content-Length: 0\r\n\r\n")
            self.send(end, "REGISTER", text, branch, next_fn, impi)

        def challenged(r):
            if r.status != 401:
                then(r)
                return
            one(f"Authorization: {credentials(impi, password, uri, header(r.answer, rb'WWW-Authenticate'))}\r\n", then)

        one("", challenged)

    def call(self, end, impu, target, hold_s, then=None):
        """INVITE, and a BYE hold_s after its 2xx; None: it stays up.  then(the INVITE)."""
        branch, call_id, tag = "z9hG4bK" + token(), token(), token()
        body = SDP.format(ip=end.ip, family="IP4")
        text = end.head("INVITE", target, f"<{target}>", call_id, tag, impu, branch,
                        f"Content-Type: application/sdp\r\nContent-Length: {len(body)}\r\n\r\n{body}")

        def answered(r):
            if r.status == 200:
                r.dialog = Up(self, end, impu, call_id, tag, r.answer)
                self.answered[end.port, r.branch.encode()] = r.dialog.ack(header(r.answer, rb"CSeq").split()[0])
                if hold_s is not None:
                    self.later(hold_s, r.dialog.ask, "BYE")
            if then:
                then(r)

        self.send(end, "INVITE", text, branch, answered, impu)


class Up:
    """A call that is up, at the caller."""

    def __init__(self, load, end, impu, call_id, tag, answer):
        self.load, self.end, self.impu, self.call_id, self.tag = load, end, impu, call_id, tag
        self.to = header(answer, rb"To")
        self.target = uri_of(header(answer, rb"Contact"))
        lines = re.findall(rb"(?im)^Record-Route:[ \t]*([^\r]*)", answer)
        self.routes = "".join(f"Route: {v.strip()}\r\n" for v in re.findall(r"<[^>]*>[^,]*", ",".join(x.decode() for x in lines))[::-1])

    def text(self, method, branch):
        """A request inside the dialog."""
        return self.end.head(method, self.target, self.to, self.call_id, self.tag, self.impu, branch, f"{self.routes}Content-Length: 0\r\n\r\n")

    def ack(self, cseq):
        """The ACK of the 2xx, sent."""
        text = re.sub(r"CSeq: \d+ ACK", f"CSeq: {cseq} ACK", self.text("ACK", "z9hG4bK" + token())).encode()
        self.load.out(self.end, text)
        return text

    def ask(self, method):
        """A request within it."""
        branch = "z9hG4bK" + token()
        return self.load.send(self.end, method, self.text(method, branch), branch, None, self.impu)


def credentials(impi, password, uri, challenge):
    """Authorization of a REGISTER by SIP Digest (RFC 7616 with MD5)."""
    c = params(challenge)
    md5 = lambda text: hashlib.md5(text.encode()).hexdigest()		# noqa: E731
    cnonce, ha1, ha2 = token(), md5(f"{impi}:{c['realm']}:{password}"), md5(f"REGISTER:{uri}")
    response = md5(f"{ha1}:{c['nonce']}:00000001:{cnonce}:auth:{ha2}")
    return (f'Digest username="{impi}", realm="{c["realm"]}", nonce="{c["nonce"]}", uri="{uri}", algorithm=MD5, qop=auth, '
            f'cnonce="{cnonce}", nc=00000001, response="{response}"')
