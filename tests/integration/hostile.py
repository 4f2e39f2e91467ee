"""hostile.py BUILD NET - tests/corpus to every daemon over UDP and TCP; what the trust border lets through; very long names.

A file of the corpus says by its name what must come: NAME.STATUS.sip that answer, NAME.ok.sip anything but a complaint about
its form, NAME.drop.sip nothing.  At the P-CSCF they come from registered phones and go to one: a far end that keeps what
arrives octet by octet.
"""

import glob
import os
import re
import socket
import struct
import sys
import threading

from cases import Cases, Fail, check, equal
from core import Core, Sub, TOP
from phone import Message, Phone, call, hang_up
from wire import FarEnd, Wire, alive, slow_build

NODES = ("pcscf", "icscf", "scscf")
A, B, C, X, Y, LIAR = (Sub(n) for n in range(1, 7))		# the corpus is from A to B
COMPLAINTS = {400, 505, 513}
# A role may find a value wrong that the parser has no opinion on.
ROLES_DECIDE = ("reg09-authorization", "reg10-contact", "reg10-to", "reg13-hundred-routes", "reg08-path", "reg13-five-hundred")
EVIL = b"evil.example"


class Item:
    """One message of the corpus."""

    def __init__(self, path):
        self.name, want, _ = os.path.basename(path).rsplit(".", 2)
        self.want = want if want in ("ok", "drop") else int(want)
        with open(path, "rb") as f:
            self.data = f.read()
        head, _, body = self.data.partition(b"\r\n\r\n")
        lengths = re.findall(rb"(?im)^(?:content-length|l)[ \t]*:(?:[ \t]|\r\n[ \t])*(\d+)[ \t]*\r?$", head + b"\r\n")
        self.framed = len(lengths) == 1 and int(lengths[0]) == len(body) and b"\r\n\r\n" in self.data
        self.is_request = not self.data.lstrip().startswith(b"SIP/")
        self.is_ack = self.data.startswith(b"ACK ")

    def octets(self, digit):
        """The message as it goes out once: a transaction, a dialog and a sender of its own."""
        return self.data.replace(b"corpus", os.urandom(3).hex().encode()).replace(b"192.0.2.9", b"192.0.2." + digit)

    def judge(self, out, whole):
        """Fails unless the name's promise is kept."""
        check(not out.requests, f"a request came back: {out.requests}")
        check(len([s for s in out.statuses if s >= 200]) <= 1, f"answered twice: {out.statuses}")
        for raw in out.forwarded:
            check(EVIL not in raw, f"smuggled: {raw!r}")
        if not whole:
            check(self.want == "ok" or not out.forwarded, f"{out}, wanted {self.want}")
        elif not self.is_request or self.is_ack or self.want == "drop":
            check(not out.statuses, str(out))
        elif self.want == "ok":
            bad = COMPLAINTS if not self.name.startswith(ROLES_DECIDE) else COMPLAINTS - {400}
            check(out.final and out.final not in bad, f"{out}, but nothing is wrong with its form")
            check(len(out.forwarded) <= 1, f"forwarded {len(out.forwarded)} times")
        else:
            check(out.final == self.want or (out.final == 0 and "via" in self.name), f"{out}, wanted {self.want}")
            check(not out.forwarded, "forwarded")


