"""Simulated phones: imsue processes, commands in, JSON events out."""

import json
import os
import subprocess
import threading
import time

from labnet import LabError
from labsubs import impi, public_uri

PROGRAM = "tests/ue/imsue"
QUIT_WAIT_S = 3.0
STDERR_LINES = 5


class Phone:
    """One phone.  `label` is how people call it ("A"); use it as a context manager, so that it always ends."""

    def __init__(self, lab, label, index, sub, proto="udp", options=()):
        self.label, self.sub = label, sub
        self.impi, self.uri = impi(lab.net, sub), public_uri(lab.net, sub)
        self.ip = lab.net.phone_ip(index)
        self.log = lab.dir.log(f"phone-{label.lower()}")
        self.argv = self._argv(lab, proto, options)
        self.events, self.cond, self.mark = [], threading.Condition(), 0
        self.proc = self.err = self.reader = None

    def _argv(self, lab, proto, options):
        program = os.path.join(lab.doc["build"], PROGRAM)
        if not os.access(program, os.X_OK):
            raise LabError(f"{program} is missing: the simulated phone was not built")
        argv = [program, "--pcscf", f"{proto}:{lab.doc['sip']['pcscf']}", "--bind", self.ip,
                "--imsi", self.sub["imsi"], "--mcc", lab.net.mcc, "--mnc", lab.net.mnc]
        if self.sub.get("msisdn"):
            argv += ["--msisdn", self.sub["msisdn"]]
        if "k" in self.sub:
            argv += ["--k", self.sub["k"], "--opc", self.sub["opc"]]
            argv += ["--amf", self.sub["amf"]] if self.sub.get("amf") else []
        else:
            argv += ["--password", self.sub["password"]]
        return argv + list(options)

    def __enter__(self):
        """Starts it and waits until it says ready."""
        with open(self.log, "wb") as err:
            self.proc = subprocess.Popen(self.argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=err,
                                         start_new_session=True)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        try:
            self.wait("ready", 5.0)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, *_exc):
        """Closes its stdin, which ends it; kills it when it does not."""
        try:
            self.proc.stdin.close()
        except OSError:
            pass
        try:
            self.proc.wait(QUIT_WAIT_S)
        except subprocess.TimeoutExpired:
            self.proc.kill()
            self.proc.wait()
        self.reader.join(QUIT_WAIT_S)
        self.proc.stdout.close()

    def _read(self):
        """Collects events until the phone ends."""
        for line in self.proc.stdout:
            try:
                event = json.loads(line)
            except ValueError:
                event = {"event": "error", "text": line.decode("utf-8", "replace").strip()}
            event["at"] = time.time()
            with self.cond:
                self.events.append(event)
                self.cond.notify_all()
        with self.cond:
            self.events.append({"event": "gone", "at": time.time()})
            self.cond.notify_all()

    def do(self, command):
        """Gives a command.  wait() then looks at what happened since."""
        with self.cond:
            self.mark = len(self.events)
        try:
            self.proc.stdin.write((command + "\n").encode())
            self.proc.stdin.flush()
        except OSError as e:
            raise LabError(f"phone {self.label} is gone: {self.last_words()}") from e

    def here(self):
        """A position in the events, for wait(since=...)."""
        with self.cond:
            return len(self.events)

    def wait(self, event, seconds, since=None, fail=(), **match):
        """The first such event since the last command.  LabError when one of `fail` comes, or nothing in time."""
        end = time.monotonic() + seconds
        at = self.mark if since is None else since
        with self.cond:
            while True:
                while at < len(self.events):
                    e = self.events[at]
                    at += 1
                    if e["event"] == event and all(e.get(k) == v for k, v in match.items()):
                        return e
                    if e["event"] in fail or e["event"] == "gone":
                        raise LabError(f"phone {self.label}: {self.describe(e)} instead of {event}")
                left = end - time.monotonic()
                if left <= 0:
                    raise LabError(f"phone {self.label}: no event {event} within {seconds:.0f} s")
                self.cond.wait(left)

    def seen(self, event):
        """All events of that name."""
        with self.cond:
            return [e for e in self.events if e["event"] == event]

    def describe(self, e):
        """An event in words."""
        if e["event"] == "gone":
            return "it ended, " + self.last_words()
        text = " ".join(str(e[k]) for k in ("status", "reason", "text") if e.get(k))
        return f"{e['event']} {text}".strip()

    def last_words(self):
        """The end of its stderr."""
        try:
            with open(self.log, encoding="utf-8", errors="replace") as f:
                return " / ".join(line.strip() for line in f.readlines()[-STDERR_LINES:]) or "without a word"
        except OSError:
            return "without a word"
