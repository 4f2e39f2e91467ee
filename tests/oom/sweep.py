"""sweep.py BUILD [--seconds N] [--all] [PROGRAM...] - the unit tests again, with the n-th allocation failing, for every n they reach.

Each test runs in a process of its own, where one allocation of the library fails (oom.c).  A test may then fail, since it wants
what a machine with memory does; it must not crash or hang in our code.  What crashes in the test's own code is its own affair.
When the time does not suffice, each program gets its share of it, and n grows in steps; --all takes every n.
"""

import argparse
import collections
import glob
import os
import re
import subprocess
import sys
import tempfile
import time

TOP = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))
FOLDERS = ("util", "sip", "transaction", "dialog", "proxy", "config", "http", "resolver", "transport", "loop", "trace", "log", "metrics",
           "pcscf", "icscf", "scscf")
# Not of use here: they need a server process, or a network, or measure time or memory.
LEAVE_OUT = {"test_dnsmasq", "test_node", "test_privileges", "test_cache", "test_tls", "test_limits", "test_corpus", "test_wheel"}
RUN_S = 60
ALL_UP_TO = 8			# then in growing steps


def archive_globals(build):
    """Names of functions that our archives define."""
    archives = glob.glob(os.path.join(build, "*", "lib*.a"))
    out = subprocess.run(["nm", "--defined-only", "-g", *archives], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True).stdout
    return {line.split()[2] for line in out.splitlines() if re.match(r"^[0-9a-f]+ T ", line)}


def our_ranges(program, our_globals):
    """[(from, to)] of the functions of our library and daemons in a test program, by its symbol table."""
    out = subprocess.run(["readelf", "-sW", program], stdout=subprocess.PIPE, text=True, check=True).stdout
    files = {os.path.basename(p) for d in ("common/*", "pcscf", "icscf", "scscf") for p in glob.glob(os.path.join(TOP, d, "*.c"))}
    mine, rows = False, set()
    for line in out.splitlines():
        m = re.match(r"\s*\d+: ([0-9a-f]+)\s+(\d+|0x[0-9a-f]+) (FILE|FUNC)\s+(LOCAL|GLOBAL|WEAK)\s+\S+\s+(\S+) (\S+)$", line)
        if not m:
            continue
        at, size, kind, bind, section, name = m.groups()
        if kind == "FILE":
            mine = name in files
        elif section != "UND" and int(size, 0) and (mine if bind == "LOCAL" else name in our_globals):
            rows.add((int(at, 16), int(at, 16) + int(size, 0)))
    return sorted(rows)


def where(program, offsets):
    """file:line function of each."""
    if not offsets:
        return []
    out = subprocess.run(["addr2line", "-f", "-e", program, *offsets], stdout=subprocess.PIPE, text=True, check=False).stdout.split("\n")
    return [f"{os.path.relpath(os.path.realpath(out[2 * i + 1].split(' ')[0]), TOP)} {out[2 * i]}" for i in range(len(offsets))]