class Hostile:
    """The cases."""

    def __init__(self, cases, core):
        self.cases, self.core = cases, core
        self.items = [Item(p) for p in sorted(glob.glob(os.path.join(TOP, "tests", "corpus", "*.sip")))]
        self.far, self.done = None, 0

    def begin(self):
        """B's phone registers; from then on the far end sits at its address."""
        check(len(self.items) >= 200, f"only {len(self.items)} messages")
        with Phone(self.core, B, self.core.ip(70), 5060) as b:
            b.must_register()
        self.far = FarEnd(self.core.ip(70))
        with Phone(self.core, X, self.core.ip(75), 5060) as x:
            x.must_register()
            equal(x.ask("MESSAGE", self.core.number(B), None, "x").status, 200, "MESSAGE to the far end")
            x.must_register(expires=0)
        equal(len(self.far.taken()), 1, "requests at the far end")

    # ---- the corpus ----

    def replay(self, node, transport, sub, last, digit):
        """All of it to one daemon over one transport."""
        far = self.far if node == "pcscf" else None
        faults = []
        with Wire(self.core, node, sub, self.core.ip(last), transport, None, node == "pcscf") as wire:
            for item in self.items:
                whole = transport == "udp" or item.framed
                sure = whole and item.is_request and not item.is_ack and item.want != "drop" and "via" not in item.name
                out = wire.throw(item.octets(digit), sure, ack=whole)
                if transport == "tcp" and not whole and not out.closed:
                    wire.open()
                if far:
                    out.forwarded += far.taken(out.sent[0])
                try:
                    item.judge(out, whole)
                except Fail as e:
                    faults.append(f"{item.name}: {e}")
        self.done += len(self.items)
        check(not faults, f"{len(faults)} of {len(self.items)}:\n   " + "\n   ".join(faults))

    def corpus(self):
        """Six at a time: what one sender does must not disturb the others."""
        rows, last = [], 111
        for node in NODES:
            for transport, sub, digit in (("udp", A, b"7"), ("tcp", C, b"8")):
                rows.append([(f"{len(self.items)} messages to {node}, {transport.upper()}", self.replay, node, transport, sub, last, digit)])
                last += 1
        self.cases.side_by_side(rows)

    # ---- lies in every spelling ----

    def smuggle(self):
        """REG-08, SEC-03: a phone writes headers that only the core may write; nothing of them arrives."""
        names = ("P-Asserted-Identity", "P-Charging-Vector", "P-Charging-Function-Addresses", "P-Served-User", "P-User-Database",
                 "P-Profile-Key", "P-Asserted-Service", "P-Visited-Network-ID", "P-Called-Party-ID", "P-Associated-URI", "Path", "Service-Route",
                 "Record-Route", "Feature-Caps", "X-Invented", "P-Invented", "Security-Client", "Security-Verify", "Route",
                 "P-Preferred-Identity", "Remote-Party-ID")
        value = "<sip:x@evil.example>"
        spellings = {
            "as it is": "{n}: {v}", "upper case": "{N}: {v}", "lower case": "{l}: {v}", "no space": "{n}:{v}", "space": "{n} : {v}",
            "tab": "{n}\t: {v}", "blanks": "{n} \t \t:\t {v}", "folded": "{n}:\r\n {v}", "folded by tab": "{n}:\r\n\t{v}",
            "folded twice": "{n}:\r\n \r\n {v}", "folded before the colon": "{n}\r\n : {v}", "comma first": "{n}: ,{v}", "twice": "{n}: {v}\r\n{n}: {v}",
            "in a list": "{n}: <sip:y@evil.example>, {v}", "line feed only": "{n}: {v}\n{n}: {v}",
        }
        with Phone(self.core, LIAR, self.core.ip(121), 5060) as p:
            p.must_register()
            for how, form in spellings.items():
                lies = [form.format(n=n, N=n.upper(), l=n.lower(), v=value) for n in names]
                text = p.build("MESSAGE", self.core.number(B), None, "x").replace("\r\nContact:", "\r\n" + "\r\n".join(lies) + "\r\nContact:", 1)
                p.send(text)
                r = p.final(Message(text))
                seen = self.far.taken(Message(text).get("Call-ID"))
                if r.status == 400:
                    equal(seen, [], f"{how}: refused and yet forwarded")
                    continue
                equal((r.status, len(seen)), (200, 1), f"{how}: status and copies at the far end")
                left = [line for line in seen[0].split(b"\r\n") if EVIL in line]
                check(not left, f"{how}: {left}")
            p.must_register(expires=0)

    # ---- long ----

    def lengths(self, transport):
        """REG-07, REG-13: branch, tag, Call-ID and names of 1 to 60000 octets; answered, or dropped where no answer fits."""
        counts = {}
        with Phone(self.core, Y if transport == "tcp" else X, self.core.ip(131 if transport == "tcp" else 132), 5060, transport) as p:
            p.must_register()
            for n in (1, 100, 1000, 1300, 8000, 16000, 30000, 60000):
                long = "l" * n
                for what, how in (("branch", {"branch": "z9hG4bK" + os.urandom(4).hex() + long}), ("Call-ID", {"call_id": os.urandom(4).hex() + long}),
                                  ("tag", {"headers": {"From": f"<{p.impu}>;tag={long}"}}), ("display name", {"headers": {"From": f'"{long}" <{p.impu}>;tag=x'}}),
                                  ("Subject", {"headers": {"Subject": long}}), ("a name", {"headers": {"Y" + long: "x"}})):
                    req = p.start("MESSAGE", self.core.number(B), how.get("headers"), "x", call_id=how.get("call_id"), branch=how.get("branch"))
                    r = p.final(req)
                    counts[r.status] = counts.get(r.status, 0) + 1
                    check(r.status in (200, 400, 413, 500, 503, 513), f"{what} of {n}: {r}")
                    check(n > 16000 or r.status == 200, f"{what} of {n}: {r}")
            p.must_register(expires=0)

    def diameter(self):
        """REG-02, REG-17: headers and AVPs that lie about their length, before any CER: the connection ends, the node does not."""
        def head(length, version=1, flags=0x80, code=257):
            return struct.pack("!B3sB3sIII", version, length.to_bytes(3, "big"), flags, code.to_bytes(3, "big"), 0, 1, 1)

        def avp(code, length, data=b"", flags=0x40):
            return struct.pack("!IB3s", code, flags, length.to_bytes(3, "big")) + data

        def cer(body):
            return head(20 + len(body)) + body
        wrong = [head(n) for n in list(range(20)) + [21, 22, 23, 0xffffff, 0x7fffff]] + [head(20, version=v) for v in (0, 2, 255)]
        wrong += [cer(avp(264, n, b"host.example")) for n in (0, 1, 7, 9, 21, 0xffff, 0xffffff)]
        wrong += [cer(avp(260, 8 + 8, avp(266, n))) for n in (0, 7, 9, 0xffffff)] + [cer(avp(260, 8 + 4, b"\0\0\1\1")), cer(b"\0" * 3), cer(b"\xff" * 64)]
        wrong += [head(20), head(20, code=316), head(20, flags=0), cer(avp(264, 8) * 500), b"GET / HTTP/1.0\r\n\r\n", b"\1", b""]
        for node in ("icscf", "scscf", "hss"):
            host, port = self.core.doc["diameter"][node].rsplit(":", 1)
            for text in wrong:
                with socket.create_connection((host, int(port)), 5) as s:
                    s.settimeout(5)
                    try:				# it may be closed before everything is sent
                        s.sendall(text)
                        s.shutdown(socket.SHUT_WR)
                        while s.recv(4096):
                            pass
                    except OSError:
                        pass
            if node != "hss":
                alive(self.core, node)
        for node in ("icscf", "scscf"):
            self.core.wait_ready(node)

    # ---- afterwards ----

    def serves(self):
        """Everything lives; a registration and a call."""
        for node in NODES:
            alive(self.core, node)
        with Phone(self.core, X, self.core.ip(141), 5060) as x, Phone(self.core, Y, self.core.ip(142), 5060) as y:
            x.must_register()
            y.must_register()
            da, db, _ = call(x, y, self.core.number(Y))
            hang_up(da, db)
            x.must_register(expires=0)
            y.must_register(expires=0)

    def run(self):
        """In order."""
        if self.cases.run("the far end registers", self.begin):
            self.corpus()
            self.cases.run("every message went to every daemon", equal, self.done, 6 * len(self.items), "messages")
            self.cases.run("headers of the core in every spelling stay outside (REG-08)", self.smuggle)
            self.cases.run("branch, tag, Call-ID, names of 1 to 60000 octets, UDP", self.lengths, "udp")
            self.cases.run("branch, tag, Call-ID, names of 1 to 60000 octets, TCP", self.lengths, "tcp")
            self.cases.run("Diameter that lies about its lengths (REG-02, REG-17)", self.diameter)
            self.cases.run("registration and call afterwards", self.serves)
            self.far.close()


def main():
    """The script."""
    build, net = sys.argv[1:3]
    slow_build(build)
    cases = Cases()
    with Core(build, net, [A, B, C, X, Y, LIAR], 1, {"pcscf": "access: {budgets: [{method: MESSAGE, header_bytes: 65535}]}\n"}) as core:
        Hostile(cases, core).run()
    core.finish(cases)
    cases.end()


main()
