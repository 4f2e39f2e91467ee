"""The simulated phone (tests/ue) as a process: commands in, events out."""

import json
import subprocess
import threading
import time

from cases import PATIENCE_S, Fail
from core import K, OPC


class Imsue:
    """One of a subscriber; takes commands until it is closed.  inside: what runs it in another namespace."""

    def __init__(self, program, sub, pcscf, bind, *options, inside=()):
        keys = ("--password", sub.password) if sub.password else ("--k", K, "--opc", OPC)
        self.events, self.arrived, self.at = [], threading.Condition(), 0
        self.p = subprocess.Popen([*inside, program, "--pcscf", pcscf, "--bind", bind, "--imsi", sub.imsi, "--msisdn", sub.msisdn,
                                   "--mcc", "001", "--mnc", "01", *keys, *options],
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        threading.Thread(target=self._read, daemon=True).start()
        self.wait("ready")

    def _read(self):
        for line in self.p.stdout:
            with self.arrived:
                self.events.append(json.loads(line))
                self.arrived.notify_all()

    def do(self, command, *wanted, seconds=20):
        """A command and the first of the events that may follow."""
        self.at = len(self.events)
        self.p.stdin.write(command + "\n")
        return self.wait(*wanted, seconds=seconds) if wanted else None

    def wait(self, *wanted, seconds=20):
        """The next event of one of these names."""
        end = time.monotonic() + seconds + PATIENCE_S
        with self.arrived:
            while True:
                for i, e in enumerate(self.events[self.at:]):
                    if e["event"] in wanted:
                        self.at += i + 1
                        return e
                if not self.arrived.wait(max(0, end - time.monotonic())) and time.monotonic() >= end:
                    raise Fail(f"{wanted} did not come within {seconds} s; last: {self.events[-4:]}")

    def seen(self, name):
        """How often that event came."""
        return sum(e["event"] == name for e in self.events)

    def register(self):
        """Registered, or the case fails; the event."""
        e = self.do("register", "registered", "registration-failed")
        if e["event"] != "registered":
            raise Fail(f"it cannot register: {e}")
        return e

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.p.poll() is None:
            self.p.stdin.close()
            try:
                self.p.wait(10)
            except subprocess.TimeoutExpired:
                self.p.kill()
