"""A crowd of phones in a process of its own: they register, call each other, change and end their calls at a steady rate, as the texts
have phones do it (retransmissions, challenges, Retry-After), and every one of them is accounted for.

    crowd = Crowd(core, subs, registrations_per_s=200, calls_per_s=100)
    ...                                   # the script does what it does to the core meanwhile
    report = crowd.finish()               # what began is ended; {"count": {...}, "lost": [...], "refused": [...], ...}

The first 2 * LINES subscribers make the calls; the others register one after the other, then again.  Both ends of a call are here, so what one
says happened can be held against what the other saw.  SIP Digest, since a crowd's AKA costs more than the core it talks to.
"""

import collections
import hashlib
import heapq
import multiprocessing
import os
import random
import re
import select
import socket
import sys
import time
import traceback

T1_S, T2_S = 0.5, 4.0
GIVE_UP_S = 32.0		# timers B and F
TRIES = 10
SOCKETS = 16
SDP = "v=0\r\no=- {n} {n} IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio 40000 RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\n"
HEADER = {n: re.compile(rb"(?im)^(?:%s)[ \t]*:[ \t]*(.*?)\r$" % n.encode())
          for n in ("Call-ID", "CSeq", "From", "To", "Contact", "Retry-After", "WWW-Authenticate", "Authentication-Info")}
ROUTES = re.compile(rb"(?im)^Record-Route[ \t]*:[ \t]*(.*?)\r$")
SERVICE_ROUTES = re.compile(rb"(?im)^Service-Route[ \t]*:[ \t]*(.*?)\r$")
VIAS = re.compile(rb"(?im)^(?:Via|Record-Route)[ \t]*:.*?\r\n")
BRANCH = re.compile(rb"(?im)^Via[ \t]*:.*?;branch=([^;,\s]+)")
PARAM = re.compile(r'(\w+)\s*=\s*("[^"]*"|[^,\s]+)')


def token():
    """Random text."""
    return f"{random.getrandbits(64):016x}"


def one(data, name):
    """First value of a header, or empty."""
    m = HEADER[name].search(data)
    return m.group(1).decode("latin-1") if m else ""


def routes(data, what):
    """Each value of a route header, in its order."""
    return [v.strip() for line in what.findall(data) for v in re.findall(r"<[^>]*>[^,]*", line.decode("latin-1"))]


def tag_of(value):
    """The tag of a From or To."""
    m = re.search(r";tag=([^;\s]+)", value)
    return m.group(1) if m else ""


class Tx:
    """A request of ours on its way: sent again until something final comes."""

    __slots__ = ("method", "data", "sock", "interval", "end", "done", "proceeding", "branch", "over", "began", "kind")

    def __init__(self, method, data, sock, branch, done, now):
        self.method, self.data, self.sock, self.branch, self.done, self.kind = method, data, sock, branch, done, method
        self.interval, self.end, self.proceeding, self.over, self.began = T1_S, now + GIVE_UP_S, False, False, now


class Person:
    """A subscriber."""

    def __init__(self, yard, sub, n):
        self.imsi, self.msisdn, self.password = sub
        self.sock, self.port = yard.socks[n % SOCKETS]
        self.impu = f"sip:{self.imsi}@{yard.domain}"
        self.contact = f"sip:{self.imsi}@{yard.ip}:{self.port}"
        self.reg_id, self.reg_tag, self.cseq = token(), token(), 1
        self.service_route, self.registered, self.busy, self.tries, self.asks = [], False, False, 0, False


class End:
    """One end of a call."""

    def __init__(self, person, call_id, mine, theirs, target, path, caller):
        self.person, self.call_id, self.mine, self.theirs, self.target, self.path = person, call_id, mine, theirs, target, path
        self.cseq, self.over, self.waits_ack, self.caller, self.other, self.tries = 1, False, None, caller, None, 0


