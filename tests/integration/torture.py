"""torture.py BUILD NET-UDP NET-TCP - the torture messages of RFC 4475 and RFC 5118 against the real daemons.

The messages are not part of this project.  They are taken from the folder that CSCF_TORTURE_DIR names, else from
shared/torture beside the checkout: rfc4475/ and rfc5118/, each with a manifest.json that says what a proxy and a registrar
must do with each one.  Without the folder the script is skipped.

Each transport has a core of its own, since the same message over another transport is a retransmission.  Messages that
share branch, sender and method go one after the other's transaction has ended.
"""

import collections
import glob
import json
import os
import re
import sys
import threading
import time

from cases import Cases, Fail, Skip, check, equal
from core import Core, Sub, TOP
from phone import Phone, call, hang_up
from wire import FarEnd, Wire, alive, quiet_timers, slow_build, via_ports

NODES = ("pcscf", "icscf", "scscf")
SENDER, A, B = Sub(1, "torture test"), Sub(2), Sub(3)
T1_MS = 30
FORGET_S = 64 * T1_MS / 1000 + 0.3
FAR_NAMES = ("example.com", "example.net", "example.org", "company.com", "chair-dnrc.example.com", "registrar.example.com", "host.example.net")
# What a node may do with a request that is well formed but not for it: policy, or nobody there.
POLICY = {401, 403, 404, 405, 407, 408, 416, 420, 480, 481, 482, 483, 500, 502, 503, 504, 200}


def folder():
    """Where the messages are, or Skip."""
    here = os.environ.get("CSCF_TORTURE_DIR")
    candidates = [here] if here else [os.path.join(os.path.dirname(TOP), "shared", "torture"), os.path.join(TOP, "shared", "torture")]
    for path in candidates:
        if glob.glob(os.path.join(path, "*", "manifest.json")):
            return path
    raise Skip(f"no torture messages in {' or '.join(candidates)} (CSCF_TORTURE_DIR names another folder)")


