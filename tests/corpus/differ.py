"""differ.py BUILD FILE - what we, libosip2 and Sofia-SIP read from every message of the corpus: REG-15.

Verdict, method or status, Request-URI, Call-ID, CSeq, branch, tags, first Contact and length of the body.  FILE lists the
differences that are known, one a line, with the reason: "MESSAGE PARSER FIELD REASON", MESSAGE and FIELD as in a shell's pattern.
A difference that is not listed is a failure, and so is a line that no message needs any more.  A message that must be refused by
its name (NAME.STATUS.sip, NAME.drop.sip) says nothing against us when others take it: these are counted.
"""

import fnmatch
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.parse

HERE = os.path.dirname(os.path.realpath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
PEERS = {"osip2": ("libosip2", "libosip2-dev", "read_osip.c"), "sofia": ("sofia-sip-ua", "libsofia-sip-ua-dev", "read_sofia.c")}
CORPORA = (HERE, os.path.join(TOP, "tests", "bench", "corpus"))
URIS = ("ruri", "contact")
MIN_MESSAGES = 200


def skip(why):
    """The exit of a test that cannot run."""
    print(why)
    sys.exit(77)


def peer(name, folder):
    """The program of another library."""
    module, package, source = PEERS[name]
    p = subprocess.run(["pkg-config", "--cflags", "--libs", module], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
    if p.returncode:
        skip(f"{package} is not installed")
    path = os.path.join(folder, name)
    subprocess.run(["cc", "-O1", "-I" + TOP, os.path.join(HERE, source), "-o", path, *p.stdout.split()], check=True)
    return path


def plain(field, value):
    """A value as it is compared: libraries write URIs in forms of their own, by RFC 3261 §19.1.4 all the same."""
    text = value.decode("latin-1")
    if field not in URIS:
        return text
    head, _, headers = urllib.parse.unquote(text, encoding="latin-1").lower().partition("?")
    return ";".join(sorted(head.split(";"))) + headers


def read(program, path):
    """{field: value}; {"verdict": ...} alone when it was refused."""
    p = subprocess.run([program, path], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    if p.returncode:
        return {"verdict": f"ends by {p.returncode}"}
    lines = [line[1:] for line in p.stdout.decode("latin-1").splitlines() if line.startswith("@")]
    if lines == ["refused"]:
        return {"verdict": "refused"}
    out = {"verdict": "taken"}
    for line in lines:
        field, _, value = line.partition(" ")
        out[field] = plain(field, bytes.fromhex(value))
    return out


class Known:
    """The list of differences that are known."""

    def __init__(self, path):
        with open(path, encoding="utf-8") as f:
            self.rows = [line.split(None, 3) for line in f if line.strip() and not line.startswith("#")]
        self.used = set()

    def has(self, message, parser, field):
        """Is it there?"""
        hit = False
        for i, (m, p, f, _) in enumerate(self.rows):
            if fnmatch.fnmatchcase(message, m) and p in (parser, "both") and fnmatch.fnmatchcase(field, f):
                self.used.add(i)
                hit = True
        return hit


def lenient(message, ours, theirs):
    """Others take what the corpus says is to be refused."""
    return ".ok." not in message and ours["verdict"] == "refused" and theirs["verdict"] == "taken"


def differences(ours, theirs):
    """(field, ours, theirs) of what is not the same; of a message that one refuses the verdict alone."""
    fields = ["verdict"] if ours["verdict"] != theirs["verdict"] else sorted(set(ours) | set(theirs))
    return [(f, ours.get(f), theirs.get(f)) for f in fields if ours.get(f) != theirs.get(f)]


def main(build, listed):
    """Every message of the corpora by every parser."""
    known, bad, n, same, took = Known(listed), 0, 0, 0, 0
    our_program = os.path.join(build, "tests", "corpus", "read_ours")
    if not os.access(our_program, os.X_OK):
        skip("tests/corpus/read_ours is not built")
    folder = tempfile.mkdtemp(prefix="cscf-differ-")
    try:
        programs = {name: peer(name, folder) for name in PEERS}
        for path in sorted(os.path.join(c, name) for c in CORPORA for name in os.listdir(c) if name.endswith(".sip")):
            message = os.path.basename(path)
            ours = read(our_program, path)
            n += 1
            for parser, program in programs.items():
                theirs = read(program, path)
                if lenient(message, ours, theirs):
                    took += 1
                    continue
                found = [d for d in differences(ours, theirs) if not known.has(message, parser, d[0])]
                for field, a, b in found:
                    print(f"not ok - {message}: {field}: we {a!r:.120}, {parser} {b!r:.120}")
                bad += len(found)
                same += not found
    finally:
        shutil.rmtree(folder)
    for i, row in enumerate(known.rows):
        if i not in known.used:
            print(f"not ok - listed, but there is no such difference any more: {' '.join(row).strip()}")
            bad += 1
    if n < MIN_MESSAGES:
        print(f"not ok - only {n} messages")
        bad += 1
    print(f"{'ok' if not bad else 'not ok'} - {n} messages by {len(PEERS)} other parsers: {same} times alike or as listed, {took} times they take what "
          f"must be refused, {bad} differences")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
