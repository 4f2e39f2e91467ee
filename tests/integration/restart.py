"""restart.py BUILD NET WORKERS - a kill is a non-event: rows H1, H6; reliability F1, F2, F3, F4.

Phones are registered and calls are up while each daemon, and then all three, are killed and started again.  No registration is lost, every call
of before can be changed and ended from both sides, and new ones come in.  Then the S-CSCF's state file is cut.
"""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time

from cases import BUSY_S, Cases, Fail, check, equal, wait_for
from core import Core, K, OPC, Sub, sanitized

NODES = ("pcscf", "icscf", "scscf")
PAIRS = [(Sub(2 * n + 1), Sub(2 * n + 2)) for n in range(4)]	# one call for each kill, and one that goes through all of them
BACK_S = 1.0


class Ue:
    """An imsue that takes commands on stdin; its events are read from a file."""

    def __init__(self, core, sub, last, proto):
        self.core, self.sub = core, sub
        self.out = tempfile.TemporaryFile("w+", encoding="utf-8")
        self.p = subprocess.Popen([core.program("tests/ue/imsue"), "--pcscf", f"{proto}:{core.ip(10)}:5060", "--bind", core.ip(last),
                                   "--imsi", sub.imsi, "--msisdn", sub.msisdn, "--mcc", "001", "--mnc", "01", "--k", K, "--opc", OPC,
                                   "--sqn", "0"], stdin=subprocess.PIPE, stdout=self.out, stderr=subprocess.DEVNULL, text=True)

    def close(self):
        """Ends it."""
        self.p.stdin.close()
        try:
            self.p.wait(10)
        except subprocess.TimeoutExpired:
            self.p.kill()
            self.p.wait()
        self.out.close()

    def say(self, line):
        """A command."""
        self.p.stdin.write(line + "\n")
        self.p.stdin.flush()

    def events(self, *names):
        """All so far of these names."""
        return [e for e in self.said() if e["event"] in names]

    def said(self):
        """All so far; a line that is being written is not there yet."""
        text = os.pread(self.out.fileno(), 1 << 24, 0).decode("utf-8")
        return [json.loads(line) for line in text[:text.rfind("\n") + 1].splitlines()]

    def does(self, command, name, seconds=15):
        """The event that answers a command; it is as long as it took."""
        before, began = len(self.events(name)), time.monotonic()
        self.say(command)
        try:
            wait_for(lambda: len(self.events(name)) > before, seconds, f"{self.sub.imsi}: {name} after {command!r}")
        except Fail as e:
            raise Fail(f"{e}; it says {[{k: v for k, v in s.items() if k != 'body'} for s in self.said()[-6:]]}") from None
        return time.monotonic() - began


