"""oom.py BUILD NET - the daemons while every n-th allocation of theirs fails (tests/oom/oom.c): requests may be refused with a
5xx or dropped, nothing may crash; once memory is there again everything works as before, and what failed has not kept memory.
"""

import collections
import mmap
import os
import signal
import struct
import sys
import tempfile
import time

from cases import Cases, Fail, Skip, check, wait_for
from core import Core, Sub
from phone import Phone, call, hang_up
from wire import alive, figure, quiet_timers

NODES = ("pcscf", "icscf", "scscf")
A, B, C, D = (Sub(n) for n in range(1, 5))
WORKERS = 2
T1_MS = 50
TIMER_C_S = 4			# ends what waits for an answer that a stream has lost (RFC 3261 §16.8)
EVERY = (1, 2, 3, 5, 11, 37, 101)		# one of so many fails
AGAIN = (2, 11)				# the same when it is measured what is kept
SECONDS_EACH = 0.6
ANSWER_S = 0.15
# Refusals that a lack of memory may cause; those that a user gets whose registration was lost by it, or whose calls wait for nobody.
STATUSES = {200, 401, 403, 404, 408, 480, 481, 486, 500, 503, 504, 513}
LEAK_LIMIT = 16			# blocks: rows of metrics that were not there before
QUIET_ERRORS = ("memory", "lost between workers", "cannot allocate", "Cannot allocate", "cannot be forwarded", "is no SIP URI", "errno=12",
                "errno=105")


class Gate:
    """The mapped page through which oom.c hears how often to fail and tells what it did."""

    def __init__(self, folder, node):
        self.path = os.path.join(folder, node)
        with open(self.path, "wb") as f:
            f.write(bytes(4096))
        with open(self.path, "r+b") as f:
            self.page = mmap.mmap(f.fileno(), 4096)

    def every(self, n):
        """One of n allocations fails; 0: none."""
        self.page[0:8] = struct.pack("=Q", n)

    @property
    def failed(self):
        """How many did."""
        return struct.unpack_from("=Q", self.page, 16)[0]

    @property
    def live(self):
        """Blocks that are not freed."""
        return struct.unpack_from("=q", self.page, 24)[0]


