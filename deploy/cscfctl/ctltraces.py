"""cscfctl trace: whole messages of one subscriber or call, in clear, into a pcapng file or to Homer."""

import sys

from ctlnodes import UsageError
from ctlshow import short_time
from ctlverbs import EXIT_FAILED, EXIT_NOT_FOUND, EXIT_OK, finish, flatten, said

PATH = "/api/v1/traces"
KEYS = ("impu", "impi", "callId", "icid", "method", "address")


def show(out, docs):
    """A table of traces."""
    out.rows(docs, ("node", "id", "name", "state", "started", "messages", "bytes", "dropped", "match"),
             lambda n, t: (n, t["id"], t.get("name"), t["state"], short_time(t["startedAt"]), int(t["messages"]), int(t["bytes"]),
                           int(t["dropped"]), " ".join(f"{k}={v}" for k, v in t["match"].items())))


def start(nodes, out, args):
    """At every daemon that was given, under one name."""
    name, *words = args.words or [None]
    match = dict(w.partition("=")[::2] for w in words)
    unknown = [k for k in match if k not in KEYS]
    if not name or unknown:
        raise UsageError(f"trace start NAME [KEY=VALUE ...], KEY one of {', '.join(KEYS)}")
    body = {"name": name, "match": match, "hep": args.hep, **({"maxDurationS": args.seconds} if args.seconds else {})}
    show(out, nodes.each(lambda r: r.send("POST", PATH, body)))
    return finish(nodes)


def named(nodes, args, most):
    """[(node, trace)] of those with that name or id, and the rest of the words."""
    if not 1 <= len(args.words) <= most:
        raise UsageError(f"trace {args.action} NAME" + (" FILE" if most > 1 else ""))
    docs = flatten(nodes.each(lambda r: r.items(PATH)))
    return [(n, t) for n, t in docs if args.words[0] in (t.get("name"), t["id"])], args.words[1:]


def delete(nodes, out, args):
    """Ends them, and what they captured goes."""
    found, _ = named(nodes, args, 1)
    for node, t in found:
        nodes.rests[node].send("DELETE", f"{PATH}/{t['id']}")
        said(out, node, f"trace {t['id']} is deleted")
    return finish(nodes) or (EXIT_OK if found else EXIT_NOT_FOUND)


def pcap(nodes, out, args):
    """One file: sections of a pcapng stand behind each other, one of each daemon."""
    found, rest = named(nodes, args, 2)
    if not found:
        return finish(nodes) or EXIT_NOT_FOUND
    data = b"".join(nodes.rests[node].octets(f"{PATH}/{t['id']}/pcap") for node, t in found)
    try:
        if rest:
            with open(rest[0], "wb") as f:
                f.write(data)
            said(out, ", ".join(n for n, _ in found), f"{len(data)} octets in {rest[0]}")
        else:
            sys.stdout.buffer.write(data)
    except OSError as e:
        print(f"cscfctl: {rest[0]}: {e.strerror}", file=sys.stderr)
        return EXIT_FAILED
    return finish(nodes)


def trace(nodes, out, args):
    """list, start, delete, pcap."""
    if args.action == "list":
        show(out, flatten(nodes.each(lambda r: r.items(PATH))))
        return finish(nodes)
    return {"start": start, "delete": delete, "pcap": pcap}[args.action](nodes, out, args)
