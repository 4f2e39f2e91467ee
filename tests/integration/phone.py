"""A bare SIP phone: it says exactly what a case wants said, right or wrong, over UDP or TCP, and waits for what must come back.

Digest MD5, SHA-256 (RFC 7616) and AKAv1-MD5 (RFC 3310).  Shares no code with the daemons.
"""

import base64
import hashlib
import os
import re
import select
import socket
import time

from aka import Usim
from cases import Fail
from core import K, OPC

T1_S, T2_S = 0.5, 4.0
ANSWER_S = 40.0			# of a busy machine; what must be quicker is measured
COMPACT = {"i": "call-id", "m": "contact", "l": "content-length", "c": "content-type", "f": "from", "t": "to", "v": "via",
           "k": "supported", "r": "refer-to", "o": "event", "s": "subject", "e": "content-encoding"}
SDP = ("v=0\r\no=- 1 1 IN {family} {ip}\r\ns=-\r\nc=IN {family} {ip}\r\nt=0 0\r\nm=audio 40000 RTP/AVP 8 0\r\n"
       "a=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\n")


def token(n=8):
    """Random text."""
    return os.urandom(n).hex()


class Message:
    """A parsed message."""

    def __init__(self, text):
        head, _, self.body = text.partition("\r\n\r\n")
        lines = re.sub(r"\r\n[ \t]+", " ", head).split("\r\n")
        self.start, self.headers, self.text = lines[0], [], text
        for line in lines[1:]:
            name, _, value = line.partition(":")
            name = name.strip().lower()
            self.headers.append((COMPACT.get(name, name), value.strip()))
        m = re.match(r"SIP/2\.0 (\d{3}) ?(.*)", self.start)
        self.status, self.reason = (int(m.group(1)), m.group(2)) if m else (0, "")
        self.method = (self.get("CSeq").split() or [""])[-1] if m else self.start.split(" ")[0]
        self.uri = "" if m else (self.start.split(" ") + [""])[1]

    def all(self, name):
        """Every value of a header, each line one."""
        return [v for n, v in self.headers if n == name.lower()]

    def get(self, name):
        """The first, or empty."""
        return (self.all(name) or [""])[0]

    def listed(self, name):
        """Every value of a header whose values stand between commas too (name-addr in brackets)."""
        return [v.strip() for line in self.all(name) for v in re.findall(r'(?:[^,"<]|"[^"]*"|<[^>]*>)+', line)]

    def __str__(self):
        return self.start

    @property
    def key(self):
        """What makes a request the same when it comes again."""
        return self.get("Via"), self.get("CSeq")


def params(value):
    """name=value pairs of a challenge."""
    return {k.lower(): v.strip('"') for k, v in re.findall(r'([\w-]+)\s*=\s*("[^"]*"|[^,\s]+)', value)}


def uri_of(value):
    """The URI of a name-addr."""
    m = re.search(r"<([^>]*)>", value)
    return m.group(1) if m else value.split(";")[0]


