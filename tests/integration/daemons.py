"""daemons.py BUILD NET - each daemon by itself: -t, -V, start without its HSS, SIGHUP, SIGTERM, NOTIFY_SOCKET."""

import contextlib
import ctypes
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

from cases import BUSY_S, PATIENCE_S, Cases, Fail, Skip, check, equal, wait_for
from core import MCC, MNC, Rest, SANITIZER

PROGRAMS = {"pcscf": ("pcscf/pcscfd", 10, 5060), "icscf": ("icscf/icscfd", 20, 4060), "scscf": ("scscf/scscfd", 30, 6060),
            "hss": ("tests/hss/labhssd", 40, 0)}
CSCFS = ("pcscf", "icscf", "scscf")
STOP_S = 5
DIAMETER_BASE = 23830		# below the ports that Linux gives to connections
EXIT_CONFIG = 78


class Stuck:
    """with Stuck(pid, "worker-1"): one thread of a process stands still, the others run (ptrace)."""

    SEIZE, INTERRUPT, DETACH = 0x4206, 0x4207, 17

    def __init__(self, pid, name):
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p]
        for tid in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{tid}/comm", encoding="ascii") as f:
                if f.read().strip() == name:
                    self.tid = int(tid)

    def __enter__(self):
        if self.libc.ptrace(self.SEIZE, self.tid, None, None) or self.libc.ptrace(self.INTERRUPT, self.tid, None, None):
            raise Skip("a thread cannot be stopped here: " + os.strerror(ctypes.get_errno()))
        os.waitpid(self.tid, 0x40000000)		# __WALL
        return self

    def __exit__(self, *_):
        self.libc.ptrace(self.DETACH, self.tid, None, None)


