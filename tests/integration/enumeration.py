"""enumeration.py BUILD NET WORKERS - SEC-06: from outside nobody learns who is a subscriber, who is barred and who is registered, neither by what
is answered nor by when.  Medians of TRIES requests at the doors of the P- and of the I-CSCF."""

import random
import select
import socket
import statistics
import sys
import time

from cases import Cases, Fail, check, equal
from core import Core, Sub
from phone import Message, Phone, token

HERE, AWAY, BARRED = Sub(1), Sub(2), Sub(3)
DOMAIN = "ims.mnc001.mcc001.3gppnetwork.org"
BARRED.more = {"impu": [f"sip:{BARRED.imsi}@{DOMAIN}", f"sip:barred@{DOMAIN}"], "barred": [f"sip:barred@{DOMAIN}"]}
TRIES = 1000
GAP_S = 0.003				# between requests: far below what the daemons can do
# Where the machine has nothing else to do medians differ by a few percent; where it has, a tenth of a millisecond is noise at the P-CSCF, which answers
# before it has looked at the callee.
BOUND, NOISE_MS = 0.25, 2.0
OUTSIDE = 150


class Prober:
    """Sends MESSAGEs of several kinds in turn, and notes status and milliseconds of each answer."""

    def __init__(self, core, node):
        self.ip, self.to = core.ip(OUTSIDE), core.addr(node)
        self.s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.s.bind((self.ip, 0))
        self.sent, self.heard = {}, {}

    def send(self, kind, uri):
        """One request; no retransmission: none is lost on the loopback while its answers are read."""
        call_id = token()
        text = (f"MESSAGE {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {self.ip}:{self.s.getsockname()[1]};branch=z9hG4bK{call_id};rport\r\nMax-Forwards: 70\r\n"
                f"From: <sip:stranger@elsewhere.example>;tag=x\r\nTo: <{uri}>\r\nCall-ID: {call_id}\r\nCSeq: 1 MESSAGE\r\n"
                f"Content-Type: text/plain\r\nContent-Length: 200\r\n\r\n" + "x" * 200)
        self.sent[call_id] = (kind, time.monotonic())
        self.s.sendto(text.encode(), self.to)

    def take(self, seconds):
        """Answers that come within that time."""
        end = time.monotonic() + seconds
        while select.select([self.s], [], [], max(0, end - time.monotonic()))[0]:
            data, now = self.s.recv(65536), time.monotonic()
            m = Message(data.decode())
            if m.status < 200 or m.get("Call-ID") not in self.sent:
                continue
            kind, began = self.sent.pop(m.get("Call-ID"))
            shape = (m.status, m.reason, tuple(sorted(n for n, _ in m.headers)), m.body)
            self.heard.setdefault(kind, []).append((shape, (now - began) * 1000))

    def run(self, kinds):
        """{kind: [(what, ms), ...]} of TRIES of each, mixed."""
        for _ in range(TRIES):
            for kind, uri in random.sample(list(kinds.items()), len(kinds)):
                self.send(kind, uri)
                self.take(GAP_S)
        end = time.monotonic() + 10
        while self.sent and time.monotonic() < end:
            self.take(0.1)
        if self.sent:
            raise Fail(f"{len(self.sent)} requests without an answer")
        return self.heard


def alike(core, node, kinds, status):
    """The same answer to all, at the same time."""
    heard = Prober(core, node).run(kinds)
    equal({what[0] for v in heard.values() for what, _ in v}, {status}, "statuses")
    equal(len({what for v in heard.values() for what, _ in v}), 1, "different answers")
    medians = {k: statistics.median(ms for _, ms in v) for k, v in heard.items()}
    low, high = min(medians.values()), max(medians.values())
    print(f"   {node}: medians of {TRIES} in ms: " + ", ".join(f"{k} {v:.3f}" for k, v in medians.items()) +
          f"; {100 * (high / low - 1):.1f} % apart")
    check(high / low - 1 < BOUND or high - low < NOISE_MS, f"medians differ: {medians}")


def main():
    """The script."""
    build, net, workers = sys.argv[1], sys.argv[2], int(sys.argv[3])
    cases = Cases()
    inside = ", ".join(f'"{net}.{n}"' for n in (10, 20, 30))
    with Core(build, net, [HERE, AWAY, BARRED], workers, extra={"icscf": f"trust: {{networks: [{inside}]}}\n"}) as core:
        phones = [Phone(core, sub, core.ip(101 + n)) for n, sub in enumerate((HERE, BARRED))]
        for p in phones:
            p.must_register()			# so that the barred identity is known to the S-CSCF, which refuses
        kinds = {"unknown": f"sip:nobody@{core.domain}", "barred": f"sip:barred@{core.domain}", "not registered": core.number(AWAY)}
        cases.run("SEC-06 P-CSCF: strangers hear 403 of everybody", alike, core, "pcscf", {**kinds, "ours": core.impu(HERE)}, 403)
        cases.run("SEC-06 I-CSCF: another network hears 480 of unknown, barred and unregistered ones", alike, core, "icscf", kinds, 480)
    core.finish(cases)
    cases.end()


main()
