"""Instructions per parsed message, by callgrind."""
import os
import re
import shutil
import subprocess
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
WAYS = (("min", "bench_parse_min"), ("full", "bench_parse_full"))
REPEATS = 3		# as bench_parse.c


def instructions(program, function, message, scratch):
    """Instructions of one call of `function`, all it calls included: the mean of REPEATS calls."""
    out = os.path.join(scratch, "callgrind.out")
    r = subprocess.run(["valgrind", "--tool=callgrind", "--collect-atstart=no", "--toggle-collect=" + function,
                        "--callgrind-out-file=" + out, program, message], capture_output=True, text=True)
    if r.returncode != 0:
        raise RuntimeError("callgrind on %s: %s" % (os.path.basename(message), r.stderr.strip().splitlines()[-1:]))
    with open(out) as f:
        found = re.search(r"^(?:totals|summary): (\d+)", f.read(), re.M)
    if not found:
        raise RuntimeError("callgrind counted nothing: is %s in the program?" % function)
    return int(found.group(1)) // REPEATS


def measure(build, say):
    """{"01-register-initial": {"bytes": n, "min": n, "full": n}, ...}"""
    program = os.path.join(build, "tests", "bench", "bench_parse")
    if not shutil.which("valgrind"):
        raise RuntimeError("valgrind is not installed (package valgrind)")
    if not os.access(program, os.X_OK):
        raise RuntimeError("%s is missing: make tests/bench/bench_parse" % program)
    figures = {}
    say("instructions per message      bytes      min     full")
    with tempfile.TemporaryDirectory() as scratch:
        corpus = os.path.join(HERE, "corpus")
        for name in sorted(os.listdir(corpus)):
            path = os.path.join(corpus, name)
            row = {"bytes": os.path.getsize(path)}
            for key, function in WAYS:
                row[key] = instructions(program, function, path, scratch)
            figures[name.rsplit(".", 1)[0]] = row
            say("  %-26s %6d %8d %8d" % (name.rsplit(".", 1)[0], row["bytes"], row["min"], row["full"]))
    return figures