class Torture:
    """One message with what its manifest says."""

    def __init__(self, path, doc, case):
        self.doc, self.name = doc, case["name"]
        with open(os.path.join(path, case["file"]), "rb") as f:
            self.data = f.read()
        equal(len(self.data), case["octets"], f"octets of {case['file']}")
        self.valid, self.proxy, self.registrar = case["valid"], case["proxy"], case.get("registrar", "n/a")
        self.codes, self.never, self.note = case["codes"], case["never"], case["note"]
        self.request = case["start"] == "request"
        self.method = case.get("method") or ""
        self.routed = bool(re.search(rb"(?im)^route\s*:", self.data))
        self.in_dialog = bool(re.search(rb"(?im)^t(?:o)?\s*:(?:[^\r\n]|\r\n[ \t])*;\s*tag\s*=", self.data))
        via = re.search(rb"(?im)^v(?:ia)?\s*:\s*([^\r\n]*(?:\r\n[ \t][^\r\n]*)*)", self.data)
        branch = re.search(rb"branch\s*=\s*([^;,\s]*)", via.group(1) if via else b"")
        sent_by = re.match(rb"\S+(?:\s*/\s*\S+)*\s+([^;,\s]+)", via.group(1) if via else b"")
        self.key = (branch.group(1) if branch else b"", sent_by.group(1) if sent_by else b"", self.method)
        length = re.search(rb"(?im)^(?:content-length|l)\s*:\s*(\d+)\s*$", self.data)
        body = self.data.partition(b"\r\n\r\n")[2]
        self.framed = bool(length) and int(length.group(1)) == len(body)	# alone on a stream it is one whole message

    def judge(self, node, out, transport):
        """Fails unless the outcome is what the manifest wants of this node."""
        whole = transport == "udp" or self.framed
        never = {int(n) for n in self.never if n.isdigit()} if whole else set()
        check(not never & set(out.statuses), f"{out}; never {sorted(never)}")
        check(not out.requests, f"a request came back: {out.requests}")
        if not self.request:
            check(not out.statuses and not out.forwarded, f"a response that nobody waits for gave {out}")
            return
        if self.proxy == "drop":
            check(not out.statuses and not out.forwarded, str(out))
        elif not whole:
            self.judge_unframed(out)
        elif self.proxy == "reject" and self.method == "OPTIONS" and self.codes == [483] and out.final == 200:
            pass							# the manifest's own exception
        elif self.proxy == "reject" and self.codes:
            check(out.final in self.codes, f"{out}; wanted {self.codes}")
            check(not out.forwarded, "forwarded")
        elif self.proxy == "repair":
            self.judge_repaired(out)
        elif self.proxy == "either":
            check(out.final in set(self.codes) | POLICY, str(out))
        else:
            self.judge_forward(node, out)

    def judge_unframed(self, out):
        """On a stream, without a right Content-Length: waited for, refused or taken as far as it goes; never answered twice."""
        check(out.final in {0, 400, 501} | POLICY, str(out))
        check(len([s for s in out.statuses if s >= 200]) <= 1, f"answered twice: {out.statuses}")
        if 400 in self.codes and out.final:
            check(out.final == 400, f"{out}; wanted 400")

    def judge_repaired(self, out):
        """400, or sent on without the mistake."""
        check(out.final in set(self.codes) | POLICY, str(out))
        for raw in out.forwarded:
            start = raw.split(b"\r\n", 1)[0]
            check(re.fullmatch(rb"[^ ]+ [^ <>?]+ SIP/2\.0", start), f"went on as {start!r}")
            check(b"\r\nRoute: <sip:example.com>" not in raw, "a header part became a header")

    def judge_forward(self, node, out):
        """A good request: served, sent on unharmed, or refused for what it wants, not for how it is written."""
        if self.registrar.startswith("reject") and node == "scscf" and self.codes:
            check(out.final in set(self.codes) | {401, 403, 404}, str(out))
            return
        # Sent along its own Route, which leads nowhere: RFC 4320 §4.2 wants silence then.
        silent = {0} if self.routed and node == "icscf" and self.method != "INVITE" else set()
        check(out.final in POLICY | set(self.codes) | silent, str(out))
        check(len([s for s in out.statuses if s >= 200]) <= 1, f"answered twice: {out.statuses}")
        for raw in out.forwarded:
            self.same(raw)

    def same(self, raw):
        """What arrived at the far end has the body and the values of the message."""
        body = self.data.partition(b"\r\n\r\n")[2]
        length = re.search(rb"(?im)^(?:content-length|l)\s*:\s*(\d+)\s*$", self.data)
        if length:
            body = body[:int(length.group(1))]
        equal(raw.partition(b"\r\n\r\n")[2], body, "the body at the far end")
        for name in (rb"NewFangledHeader", rb"RE%47IST%45R123", rb"UnknownHeaderWithUnusualValue", rb"Subject|s", rb"Call-ID|i"):
            sent = re.search(rb"(?im)^(?:" + name + rb")\s*:(?: |\t|\r\n[ \t])*([^\r\n]*)", self.data)
            if sent and sent.group(1):
                check(sent.group(1).strip() in raw, f"{name.decode()} is not what was sent")


def load(path):
    """All of them, in rounds in which no two share a transaction."""
    all_of, rounds = [], collections.defaultdict(list)
    for doc in sorted(os.listdir(path)):
        manifest = os.path.join(path, doc, "manifest.json")
        if os.path.exists(manifest):
            with open(manifest, encoding="utf-8") as f:
                all_of += [Torture(os.path.join(path, doc), doc, c) for c in json.load(f)["cases"]]
    seen = collections.Counter()
    for t in all_of:
        rounds[seen[t.key]].append(t)
        seen[t.key] += 1
    return all_of, [rounds[i] for i in sorted(rounds)]