class Phone:
    """One subscriber's phone at ip:port, port 0 for any.  usim: an aka.Usim, else the subscriber's password or default keys count."""

    def __init__(self, core, sub, ip, port=5060, transport="udp", usim=None, password=None, proxy=None):
        self.core, self.sub, self.ip, self.port, self.transport = core, sub, ip, port, transport
        self.host, self.family = (f"[{ip}]", socket.AF_INET6) if ":" in ip else (ip, socket.AF_INET)
        self.proxy = proxy or core.addr("pcscf")
        self.usim = usim or (None if sub.password else Usim(bytes.fromhex(K), bytes.fromhex(OPC)))
        self.password = password or sub.password
        self.impu, self.cseq, self.tag = core.impu(sub), int(time.time()) % 100000, token()
        self.reg_call_id, self.queue, self.answered, self.stream = token(), [], {}, b""
        self.challenge = None
        self.sock = self._open()
        self.port = self.sock.getsockname()[1]
        self.contact = f"sip:{sub.imsi}@{self.host}:{self.port}" + (";transport=tcp" if transport == "tcp" else "")

    def _open(self):
        if self.transport == "udp":
            s = socket.socket(self.family, socket.SOCK_DGRAM)
            s.bind((self.ip, self.port))
            return s
        s = socket.socket(self.family, socket.SOCK_STREAM)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind((self.ip, self.port))
        s.connect(self.proxy)
        return s

    def close(self):
        """Gone without a word."""
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # ---- the wire ----

    def send(self, text, to=None):
        """Raw text to the proxy."""
        data = text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text
        if self.transport == "udp":
            self.sock.sendto(data, to or self.proxy)
        else:
            self.sock.sendall(data)

    def read(self, seconds):
        """Takes in what is there within that time; False when nothing came."""
        if not select.select([self.sock], [], [], max(0, seconds))[0]:
            return False
        try:
            data = self.sock.recv(65536)
        except ConnectionResetError:
            raise Fail("the connection was reset") from None
        if self.transport == "udp":
            self._take(data)
            return True
        return self.take_stream(data)

    def take_stream(self, data):
        """Takes in what was read off a connection."""
        if not data:
            raise Fail("the connection was closed")
        self.stream += data
        while True:
            head, sep, rest = self.stream.lstrip(b"\r\n").partition(b"\r\n\r\n")
            m = re.search(rb"(?im)^(?:content-length|l)\s*:\s*(\d+)", head)
            if not sep or not m or len(rest) < int(m.group(1)):
                return True
            n = int(m.group(1))
            self.stream = rest[n:]
            self._take(head + sep + rest[:n])

    def _take(self, data):
        if not data.strip():
            return
        m = Message(data.decode("utf-8", "surrogateescape"))
        if not m.status and m.key in self.answered:		# comes again: the answer goes again
            if self.answered[m.key]:
                self.send(self.answered[m.key])
            return
        self.queue.append(m)

    def expect(self, fits, seconds, what, again=None):
        """The first message for which fits(message); `again` is text to retransmit on UDP until then."""
        end, interval = time.monotonic() + seconds, T1_S
        due, looked = time.monotonic() + interval, 0
        while True:
            while looked < len(self.queue):
                if fits(self.queue[looked]):
                    return self.queue.pop(looked)
                looked += 1
            now = time.monotonic()
            if now >= end:
                raise Fail(f"{what} did not come within {seconds:g} s" +
                           (f"; there is: {', '.join(str(m) for m in self.queue)}" if self.queue else ""))
            if again and self.transport == "udp" and now >= due:
                self.send(again)
                interval = min(2 * interval, T2_S)
                due = now + interval
            self.read(min(end, due if again else end) - now)

    def nothing(self, fits, seconds, what):
        """Fails when such a message comes within that time."""
        try:
            m = self.expect(fits, seconds, what)
        except Fail:
            return
        raise Fail(f"{what}: {m}")

    # ---- requests ----

    def build(self, method, uri, headers=None, body="", to=None, call_id=None, cseq=None, to_tag=None, branch=None, from_uri=None):
        """Text of a request.  headers: {name: value, list of values, or None to leave out} over the usual ones."""
        if cseq is None:
            self.cseq += 1
            cseq = self.cseq
        usual = {
            "Via": f"SIP/2.0/{self.transport.upper()} {self.host}:{self.port};branch={branch or 'z9hG4bK' + token()};rport",
            "Max-Forwards": "70",
            "From": f"<{from_uri or self.impu}>;tag={self.tag}",
            "To": f"<{to or uri}>" + (f";tag={to_tag}" if to_tag else ""),
            "Call-ID": call_id or token(),
            "CSeq": f"{cseq} {method}",
            "Contact": f"<{self.contact}>",
        }
        given = dict(headers or {})
        lines = [f"{method} {uri} SIP/2.0"]
        for name, value in list(usual.items()) + [(k, v) for k, v in given.items() if k not in usual]:
            value = given.get(name, value)
            for one in value if isinstance(value, list) else [] if value is None else [value]:
                lines.append(f"{name}: {one}")
        if body and "Content-Type" not in given:
            lines.append("Content-Type: " + ("application/sdp" if body.startswith("v=0") else "text/plain"))
        if "Content-Length" not in given:
            lines.append(f"Content-Length: {len(body.encode())}")
        return "\r\n".join(lines) + "\r\n\r\n" + body

    def start(self, method, uri, headers=None, body="", **more):
        """Sends a request and returns it parsed; its answer is for final()."""
        text = self.build(method, uri, headers, body, **more)
        self.send(text)
        return Message(text)

    def answer_to(self, req, seconds, what, fits, again=True):
        """A response to that request."""
        return self.expect(lambda m: m.status and m.get("Call-ID") == req.get("Call-ID") and m.get("CSeq") == req.get("CSeq") and fits(m),
                           seconds, what, req.text if again else None)

    def provisional(self, req, status, seconds=ANSWER_S):
        """That 1xx."""
        return self.answer_to(req, seconds, f"{status} to {req.method}", lambda m: m.status == status, again=False)

    def final(self, req, seconds=ANSWER_S):
        """The final response; a refused INVITE is acknowledged."""
        r = self.answer_to(req, seconds, f"a final response to {req.method}", lambda m: m.status >= 200, again=req.method != "INVITE")
        if req.method == "INVITE" and r.status >= 300:
            self.ack_refusal(req, r)
        return r

    def ack_refusal(self, req, r):
        """ACK of a final response that is no 2xx (RFC 3261 §17.1.1.3)."""
        self.send(f"ACK {req.uri} SIP/2.0\r\nVia: {req.get('Via')}\r\nMax-Forwards: 70\r\nFrom: {req.get('From')}\r\nTo: {r.get('To')}\r\n"
                  + "".join(f"Route: {v}\r\n" for v in req.all("Route"))
                  + f"Call-ID: {req.get('Call-ID')}\r\nCSeq: {req.get('CSeq').split()[0]} ACK\r\nContent-Length: 0\r\n\r\n")

    def ask(self, method, uri, headers=None, body="", seconds=ANSWER_S, **more):
        """A request and its final response."""
        return self.final(self.start(method, uri, headers, body, **more), seconds)

    # ---- answers ----

    def incoming(self, method, seconds=ANSWER_S):
        """The next request of that method."""
        return self.expect(lambda m: not m.status and m.method == method, seconds, f"a {method}")

    def reply(self, req, status, reason="x", headers=None, body="", tag=None):
        """Sends a response to a request that came."""
        to = req.get("To")
        if status > 100 and ";tag=" not in to:
            to += f";tag={tag or self.tag}"
        lines = [f"SIP/2.0 {status} {reason}"] + [f"Via: {v}" for v in req.all("Via")] + [f"Record-Route: {v}" for v in req.all("Record-Route")]
        lines += [f"From: {req.get('From')}", f"To: {to}", f"Call-ID: {req.get('Call-ID')}", f"CSeq: {req.get('CSeq')}"]
        if status < 300:
            lines.append(f"Contact: <{self.contact}>")
        for name, value in (headers or {}).items():
            lines += [f"{name}: {v}" for v in (value if isinstance(value, list) else [value])]
        if body:
            lines.append("Content-Type: application/sdp")
        text = "\r\n".join(lines) + f"\r\nContent-Length: {len(body)}\r\n\r\n{body}"
        self.answered[req.key] = text
        self.send(text)
        return Message(text)

    # ---- registration ----

    def credentials(self, method, uri, r, uri_param=None):
        """Authorization for a 401 or 407."""
        c = params(r.get("WWW-Authenticate") or r.get("Proxy-Authenticate"))
        uri = uri_param or uri
        algorithm, extra, secret = c.get("algorithm", "MD5"), "", None
        if algorithm.upper().startswith("AKAV1"):
            secret, auts = self.usim.answer(base64.b64decode(c["nonce"]))
            if auts:
                extra, secret = f', auts="{base64.b64encode(auts).decode()}"', b""
        else:
            secret = self.password.encode()
        h = hashlib.sha256 if algorithm.upper().startswith("SHA-256") else hashlib.md5
        user, realm = self.core.impi(self.sub), c["realm"]
        ha1 = h(f"{user}:{realm}:".encode() + secret).hexdigest()
        ha2 = h(f"{method}:{uri}".encode()).hexdigest()
        text = f'Digest username="{user}", realm="{realm}", nonce="{c["nonce"]}", uri="{uri}", algorithm={algorithm}{extra}'
        if "qop" in c:
            cnonce, nc = token(), "00000001"
            response = h(f"{ha1}:{c['nonce']}:{nc}:{cnonce}:auth:{ha2}".encode()).hexdigest()
            text += f', qop=auth, cnonce="{cnonce}", nc={nc}'
        else:
            response = h(f"{ha1}:{c['nonce']}:{ha2}".encode()).hexdigest()
        if "opaque" in c:
            text += f', opaque="{c["opaque"]}"'
        return text + f', response="{response}"'

    def register_once(self, authorization=None, expires=3600, headers=None, **more):
        """One REGISTER and its final response."""
        uri = "sip:" + self.core.domain
        h = {"Expires": str(expires), "Authorization": authorization, "Supported": "path"}
        h.update(headers or {})
        return self.ask("REGISTER", uri, h, to=self.impu, call_id=self.reg_call_id, **more)

    def register(self, expires=3600, headers=None, first=None):
        """REGISTER, its challenges, and the last final response.  first: Authorization of the first one."""
        r = self.register_once(first, expires, headers)
        for _ in range(3):
            if r.status != 401:
                break
            self.challenge = r
            r = self.register_once(self.credentials("REGISTER", "sip:" + self.core.domain, r), expires, headers)
        return r

    def must_register(self, **how):
        """As register(), and 200."""
        r = self.register(**how)
        if r.status != 200:
            raise Fail(f"{self.sub.imsi} cannot register: {r}")
        return r

    # ---- calls ----

    def sdp(self):
        """An offer or answer."""
        return SDP.format(ip=self.ip, family="IP6" if ":" in self.ip else "IP4")

    def invite(self, uri, headers=None, **more):
        """INVITE with an offer."""
        return self.start("INVITE", uri, headers, self.sdp(), **more)