class Oom:
    """The cases."""

    def __init__(self, core, folder):
        self.core, self.folder, self.gates, self.counts = core, folder, {}, collections.Counter()

    def restart(self):
        """The three daemons again, with the allocator that can fail."""
        shim = os.path.join(self.core.build, "tests", "oom", "oom.so")
        if not os.access(shim, os.R_OK):
            raise Skip("tests/oom/oom.so is not built")
        for node in NODES:
            self.gates[node] = Gate(self.folder, node)
            self.core.stop_node(node, signal.SIGTERM)
            os.environ.update(LD_PRELOAD=shim, OOM_GATE=self.gates[node].path, OOM_LOG=os.path.join(self.folder, node + ".crash"))
            try:
                self.core.start_node(node)
            finally:
                for name in ("LD_PRELOAD", "OOM_GATE", "OOM_LOG"):
                    del os.environ[name]
        for node in NODES:
            self.core.wait_ready(node)
        self.calm()

    def calm(self):
        """Memory is there: registrations and a call."""
        with Phone(self.core, A, self.core.ip(101), 5060) as a, Phone(self.core, B, self.core.ip(102), 5060) as b:
            for p in (a, b):
                p.must_register()
            da, db, _ = call(a, b, self.core.number(B))
            hang_up(da, db)
            for p in (a, b):
                p.must_register(expires=0, headers={"Contact": "*"})

    def tried(self, fn):
        """One request; how it ended is counted, and judged."""
        try:
            r = fn()
        except Fail:
            self.counts["no answer"] += 1
            return
        except OSError:				# without memory to read or to answer a connection is closed
            self.counts["connection closed"] += 1
            return
        self.counts[r.status] += 1
        check(r.status in STATUSES, f"a lack of memory gave {r}")

    def starve(self, node, rates=EVERY):
        """Requests of all kinds while that daemon's allocations fail."""
        gate = self.gates[node]
        for every in rates:
            with Phone(self.core, C, self.core.ip(103), 5060) as c, Phone(self.core, D, self.core.ip(104), 0, "tcp") as d:
                for p in (c, d):
                    p.must_register()
                before = gate.failed
                gate.every(every)
                try:
                    end = time.monotonic() + SECONDS_EACH
                    while time.monotonic() < end:
                        self.tried(lambda: c.ask("OPTIONS", f"sip:{self.core.addr(node)[0]}:{self.core.addr(node)[1]}", seconds=ANSWER_S))
                        self.tried(lambda: c.ask("MESSAGE", self.core.number(D), None, "x", seconds=ANSWER_S))
                        for m in [m for m in d.queue if not m.status]:
                            d.queue.remove(m)
                        self.tried(lambda: c.final(c.invite(self.core.number(A)), ANSWER_S))
                        self.tried(lambda: c.register_once(seconds=ANSWER_S))
                        self.tried(lambda: d.register_once(seconds=ANSWER_S))
                finally:
                    gate.every(0)
                check(gate.failed > before, f"nothing failed with one of {every}")
                alive(self.core, node)
        with open(os.path.join(self.folder, node + ".crash"), encoding="ascii") as f:
            check(not f.read(), "it crashed")

    def leave(self):
        """Nobody is registered: with what each phone left behind when its connection or its answer was lost."""
        for sub, ip in ((C, 103), (D, 104)):
            with Phone(self.core, sub, self.core.ip(ip), 5060) as p:
                p.must_register()
                p.must_register(expires=0, headers={"Contact": "*"})
        wait_for(lambda: not any(self.core.registrations(n) for n in ("pcscf", "scscf")), 10, "the end of all registrations")

    def forgotten(self):
        """No transaction is left, and no subscription of the P-CSCF."""
        def left():
            return sum(figure(self.core.rest(n).get("/metrics"), name) for n in NODES
                       for name in ("cscf_sip_transactions", "cscf_reg_subscriptions"))
        try:
            wait_for(lambda: not left(), TIMER_C_S + 2 * 64 * T1_MS / 1000 + 15, "the end of all transactions")
        except Fail as e:
            left_over = [(n, t) for n in NODES for t in self.core.rest(n).items("/api/v1/transactions")]
            raise Fail(f"{e}: {left_over}") from e

    def blocks(self):
        """{node: blocks in use}: those that a worker keeps for the next messages are free (common/util/block.h).  Once each worker has
        renewed its figures, which it does every second."""
        def metrics(node):
            return self.core.rest(node).get("/metrics")

        def turns(node):
            return figure(metrics(node), "cscf_loop_lag_seconds_count")
        first = {n: turns(n) for n in NODES}
        wait_for(lambda: all(turns(n) >= first[n] + 2 * WORKERS for n in NODES), 10, "new figures of every worker")
        return {n: self.gates[n].live - int(figure(metrics(n), "cscf_memory_blocks_kept")) for n in NODES}

    def no_leak(self):
        """The same again: what is left when all is forgotten is what was left before."""
        self.leave()
        self.forgotten()
        before = self.blocks()
        failed = {n: self.gates[n].failed for n in NODES}
        for node in NODES:
            self.starve(node, AGAIN)
        self.calm()
        self.leave()
        self.forgotten()
        after = self.blocks()
        for node in NODES:
            more, of = after[node] - before[node], self.gates[node].failed - failed[node]
            print(f"   {node}: {more} blocks more after {of} failures", flush=True)
            check(more <= LEAK_LIMIT, f"{node}: {more} blocks more after {of} failures")


def main():
    """The script."""
    build, net = sys.argv[1:3]
    cases = Cases()
    timers = f"sip: {{{quiet_timers(T1_MS)}, timer_c_s: {TIMER_C_S}}}\n"
    with tempfile.TemporaryDirectory(prefix="cscf-oom-") as folder:
        with Core(build, net, [A, B, C, D], WORKERS, {n: timers for n in NODES}, quiet_errors=QUIET_ERRORS) as core:
            oom = Oom(core, folder)
            if cases.run("the daemons start with an allocator that can fail", oom.restart):
                for node in NODES:
                    cases.run(f"allocations of {node} fail, one of {EVERY[0]} to one of {EVERY[-1]}", oom.starve, node)
                cases.run("registrations and a call afterwards", oom.calm)
                cases.run("what failed has kept no memory", oom.no_leak)
                print("   " + ", ".join(f"{v} {k}" for k, v in sorted(oom.counts.items(), key=str)), flush=True)
        core.finish(cases)
    cases.end()


main()
