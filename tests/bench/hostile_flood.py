"""A flood of every method over UDP, TCP and TLS, from many addresses that nobody is registered at: SEC-10, SEC-11.

One process; it counts what it sent and what came back, in octets too.  It waits for nothing: a full socket loses the message, a connection that
the daemon closes is opened again.
"""

import collections
import itertools
import multiprocessing
import os
import random
import socket
import ssl
import time

METHODS = ("REGISTER", "INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "INFO", "MESSAGE", "SUBSCRIBE", "NOTIFY", "PUBLISH", "REFER", "UPDATE", "PRACK",
           "ANYTHING")
SOURCES = 24
AGAIN_S = 0.2			# between two attempts of a source to connect
TURN_S = 0.005


def text_of(method, proto, ip, port, domain, victim):
    """One message; a REGISTER is the victim's, as TS 24.229 §5.1.1.2 has the first one."""
    mark = f"{random.getrandbits(64):016x}"
    user = f"sip:{victim}@{domain}" if method == "REGISTER" else f"sip:{mark}@{domain}"
    uri = f"sip:{domain}" if method == "REGISTER" else user
    more = (f'Authorization: Digest username="{victim}@{domain}", realm="{domain}", nonce="", uri="sip:{domain}", response=""\r\nExpires: 3600\r\n'
            if method == "REGISTER" else "Event: reg\r\nSubject: " + "x" * random.randrange(300) + "\r\n")
    return (f"{method} {uri} SIP/2.0\r\nVia: SIP/2.0/{proto.upper()} {ip}:{port};branch=z9hG4bK{mark};rport\r\nMax-Forwards: 70\r\n"
            f"From: <{user}>;tag={mark}\r\nTo: <{user}>\r\nCall-ID: {mark}\r\nCSeq: 1 {method}\r\nContact: <sip:x@{ip}:{port}>\r\n{more}"
            f"Content-Length: 0\r\n\r\n").encode()


class Source:
    """An address; over a stream it connects again when it is thrown out."""

    def __init__(self, facts, proto, n):
        self.facts, self.proto, self.ip, self.s, self.due = facts, proto, f"{facts['prefix']}.{n}", None, 0.0
        self.port, self.connects, self.shaking = 0, 0, False

    def open(self, now):
        """Ready to send?"""
        if self.s is None and now >= self.due:
            self.due = now + AGAIN_S
            self.s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM if self.proto == "udp" else socket.SOCK_STREAM)
            self.s.bind((self.ip, 0))
            self.port = self.s.getsockname()[1]
            self.s.setblocking(False)
            self.connects += 1
            try:
                self.s.connect(self.facts[self.proto])
            except BlockingIOError:
                pass
            except OSError:
                self.close()
                return False
            if self.proto == "tls":
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
                context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
                self.s, self.shaking = context.wrap_socket(self.s, do_handshake_on_connect=False), True
        if self.s is not None and self.shaking:
            try:
                self.s.do_handshake()
                self.shaking = False
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                pass
            except OSError:
                self.close()
        return self.s is not None and not self.shaking

    def close(self):
        """Until the next attempt."""
        if self.s:
            self.s.close()
        self.s, self.shaking = None, False

    def read(self):
        """Octets of what came."""
        got = 0
        try:
            while self.s:
                data = self.s.recv(65536)
                if not data:
                    self.close()
                    break
                got += len(data)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            pass
        except OSError:
            if self.proto != "udp":
                self.close()
        return got

    def send(self, data):
        """False: there was no room."""
        try:
            return self.s.send(data) == len(data)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return False
        except OSError:
            if self.proto != "udp":
                self.close()
            return False


def child(facts, pipe):
    """Until it is told to stop."""
    os.nice(5)
    sources = {p: [Source(facts, p, n + 1) for n in range(SOURCES)] for p in ("udp", "tcp", "tls")}
    turn = itertools.cycle((p, n) for n in range(SOURCES) for p in sources)
    methods = itertools.cycle(facts["methods"])
    seen = collections.Counter()
    began, done = time.monotonic(), 0
    while not pipe.poll():
        now = time.monotonic()
        due = int((now - began) * facts["rate"]) - done
        for _ in range(min(due, 256)):
            proto, n = next(turn)
            s, method, done = sources[proto][n], next(methods), done + 1
            if s.open(now):
                data = text_of(method, proto, s.ip, s.port, facts["domain"], facts["victim"])
                if s.send(data):
                    seen[f"{proto} sent"] += 1
                    seen[f"{proto} octets out"] += len(data)
                    seen[method] += 1
        for proto, list_of in sources.items():
            for s in list_of:
                seen[f"{proto} octets in"] += s.read()
        time.sleep(TURN_S)
    for proto, list_of in sources.items():
        seen[f"{proto} connects"] = sum(s.connects for s in list_of)
    seen["seconds"] = round(time.monotonic() - began, 1)
    pipe.send(dict(seen))


class Flood:
    """Runs until finish(), which returns the counts.  tls: (address, port), or the daemon has no such listener and TCP counts twice."""

    def __init__(self, core, rate, victim, tls, prefix="127.9.9", methods=METHODS):
        self.pipe, theirs = multiprocessing.Pipe()
        facts = {"udp": core.addr("pcscf"), "tcp": core.addr("pcscf"), "tls": tls, "rate": rate, "domain": core.domain, "victim": victim,
                 "prefix": prefix, "methods": methods}
        self.process = multiprocessing.Process(target=child, args=(facts, theirs), daemon=True)
        self.process.start()

    def finish(self):
        """What was sent and heard."""
        self.pipe.send("stop")
        report = self.pipe.recv()
        self.process.join(10)
        return report
