"""Instructions (callgrind) and nanoseconds to parse each message of the corpus: ours, and libraries of others in the same run."""
import os
import re
import shutil
import subprocess
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
CORPUS = os.path.join(HERE, "corpus")
REPEATS = 3		# as bench_parse.c and peer.h
ROUNDS = 6		# of the clock, the programs in turn; the least counts

# pkg-config's name, Debian's package, source
PEERS = {
    "osip2": ("libosip2", "libosip2-dev", "peer_osip.c"),
    "sofia-sip": ("sofia-sip-ua", "libsofia-sip-ua-dev", "peer_sofia.c"),
}
CFLAGS = ["-g", "-O2"]


def instructions(command, function, message, scratch):
    """Instructions of one call of `function`, all it calls included: the mean of REPEATS calls."""
    out = os.path.join(scratch, "callgrind.out")
    r = subprocess.run(["valgrind", "--tool=callgrind", "--collect-atstart=no", "--toggle-collect=" + function,
                        "--callgrind-out-file=" + out] + command + [message], capture_output=True, text=True)
    if r.returncode != 0:
        raise RuntimeError("callgrind on %s: %s" % (os.path.basename(message), r.stderr.strip().splitlines()[-1:]))
    with open(out) as f:
        found = re.search(r"^(?:totals|summary): (\d+)", f.read(), re.M)
    if not found:
        raise RuntimeError("callgrind counted nothing: is %s in the program?" % function)
    return int(found.group(1)) // REPEATS


def package_installed(name):
    return subprocess.run(["pkg-config", "--exists", name]).returncode == 0


def peer_program(name, scratch, say):
    """Compiles the program of another library, which Debian's package brings; None, and a line, where it cannot be had."""
    pc, package, source = PEERS[name]
    if not package_installed(pc) and os.geteuid() == 0 and shutil.which("apt-get"):
        subprocess.run(["apt-get", "install", "-y", "-q", package], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    if not package_installed(pc):
        say("%s: skipped, package %s is not installed" % (name, package))
        return None
    flags = subprocess.run(["pkg-config", "--cflags", "--libs", pc], capture_output=True, text=True, check=True).stdout.split()
    program = os.path.join(scratch, name)
    r = subprocess.run(["cc"] + CFLAGS + ["-I" + TOP, os.path.join(HERE, source), "-o", program] + flags,
                       capture_output=True, text=True)
    if r.returncode != 0:
        say("%s: skipped, it does not compile: %s" % (name, r.stderr.strip().splitlines()[-1:]))
        return None
    return program


def nanoseconds(command, message):
    r = subprocess.run(command + ["--ns", message], capture_output=True, text=True)
    if r.returncode != 0:
        raise RuntimeError("%s on %s: %s" % (os.path.basename(command[0]), os.path.basename(message), r.stderr.strip()))
    return [int(n) for n in r.stdout.split()]


def parsers(build, scratch, say):
    """{name: (command, {figure: function})}"""
    ours = os.path.join(build, "tests", "bench", "bench_parse")
    functions = {"min": "bench_parse_min", "full": "bench_parse_full"}
    if not shutil.which("valgrind"):
        raise RuntimeError("valgrind is not installed (package valgrind)")
    if not os.access(ours, os.X_OK):
        raise RuntimeError("%s is missing: make tests/bench/bench_parse" % ours)
    result = {"ours": ([ours], functions), "ours, no AVX2": ([ours, "--plain"], functions)}
    for name in PEERS:
        program = peer_program(name, scratch, say)
        if program:
            result[name] = ([program], {"full": "peer_parse"})
    return result


def measure(build, say):
    """{message: {"bytes": n, parser: {"min": n, "full": n, "min_ns": n, "full_ns": n}}}; without a short way there is no min."""
    figures = {}
    say("instructions and ns per message    bytes  parser           min instr  full instr   min ns  full ns")
    with tempfile.TemporaryDirectory() as scratch:
        programs = parsers(build, scratch, say)
        for name in sorted(os.listdir(CORPUS)):
            path = os.path.join(CORPUS, name)
            rows = {p: {k: instructions(c, f, path, scratch) for k, f in fns.items()} for p, (c, fns) in programs.items()}
            for _ in range(ROUNDS):
                for p, (command, fns) in programs.items():
                    for k, ns in zip(("min_ns", "full_ns") if len(fns) > 1 else ("full_ns",), nanoseconds(command, path)):
                        rows[p][k] = min(ns, rows[p].get(k, ns))
            figures[name.rsplit(".", 1)[0]] = dict(rows, bytes=os.path.getsize(path))
            for p, row in rows.items():
                say("  %-30s %7d  %-15s %10s  %10d %8s %8d" % (
                    name.rsplit(".", 1)[0], os.path.getsize(path), p, row.get("min", "-"), row["full"],
                    row.get("min_ns", "-"), row["full_ns"]))
    return figures