class Restart:
    """The cases, in their order: each goes on from the one before."""

    def __init__(self, core):
        self.core, self.ues, self.figures, self.times = core, {}, [], []

    def close(self):
        """The phones go."""
        for ue in self.ues.values():
            ue.close()

    def begin(self):
        """Everybody registers, everybody talks.  Every other pair is on TCP."""
        for n, pair in enumerate(PAIRS):
            for k, sub in enumerate(pair):
                self.ues[sub] = Ue(self.core, sub, 101 + 2 * n + k, "tcp" if n % 2 else "udp")
        for ue in self.ues.values():
            ue.does("register", "registered")
            ue.does("subscribe", "subscribed")
        for a, b in PAIRS:
            self.call(a, b)
        wait_for(lambda: self.subscriptions() == 4 * len(PAIRS), 10, "subscriptions of phones and P-CSCF")

    def subscriptions(self):
        """To registration state, at the S-CSCF."""
        text = self.core.rest("scscf").get("/metrics")
        return int(re.search(r"^cscf_reg_subscriptions (\d+)$", text, re.M).group(1))

    def call(self, a, b):
        """a calls b, who answers."""
        before = len(self.ues[b].events("answered"))
        self.ues[a].does(f"call {self.core.number(b)}", "answered")
        wait_for(lambda: len(self.ues[b].events("answered")) > before, 10, "answered at the callee")

    def state(self):
        """What must be the same afterwards."""
        keys = ("impi", "privateIdentity", "contact", "contacts", "serviceRoute")
        pick = {n: sorted(json.dumps({k: self.steady(r[k]) for k in keys if k in r}, sort_keys=True) for r in self.core.registrations(n))
                for n in ("pcscf", "scscf")}
        equal([len(pick["pcscf"]), len(pick["scscf"])], [2 * len(PAIRS)] * 2, "registrations")
        return pick

    def steady(self, value):
        """Without what counts down, and ids that only a process has."""
        if isinstance(value, list):
            return [self.steady(v) for v in value]
        if isinstance(value, dict):
            return {k: self.steady(v) for k, v in value.items() if k != "id" and not k.startswith("expires")}
        return value

    def kill(self, nodes):
        """kill -9, and up again at once; how long until each was ready is noted."""
        for n in nodes:
            self.core.stop_node(n, signal.SIGKILL)
        began = time.monotonic()
        for n in nodes:
            self.core.start_node(n)
        for n in nodes:
            self.core.wait_ready(n)
        took, cpu = time.monotonic() - began, sum(self.core.cpu_s(n) for n in nodes)
        self.times.append((nodes, took, cpu))
        self.figures.append(f"{'+'.join(nodes)}: ready after {took * 1000:.0f} ms, {cpu * 1000:.0f} ms of processor time")

    def killed(self, nodes, pair):
        """The call of that pair is changed from both sides and ended; a new one comes in, both ways; nobody registered anew."""
        a, b = (self.ues[s] for s in pair)
        registered = {ue: len(ue.events("registered")) for ue in self.ues.values()}
        before = self.state()
        self.kill(nodes)
        after = self.state()
        equal([r for n in after for r in after[n] if r not in before[n]], [], "registrations that are not as they were")
        equal(self.subscriptions(), 4 * len(PAIRS), "subscriptions")
        self.figures[-1] += f", first re-INVITE {a.does('hold', 'held') * 1000:.0f} ms"
        # INFO goes behind the ACK, in UDP as that.  A re-INVITE is large enough for TCP between the CSCFs (RFC 3261 §18.1.1) and may pass it by:
        # the other phone, which waits for the ACK, would say 500.
        a.does("info", "response")
        a.does("resume", "resumed")
        a.does("info", "response")
        b.does("hold", "held")
        b.does("info", "response")
        b.does("resume", "resumed")
        b.does("hangup", "ended")
        wait_for(lambda: a.events("ended"), 10, "the BYE at the other side")
        self.call(*pair)
        a.does("hangup", "ended")
        self.call(*reversed(pair))
        equal({ue: len(ue.events("registered")) for ue in self.ues.values()}, registered, "registrations that phones made")
        self.core.wait_ready("scscf")

    def re_registers(self):
        """A refresh finds its registration, and the notifier its subscriptions."""
        ue = self.ues[PAIRS[0][0]]
        notified = len(ue.events("notify"))
        ue.does("reregister", "registered")
        wait_for(lambda: len(ue.events("notify")) > notified, 10, "a NOTIFY of the refresh")
        equal(len(self.core.registered("scscf", PAIRS[0][0])), 1, "registrations")

    def leaves(self):
        """What ends after a restart stays ended over the next one."""
        sub = PAIRS[0][1]
        self.ues[sub].does("deregister", "deregistered")
        self.kill(NODES)
        for n in ("pcscf", "scscf"):
            equal(self.core.registered(n, sub), [], n)
            equal(len(self.core.registrations(n)), 2 * len(PAIRS) - 1, n)

    def cut(self):
        """F4: a cut state file is put aside or used as far as it goes; the daemon starts, and a phone is served."""
        path = os.path.join(self.core.doc["dir"], "state", "scscf", "state.mdb")
        for less in (1, 5000, 30000):
            self.core.stop_node("scscf", signal.SIGTERM)
            os.truncate(path, max(os.path.getsize(path) - less, 0))
            self.core.start_node("scscf")
            self.core.wait_ready("scscf")
            ue = self.ues[PAIRS[2][0]]
            ue.does("reregister", "registered")
            check(len(self.core.registered("scscf", PAIRS[2][0])) == 1, "registered again")

    def private(self):
        """Nobody else may read what is kept."""
        for node in ("pcscf", "scscf"):
            top = os.path.join(self.core.doc["dir"], "state", node)
            for name in os.listdir(top):
                equal(os.stat(os.path.join(top, name)).st_mode & 0o777, 0o600, name)

    def rows(self):
        """What runs."""
        each = [(f"F{i} kill -9 {n}: no registration lost, its call goes on and ends, new ones come in", self.killed, (n,), PAIRS[k])
                for i, n, k in ((2, "pcscf", 0), (3, "icscf", 1), (1, "scscf", 2))]
        return [("phones register, subscribe and talk", self.begin), *each,
                ("F4 kill -9 of all three together", self.killed, NODES, PAIRS[3]),
                ("a refresh after it finds registration and subscriptions", self.re_registers),
                ("what ends stays ended", self.leaves), ("state is for the daemon's eyes only", self.private),
                ("F4 the state file is cut", self.cut)]

    def quick(self):
        """F1: service is back within a second of processor time, which a busy machine stretches; a build with sanitizers is slower."""
        for f in self.figures:
            print("   " + f)
        if not sanitized(self.core.build):
            slow = [t for t in self.times if t[2] > BACK_S or t[1] > BACK_S + BUSY_S]
            equal(slow, [], f"restarts longer than {BACK_S} s")


def main():
    """The script."""
    build, net, workers = sys.argv[1], sys.argv[2], int(sys.argv[3])
    cases = Cases()
    with Core(build, net, [s for pair in PAIRS for s in pair], workers, quiet_errors=("the state file is damaged",)) as core:
        script = Restart(core)
        try:
            for name, fn, *args in script.rows():
                cases.run(name, fn, *args)
            cases.run("F1 service is back within a second", script.quick)
        finally:
            script.close()
    core.finish(cases)
    cases.end()


main()