class Yard:
    """All of it: one loop, in the child."""

    def __init__(self, facts, pipe):
        self.__dict__.update(facts)
        self.pipe, self.now = pipe, time.monotonic()
        self.rng = random.Random(1)
        self.socks, self.poll, self.heap, self.seq = [], select.epoll(), [], 0
        for _ in range(SOCKETS):
            s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
            s.bind((self.ip, 0))
            s.setblocking(False)
            self.socks.append((s, s.getsockname()[1]))
            self.poll.register(s.fileno(), select.EPOLLIN)
        self.by_fd = {s.fileno(): s for s, _ in self.socks}
        self.poll.register(pipe.fileno(), select.EPOLLIN)
        self.people = [Person(self, sub, n) for n, sub in enumerate(self.subs)]
        self.by_user = {p.imsi: p for p in self.people} | {"+" + p.msisdn: p for p in self.people}
        self.tx, self.answers, self.ends, self.old = {}, {}, {}, collections.deque()
        self.refused, self.slowest = [], collections.Counter()		# (kind, status, began, ended, Retry-After); kind -> seconds
        self.count, self.lost, self.done_at = collections.Counter(), [], {"register": [], "call": [], "change": [], "bye": [], "message": []}
        self.idle = [collections.deque(), collections.deque()]
        self.next_reg, self.stopping, self.open_calls, self.open_regs, self.paused = 0, False, 0, 0, False

    # ---- timers, the wire ----

    def at(self, when, fn, *args):
        """Calls fn then."""
        self.seq += 1
        heapq.heappush(self.heap, (when, self.seq, fn, args))

    def put(self, sock, data):
        """A datagram to the P-CSCF, unless the network loses it; it may come late, or twice."""
        if self.loss and self.rng.random() < self.loss:
            self.count["datagrams lost"] += 1
            return
        if self.late_s and self.rng.random() < 0.25:
            self.at(self.now + self.rng.random() * self.late_s, self.push, sock, data)
        else:
            self.push(sock, data)
        if self.twice and self.rng.random() < self.twice:
            self.push(sock, data)

    def push(self, sock, data):
        """Onto the wire."""
        try:
            sock.sendto(data, self.proxy)
        except (BlockingIOError, ConnectionError):
            self.count["datagrams not sent"] += 1

    def request(self, method, uri, person, headers, done, body=""):
        """Sends a request; done(status, data) has its final response, status 0 when none came."""
        branch = "z9hG4bK" + token()
        text = (f"{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {self.ip}:{person.port};branch={branch};rport\r\nMax-Forwards: 70\r\n{headers}"
                + (f"Content-Type: {'application/sdp' if method == 'INVITE' else 'text/plain'}\r\n" if body else "")
                + f"Content-Length: {len(body)}\r\n\r\n{body}")
        t = Tx(method, text.encode("latin-1"), person.sock, branch, done, self.now)
        self.tx[branch.encode()] = t
        self.put(t.sock, t.data)
        self.at(self.now + T1_S, self.again, t)
        return t

    def again(self, t):
        """Timers A and E; B and F."""
        if t.over or (t.proceeding and t.method == "INVITE"):
            return
        if self.now >= t.end:
            self.over(t, 0, b"")
            return
        self.put(t.sock, t.data)
        self.count["retransmissions"] += 1
        t.interval = t.interval * 2 if t.method == "INVITE" else min(t.interval * 2, T2_S)
        self.at(self.now + t.interval, self.again, t)

    def over(self, t, status, data):
        """Its final response, or none."""
        self.drop(t)
        self.slowest[t.kind] = max(self.slowest[t.kind], self.now - t.began)
        if not 200 <= status < 300 and status != 401:
            self.refused.append((t.kind, status, t.began, self.now, one(data, "Retry-After")))
        t.done(status, data)

    def drop(self, t):
        """It is over."""
        t.over = True
        self.tx.pop(t.branch.encode(), None)

    def cancel(self, t):
        """CANCEL of an INVITE (RFC 3261 §9.1)."""
        head = t.data.decode("latin-1").split("\r\n\r\n")[0].split("\r\n")
        keep = [h for h in head[1:] if re.match(r"(?i)(Via|Max-Forwards|From|To|Call-ID|Route):", h)]
        cseq = next(h for h in head if h.startswith("CSeq:")).split()[1]
        text = "\r\n".join([head[0].replace("INVITE", "CANCEL", 1), *keep, f"CSeq: {cseq} CANCEL", "Content-Length: 0", "", ""])
        self.put(t.sock, text.encode("latin-1"))

    def ack_refusal(self, t, data):
        """§17.1.1.3."""
        head = t.data.decode("latin-1").split("\r\n\r\n")[0].split("\r\n")
        keep = [h for h in head[1:] if re.match(r"(?i)(Via|Max-Forwards|From|Call-ID|Route):", h)]
        cseq = next(h for h in head if h.startswith("CSeq:")).split()[1]
        text = "\r\n".join([head[0].replace("INVITE", "ACK", 1), *keep, f"To: {one(data, 'To')}", f"CSeq: {cseq} ACK", "Content-Length: 0", "", ""])
        self.put(t.sock, text.encode("latin-1"))

    def reply(self, sock, data, status, reason, person, tag="", body=""):
        """A response; it is kept for retransmissions of the request."""
        to = one(data, "To")
        if tag and not tag_of(to):
            to += ";tag=" + tag
        text = (f"SIP/2.0 {status} {reason}\r\n" + b"".join(VIAS.findall(data)).decode("latin-1")
                + f"From: {one(data, 'From')}\r\nTo: {to}\r\nCall-ID: {one(data, 'Call-ID')}\r\nCSeq: {one(data, 'CSeq')}\r\nContact: <{person.contact}>\r\n"
                + ("Content-Type: application/sdp\r\n" if body else "") + f"Content-Length: {len(body)}\r\n\r\n{body}").encode("latin-1")
        self.put(sock, text)
        if status >= 200:
            key = self.key(data)
            self.answers[key] = text
            self.old.append((self.now + GIVE_UP_S, key))
        return text

    @staticmethod
    def key(data):
        """What makes a request the same when it comes again."""
        m = BRANCH.search(data)
        return (m.group(1) if m else b"", data.split(b" ", 1)[0])

    # ---- registrations ----

    def register(self, p, credentials=""):
        """REGISTER; challenges are answered, refusals tried again when they say so."""
        if not credentials:
            self.open_regs += 1
            p.began, p.asks = self.now, True
        p.cseq += 1
        headers = (f"From: <{p.impu}>;tag={p.reg_tag}\r\nTo: <{p.impu}>\r\nCall-ID: {p.reg_id}\r\nCSeq: {p.cseq} REGISTER\r\nContact: <{p.contact}>\r\n"
                   f"Expires: 3600\r\nSupported: path\r\n{credentials}")
        self.request("REGISTER", "sip:" + self.domain, p, headers, lambda status, data: self.registered(p, status, data))

    def registered(self, p, status, data):
        """A final response to it."""
        self.count[f"REGISTER {status}"] += 1
        p.tries += 1
        if status == 200:
            if not p.registered:
                self.count["registrations"] += 1
            self.count["registered"] += 1
            p.service_route, p.registered, p.tries, p.asks = routes(data, SERVICE_ROUTES), True, 0, False
            self.done_at["register"].append((p.began, self.now))
            self.open_regs -= 1
            if p.n < 2 * self.lines and not p.busy and not p.queued:
                p.queued = True
                self.idle[p.n % 2].append(p)
        elif status == 401 and p.tries < TRIES:
            self.register(p, self.credentials(p, data))
        elif p.tries < TRIES and not (status == 403):
            self.count["registrations tried again"] += 1
            wait = float(one(data, "Retry-After").split(";")[0].split()[0] if one(data, "Retry-After") else 1 + self.rng.random())
            self.at(self.now + min(wait, 10), self.register_anew, p)
        else:
            self.lost.append(f"{p.imsi}: registration refused: {status}")
            self.open_regs -= 1

    def register_anew(self, p):
        """From the beginning."""
        self.open_regs -= 1
        self.register(p)

    def credentials(self, p, data):
        """RFC 7616 with MD5."""
        c = {k.lower(): v.strip('"') for k, v in PARAM.findall(one(data, "WWW-Authenticate"))}
        user, uri = f"{p.imsi}@{self.domain}", "sip:" + self.domain

        def h(text):
            return hashlib.md5(text.encode()).hexdigest()
        realm, nonce, ha2 = c.get("realm", ""), c.get("nonce", ""), h(f"REGISTER:{uri}")
        ha1, middle, more = h(f"{user}:{realm}:{p.password}"), nonce, ""
        if "qop" in c:
            cnonce = token()
            middle, more = f"{nonce}:00000001:{cnonce}:auth", f', qop=auth, cnonce="{cnonce}", nc=00000001'
        return (f'Authorization: Digest username="{user}", realm="{realm}", nonce="{nonce}", uri="{uri}", algorithm=MD5{more}, '
                f'response="{h(f"{ha1}:{middle}:{ha2}")}"\r\n')

    # ---- calls: the caller ----

    def call(self):
        """Somebody idle calls somebody idle."""
        if not (self.idle[0] and self.idle[1]):
            self.count["calls not begun: everybody talks"] += 1
            return
        a, b = self.idle[0].popleft(), self.idle[1].popleft()
        a.busy = b.busy = True
        a.queued = b.queued = False
        self.open_calls += 1
        self.count["calls"] += 1
        call_id, uri = token(), f"sip:+{b.msisdn}@{self.domain}"
        mine = f"<{a.impu}>;tag={token()}"
        headers = ("".join(f"Route: {r}\r\n" for r in [f"<sip:{self.proxy[0]}:{self.proxy[1]};lr>"] + a.service_route)
                   + f"From: {mine}\r\nTo: <{uri}>\r\nCall-ID: {call_id}\r\nCSeq: 1 INVITE\r\nContact: <{a.contact}>\r\n")
        end = End(a, call_id, mine, f"<{uri}>", uri, [], True)
        end.peer, end.began = b, self.now
        t = self.request("INVITE", uri, a, headers, lambda status, data: self.answered(end, t, status, data), SDP.format(n=1, ip=self.ip))
        self.at(self.now + self.patience_s, self.hang, end, t)

    def hang(self, end, t):
        """No answer: the caller gives up."""
        if not t.over:
            self.count["set-ups without an answer"] += 1
            self.cancel(t)
            self.at(self.now + 2, self.forget, end, t)

    def forget(self, end, t):
        """Nor to CANCEL."""
        if not t.over:
            self.drop(t)
            self.free(end)

    def free(self, end):
        """Both may call again."""
        self.open_calls -= 1
        for p, side in ((end.person, 0), (end.peer, 1)):
            p.busy, p.queued = False, True
            self.idle[side].append(p)

    def answered(self, end, t, status, data):
        """A final response to the INVITE."""
        if status == 200:
            self.confirm(end, data)
            return
        if status:
            self.ack_refusal(t, data)
            self.count["set-ups refused"] += 1
            self.count[f"INVITE {status}"] += 1
        else:
            self.count["set-ups without an answer"] += 1
        self.free(end)

    def confirm(self, end, data):
        """2xx: ACK, and from now on the call must not be lost."""
        end.theirs, end.target = one(data, "To"), re.search(r"<([^>]*)>", one(data, "Contact")).group(1)
        end.path = routes(data, ROUTES)[::-1]
        self.ends[end.call_id, tag_of(end.mine)] = end
        self.count["calls up"] += 1
        self.done_at["call"].append((end.began, self.now))
        self.ack(end, 1)
        other = self.ends.get((end.call_id, tag_of(end.theirs)))
        if other:
            end.other, other.other = other, end
        actor = end if self.rng.random() < 0.5 else other or end		# from either side
        self.at(self.now + self.hold_s / 2, self.change, actor)

    def within(self, end, method, done, body="", cseq=None):
        """A request in the dialog."""
        if cseq is None:
            end.cseq += 1
        headers = ("".join(f"Route: {r}\r\n" for r in end.path) + f"From: {end.mine}\r\nTo: {end.theirs}\r\nCall-ID: {end.call_id}\r\n"
                   f"CSeq: {cseq or end.cseq} {method}\r\nContact: <{end.person.contact}>\r\n")
        if method == "ACK":
            text = (f"ACK {end.target} SIP/2.0\r\nVia: SIP/2.0/UDP {self.ip}:{end.person.port};branch=z9hG4bK{token()};rport\r\nMax-Forwards: 70\r\n"
                    f"{headers}Content-Length: 0\r\n\r\n").encode("latin-1")
            self.put(end.person.sock, text)
            return text
        t = self.request(method, end.target, end.person, headers, done, body)
        t.kind = "re-INVITE" if method == "INVITE" else method
        return t

    def ack(self, end, cseq):
        """Kept: a 2xx that comes again hears it again."""
        end.last_ack = (cseq, self.within(end, "ACK", None, cseq=cseq))

    def change(self, end):
        """re-INVITE."""
        end.tries += 1
        end.changing = self.now if end.tries == 1 else end.changing
        t = self.within(end, "INVITE", lambda status, data: self.changed(end, t, status, data), SDP.format(n=end.tries + 1, ip=self.ip))
        cseq = end.cseq
        self.at(self.now + self.patience_s / 2, self.change_again, end, t, cseq)

    def change_again(self, end, t, _cseq):
        """No answer in time, but somebody said 100: its transaction died with a process.  Nobody must wait for timer C."""
        if t.over or not t.proceeding:
            if not t.over:
                self.at(self.now + self.patience_s / 2, self.change_again, end, t, _cseq)
            return
        self.cancel(t)
        self.drop(t)
        self.count["re-INVITEs made again"] += 1
        self.retry_change(end, "no answer")

    def changed(self, end, t, status, data):
        """A final response to it."""
        if status == 200:
            self.count["re-INVITE 200"] += 1
            self.done_at["change"].append((end.changing, self.now))
            self.ack(end, int(re.match(r"\d+", one(data, "CSeq")).group()))
            self.at(self.now + self.hold_s / 2, self.bye, end)
            return
        if status:
            self.ack_refusal(t, data)
        self.count[f"re-INVITE {status}"] += 1
        self.retry_change(end, f"re-INVITE {status}")

    def retry_change(self, end, why):
        """491, 503 and silence are tried again; what says that the call is gone is a loss."""
        if end.tries < TRIES and why not in ("re-INVITE 481", "re-INVITE 404", "re-INVITE 403"):
            self.at(self.now + 0.2 + self.rng.random(), self.change, end)
            return
        self.lost.append(f"call {end.call_id} of {'caller' if end.caller else 'callee'}: {why}")
        self.bye(end)

    def bye(self, end):
        """The end."""
        end.ending = self.now
        self.within(end, "BYE", lambda status, data: self.gone(end, status))

    def gone(self, end, status):
        """481 is fine where the other end had the BYE and only its 200 was lost."""
        self.count[f"BYE {status}"] += 1
        other = end.other
        if status == 200 or (status == 481 and other and other.over):
            self.count["calls ended"] += 1
            self.done_at["bye"].append((end.ending, self.now))
        else:
            self.lost.append(f"call {end.call_id}: BYE {status}")
        if other and not other.over:
            self.lost.append(f"call {end.call_id}: the other end never saw the BYE")
        end.over = True
        self.free(end if end.caller else other)

    # ---- messages ----

    def message(self):
        """One between people who are not in a call at the moment; it waits for nothing."""
        if not (self.idle[0] and self.idle[1]):
            return
        a, b = self.idle[0][-1], self.idle[1][-1]
        self.count["messages"] += 1
        uri, began = f"sip:+{b.msisdn}@{self.domain}", self.now
        headers = ("".join(f"Route: {r}\r\n" for r in [f"<sip:{self.proxy[0]}:{self.proxy[1]};lr>"] + a.service_route)
                   + f"From: <{a.impu}>;tag={token()}\r\nTo: <{uri}>\r\nCall-ID: {token()}\r\nCSeq: 1 MESSAGE\r\n")
        self.request("MESSAGE", uri, a, headers, lambda status, data: self.told(status, began), "hello")

    def told(self, status, began):
        """Its end."""
        self.count[f"MESSAGE {status}"] += 1
        if status == 200:
            self.done_at["message"].append((began, self.now))

    # ---- what comes in ----

    def take(self, sock, data):
        """One datagram."""
        if not data.startswith(b"SIP/2.0 "):
            self.serve(sock, data)
            return
        status, m = int(data[8:11]), BRANCH.search(data)
        t = self.tx.get(m.group(1)) if m else None
        if t is None:
            self.late(sock, status, data)
        elif status < 200:
            t.proceeding = True
        elif one(data, "CSeq").endswith("CANCEL"):
            return
        else:
            self.over(t, status, data)

    def late(self, sock, status, data):
        """A response that nobody waits for: a 2xx again hears its ACK again."""
        if status // 100 != 2 or not one(data, "CSeq").endswith("INVITE"):
            return
        end = self.ends.get((one(data, "Call-ID"), tag_of(one(data, "From"))))
        if end and getattr(end, "last_ack", None) and one(data, "CSeq").startswith(f"{end.last_ack[0]} "):
            self.put(sock, end.last_ack[1])
        else:
            self.count["2xx of calls given up"] += 1

    def serve(self, sock, data):
        """A request."""
        method = data.split(b" ", 1)[0].decode("latin-1")
        kept = self.answers.get(self.key(data))
        if kept:
            self.put(sock, kept)
            return
        call_id, mine = one(data, "Call-ID"), tag_of(one(data, "To"))
        end = self.ends.get((call_id, mine)) if mine else None
        if method == "INVITE" and not mine:
            self.ring(sock, data, call_id)
        elif method == "ACK":
            if end and end.waits_ack == one(data, "CSeq").split()[0]:
                end.waits_ack = None
        elif method == "CANCEL":
            person = self.callee(data)
            if person:
                self.reply(sock, data, 200, "OK", person)
        elif method in ("MESSAGE", "OPTIONS"):
            person = self.callee(data)
            if person:
                self.reply(sock, data, 200, "OK", person, token())
        elif not end or end.over:
            self.reply(sock, data, 481, "Gone", end.person if end else self.people[0])
        elif method == "INVITE":
            self.accept(sock, data, end)
        elif method == "BYE":
            end.over, end.waits_ack = True, None
            self.reply(sock, data, 200, "OK", end.person)

    def callee(self, data):
        """Whom a request is for: the contact in its Request-URI."""
        m = re.match(rb"\w+ sips?:([^@;]+)@", data)
        return self.by_user.get(m.group(1).decode("latin-1")) if m else None

    def ring(self, sock, data, call_id):
        """A call comes in: it rings and is answered.  The same call by another way is a merged request (RFC 3261 §8.2.2.2)."""
        person = self.callee(data)
        if not person:
            self.count["calls for nobody"] += 1
            return
        seen = (call_id, tag_of(one(data, "From")), one(data, "CSeq"))
        if seen in self.answers:
            self.reply(sock, data, 482, "Merged", person, token())
            return
        self.answers[seen] = b""
        self.old.append((self.now + GIVE_UP_S, seen))
        tag = token()
        self.reply(sock, data, 180, "Ringing", person, tag)
        text = self.reply(sock, data, 200, "OK", person, tag, SDP.format(n=9, ip=self.ip))
        end = End(person, call_id, one(data, "To") + ";tag=" + tag, one(data, "From"),
                  re.search(r"<([^>]*)>", one(data, "Contact")).group(1), routes(data, ROUTES), False)
        end.cseq = 100
        caller = self.by_user.get(re.search(r"sips?:([^@]+)@", one(data, "From")).group(1))
        end.peer = caller
        self.ends[call_id, tag] = end
        self.until_ack(end, sock, text, one(data, "CSeq").split()[0])

    def accept(self, sock, data, end):
        """A re-INVITE."""
        end.target = re.search(r"<([^>]*)>", one(data, "Contact")).group(1)
        text = self.reply(sock, data, 200, "OK", end.person, body=SDP.format(n=10, ip=self.ip))
        self.until_ack(end, sock, text, one(data, "CSeq").split()[0])

    def until_ack(self, end, sock, text, cseq):
        """§13.3.1.4."""
        end.waits_ack = cseq
        self.at(self.now + T1_S, self.say_again, end, sock, text, cseq, T1_S, self.now + GIVE_UP_S)

    def say_again(self, end, sock, text, cseq, interval, until):
        """Until ACK, or for ever."""
        if end.waits_ack != cseq or self.now >= until:
            return
        self.put(sock, text)
        interval = min(interval * 2, T2_S)
        self.at(self.now + interval, self.say_again, end, sock, text, cseq, interval, until)

    # ---- the loop ----

    def tick(self, what, interval, began, n):
        """Something at a steady rate, caught up with when the processor was away."""
        if self.stopping:
            return
        if not self.paused:
            what()
        self.at(began + (n + 1) * interval, self.tick, what, interval, began, n + 1)

    def next_registration(self):
        """Each in turn; one that is under way is passed over."""
        p = self.people[self.next_reg % len(self.people)]
        self.next_reg += 1
        if not p.asks:
            self.register(p)

    def report(self):
        """For the parent."""
        return {"count": dict(self.count), "lost": self.lost, "done_at": self.done_at, "open": [self.open_regs, self.open_calls],
                "refused": self.refused, "slowest": dict(self.slowest),
                "registered": [p.imsi for p in self.people if p.registered]}

    def command(self):
        """From the parent."""
        what = self.pipe.recv()
        if what == "report":
            self.pipe.send(self.report())
        elif what in ("pause", "go on"):
            self.paused = what == "pause"
        elif what == "stop":
            self.stopping, self.stop_at = True, self.now + self.patience_s + GIVE_UP_S + 10

    def housekeeping(self):
        """What nobody can ask for any more."""
        while self.old and self.old[0][0] < self.now:
            self.answers.pop(self.old.popleft()[1], None)
        for k in [k for k, e in self.ends.items() if e.over and e.__dict__.setdefault("gone_at", self.now) < self.now - GIVE_UP_S]:
            del self.ends[k]
        self.at(self.now + 5, self.housekeeping)

    def run(self):
        """Until told to stop and everything that began has ended."""
        for n, p in enumerate(self.people):
            p.n, p.queued, p.began = n, False, 0
        for rate, what in ((self.registrations_per_s, self.next_registration), (self.calls_per_s, self.call), (self.messages_per_s, self.message)):
            if rate:
                self.at(self.now, self.tick, what, 1 / rate, self.now, 0)
        self.housekeeping()
        while not (self.stopping and ((self.open_calls == 0 and self.open_regs == 0) or self.now > self.stop_at)):
            wait = self.heap[0][0] - time.monotonic() if self.heap else 0.1
            for fd, _ in self.poll.poll(max(0, min(wait, 0.1))):
                if fd not in self.by_fd:
                    self.command()
                    continue
                for _ in range(64):
                    try:
                        data = self.by_fd[fd].recv(65536)
                    except (BlockingIOError, ConnectionError):
                        break
                    self.now = time.monotonic()
                    if data.strip() and not (self.loss and self.rng.random() < self.loss):
                        self.take(self.by_fd[fd], data)
            self.now = time.monotonic()
            for _ in range(200):
                if not (self.heap and self.heap[0][0] <= self.now):
                    break
                _, _, fn, args = heapq.heappop(self.heap)
                fn(*args)
        self.pipe.send(self.report())


