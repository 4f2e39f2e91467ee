"""streams.py BUILD NET - pcscfd and TCP peers that are slow, broken or malicious (F17, REG-11).

While each of them does its worst, another phone registers again and again: what is measured is that it does not notice.
"""

import os
import re
import resource
import socket
import struct
import sys
import threading
import time

from cases import Cases, Fail, Skip, check, equal, wait_for
from core import Core, Sub
from phone import Phone, call, hang_up, token
from wire import alive, slow_build

A, B, C = Sub(1), Sub(2), Sub(3)
IDLE_WANTED, IDLE_LEAST = 9000, 2000		# the daemon takes 10000 (sip.max_connections)
SPARE_FILES = 300
KIB_PER_IDLE = 16
REGISTER_S = 4.0				# a registration meanwhile: a worker that waits for a peer here does so for five seconds, or for ever


class Witness(threading.Thread):
    """A phone that registers again and again and notes how long that takes."""

    def __init__(self, core, sub, ip):
        super().__init__(daemon=True)
        self.phone, self.times, self.error, self.running = Phone(core, sub, ip, 5060), [], None, True
        self.phone.must_register()
        self.start()

    def run(self):
        try:
            while self.running:
                began = time.monotonic()
                self.phone.must_register()
                self.times.append(time.monotonic() - began)
                time.sleep(0.02)
        except Exception as e:			# pylint: disable=broad-except
            self.error = e

    def end(self, limit_s):
        """Ends it; Fail when it was disturbed."""
        wait_for(lambda: self.error or len(self.times) >= 3, 20, "three registrations meanwhile")
        self.running = False
        self.join(20)
        check(not self.error, f"a registration meanwhile: {self.error}")
        worst = max(self.times)
        self.phone.must_register(expires=0)
        self.phone.close()
        check(worst < limit_s, f"a registration meanwhile took {worst:.2f} s")
        return worst


