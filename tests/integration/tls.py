"""tls.py BUILD NET - SIP over TLS between real processes: RFC 3261 §26.2, RFC 5922; TS 33.203 annex O; row C9, SEC-15.

The P-CSCF has a TLS listener for phones; I- and S-CSCF have no other listeners, and want a certificate of everybody (mutual).
"""

import os
import shutil
import signal
import socket
import ssl
import sys
import tempfile
import threading
import time
import warnings

from cases import Cases, Fail, check, equal, wait_for
from certs import Certs
from core import MCC, MNC, Core, Sub
from imsue import Imsue
from phone import Message, Phone, call, hang_up
from wire import alive

A, B = Sub(1), Sub(2)
DIGEST = Sub(3, "open sesame")
DOMAIN = f"ims.mnc{int(MNC):03d}.mcc{int(MCC):03d}.3gppnetwork.org"
PORTS = {"pcscf": (10, 5061), "icscf": (20, 4061), "scscf": (30, 6061)}
PARTNER = "partner.example"
HANDSHAKE_S = 4			# common/transport: as long as a connection may take, its handshake may as well


def setting(certs, net, node, verify):
    """YAML over what the lab writes."""
    last, port = PORTS[node]
    plain = "" if node != "pcscf" else f'"udp:{net}.{last}:5060", "tcp:{net}.{last}:5060", '
    hops = {DOMAIN: "icscf", **{f"{n}.{DOMAIN}": n for n in PORTS}}
    text = (f'sip:\n  listen: [{plain}"tls:{net}.{last}:{port}"]\n'
            f"  tls: {{cert_file: {certs.path(node)}, key_file: {certs.path(node, 'key')}, ca_file: {certs.path('ca')}, verify_clients: {verify}}}\n"
            "dns:\n  next_hops:\n" + "".join(f'    {name}: "tls:{net}.{PORTS[n][0]}:{PORTS[n][1]}"\n' for name, n in hops.items()))
    if node == "icscf":
        text += f'selection: {{default_server: "sip:scscf.{DOMAIN}:{PORTS["scscf"][1]}"}}\n'
    if node == "scscf":
        text += (f'    {PARTNER}: "tls:{net}.60:5061"\n'
                 f'sessions: {{routes: [{{domain: {PARTNER}, next_hop: "sip:{PARTNER}"}}]}}\n')
    return text


class TlsPhone(Phone):
    """A phone on a TLS connection."""

    def __init__(self, core, sub, ip, context, proxy=None):
        self.context = context
        super().__init__(core, sub, ip, 0, "tls", proxy=(proxy or core.ip(PORTS["pcscf"][0]), PORTS["pcscf"][1]))
        self.contact += ";transport=tls"

    def _open(self):
        return self.context.wrap_socket(super()._open(), server_hostname=f"pcscf.{DOMAIN}")

    def read(self, seconds):
        """As for TCP; what TLS has taken off the socket already is not waited for."""
        return self.take_stream(self.sock.recv(65536)) if self.sock.pending() else super().read(seconds)


class Partner(threading.Thread):
    """Another network's door: a TLS server that says 200 to what comes."""

    def __init__(self, ip, context):
        super().__init__(daemon=True)
        self.context, self.seen, self.failed = context, [], []
        self.listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind((ip, 5061))
        self.listener.listen(8)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.join(5)

    def run(self):
        while True:
            try:
                s, _ = self.listener.accept()
            except OSError:
                return
            try:
                with self.context.wrap_socket(s, server_side=True) as t:
                    self.serve(t)
            except OSError as e:
                self.failed.append(str(e))

    def serve(self, t):
        """One request for each connection is enough here."""
        t.settimeout(10)
        data = t.recv(65536)
        if not data:
            return
        m = Message(data.decode())
        self.seen.append(m)
        t.sendall(("SIP/2.0 200 OK\r\n" + "".join(f"Via: {v}\r\n" for v in m.all("Via")) + f"From: {m.get('From')}\r\nTo: {m.get('To')};tag=p\r\n"
                   f"Call-ID: {m.get('Call-ID')}\r\nCSeq: {m.get('CSeq')}\r\nContent-Length: 0\r\n\r\n").encode())