class One:
    """One daemon with a configuration of its own."""

    def __init__(self, build, net, node, folder):
        program, host, self.port = PROGRAMS[node]
        self.node, self.ip, self.dir = node, f"{net}.{host}", folder
        self.program = os.path.join(os.path.abspath(build), program)
        self.conf, self.log = os.path.join(folder, node + ".yaml"), os.path.join(folder, node + ".log")
        self.rest = Rest(f"http://{self.ip}:8080", "a token of this test")

    def text(self, more=""):
        """A good configuration; its HSS is not there."""
        text = (f'plmn: {{mcc: "{MCC}", mnc: "{MNC}"}}\nrest: {{listen: "{self.ip}:8080", token: a token of this test}}\n'
                f"state: {{dir: {self.dir}/{self.node}.state}}\nlog: {{level: info}}\n")
        listen = DIAMETER_BASE + list(PROGRAMS).index(self.node)
        if self.port:
            text += f'sip: {{listen: ["udp:{self.ip}:{self.port}", "tcp:{self.ip}:{self.port}"]}}\n'
        if self.node in ("icscf", "scscf"):
            text += (f'diameter:\n  identity: {self.node}.example.org\n  listen: "{self.ip}:{listen}"\n'
                     f'  peers: [{{identity: hss.example.org, address: "{self.ip}", port: {DIAMETER_BASE + 9}}}]\n')
        if self.node == "hss":
            subs = os.path.join(self.dir, "subscribers.yaml")
            with open(subs, "w", encoding="utf-8") as f:
                f.write('- {imsi: "001010000000001", msisdn: "49152000001", password: x}\n')
            text += f'diameter: {{identity: hss.example.org, listen: "{self.ip}:{listen}"}}\nsubscribers_file: {subs}\n'
        return text + more

    def write(self, text):
        """The configuration file."""
        with open(self.conf, "w", encoding="utf-8") as f:
            f.write(text)

    def run(self, *args):
        """(exit status, stdout and stderr) of a short run."""
        if not os.access(self.program, os.X_OK):
            raise Fail(f"{self.program} is not built")
        p = subprocess.run([self.program, *args], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, timeout=20,
                           text=True, check=False)
        check(not SANITIZER.search(p.stdout), p.stdout)
        return p.returncode, p.stdout

    # ---- cases ----

    def version(self):
        status, out = self.run("-V")
        equal(status, 0, "exit status")
        check(re.search(r"d \S*\d", out), out)

    def usage(self):
        for args in ([], ["-x"], ["-c", self.conf, "more"]):
            status, out = self.run(*args)
            check(status not in (0, EXIT_CONFIG) and "usage:" in out, f"{args}: {status}, {out}")

    def sample(self):
        status, out = self.run("-s")
        equal(status, 0, "exit status")
        self.write(out)
        status, out = self.run("-t", "-c", self.conf)
        check(status in (0, EXIT_CONFIG) and "unknown" not in out, f"the sample is refused: {out}")

    def good(self):
        self.write(self.text())
        status, out = self.run("-t", "-c", self.conf)
        equal(status, 0, f"exit status ({out})")

    def bad(self):
        """Every mistake has its line: a wrong value, an unknown key with a suggestion, a wrong type."""
        self.write(self.text("log_levl: info\nworkers: many\n") if self.port else self.text("subscribers_fil: x\nuser: []\n"))
        status, out = self.run("-t", "-c", self.conf)
        equal(status, EXIT_CONFIG, f"exit status ({out})")
        lines = [m for m in out.splitlines() if re.match(re.escape(self.conf) + r":\d+:\d+: \S", m)]
        check(len(lines) >= 2, f"not a file:line:column for each mistake: {out}")
        status, out = self.run("-c", self.conf)
        equal(status, EXIT_CONFIG, "exit status of a start")

    def broken(self):
        """No YAML, no file, a folder, a circle."""
        self.write("plmn: {mcc: [\n")
        for path in (self.conf, os.path.join(self.dir, "absent.yaml"), self.dir):
            status, out = self.run("-t", "-c", path)
            equal(status, EXIT_CONFIG, f"exit status for {path} ({out})")
            check(path in out, out)
        self.write(f"include: {self.conf}\n")
        status, out = self.run("-t", "-c", self.conf)
        check(status == EXIT_CONFIG and "circle" in out, out)

    def doctor(self):
        """What would keep it from working, each with a fix (row Y2): nobody listens where the HSS should be; a foreign address."""
        self.write(self.text())
        status, out = self.run("--doctor", "-c", self.conf)
        equal(status, 0 if self.node == "pcscf" else 1, f"exit status ({out})")
        check(f"ok    SIP listener {self.ip}:{self.port} can be opened" in out, out)
        if self.node != "pcscf":
            check("BAD   Diameter peer hss.example.org" in out and "Connection refused\n      fix: start the HSS" in out, out)
        self.write(self.text().replace(f"udp:{self.ip}", "udp:192.0.2.1"))
        status, out = self.run("--doctor", "-c", self.conf)
        equal(status, 1, "exit status for a foreign address")
        check("BAD   SIP listener 192.0.2.1" in out and "no such address\n      fix: " in out, out)
        status, out = self.run("--doctor")
        check(status not in (0, EXIT_CONFIG) and "usage:" in out, out)

    @contextlib.contextmanager
    def notifying(self, log=None, **env):
        """The daemon with a NOTIFY_SOCKET as systemd gives it: (process, socket)."""
        path = os.path.join(self.dir, self.node + ".sock")
        s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        s.bind(path)
        s.settimeout(15)
        with open(log or self.log, "ab") as log_file:
            p = subprocess.Popen([self.program, "-c", self.conf], stdin=subprocess.DEVNULL, stdout=log_file, stderr=log_file,
                                 env={**os.environ, "NOTIFY_SOCKET": path, **env})
        try:
            yield p, s
        finally:
            if p.poll() is None:
                p.kill()
                p.wait()
            s.close()
            os.unlink(path)

    def life(self):
        """Start, readiness, reload, stop, as systemd sees them."""
        if not os.access(self.program, os.X_OK):
            raise Fail(f"{self.program} is not built")
        self.write(self.text())
        with self.notifying() as (p, s):
            self.awaited(s, "READY=1")
            equal(self.rest.call("GET", "/healthz")[0], 200, "/healthz")
            status, doc = self.rest.call("GET", "/readyz")
            if self.node in ("icscf", "scscf"):
                check(status == 503 and "hss.example.org" in str(doc), f"/readyz without a HSS: {status} {doc}")
            else:
                equal(status, 200, f"/readyz ({doc})")
            self.listens(p.pid)
            self.reload_good(p, s)
            self.reload_bad(p, s)
            began = time.monotonic()
            p.send_signal(signal.SIGTERM)
            self.awaited(s, "STOPPING=1")
            equal(p.wait(STOP_S + PATIENCE_S), 0, "exit status after SIGTERM")
            check(time.monotonic() - began < STOP_S + BUSY_S, "SIGTERM took long")
        with open(self.log, encoding="utf-8", errors="replace") as f:
            text = f.read()
        check(not SANITIZER.search(text), text[-4000:])

    def log_full(self):
        """F13: what it says finds no room; it starts, serves, reloads and ends all the same."""
        self.write(self.text())
        with self.notifying("/dev/full") as (p, s):
            self.awaited(s, "READY=1")
            equal(self.rest.call("GET", "/healthz")[0], 200, "/healthz with a log that takes nothing")
            self.write(self.text().replace("level: info", "level: debug"))
            p.send_signal(signal.SIGHUP)
            self.awaited(s, "RELOADING=1")
            self.awaited(s, "READY=1")
            equal(self.rest.call("GET", "/healthz")[0], 200, "/healthz after a reload")
            p.send_signal(signal.SIGTERM)
            equal(p.wait(STOP_S + PATIENCE_S), 0, "exit status after SIGTERM")

    def dies_at_start(self):
        """F26: a state folder that is none ends each of five starts at once, never ready, and the reason names it."""
        wrong = os.path.join(self.dir, self.node + ".no-folder")
        with open(wrong, "w", encoding="ascii"):
            pass
        self.write(self.text().replace(f"{self.node}.state", os.path.basename(wrong)))
        for _ in range(5):
            status, out = self.run("-c", self.conf)
            check(status != 0 and wrong in out and " ready" not in out, f"{status}: {out}")

    def watchdog(self):
        """H-row: the service manager hears WATCHDOG=1 as long as every worker turns, and not while one is stuck."""
        self.write(self.text("workers: 2\n"))
        with self.notifying(WATCHDOG_USEC="400000") as (p, s):
            self.awaited(s, "READY=1")
            self.awaited(s, "WATCHDOG=1")
            with Stuck(p.pid, "worker-1"):
                wait_for(lambda: self.silent(s, 1.0), 20, "silence while a worker is stuck")
            self.awaited(s, "WATCHDOG=1")
            p.send_signal(signal.SIGTERM)
            equal(p.wait(STOP_S + PATIENCE_S), 0, "exit status after SIGTERM")
        with open(self.log, encoding="utf-8", errors="replace") as f:
            check("a worker does not turn" in f.read(), "the log does not say why")

    def silent(self, s, seconds):
        """Nothing came for so long."""
        s.settimeout(seconds)
        try:
            s.recv(4096)
            return False
        except socket.timeout:
            return True
        finally:
            s.settimeout(15)

    def awaited(self, s, text):
        """Reads notifications until that one."""
        seen = []
        while True:
            try:
                seen.append(s.recv(4096).decode())
            except socket.timeout:
                with open(self.log, encoding="utf-8", errors="replace") as f:
                    raise Fail(f"no {text} at NOTIFY_SOCKET, but {seen}; its log: {f.read()[-1500:]}") from None
            if text in seen[-1]:
                return

    def listeners(self, pid):
        """The sockets that wait for others: {"tcp:ADDRESS:PORT"}."""
        own = set()
        for n in os.listdir(f"/proc/{pid}/fd"):
            with contextlib.suppress(FileNotFoundError):		# closed meanwhile: it was no listener
                own.add(os.readlink(f"/proc/{pid}/fd/{n}"))
        found = set()
        for name, listen in (("tcp", "0A"), ("tcp6", "0A"), ("udp", "07"), ("udp6", "07")):
            with open(f"/proc/{pid}/net/{name}", encoding="ascii") as f:
                for w in (line.split() for line in f.readlines()[1:]):
                    if w[3] == listen and f"socket:[{w[9]}]" in own:
                        host, port = w[1].split(":")
                        ip = socket.inet_ntoa(int(host, 16).to_bytes(4, "little")) if len(host) == 8 else host
                        found.add(f"{name}:{ip}:{int(port, 16)}")
        return found

    def listens(self, pid):
        """S12: it listens where the configuration says, and nowhere else (no wildcard address, Diameter included)."""
        wanted = {f"tcp:{self.ip}:8080"} | {f"{t}:{self.ip}:{self.port}" for t in ("udp", "tcp") if self.port}
        if self.node != "pcscf":
            wanted.add(f"tcp:{self.ip}:{DIAMETER_BASE + list(PROGRAMS).index(self.node)}")
        wait_for(lambda: wanted <= self.listeners(pid), 5, f"listening at {wanted}")
        equal(self.listeners(pid), wanted, "where it listens")

    def reload_good(self, p, s):
        """SIGHUP with a good file."""
        self.write(self.text().replace("level: info", "level: debug"))
        p.send_signal(signal.SIGHUP)
        self.awaited(s, "RELOADING=1")
        self.awaited(s, "READY=1")
        equal(self.rest.call("GET", "/healthz")[0], 200, "/healthz after a good reload")

    def reload_bad(self, p, s):
        """SIGHUP with a bad file: the old one stays, the log names the mistake."""
        self.write(self.text("nonsense: 1\n"))
        p.send_signal(signal.SIGHUP)
        self.awaited(s, "RELOADING=1")
        self.awaited(s, "READY=1")
        equal(self.rest.call("GET", "/healthz")[0], 200, "/healthz after a bad reload")
        with open(self.log, encoding="utf-8", errors="replace") as f:
            check(re.search(re.escape(self.conf) + r":\d+:\d+: .*nonsense", f.read()), "the log does not name the mistake")

    def rows(self):
        """In order."""
        rows = [("-V", self.version), ("wrong usage", self.usage), ("-t with a good configuration", self.good),
                ("-t with mistakes: 78 and file:line:column", self.bad), ("-t with what is no configuration", self.broken),
                ("READY, readyz, SIGHUP good and bad, SIGTERM", self.life)]
        if self.port:
            rows.insert(2, ("--doctor (Y2)", self.doctor))
            rows.insert(2, ("-s prints a sample that -t reads", self.sample))
            rows += [("F13 the log's disk is full", self.log_full), ("F26 it dies at each start", self.dies_at_start)]
        if self.node == "scscf":
            rows.append(("WATCHDOG=1 while all workers turn", self.watchdog))
        return [(f"{self.node}: {name}", fn) for name, fn in rows]


def main():
    """The script."""
    build, net = sys.argv[1:3]
    cases, folder = Cases(), tempfile.mkdtemp(prefix="cscf-test-")
    try:
        cases.side_by_side([One(build, net, node, folder).rows() for node in PROGRAMS])
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    cases.end()


main()