class Streams:
    """The cases."""

    def __init__(self, cases, core, slow):
        self.cases, self.core, self.limit_s = cases, core, REGISTER_S * (2 if slow else 1)
        self.slow = slow
        self.text = ""

    def witnessed(self, fn):
        """Runs fn while somebody else registers."""
        w = Witness(self.core, C, self.core.ip(103))
        try:
            fn()
        except BaseException:
            w.running = False
            raise
        worst = w.end(self.limit_s)
        self.cases.say(f"   {len(w.times)} registrations meanwhile, the longest {worst * 1000:.0f} ms")

    def connect(self, last=120, rcvbuf=0):
        """A bare connection to the P-CSCF."""
        s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        if rcvbuf:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        s.bind((self.core.ip(last), 0))
        s.settimeout(20)
        s.connect(self.core.addr("pcscf"))
        return s

    def options(self, more=""):
        """An OPTIONS to the P-CSCF itself."""
        host, port = self.core.addr("pcscf")
        return (f"OPTIONS sip:{host}:{port} SIP/2.0\r\nVia: SIP/2.0/TCP {self.core.ip(120)}:9;branch=z9hG4bK{token()}\r\nMax-Forwards: 70\r\n"
                f"From: <sip:x@{self.core.ip(120)}>;tag={token(3)}\r\nTo: <sip:{host}>\r\nCall-ID: {token()}\r\nCSeq: 1 OPTIONS\r\n{more}"
                "Content-Length: 0\r\n\r\n").encode()

    @staticmethod
    def answer(s, seconds=10):
        """The status of the next answer; 0 for a closed connection."""
        s.settimeout(seconds)
        data = b""
        try:
            while b"\r\n\r\n" not in data:
                more = s.recv(65536)
                if not more:
                    return 0
                data += more
        except ConnectionError:
            return 0
        except socket.timeout:
            raise Fail("no answer and no close") from None
        m = re.match(rb"SIP/2\.0 (\d{3}) ", data.lstrip(b"\r\n"))
        check(m, f"no response: {data[:60]!r}")
        return int(m.group(1))

    def gauge(self):
        """Connections that the P-CSCF counts."""
        status, text = self.core.rest("pcscf").call("GET", "/metrics")
        equal(status, 200, "/metrics")
        return sum(float(v) for v in re.findall(r"(?m)^cscf_sip_connections(?:\{[^}]*\})? ([0-9.e+]+)", text if isinstance(text, str) else str(text)))

    # ---- cases ----

    def octets(self):
        with self.connect() as s:
            for i in self.options():
                s.sendall(bytes((i,)))
            equal(self.answer(s), 200, "OPTIONS in single octets")

    def segments(self):
        """One message in as many segments as it has octets, over 60,000."""
        with self.connect() as s:
            data = self.options(f"Subject: {'s' * 60000}\r\n")
            for i in range(len(data)):
                s.send(data[i:i + 1])
            equal(self.answer(s, 30), 200, f"OPTIONS in {len(data)} segments")

    def resets(self):
        """Half a message, then RST."""
        for i in range(200):
            s, data = self.connect(), self.options()
            s.sendall(data[:1 + i * (len(data) - 2) // 200])
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            s.close()
        wait_for(lambda: self.gauge() <= 2, 15, "the end of the connections")

    def never_reads(self):
        """A window that closes: what waits for it is bounded, then the connection goes."""
        before, sent, s = self.core.rss_kib("pcscf"), 0, self.connect(rcvbuf=2048)
        s.settimeout(5)
        try:
            while sent < 200 * (1 << 20):
                sent += s.send(self.options("X-Filler: " + "f" * 1000 + "\r\n") * 20)
        except (ConnectionError, socket.timeout):
            pass
        grown = self.core.rss_kib("pcscf") - before
        s.close()
        check(sent < 200 * (1 << 20), "200 MiB were taken from somebody who reads nothing")
        check(self.slow or grown < 32 * 1024, f"{grown} KiB more for one peer that does not read, after {sent >> 20} MiB")

    def idle(self):
        """Thousands that say nothing, or begin a message and stop."""
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        n = min(IDLE_WANTED if not self.slow else IDLE_LEAST, limit - SPARE_FILES)
        if n < 500:
            raise Skip(f"only {limit} descriptors")
        before, held = self.core.rss_kib("pcscf"), []
        try:
            for i in range(n):
                held.append(self.connect(130 + i % 100))
                if i % 2:
                    held[-1].sendall(b"OPTIONS sip:a SIP/2.0\r\n"[:1 + i % 20])
            wait_for(lambda: self.gauge() >= n, 15, f"{n} connections in the figures")
            kib = (self.core.rss_kib("pcscf") - before) / n
            check(self.slow or kib <= KIB_PER_IDLE, f"{kib:.1f} KiB for each idle connection")
            with self.connect() as s:
                s.sendall(self.options())
                equal(self.answer(s), 200, "OPTIONS beside them")
        finally:
            for s in held:
                s.close()
        wait_for(lambda: self.gauge() <= 2, 30, "the end of the connections")
        self.cases.say(f"   {n} connections, {kib:.1f} KiB each")

    def slow_senders(self):
        """Two hundred who send an octet now and then."""
        peers = [(self.connect(), self.options()) for _ in range(200)]
        end = time.monotonic() + 2
        i = 0
        while time.monotonic() < end:
            for s, data in peers:
                s.sendall(data[i:i + 1])
            i += 1
            time.sleep(0.05)
        for s, data in peers:
            s.sendall(data[i:])
        for s, _ in peers:
            equal(self.answer(s), 200, "a slow sender's OPTIONS")
            s.close()

    def lengths(self):
        """What could make two parsers disagree is refused, and the stream with it: nothing behind it is read (REG-11)."""
        host, port = self.core.addr("pcscf")
        second = f"OPTIONS sip:{host}:{port} SIP/2.0\r\nVia: SIP/2.0/TCP evil.example;branch=z9hG4bKsmuggled\r\n".encode()
        for value in ("-1", "+5", "5,5", "5 5", "0x5", "", "five", "4294967296", "4294967301", "18446744073709551616", "18446744073709551621",
                      "99999999999999999999", "2147483648", "2147483647", "100000", "0\r\nContent-Length: 5", "0\r\nl: 5", "5\r\nl : 4", "5\r\n 0", None):
            line = b"" if value is None else f"Content-Length: {value}\r\n".encode()
            with self.connect() as s:
                s.sendall(self.options().replace(b"Content-Length: 0\r\n", line) + second)
                status = self.answer(s, 10)
                check(status in (0, 400, 413, 513), f"Content-Length {value!r}: {status}")
                equal(self.answer(s, 10), 0, f"after Content-Length {value!r}")

    def many_at_once(self):
        """A thousand requests in one write: each has its answer, in any order."""
        data = [self.options() for _ in range(1000)]
        with self.connect() as s:
            threading.Thread(target=s.sendall, args=(b"".join(data),), daemon=True).start()
            s.settimeout(20)
            got = b""
            while got.count(b"SIP/2.0 200 OK\r\n") < len(data):
                more = s.recv(1 << 20)
                check(more, f"closed after {got.count(b'SIP/2.0 200 OK')} answers")
                got += more

    def noise(self):
        """Random octets, and random octets behind a good head."""
        for i in range(100):
            with self.connect() as s:
                try:
                    s.sendall((self.options() if i % 2 else b"") + os.urandom(2000) + b"\r\n\r\n" + os.urandom(100))
                    s.shutdown(socket.SHUT_WR)
                    while s.recv(65536):
                        pass
                except OSError:
                    pass

    def serves(self):
        """A registration and a call; nobody is left."""
        alive(self.core, "pcscf")
        with Phone(self.core, A, self.core.ip(101), 0, "tcp") as a, Phone(self.core, B, self.core.ip(102), 5060) as b:
            a.must_register()
            b.must_register()
            da, db, _ = call(a, b, self.core.number(B))
            hang_up(da, db)
            a.must_register(expires=0)
            b.must_register(expires=0)

    def run(self):
        """In order."""
        for name, fn in (("F17 a message in single octets", self.octets), ("F17 a message in 60,000 segments", self.segments), ("F17 200 resets in mid-message", self.resets),
                         ("F17 a peer that never reads", self.never_reads), ("F12 F17 thousands of idle connections", self.idle),
                         ("F17 200 slow senders", self.slow_senders), ("conflicting and overflowing Content-Length", self.lengths),
                         ("1000 requests in one write", self.many_at_once), ("noise", self.noise)):
            self.cases.run(name, self.witnessed, fn)
        self.cases.run("F12 F17 a call afterwards", self.serves)


def main():
    """The script."""
    build, net = sys.argv[1:3]
    slow = slow_build(build)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 20000), hard))		# the daemons inherit it
    cases = Cases()
    with Core(build, net, [A, B, C]) as core:
        Streams(cases, core, slow).run()
    core.finish(cases)
    cases.end()


main()
