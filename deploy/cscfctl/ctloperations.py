"""cscfctl operations, drain, and what begins an operation: long actions, begun and looked at until they end."""

import sys
import time

from ctlnodes import UsageError
from ctlrest import segment
from ctlshow import short_time
from ctlverbs import EXIT_FAILED, EXIT_OK, finish, flatten

PATH = "/api/v1/operations"
LOOK_S = 0.2


def row(node, o):
    """One line."""
    left = o.get("problem", {}).get("detail") or " ".join(f"{k}={v:g}" for k, v in o.get("result", {}).items())
    return node, o["id"], o["kind"], o["state"], f"{o['progress']:g} %", short_time(o["startedAt"]), o["by"], left


def show(out, docs):
    """A table of operations."""
    out.rows(docs, ("node", "id", "kind", "state", "done", "started", "by", "result"), row)


def wait(nodes, out, begun):
    """Until each has ended; progress on a terminal.  Exit status 1 when one did not succeed."""
    ended = []
    for node, o in begun:
        while o["state"] == "running":
            if sys.stderr.isatty():
                print(f"\r{node}: {o['kind']} {o['progress']:g} % ", end="", file=sys.stderr, flush=True)
            time.sleep(LOOK_S)
            o = nodes.rests[node].get(f"{PATH}/{o['id']}")
        ended.append((node, o))
    if sys.stderr.isatty() and ended:
        print("\r\033[K", end="", file=sys.stderr)
    show(out, ended)
    return finish(nodes) or (EXIT_OK if all(o["state"] == "succeeded" for _, o in ended) else EXIT_FAILED)


def begin(nodes, out, args, fn):
    """fn(rest) begins one at each daemon."""
    begun = nodes.each(fn)
    if args.no_wait:
        show(out, begun)
        return finish(nodes)
    return wait(nodes, out, begun)


def operations(nodes, out, args):
    """list, show ID, cancel ID."""
    if args.action == "list":
        show(out, flatten(nodes.each(lambda r: r.items(PATH))))
        return finish(nodes)
    if not args.id or len(nodes.rests) != 1:
        raise UsageError(f"operations {args.action} needs the operation and --node")
    node, rest = next(iter(nodes.rests.items()))
    path = f"{PATH}/{segment(args.id)}"
    show(out, [(node, rest.send("DELETE", path) if args.action == "cancel" else rest.get(path))])
    return EXIT_OK


def drain(nodes, out, args):
    """status, start, stop."""
    path = "/api/v1/overload"
    if args.action == "start":
        return begin(nodes, out, args, lambda r: r.send("PATCH", path, {"draining": True}))
    docs = nodes.each(lambda r: r.send("PATCH", path, {"draining": False}) if args.action == "stop" else r.get(path))
    out.rows(docs, ("node", "level", "admitted"), lambda n, d: (n, d["level"], f"{d['admittedPercent']:g} %"))
    return finish(nodes)


def deregister_all(nodes, out, args):
    """Everybody, at the S-CSCF; with --node pcscf the phones that it knows."""
    node, rest = nodes.one(("scscf", "pcscf"))
    nodes.rests = {node: rest}
    return begin(nodes, out, args, lambda r: r.send("DELETE", "/api/v1/registrations"))