class Program:
    """One test program."""

    def __init__(self, path, shim, folder, our_globals, every):
        self.path, self.shim, self.every = path, shim, every
        self.name = os.path.relpath(path, os.path.dirname(os.path.dirname(os.path.dirname(path))))
        self.log = os.path.join(folder, os.path.basename(path) + ".log")
        self.ours = os.path.join(folder, os.path.basename(path) + ".ours")
        self.ranges = our_ranges(path, our_globals)
        with open(self.ours, "w", encoding="ascii") as f:
            f.writelines(f"{a:x} {b:x}\n" for a, b in self.ranges)
        self.n, self.runs, self.done, self.spent, self.faults = 0, 0, False, 0.0, collections.OrderedDict()

    def next_n(self):
        """The n of the next run."""
        self.n += 1 if self.every or self.n < ALL_UP_TO else max(1, self.n // 4)
        return self.n

    def function(self, offset):
        """The range of the function of ours that holds that; None for the test's own code or the test library's."""
        at = int(offset, 16)
        return next(((a, b) for a, b in self.ranges if a <= at < b), None)

    def run(self):
        """One n."""
        n, began = self.next_n(), time.monotonic()
        if os.path.exists(self.log):
            os.unlink(self.log)
        env = {**os.environ, "LD_PRELOAD": self.shim, "OOM_AT": str(n), "OOM_LOG": self.log, "OOM_OURS": self.ours,
               "CK_VERBOSITY": "minimal", "MALLOC_CHECK_": "0"}
        with subprocess.Popen([self.path], env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              cwd=os.path.dirname(self.path), start_new_session=True) as p:
            try:
                out = p.communicate(timeout=RUN_S)[0].decode("utf-8", "replace")
            except subprocess.TimeoutExpired:
                out = "Test timeout expired"
                p.terminate()				# Check then ends the test, a child of it, and its whole process group
        self.runs += 1
        self.spent += time.monotonic() - began
        lines = []
        if os.path.exists(self.log):
            with open(self.log, encoding="ascii", errors="replace") as f:
                lines = f.read().splitlines()
        failed = [line.split()[1] for line in lines if line.startswith(("FAIL ", "SPARE "))]
        for line in lines:
            if line.startswith("CRASH "):
                self.crash(n, line.split()[1], line.split()[2:], failed)
        if "timeout expired" in out:
            self.faults.setdefault("a test hangs", f"n={n}")
        if not failed:
            self.done = True

    def crash(self, n, sig, offsets, failed):
        """Notes a crash in our code.

        Not when the test itself called the function that crashed, and an earlier call was the one that got no memory: the
        test went on with what it had not been given.
        """
        inner = []
        for o in offsets:
            if not self.function(o):
                break
            inner.append(self.function(o))
        if not inner or (len(set(inner)) == 1 and len(inner) < len(offsets) and offsets[len(inner)] not in failed):
            return
        places = where(self.path, offsets[:6])
        self.faults.setdefault(places[0], f"signal {sig}, n={n}: " + " < ".join(places))


def main():
    """The script."""
    p = argparse.ArgumentParser()
    p.add_argument("build")
    p.add_argument("programs", nargs="*")
    p.add_argument("--all", action="store_true")
    p.add_argument("--seconds", type=float, default=60)
    args = p.parse_args()
    build = os.path.abspath(args.build)
    shim = os.path.join(build, "tests", "oom", "oom.so")
    if not os.access(shim, os.R_OK):
        print(f"{shim} is not built")
        sys.exit(77)
    paths = args.programs or [t for d in FOLDERS for t in sorted(glob.glob(os.path.join(build, "tests", d, "test_*")))]
    paths = [os.path.abspath(t) for t in paths if os.access(t, os.X_OK) and not os.path.isdir(t) and "." not in os.path.basename(t) and
             os.path.basename(t) not in LEAVE_OUT]
    if not paths:
        print("no test program is built")
        sys.exit(77)
    with tempfile.TemporaryDirectory(prefix="cscf-oom-") as folder:
        our_globals = archive_globals(build)
        programs = [Program(t, shim, folder, our_globals, args.all) for t in paths]
        end = time.monotonic() + args.seconds
        while time.monotonic() < end and not all(t.done for t in programs):
            min((t for t in programs if not t.done), key=lambda t: t.spent).run()
    bad = 0
    for t in programs:
        print(f"{'not ok' if t.faults else 'ok'} - {t.name}: {t.runs} runs, n to {t.n}{', to the end' if t.done else ''}"
              f" ({t.spent:.1f} s)")
        for place, text in t.faults.items():
            bad += 1
            print(f"   {place}: {text}")
    print(f"{len(programs) - sum(bool(t.faults) for t in programs)} ok, {sum(bool(t.faults) for t in programs)} not ok")
    sys.exit(1 if bad else 0)


main()
