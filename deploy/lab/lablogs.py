"""The logs of a lab: merged by time, or followed."""

import contextlib
import os
import time

from labnet import LabError

FOLLOW_S = 0.2


def is_error(line):
    """An error line of a daemon of ours: "2026-11-25T21:30:00.123Z E area  text ..."."""
    parts = line.split(" ", 2)
    return len(parts) > 2 and parts[0].endswith("Z") and parts[1] == "E"


def foreign(line):
    """A line that is not in our format: a sanitizer's report, an assert."""
    parts = line.split(" ", 2)
    return bool(line.strip()) and not (len(parts) > 2 and parts[0].endswith("Z") and parts[1] in "EWID")


def merged(paths):
    """[(node, line)] of all files in the order of their time stamps; lines without one stay behind the line before."""
    rows = []
    for node, path in paths.items():
        stamp = ""
        try:
            with open(path, encoding="utf-8", errors="replace") as f:
                for line in f:
                    word = line.split(" ", 1)[0]
                    stamp = word if word.endswith("Z") and "T" in word else stamp
                    rows.append((stamp, node, line.rstrip("\n")))
        except FileNotFoundError:
            continue
    rows.sort(key=lambda r: r[0])
    return [(node, line) for _, node, line in rows]


def faults(paths):
    """Error lines of the daemons, for a verdict.  dnsmasq's own log has another format and is left out."""
    return [(node, line) for node, line in merged({n: p for n, p in paths.items() if n != "dns"})
            if is_error(line) or foreign(line)]


def follow(paths):
    """Prints what is appended, for ever."""
    files = {node: open(path, encoding="utf-8", errors="replace") for node, path in paths.items() if os.path.exists(path)}
    for f in files.values():
        f.seek(0, os.SEEK_END)
    while True:
        idle = True
        for node, f in files.items():
            for line in f:
                print(f"{node:6} {line}", end="", flush=True)
                idle = False
        if idle:
            time.sleep(FOLLOW_S)


def show(lab, daemon, following):
    """`lab logs`."""
    paths = lab.doc["logs"]
    if daemon:
        if daemon not in paths:
            raise LabError(f"no log of {daemon}: there are {', '.join(paths)}")
        paths = {daemon: paths[daemon]}
    for node, line in merged(paths):
        print(f"{node:6} {line}")
    if following:
        with contextlib.suppress(KeyboardInterrupt):
            follow(paths)
    return 0
