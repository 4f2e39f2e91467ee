"""Where the daemons are: a running lab, a file, or the unix sockets of an installation."""

import json
import os
import tempfile

from ctlladder import NODES
from ctlrest import Rest, RestError, segment

FILES = ("~/.config/cscfctl.json", "/etc/cscf/cscfctl.json")
SOCKETS = "/run/cscf"
KEYS = {"url", "token", "token_file", "ca", "cert", "key"}


class UsageError(Exception):
    """Wrong options or a wrong file: exit status 2."""


def first_line(path):
    """Of a token file."""
    try:
        with open(path, encoding="utf-8") as f:
            return f.readline().strip()
    except OSError as e:
        raise UsageError(f"{path}: {e.strerror}") from e


def read_json(path):
    """A JSON file."""
    try:
        with open(path, encoding="utf-8") as f:
            return json.load(f)
    except OSError as e:
        raise UsageError(f"{path}: {e.strerror}") from e
    except ValueError as e:
        raise UsageError(f"{path}: {e}") from e


def from_file(path):
    """{node: Rest} of {"pcscf": {"url": ..., "token_file": ...}, ...}."""
    doc, result = read_json(path), {}
    for node, entry in doc.items() if isinstance(doc, dict) else []:
        if node not in NODES or not isinstance(entry, dict) or not set(entry) <= KEYS or not isinstance(entry.get("url"), str):
            raise UsageError(f"{path}: {node}: must be one of {', '.join(NODES)} with url and perhaps token_file, ca, cert, key")
        token = entry.get("token") or (first_line(entry["token_file"]) if entry.get("token_file") else None)
        cert = (entry["cert"], entry.get("key") or entry["cert"]) if entry.get("cert") else None
        result[node] = Rest(entry["url"], token, entry.get("ca"), cert)
    if not result:
        raise UsageError(f"{path}: names none of {', '.join(NODES)}")
    return result


def from_lab(folder):
    """{node: Rest} of a lab's folder."""
    doc = read_json(os.path.join(folder, "lab.json"))
    return {node: Rest(doc["rest"][node], doc["token"]) for node in NODES if node in doc["rest"]}


def from_urls(urls, token):
    """{node: Rest} of --url NODE=URL."""
    result = {}
    for text in urls:
        node, _, url = text.partition("=")
        if node not in NODES or not url:
            raise UsageError(f"--url {text}: must read NODE=URL, NODE one of {', '.join(NODES)}")
        result[node] = Rest(url, token)
    return result


def labs_of_this_user():
    """Folders of labs that `lab up` made without --dir."""
    root = os.path.join(tempfile.gettempdir(), f"cscf-lab-{os.getuid()}")
    found = []
    for name in sorted(os.listdir(root)) if os.path.isdir(root) else []:
        path = os.path.join(root, name)
        if os.path.exists(os.path.join(path, "lab.json")) and os.stat(path).st_uid == os.getuid():
            found.append(path)
    return found


def find(args):
    """{node: Rest}: what the options say, else CSCFCTL_CONFIG, else a file, else the sockets, else the only lab of this user."""
    token = first_line(args.token_file) if args.token_file else os.environ.get("CSCFCTL_TOKEN")
    if args.url:
        return from_urls(args.url, token)
    if args.lab:
        return from_lab(args.lab)
    path = args.config or os.environ.get("CSCFCTL_CONFIG")
    if path:
        return from_file(path)
    for path in map(os.path.expanduser, FILES):
        if os.path.exists(path):
            return from_file(path)
    sockets = {n: os.path.join(SOCKETS, f"{n}.sock") for n in NODES}
    here = {n: Rest(f"unix:{p}") for n, p in sockets.items() if os.path.exists(p)}
    labs = [] if here else labs_of_this_user()
    if len(labs) == 1:
        return from_lab(labs[0])
    if not here:
        raise UsageError(f"no daemon is known: no {SOCKETS}/NODE.sock, no {FILES[1]}; give --lab DIR, --url NODE=URL or --config FILE"
                         + (f" ({len(labs)} labs run)" if labs else ""))
    return here


class Nodes:
    """The daemons that this command talks to."""

    def __init__(self, rests, only=None):
        unknown = [n for n in only or [] if n not in rests]
        if unknown:
            raise UsageError(f"{', '.join(unknown)}: not one of {', '.join(rests)}")
        self.rests = {n: r for n, r in rests.items() if not only or n in only}
        self.failed = {}			# node: why, of those that could not be asked

    def one(self, preferred):
        """(node, Rest) of the first of `preferred` that there is."""
        for node in preferred:
            if node in self.rests:
                return node, self.rests[node]
        raise UsageError(f"none of {', '.join(preferred)} is among the daemons that were given")

    def each(self, fn, nodes=NODES):
        """[(node, fn(rest))] of those that answer; the others are noted in `failed`."""
        result = []
        for node in nodes:
            if node not in self.rests:
                continue
            try:
                result.append((node, fn(self.rests[node])))
            except RestError as e:
                self.failed[node] = e
        return result

    def fetch(self, node, key):
        """Events of a flow, for ladders."""
        got = self.each(lambda r: r.items("/api/v1/flows/" + segment(key)), (node,))
        return got[0][1] if got else []

    def listeners(self):
        """{node: SIP listeners}."""
        return {n: doc["sipListen"] for n, doc in self.each(lambda r: r.get("/api/v1/info"))}
