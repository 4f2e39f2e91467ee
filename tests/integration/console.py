"""console.py BUILD NET - the web console in headless Chromium while two phones register and call.  Row O9 of the features."""

import os
import queue
import subprocess
import sys
import threading

from cases import Cases, Fail, check, equal, wait_for
from core import TOP, Core, Sub
from phone import Phone, call, hang_up

A, B = Sub(1), Sub(2)
STEP_S = 90			# of a browser on a busy machine


class Browser:
    """tests/console/browser.mjs: its lines, as they come."""

    def __init__(self, *argv):
        self.lines = queue.Queue()
        self.process = subprocess.Popen(["node", os.path.join(TOP, "tests", "console", "browser.mjs"), *argv], stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, text=True)
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        """Until it ends."""
        for line in self.process.stdout:
            self.lines.put(line.rstrip())
        self.lines.put("end")

    def until(self, wanted):
        """Reads up to that line."""
        seen = []
        while True:
            try:
                line = self.lines.get(timeout=STEP_S)
            except queue.Empty:
                self.stop()
                raise Fail(f"no \"{wanted}\" within {STEP_S} s; before it {seen}") from None
            if line == "end":
                self.lines.put(line)		# for who asks next
            seen.append(line)
            if line.startswith("not ok") or (line == "end" and wanted != line):
                raise Fail(f"{line}; before it {seen}")
            if line == wanted:
                return

    def stop(self):
        """At the end, whatever came."""
        self.process.kill()
        self.process.wait()


class Console:
    """The cases; the browser goes through its steps and waits for ours."""

    def __init__(self, core):
        self.core = core
        self.a, self.b = Phone(core, A, core.ip(101)), Phone(core, B, core.ip(102))
        self.browser = self.one = self.other = None

    def start(self):
        self.a.must_register()
        self.b.must_register()
        self.browser = Browser(self.core.doc["rest"]["pcscf"], self.core.doc["token"], self.core.impu(A), A.imsi, os.environ.get("CSCF_SHOTS", ""))
        self.browser.until("ok a wrong token is refused and asked for again")

    def step(self, name):
        self.browser.until("ok " + name)

    def calls(self):
        self.browser.until("at flows")
        self.one, self.other, _ = call(self.a, self.b, self.core.number(B))
        self.browser.until("at ladder")
        hang_up(self.one, self.other)
        self.step("the ladder grows as the call goes on")

    def registered(self):
        """Registrations of A at the S-CSCF."""
        return [r for r in self.core.rest("scscf").items("/api/v1/registrations") if r["impi"] == self.core.impi(A)]

    def deregisters(self):
        self.browser.until("at kept")
        check(self.registered(), "A is gone before somebody said yes")
        self.browser.until("at deregistered")
        wait_for(lambda: not self.registered(), 5, "the end of A's registration")

    def neighbours(self):
        """Whose pages may read: the neighbours' and nobody else's."""
        rest = self.core.rest("scscf")
        for origin, wanted in ((self.core.doc["rest"]["pcscf"], self.core.doc["rest"]["pcscf"]), ("http://192.0.2.1:8080", None)):
            _, headers, _ = rest.exchange("GET", "/api/v1/info", more={"Origin": origin})
            equal(headers.get("Access-Control-Allow-Origin"), wanted, f"for {origin}")

    def ends(self):
        self.step("no error, nothing blocked, nobody asked but the three daemons")
        self.browser.until("end")
        equal(self.browser.process.wait(), 0, "exit status")

    def rows(self):
        """In order."""
        steps = ("signed in at one daemon, all three are watched; charts of their load", "by keyboard: arrows between the tabs, Enter opens one")
        later = ("explained in words", "peers, dialogs, alarms", "on a phone, and dark")
        return [("a wrong token is refused and asked for again", self.start), *((s, self.step, s) for s in steps),
                ("a live call and its ladder", self.calls), ("a user is de-registered, after a question", self.deregisters),
                *((s, self.step, s) for s in later), ("nothing wrong, nothing from elsewhere", self.ends), ("whose pages may read", self.neighbours)]


def main():
    """The script."""
    cases = Cases()
    with Core(sys.argv[1], sys.argv[2], [A, B]) as core:
        console = Console(core)
        try:
            for case in console.rows():
                cases.run(*case)
        finally:
            if console.browser:
                console.browser.stop()
    core.finish(cases)
    cases.end()


main()