class Tls:
    """The cases."""

    def __init__(self, core, certs):
        self.core, self.certs = core, certs

    def connect(self, node, context=None, name=None):
        """A connection to the TLS port of a node; plain without a context."""
        last, port = PORTS[node]
        s = socket.create_connection((self.core.ip(last), port), 10)
        if not context:
            return s
        try:
            return context.wrap_socket(s, server_hostname=name or f"{node}.{DOMAIN}")
        except OSError:
            s.close()
            raise

    def serial(self, node):
        """Of the certificate that a node shows now."""
        with self.connect(node, self.certs.client("pcscf")) as s:
            return s.getpeercert()["serialNumber"]

    def closed(self, s, seconds, what):
        """It is closed within that time; returns what came before."""
        s.settimeout(seconds)
        got = b""
        try:
            while True:
                data = s.recv(4096)
                if not data:
                    return got
                got += data
        except TimeoutError:
            raise Fail(f"{what}: still open after {seconds} s") from None
        except OSError:
            return got

    # ---- cases ----

    def versions(self):
        """Two phones, TLS 1.2 and 1.3: AKA, a call, a MESSAGE each way."""
        with TlsPhone(self.core, A, self.core.ip(101), self.certs.client(version=ssl.TLSVersion.TLSv1_2)) as a, \
                TlsPhone(self.core, B, self.core.ip(102), self.certs.client(version=ssl.TLSVersion.TLSv1_3)) as b:
            equal((a.sock.version(), b.sock.version()), ("TLSv1.2", "TLSv1.3"), "versions")
            for p in (a, b):
                p.must_register()
            da, db, _ = call(a, b, self.core.number(B))
            for one, other, to in ((a, b, B), (b, a, A)):
                req = one.start("MESSAGE", self.core.number(to), None, "hello")
                m = other.incoming("MESSAGE")
                check(m.all("Via")[0].startswith("SIP/2.0/TLS "), f"the last hop: {m.all('Via')[0]}")
                check(all("/TLS " in v for v in m.all("Via")), f"not every hop is TLS: {m.all('Via')}")
                other.reply(m, 200)
                equal(one.final(req).status, 200, "MESSAGE")
            hang_up(da, db)
            for p in (a, b):
                p.must_register(expires=0)

    def mixed(self):
        """A phone on UDP calls one on TLS (RFC 5658: two Record-Routes)."""
        with Phone(self.core, A, self.core.ip(101), 5060) as a, TlsPhone(self.core, B, self.core.ip(102), self.certs.client()) as b:
            for p in (a, b):
                p.must_register()
            da, db, _ = call(a, b, self.core.number(B))
            hang_up(da, db)
            da, db, _ = call(b, a, self.core.number(A))
            hang_up(da, db)
            for p in (a, b):
                p.must_register(expires=0)

    def reload(self):
        """SIGHUP with new certificates at all three: what is open and what is under way goes on, who connects sees the new ones."""
        with TlsPhone(self.core, A, self.core.ip(101), self.certs.client()) as a, TlsPhone(self.core, B, self.core.ip(102), self.certs.client()) as b:
            for p in (a, b):
                p.must_register()
            da, db, _ = call(a, b, self.core.number(B))
            req = a.start("MESSAGE", self.core.number(B), None, "under way")
            m = b.incoming("MESSAGE")
            before = {n: self.serial(n) for n in PORTS}
            make_all(self.certs)
            for n in PORTS:
                os.kill(self.core.pid(n), signal.SIGHUP)
            for n in PORTS:
                wait_for(lambda n=n: self.serial(n) != before[n], 10, f"the new certificate of {n}")
            b.reply(m, 200)
            equal(a.final(req).status, 200, "the MESSAGE that was under way")
            hang_up(da, db)
            for p in (a, b):
                p.must_register(expires=0)
        self.mixed()

    def reload_bad(self):
        """A file that is none: the old certificate stays, the log says which."""
        before = self.serial("pcscf")
        shutil.copy(self.certs.path("pcscf"), self.certs.path("good"))
        with open(self.certs.path("pcscf"), "w", encoding="ascii") as f:
            f.write("no certificate\n")
        os.kill(self.core.pid("pcscf"), signal.SIGHUP)

        def told():
            with open(self.core.doc["logs"]["pcscf"], encoding="utf-8", errors="replace") as f:
                return self.certs.path("pcscf") in f.read()
        try:
            wait_for(told, 10, "a line of the log")
        finally:
            shutil.copy(self.certs.path("good"), self.certs.path("pcscf"))
        equal(self.serial("pcscf"), before, "the certificate")
        alive(self.core, "pcscf")

    def imsue(self, sub, last, *options, name=f"pcscf.{DOMAIN}", ca="ca"):
        """The simulated phone on a TLS connection; it has no certificate, and no TLS listener."""
        ip, port = self.core.ip(PORTS["pcscf"][0]), PORTS["pcscf"][1]
        return Imsue(self.core.program("tests/ue/imsue"), sub, f"tls:{ip}:{port}", self.core.ip(last), "--tls-ca", self.certs.path(ca),
                     "--tls-name", name, "--rtp", "no", "--ring-ms", "50", *options)

    def annex_o(self, sub):
        """TS 33.203 annex O: a phone with AKA or Digest whose every request comes and goes by the connection that it opened."""
        with self.imsue(sub, 103, "--trace") as a, self.imsue(B, 104) as b:
            a.register()
            b.register()
            equal([e["algorithm"] for e in a.events if e["event"] == "challenged"], ["MD5" if sub.password else "AKAv1-MD5"], "the challenge")
            for one, other, to in ((a, b, B), (b, a, sub)):
                other.at = len(other.events)
                e = one.do(f"call +{to.msisdn}", "answered", "call-failed", seconds=40)
                equal(e["event"], "answered", f"a call: {e}")
                other.wait("answered")
                other.do("hangup", "ended")
                one.wait("ended")
                equal(one.do(f"message +{to.msisdn} hello", "message-sent")["status"], 200, "MESSAGE")
                equal(other.wait("message-received")["text"], "hello", "its text")
            peers = {e["peer"] for e in a.events if e["event"] == "sip"}
            equal(peers, {f"tls:{self.core.ip(PORTS['pcscf'][0])}:{PORTS['pcscf'][1]}"}, "where messages came from and went to")
            a.do("reregister", "registered")
            a.do("deregister", "deregistered")
            b.do("deregister", "deregistered")
            equal(self.core.registered("pcscf", sub), [], "what is left")

    def annex_o_closed(self):
        """A connection that closes is no de-registration: who calls hears that the phone cannot be reached, its own requests go on over a new one, and
        with the next REGISTER it is called again."""
        with self.imsue(DIGEST, 103) as a, self.imsue(B, 104) as b:
            a.register()
            b.register()
            a.do("disconnect", "disconnected")
            e = b.do(f"message +{DIGEST.msisdn} hello", "message-sent")
            check(e["status"] in (408, 480), f"to a phone without a connection: {e}")
            equal(len(self.core.registered("pcscf", DIGEST)), 1, "bindings at the P-CSCF")
            equal(len(self.core.registered("scscf", DIGEST)), 1, "registrations at the S-CSCF")
            equal(a.do(f"message +{B.msisdn} hello", "message-sent")["status"], 200, "MESSAGE over a new connection")
            a.do("disconnect", "disconnected")
            equal(a.do("reregister", "registered", "registration-failed")["event"], "registered", "over a new connection")
            equal(b.do(f"message +{DIGEST.msisdn} hello", "message-sent")["status"], 200, "to the phone that is back")
            a.wait("message-received")
            a.do("deregister", "deregistered")
            b.do("deregister", "deregistered")

    def annex_o_liar(self):
        """Annex O: the phone sends nothing to who does not prove to be its P-CSCF: another name, an authority that it does not know."""
        for how in ({"name": f"other.{DOMAIN}"}, {"ca": "other-ca"}):
            with self.imsue(A, 105, **how) as a:
                e = a.do("register", "registered", "registration-failed")
                equal((e["event"], e.get("status")), ("registration-failed", 503), f"{how}")
                equal(a.seen("challenged"), 0, "challenges")

    def strangers(self):
        """The core nodes want a certificate, of an authority they know; TLS 1.1 is nobody's."""
        def refused(context, what, node="icscf"):
            try:
                with self.connect(node, context) as s:		# TLS 1.3: the refusal comes behind the handshake
                    s.sendall(b"OPTIONS sip:x SIP/2.0\r\n")
                    got = self.closed(s, 8, what)
            except OSError:
                return
            equal(got, b"", what)
        refused(self.certs.client(), "no certificate")
        refused(self.certs.client("stranger"), "a certificate of an authority nobody knows")
        old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
        old.set_ciphers("DEFAULT:@SECLEVEL=0")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
        refused(old, "TLS 1.1", "pcscf")
        with self.connect("icscf", self.certs.client("pcscf")):
            pass

    def wrong_domain(self):
        """RFC 5922 §7.2: exactly the domain that was asked for; else nothing is sent, and the sender hears so."""
        with Phone(self.core, A, self.core.ip(101), 5060) as a:
            a.must_register()
            for name, good in (("other", False), ("wild", False), ("stranger-partner", False), ("partner", True)):
                with Partner(self.core.ip(60), self.certs.server(name)) as p:
                    r = a.ask("MESSAGE", f"sip:someone@{PARTNER}", None, "x", seconds=20)
                    if good:
                        equal((r.status, len(p.seen)), (200, 1), name)
                    else:
                        check(r.status >= 400 and not p.seen, f"{name}: {r}, {len(p.seen)} requests seen")
            a.must_register(expires=0)

    def hostile(self):
        """Plain text on the TLS port, half a handshake, one octet a second, a handshake and nothing: closed, and others are served."""
        text = b"OPTIONS sip:x SIP/2.0\r\nVia: SIP/2.0/TLS x;branch=z9hG4bK1\r\nContent-Length: 0\r\n\r\n"
        plain, silent, slow = (self.connect("pcscf") for _ in range(3))
        many = [self.connect("pcscf") for _ in range(100)]
        plain.sendall(text)
        equal(self.closed(plain, HANDSHAKE_S, "plain text")[:3] in (b"", b"\x15\x03\x01", b"\x15\x03\x03"), True, "an alert at most")
        slow.sendall(b"\x16\x03\x01\x02\x00")
        began = time.monotonic()
        with TlsPhone(self.core, A, self.core.ip(101), self.certs.client()) as a:
            a.must_register()
            a.must_register(expires=0)
        check(time.monotonic() - began < HANDSHAKE_S, "a phone waits for those who hang")
        try:
            for _ in range(HANDSHAKE_S * 4):
                slow.sendall(b"\x01")
                time.sleep(0.5)
            raise Fail("one octet at a time keeps a handshake open")
        except OSError:
            pass
        for s in (silent, *many):
            self.closed(s, HANDSHAKE_S + 2, "a handshake that does not begin")
            s.close()
        for s in (plain, slow):
            s.close()
        alive(self.core, "pcscf")

    def rows(self):
        """In order."""
        return [
            ("C9 phones register and call over TLS 1.2 and 1.3, the core is TLS throughout", self.versions),
            ("C9 a phone on UDP and one on TLS", self.mixed),
            ("annex O a phone with AKA", self.annex_o, A),
            ("annex O a phone with Digest", self.annex_o, DIGEST),
            ("annex O a connection that closes", self.annex_o_closed),
            ("annex O a certificate that is not the P-CSCF's", self.annex_o_liar),
            ("F22 C9 certificates change by SIGHUP, no transaction is lost", self.reload),
            ("C9 a bad certificate changes nothing", self.reload_bad),
            ("SEC-15 no certificate, a stranger's, TLS 1.1", self.strangers),
            ("SEC-15 RFC 5922 a certificate of another domain", self.wrong_domain),
            ("SEC-15 plain text, silence and slowness on the TLS port", self.hostile),
        ]


def make_all(certs):
    """Everybody's certificates: anew each time it is called."""
    certs.make("pcscf", f"pcscf.{DOMAIN}")
    certs.make("icscf", f"icscf.{DOMAIN}", DOMAIN)
    certs.make("scscf", f"scscf.{DOMAIN}")


def main():
    """The script."""
    build, net = sys.argv[1:3]
    cases = Cases()
    with tempfile.TemporaryDirectory(prefix="cscf-tls-") as folder:
        certs = Certs(folder)
        make_all(certs)
        certs.make("partner", PARTNER)
        certs.make("other", "other.example")
        certs.make("wild", "*.example")
        certs.make("stranger-partner", PARTNER, ca="other-ca")
        certs.make("stranger", "pcscf." + DOMAIN, ca="other-ca")
        extra = {n: setting(certs, net, n, "if_given" if n == "pcscf" else "required") for n in PORTS}
        with Core(build, net, [A, B, DIGEST], 2, extra, quiet_errors=(certs.path("pcscf"),)) as core:
            for case in Tls(core, certs).rows():
                cases.run(*case)
        core.finish(cases)
    cases.end()


if __name__ == "__main__":
    main()
