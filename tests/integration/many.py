"""many.py BUILD NET WORKERS - many subscribers registered in one run, each one listed by REST, all de-registered, the memory back."""

import re
import sys
import time

from cases import Cases, check, equal, wait_for
from core import Core, K, OPC, Sub, sanitized, settle
from sipp import Sipp, aka_keyword

ALL, FEW = 10000, 500
FIRST, WARM = 1, 90001				# IMSIs count from these
WARM_UP = 5000			# what a daemon takes once and keeps (rings of traces, tables at their size) is taken by then
RATE, AT_ONCE, AT_ONCE_SMALL = 2000, 20, 4			# new ones in a second, SIPp's calls at a time
SETTLE_S, STILL = 15, 6			# half seconds without a change
MEMORY = 1.10
NODES = ("pcscf", "icscf", "scscf")
# Transactions must be over when the memory is looked at: 64*T1 is 3.2 s instead of 32 s and 128 s.
TIMERS = "sip: {timers: {t1_ms: 50, t2_ms: 400, t4_ms: 500}, ue_timers: {t1_ms: 50, t2_ms: 400, t4_ms: 500}}\nlog: {level: warn}\n"


class Many:
    """The cases."""

    def __init__(self, core, count, at_once):
        self.core, self.count, self.at_once = core, count, at_once
        self.rss = {}

    def all(self, first, count, expires):
        """All of them register or de-register, by one SIPp."""
        phone = Sipp(self.core, Sub(first), self.core.ip(101))
        rows = "SEQUENTIAL\n" + "".join(f"00101{n:010d};{aka_keyword(f'00101{n:010d}@{self.core.domain}')}\n"
                                       for n in range(first, first + count))
        began = time.monotonic()
        run = phone.start("bulk", user="[field0]", auth="[field1]", expires=str(expires), files={"users.csv": rows},
                          extra=("-inf", "users.csv", "-r", str(RATE), "-m", str(count), "-l", str(self.at_once)))
        run.finish(240)
        return time.monotonic() - began

    def memory(self):
        """RSS of each daemon in KiB."""
        return {n: self.core.rss_kib(n) for n in NODES}

    def at_rest(self):
        """The memory once it does not change any more; what it is after SETTLE_S otherwise."""
        end, seen = time.monotonic() + SETTLE_S, []
        while time.monotonic() < end and not (len(seen) > STILL and seen[-1] == seen[-1 - STILL]):
            settle(0.5)
            seen.append(self.memory())
        return self.memory()

    def warm_up(self):
        """A first few, so that what a daemon takes once is taken."""
        self.rss["started"] = self.memory()
        self.all(WARM, WARM_UP, 3600)
        self.all(WARM, WARM_UP, 0)
        self.rss["before"] = self.at_rest()

    def register(self):
        took = self.all(FIRST, self.count, 3600)
        self.rss["registered"] = self.memory()
        print(f"   {self.count} registered in {took:.1f} s, {self.count / took:.0f} a second", flush=True)

    def listed(self):
        """Each one stands in the pages of the P- and the S-CSCF, once."""
        wanted = {f"00101{n:010d}@{self.core.domain}" for n in range(FIRST, FIRST + self.count)}
        for node in ("scscf", "pcscf"):
            began = time.monotonic()
            got = [r["impi"] for r in self.core.registrations(node)]
            took = time.monotonic() - began
            equal(len(got), self.count, f"entries at {node}")
            equal(set(got), wanted, f"who is listed at {node}")
            print(f"   {node} listed them in {took:.1f} s", flush=True)

    def deregister(self):
        took = self.all(FIRST, self.count, 0)
        print(f"   {self.count} de-registered in {took:.1f} s, {self.count / took:.0f} a second", flush=True)
        for node in ("scscf", "pcscf"):
            wait_for(lambda n=node: not self.core.registrations(n), 5, f"the end of all registrations at {node}")

    def hss(self):
        """The HSS holds none of them as registered."""
        states = self.core.rest("hss").get("/api/v1/counters")
        check(not re.search(r"'registered': [1-9]", str(states)), f"the HSS counts {states}")

    def back(self):
        """Once the last transactions are over (64*T1) and freed memory has gone back to the system, which takes some seconds."""
        end = time.monotonic() + SETTLE_S
        while True:
            self.rss["after"] = self.memory()
            more = [f"{n}: {self.rss['before'][n]} KiB before, {now} KiB after" for n, now in self.rss["after"].items()
                    if now > self.rss["before"][n] * MEMORY]
            if not more or time.monotonic() > end:
                break
            settle(0.5)
        for when, values in self.rss.items():
            print(f"   KiB {when:10} " + ", ".join(f"{n} {v}" for n, v in values.items()), flush=True)
        check(not more, "; ".join(more))


def main():
    """The script."""
    build, net, workers = sys.argv[1], sys.argv[2], int(sys.argv[3])
    cases, small = Cases(), sanitized(build)
    count = FEW if small else ALL
    generate = "".join(f'- generate: {{count: {n}, first_imsi: "00101{first:010d}", first_msisdn: "4915{first:09d}", k: "{K}", opc: "{OPC}"}}\n'
                       for first, n in ((FIRST, count), (WARM, WARM_UP)))
    with Core(build, net, [], workers, {n: TIMERS for n in NODES}, more_subscribers=generate) as core:
        many = Many(core, count, AT_ONCE_SMALL if small else AT_ONCE)
        rows = [("warm-up", many.warm_up), (f"{count} subscribers register", many.register), ("each is listed", many.listed),
                ("all de-register", many.deregister), ("the HSS knows it", many.hss)]
        for case in rows if not small else rows[1:]:
            cases.run(*case)
        if not small:
            cases.run("the memory is back", many.back)
    core.finish(cases)
    cases.end()


main()
