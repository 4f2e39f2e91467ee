"""Microseconds to evaluate ten filter criteria of five conditions each on the INVITE of the corpus (bench_criteria.c)."""
import glob
import json
import os
import subprocess

CORPUS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "corpus")


def measure(build, say):
    """{file: microseconds}"""
    program = os.path.join(build, "tests", "bench", "bench_criteria")
    if not os.access(program, os.X_OK):
        raise RuntimeError("%s is missing: make tests/bench/bench_criteria" % program)
    result = {}
    for path in sorted(glob.glob(os.path.join(CORPUS, "*-invite-mo-*.sip"))):
        p = subprocess.run([program, path], capture_output=True, text=True, check=False)
        if p.returncode:
            raise RuntimeError(p.stderr.strip())
        row = json.loads(p.stdout)
        result[os.path.basename(path)] = row["us"]
        say("criteria %-28s %6.2f us for %d criteria, %d conditions" % (os.path.basename(path), row["us"], row["criteria"], row["conditions"]))
    return result