def child(facts, pipe):
    """The process."""
    try:
        Yard(facts, pipe).run()
    except BaseException:		# pylint: disable=broad-except
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)


class Crowd:
    """The crowd as its script sees it."""

    def __init__(self, core, subs, registrations_per_s, calls_per_s, messages_per_s=0, hold_s=4.0, lines=None, last=200, proxy=None,
                 loss=0.0, twice=0.0, late_s=0.0, patience_s=GIVE_UP_S):
        """loss, twice: parts of the datagrams, each way and outwards; late_s: a quarter of them comes up to that much later.
        patience_s: a caller without an answer hangs up; after half of it a re-INVITE without one is cancelled and made again.  Less than the time
        for which a 2xx is sent again is for who kills daemons."""
        self.pipe, theirs = multiprocessing.Pipe()
        self.patience_s = patience_s
        facts = {"ip": core.ip(last), "domain": core.domain, "proxy": proxy or core.addr("pcscf"), "hold_s": hold_s,
                 "subs": [(s.imsi, s.msisdn, s.password) for s in subs], "lines": lines or int(calls_per_s * hold_s * 1.3) + 10,
                 "registrations_per_s": registrations_per_s, "calls_per_s": calls_per_s, "messages_per_s": messages_per_s,
                 "loss": loss, "twice": twice, "late_s": late_s, "patience_s": patience_s}
        self.process = multiprocessing.Process(target=child, args=(facts, theirs), daemon=True)
        self.process.start()
        theirs.close()

    def ask(self, what, seconds=60):
        """Tells it something; what it answers."""
        self.pipe.send(what)
        return self._read(seconds)

    def tell(self, what):
        """Tells it something."""
        self.pipe.send(what)

    def _read(self, seconds):
        if not self.pipe.poll(seconds):
            raise RuntimeError("the crowd does not answer")
        return self.pipe.recv()

    def report(self):
        """So far."""
        return self.ask("report")

    def finish(self):
        """Nothing new; the report when everything is over."""
        report = self.ask("stop", self.patience_s + GIVE_UP_S + 60)
        self.process.join(5)
        return report

    def close(self):
        """At once."""
        if self.process.is_alive():
            self.process.kill()
        self.process.join()


def back_after(report, kind, then):
    """Seconds from `then` (time.monotonic()) until something that began later succeeded; None: nothing did."""
    ends = [end for begun, end in report["done_at"][kind] if begun > then]
    return min(ends) - then if ends else None


def percentile(report, kind, p, since=0.0):
    """Milliseconds that p percent of them took at most."""
    took = sorted(end - begun for begun, end in report["done_at"][kind] if begun >= since)
    return took[min(len(took) - 1, int(len(took) * p / 100))] * 1000 if took else 0.0
