"""From a git checkout to programs: Debian packages, autoreconf, configure, make."""

import os
import shutil
import subprocess

from labnet import LabError

RUN_PACKAGES = ("dnsmasq-base",)
TAIL_LINES = 25


def wanted_packages(top):
    """What building and running needs."""
    with open(os.path.join(top, "tests", "packages"), encoding="ascii") as f:
        listed = [line.strip() for line in f if line.strip() and not line.startswith("#")]
    return sorted(set(listed) | set(RUN_PACKAGES))


def missing_packages(names):
    """Those that dpkg does not know as installed."""
    if not shutil.which("dpkg-query"):
        raise LabError("this is no Debian: install what tests/packages lists and build by hand, then use --build DIR")
    r = subprocess.run(["dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\n"] + list(names),
                       capture_output=True, text=True, check=False)
    there = {line.split()[0] for line in r.stdout.splitlines() if line.endswith(" installed")}
    return [n for n in names if n not in there]


def run(argv, cwd, log, what):
    """Runs a step with its output in a log; LabError with the log's end when it fails."""
    env = dict(os.environ, DEBIAN_FRONTEND="noninteractive", LC_ALL="C.UTF-8")
    with open(log, "a", encoding="utf-8") as out:
        out.write(f"$ {' '.join(argv)}\n")
        out.flush()
        rc = subprocess.run(argv, cwd=cwd, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, env=env,
                            check=False).returncode
    if rc != 0:
        with open(log, encoding="utf-8", errors="replace") as f:
            tail = "".join("      " + line for line in f.readlines()[-TAIL_LINES:])
        raise LabError(f"{what} failed with status {rc}; the end of {log}:\n{tail.rstrip()}")


def install_packages(top, log, say):
    """Installs what is missing.  Says so in words when that is not allowed."""
    missing = missing_packages(wanted_packages(top))
    if not missing:
        say("packages: all there")
        return
    if os.getuid() != 0:
        raise LabError("packages are missing: sudo apt-get install " + " ".join(missing))
    say(f"packages: installing {' '.join(missing)}")
    run(["apt-get", "update", "-qq"], "/", log, "apt-get update")
    run(["apt-get", "install", "-y", "-qq", "--no-install-recommends"] + missing, "/", log, "apt-get install")


def build(top, folder, log, say):
    """autoreconf where needed, configure where needed, make.  Quick when nothing changed."""
    configure = os.path.join(top, "configure")
    ac = os.path.join(top, "configure.ac")
    if not os.path.exists(configure) or os.path.getmtime(configure) < os.path.getmtime(ac):
        say("build: autoreconf")
        run(["autoreconf", "-fi", top], top, log, "autoreconf")
    os.makedirs(folder, exist_ok=True)
    if not os.path.exists(os.path.join(folder, "Makefile")):
        say("build: configure")
        run([configure], folder, log, "configure")
    say("build: make")
    run(["make", "-s", f"-j{os.cpu_count() or 1}"], folder, log, "make")