class Run:
    """All messages over one transport, through a core of its own."""

    def __init__(self, cases, core, transport, rounds):
        self.cases, self.core, self.transport, self.rounds = cases, core, transport, rounds
        self.far = FarEnd(core.ip(70))
        self.went_on, self.done = set(), 0

    def node(self, node, last):
        """Every message to one daemon; at the P-CSCF from a phone that is registered."""
        ports = set().union(*(via_ports(t.data) for r in self.rounds for t in r))
        with Wire(self.core, node, SENDER, self.core.ip(last), self.transport, self.far if node == "pcscf" else None,
                  node == "pcscf", ports) as wire:
            for i, messages in enumerate(self.rounds):
                if i:
                    time.sleep(FORGET_S)
                for t in messages:
                    self.cases.run(f"{t.doc} {t.name} to {node}, {self.transport.upper()}", self.one, wire, node, t)

    def one(self, wire, node, t):
        """One message."""
        whole = self.transport == "udp" or t.framed
        out = wire.throw(t.data, t.request and whole and t.proxy != "drop", ack=whole)
        if self.transport == "tcp" and not out.closed:
            wire.open()						# what is left of a stream must not become the next one's head
        if out.forwarded:
            self.went_on.add(t.name)
        if os.environ.get("CSCF_VERBOSE"):
            self.cases.say(f"   {t.name} at {node}: {t.proxy}: {out}")
        self.done += 1
        t.judge(node, out, self.transport)

    def arrived(self):
        """Requests that no policy stands against must have gone all the way to the far end, or the replay shows little."""
        wanted = {t.name for r in self.rounds for t in r
                  if t.proxy == "forward" and t.request and t.method != "REGISTER" and not t.in_dialog and b"example.com" in t.data.split(b"\r\n")[0]
                  and (self.transport == "udp" or t.framed)}
        missing = wanted - self.went_on
        check(len(wanted) >= 8, f"only {sorted(wanted)} were to be forwarded")
        check(not missing, f"not seen at the far end: {sorted(missing)}")

    def serves(self):
        """Everything lives, and serves a registration and a call."""
        for node in NODES:
            alive(self.core, node)
        with Phone(self.core, A, self.core.ip(101), 5060, self.transport) as a, Phone(self.core, B, self.core.ip(102), 5060) as b:
            a.must_register()
            b.must_register()
            da, db, _ = call(a, b, self.core.number(B))
            hang_up(da, db)
            a.must_register(expires=0)
            b.must_register(expires=0)


def one_transport(cases, build, net, transport, rounds):
    """A core, all messages to each node, and whether it still serves."""
    hops = "dns: {next_hops: {" + ", ".join(f'{n}: "udp:{net}.70:5060"' for n in FAR_NAMES) + "}}\n"
    timers = f"sip: {{{quiet_timers(T1_MS)}}}\n"
    extra = {"pcscf": timers + hops, "icscf": timers, "scscf": timers + hops}
    with Core(build, net, [SENDER, A, B], 1, extra) as core:
        run = Run(cases, core, transport, rounds)
        try:
            cases.run(f"a call before, {transport.upper()}", run.serves)
            threads = [threading.Thread(target=run.node, args=(node, last), daemon=True) for last, node in enumerate(NODES, 111)]
            for t in threads:
                t.start()
            for t in threads:
                t.join()
            cases.run(f"every message was sent, {transport.upper()}", equal, run.done, len(NODES) * sum(map(len, rounds)), "messages")
            cases.run(f"well-formed requests arrived at the far end, {transport.upper()}", run.arrived)
            cases.run(f"a call afterwards, {transport.upper()}", run.serves)
        finally:
            run.far.close()
    core.finish(cases)


def whole(*args):
    """one_transport(), of which a core that does not start is a failure like others."""
    try:
        one_transport(*args)
    except SystemExit as e:
        raise Fail(str(e)) from None


def main():
    """The script."""
    build, nets = sys.argv[1], sys.argv[2:4]
    cases = Cases()
    try:
        all_of, rounds = load(folder())
    except Skip as e:
        print(e, flush=True)
        sys.exit(77)
    slow_build(build)
    check(len(all_of) >= 60, f"only {len(all_of)} messages")
    # As cases: what ends a thread, a core that does not start too, must end as a failure.
    threads = [threading.Thread(target=cases.run, args=(f"all messages, {row[1].upper()}", whole, cases, build, *row, rounds))
               for row in zip(nets, ("udp", "tcp"))]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    cases.end()


try:
    main()
except Fail as e:
    print(f"not ok - {e}", flush=True)
    sys.exit(1)
