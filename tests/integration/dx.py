"""dx.py BUILD NET WORKERS - a SLF between the CSCFs and the HSS: Dx, TS 29.228 §5.2 and annex A; RFC 6733 §6.1.8; rows I8, D13.

The lab's HSS says 3006 to everything and knows nobody; the users are at another one, of a realm of its own, so that nobody comes to it
without being sent.  Registrations, calls and what is remembered of the way.
"""

import signal
import sys
import time

from cases import Cases, check, equal, wait_for
from core import Core, Sub
from labnet import LabNet
from phone import Phone, call, hang_up
from wire import figure

USERS = [Sub(n) for n in range(1, 7)]
CX_NODES, COMMANDS = ("icscf", "scscf"), ("UAR", "MAR", "SAR", "LIR")
CX_TIMEOUT_MS, RECOVERY_S = 1000, 20


class Dx:
    """The cases, each with a user of its own where it is about what is remembered."""

    def __init__(self, core):
        self.core = core
        self.a, self.b = Phone(core, USERS[0], core.ip(101)), Phone(core, USERS[1], core.ip(102))

    def slf(self, cache_s=60, usage=6, to="hss2", **more):
        """What the SLF says."""
        self.core.behave({c: {"redirectTo": f"aaa://{to}.{self.core.domain}:3868;transport=tcp", "redirectUsage": usage, "redirectCacheS": cache_s, **more}
                          for c in COMMANDS})

    def redirects(self):
        """How many it sent so far, by command."""
        doc = self.core.rest("hss").get("/api/v1/counters")["commands"]
        return {c: doc[c].get("3006", 0) for c in COMMANDS}

    def outcome(self, node, outcome):
        """The metric of a CSCF."""
        return figure(self.core.rest(node).get("/metrics"), f'cscf_diameter_redirects_total{{outcome="{outcome}"}}')

    def since(self, before):
        """Redirects since then, those that were none left out."""
        return {c: n - before[c] for c, n in self.redirects().items() if n != before[c]}

    def registers(self):
        """Each command of a registration is sent on; afterwards the way is known."""
        self.slf()
        before = self.redirects()
        self.a.must_register()
        equal(self.since(before), {"UAR": 1, "MAR": 1}, "redirects of a first registration; SAR goes where the MAA came from")
        self.b.must_register()
        before = self.redirects()
        self.a.must_register(expires=0)
        self.a.must_register()
        equal(self.since(before), {}, "redirects once the way is known")
        check(self.outcome("icscf", "remembered") > 0, "nothing was remembered at the I-CSCF")

    def calls(self):
        """LIR: for the number, another identity than what registered."""
        before = self.redirects()
        da, db, _ = call(self.a, self.b, self.core.number(USERS[1]))
        hang_up(da, db)
        equal(self.since(before), {"LIR": 1}, "redirects of a first call")
        da, db, _ = call(self.a, self.b, self.core.number(USERS[1]))
        hang_up(da, db)
        equal(self.since(before), {"LIR": 1}, "and of a second one")

    def not_to_be_remembered(self):
        """Redirect-Host-Usage DONT_CACHE: asked each time."""
        self.slf(usage=0)
        with Phone(self.core, USERS[2], self.core.ip(103)) as p:
            p.must_register()
            before = self.redirects()
            p.must_register(expires=0)
            check(self.since(before).get("UAR", 0) >= 1, f"redirects of a user who is not to be remembered: {self.since(before)}")

    def for_a_while(self):
        """Redirect-Max-Cache-Time."""
        self.slf(cache_s=1)
        with Phone(self.core, USERS[3], self.core.ip(104)) as p:
            p.must_register()
            before, began = self.redirects(), time.monotonic()

            def asked_again():
                p.must_register()
                return "UAR" in self.since(before)
            wait_for(asked_again, 10, "another redirect")
            check(time.monotonic() - began > 0.5, "it was forgotten too soon")

    def nowhere(self):
        """A host that is no peer of ours: 3006 is what the CSCF hears, a 5xx with Retry-After the phone."""
        self.slf(to="hss9")
        with Phone(self.core, USERS[4], self.core.ip(105)) as p:
            r = p.register()
            check(500 <= r.status < 600, f"REGISTER gets {r}")
            check(r.get("Retry-After"), f"{r} has no Retry-After")
        check(self.outcome("icscf", "refused") > 0, "not counted")

    def away(self):
        """The HSS that is remembered dies: whoever is known there is refused as without a HSS, and served when it is back."""
        self.slf()
        self.core.stop_node("hss2", signal.SIGKILL)
        for node in CX_NODES:
            self.core.wait_peers(node, 1)
        r = self.a.register()
        check(500 <= r.status < 600 and r.get("Retry-After"), f"REGISTER gets {r}, Retry-After {r.get('Retry-After')!r}")
        self.core.start_node("hss2")
        for node in CX_NODES:
            self.core.wait_peers(node, 2)
        self.a.must_register()
        da, db, _ = call(self.a, self.b, self.core.number(USERS[1]))
        hang_up(da, db)

    def rows(self):
        """In order."""
        return [("I8 a registration by way of the SLF, and the next one past it", self.registers), ("I8 a call", self.calls),
                ("I8 not to be remembered", self.not_to_be_remembered), ("I8 to be remembered for a second", self.for_a_while),
                ("I8 to a host that is no peer", self.nowhere), ("I8 the HSS dies and comes back", self.away)]


def main():
    """The script."""
    build, net, workers = sys.argv[1], sys.argv[2], int(sys.argv[3])
    cases, lab = Cases(), LabNet(net)
    port = lab.diameter_port["hss"]
    peers = (f'[{{identity: {lab.name("hss")}, address: "{net}.40", port: {port}}}, '
             f'{{identity: hss2.{lab.domain}, realm: users.example, address: "{net}.41", port: {port + 1000}}}]')
    extra = {n: f"diameter: {{request_timeout_ms: {CX_TIMEOUT_MS}, peers: {peers}}}\n" for n in CX_NODES}
    with Core(build, net, USERS, workers, extra, quiet_errors=("diameter", "Diameter")) as core:
        core.second_hss(port + 1000, lambda conf: conf.replace("diameter: {", "diameter: {realm: users.example, ").replace("/state/hss", "/state/hss2"))
        for node in CX_NODES:
            core.wait_peers(node, 2, RECOVERY_S)
        for case in Dx(core).rows():
            cases.run(*case)
    core.finish(cases)
    cases.end()


main()