class Dialog:
    """One side of a call: from the INVITE and its 2xx (or 1xx)."""

    def __init__(self, phone, req, r, caller):
        self.phone = phone
        mine, theirs = (req.get("From"), r.get("To")) if caller else (r.get("To"), req.get("From"))
        self.call_id, self.mine, self.theirs = req.get("Call-ID"), mine, theirs
        routes = (r if caller else req).listed("Record-Route")
        self.routes = routes[::-1] if caller else routes
        self.target = uri_of((r if caller else req).get("Contact"))

    def start(self, method, headers=None, body="", cseq=None):
        """Sends a request inside the dialog."""
        h = {"From": self.mine, "To": self.theirs, "Route": self.routes or None}
        h.update(headers or {})
        return self.phone.start(method, self.target, h, body, call_id=self.call_id, cseq=cseq)

    def ask(self, method, headers=None, body="", seconds=ANSWER_S):
        """And its answer."""
        return self.phone.final(self.start(method, headers, body), seconds)

    def ack(self, req):
        """ACK of a 2xx."""
        self.start("ACK", cseq=int(req.get("CSeq").split()[0]))


def call(a, b, uri, headers=None):
    """a calls b, b answers: (dialog of a, dialog of b, the INVITE as b saw it)."""
    inv = a.invite(uri, headers)
    seen = b.incoming("INVITE")
    b.reply(seen, 180, "Ringing")
    a.provisional(inv, 180)
    ok = b.reply(seen, 200, "OK", body=b.sdp())
    r = a.final(inv)
    if r.status != 200:
        raise Fail(f"the call ended with {r}")
    da = Dialog(a, inv, r, True)
    da.ack(inv)
    b.incoming("ACK")
    return da, Dialog(b, seen, ok, False), seen


def hang_up(one, other):
    """BYE and its 200."""
    bye = one.start("BYE")
    other.phone.reply(other.phone.incoming("BYE"), 200, "OK")
    r = one.phone.final(bye)
    if r.status != 200:
        raise Fail(f"BYE: {r}")
