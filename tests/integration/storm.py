"""storm.py BUILD NET - the life of registrations under races (REG-03, F24, F25): for some seconds the same users register,
refresh and de-register from two phones each, with right and wrong answers, while REST and the HSS take registrations away,
push profiles, and others call them.  Nothing may crash or hang; afterwards everybody registers and is called as always.
"""

import random
import sys
import threading
import time
import urllib.parse

from cases import Cases, Fail, check, equal, wait_for
from core import Core, RestError, Sub
from phone import Phone, call, hang_up
from wire import alive, slow_build

WORKERS = 4
USERS = [Sub(n) for n in range(1, 9)]
CALLER = Sub(20)
SECONDS = 12
# What may come of a REGISTER whose registration is taken away under it; anything else is a fault.
REGISTER_OK = {200, 400, 401, 403, 404, 408, 423, 480, 481, 500, 503, 504}


class Storm:
    """The races."""

    def __init__(self, core):
        self.core, self.end_at, self.errors, self.counts = core, 0, [], {}
        self.lock = threading.Lock()

    def note(self, what):
        """Counts an outcome."""
        with self.lock:
            self.counts[what] = self.counts.get(what, 0) + 1

    def worker(self, fn, *args):
        """A thread's body: again and again until the time is up."""
        try:
            while time.monotonic() < self.end_at:
                fn(*args)
        except Exception as e:				# pylint: disable=broad-except
            with self.lock:
                self.errors.append(f"{fn.__name__}: {type(e).__name__}: {e}")

    def phone_does(self, phone):
        """One step of a phone."""
        what = random.random()
        if what < 0.15:
            r = phone.register_once()			# and never answers the challenge
        elif what < 0.25:
            r = phone.register_once()
            if r.status == 401:
                wrong = phone.credentials("REGISTER", "sip:" + self.core.domain, r)
                r = phone.register_once(wrong[:-9] + ("0" if wrong[-9] != "0" else "1") + wrong[-8:])
        elif what < 0.6:
            r = phone.register(expires=0)
        else:
            r = phone.register()
        self.note(f"REGISTER {r.status}")
        check(r.status in REGISTER_OK, f"REGISTER: {r}")
        # what calls bring meanwhile is answered by the next one: a phone that is busy with itself
        for m in [m for m in phone.queue if not m.status]:
            phone.queue.remove(m)
            if m.method == "MESSAGE":
                phone.reply(m, 200)

    def taken_away(self):
        """REST and HSS end registrations."""
        sub = random.choice(USERS)
        impi = urllib.parse.quote(self.core.impi(sub), safe="")
        try:
            what = random.randrange(3)
            if what == 0:
                self.core.rest("scscf").send("DELETE", "/api/v1/registrations/" + impi)
            elif what == 1:
                self.core.rest("hss").send("POST", f"/api/v1/subscribers/{impi}/rtr", {"reasonCode": 0, "reasonInfo": "storm"})
            else:
                self.core.rest("hss").send("POST", f"/api/v1/subscribers/{impi}/ppr", {})
            self.note(("DELETE", "RTR", "PPR")[what])
        except RestError as e:				# not registered just now
            self.note("taken away: refused")
            check("50" not in str(e)[:3], str(e))
        self.core.registrations("scscf")
        self.core.registrations("pcscf")
        time.sleep(0.01)

    def called(self, phone):
        """Messages to users who come and go."""
        try:
            r = phone.ask("MESSAGE", self.core.number(random.choice(USERS)), None, "x", seconds=2)
            self.note(f"MESSAGE {r.status}")
        except Fail:
            self.note("MESSAGE without answer")

    def rage(self):
        """All at once."""
        phones = [Phone(self.core, sub, self.core.ip(100 + 2 * i + k), 5060 if k else 0, "udp" if k else "tcp") for i, sub in enumerate(USERS) for k in (0, 1)]
        with Phone(self.core, CALLER, self.core.ip(150), 5060) as caller:
            caller.must_register()
            self.end_at = time.monotonic() + SECONDS
            rows = [(self.phone_does, p) for p in phones] + [(self.taken_away,), (self.taken_away,), (self.called, caller)]
            threads = [threading.Thread(target=self.worker, args=row, daemon=True) for row in rows]
            for t in threads:
                t.start()
            for t in threads:
                t.join(SECONDS + 60)
                check(not t.is_alive(), "somebody waits for ever")
            check(not self.errors, "; ".join(self.errors[:5]))
            caller.must_register(expires=0)
        for p in phones:
            p.close()
        print("   " + ", ".join(f"{v} {k}" for k, v in sorted(self.counts.items())), flush=True)
        check(self.counts.get("REGISTER 200", 0) >= 20, "hardly a registration")

    def calm(self):
        """Each user registers, is called, de-registers; nothing is left."""
        for node in ("pcscf", "icscf", "scscf"):
            alive(self.core, node)
        with Phone(self.core, CALLER, self.core.ip(150), 5060) as caller:
            caller.must_register()
            for i, sub in enumerate(USERS):
                with Phone(self.core, sub, self.core.ip(100 + 2 * i), 5060) as p:
                    wait_for(lambda p=p: p.register().status == 200, 15, f"the registration of {sub.imsi}")
                    if i < 2:
                        da, db, _ = call(caller, p, self.core.number(sub))
                        hang_up(da, db)
                    equal(p.register(expires=0, headers={"Contact": "*"}).status, 200, f"de-registration of {sub.imsi}")
            caller.must_register(expires=0)
        wait_for(lambda: not self.core.registrations("scscf"), 10, f"the end of all registrations: {self.core.registrations('scscf')}")


def main():
    """The script."""
    build, net = sys.argv[1:3]
    slow_build(build)
    cases = Cases()
    with Core(build, net, USERS + [CALLER], WORKERS, quiet_errors=()) as core:
        storm = Storm(core)
        cases.run(f"F24 F25 {2 * len(USERS)} phones of {len(USERS)} users, REST and HSS against each other for {SECONDS} s", storm.rage)
        cases.run("F24 F25 calm afterwards", storm.calm)
    core.finish(cases)
    cases.end()


main()
