"""cscfctl events: what happens, as the daemons say it (server-sent events)."""

import json
import queue
import sys
import threading
import time
import urllib.parse

from ctlrest import RestError
from ctlshow import short_time
from ctlverbs import EXIT_OK, finish

AGAIN_S = 1.0
SHOWN = ("impu", "impi", "from", "to", "source", "identity", "specificProblem", "alarmId", "revision", "status", "why", "reason", "by", "callId")
GOOD, BAD = ("created", "answered", "up", "cleared", "lifted"), ("failed", "down", "raised", "added")


def text_of(data):
    """The members that say most."""
    return "  ".join(f"{k}={data[k]:g}" if isinstance(data[k], float) else f"{k}={data[k]}" for k in SHOWN if data.get(k) not in (None, ""))


def say(out, node, event, data):
    """One line, or one line of JSON."""
    if out.as_json:
        print(json.dumps({"node": node, "event": event, **data}, ensure_ascii=False), file=out.screen.out, flush=True)
        return
    last = event.rpartition(".")[2]
    out.screen.line(f"{data.get('at', '')[11:23]}  {node:<6} {event:<24} {text_of(data)}", "good" if last in GOOD else "bad" if last in BAD else None)
    out.screen.out.flush()


def path_of(args, follow):
    """The resource with its filters."""
    query = {"types": ",".join(args.types), "who": args.who or "", "follow": "" if follow else "false", "replay": "" if follow else "all"}
    return "/api/v1/events?" + urllib.parse.urlencode({k: v for k, v in query.items() if v})


def listen(node, rest, path, found):
    """Puts what one daemon says into the queue; comes back behind what it has heard when the connection ends."""
    last = None
    while True:
        try:
            for number, event, data in rest.stream(path, {"Last-Event-ID": last} if last else {}):
                last = number or last
                if event:
                    found.put((node, event, data))
        except RestError as e:
            if e.status == 410:			# what lay between is lost
                found.put((node, "missed", {"reason": "events between are not kept any more"}))
                last = None
            elif e.status:
                found.put((node, None, e))
                return
            else:
                print(f"cscfctl: {node}: {e}", file=sys.stderr)
        time.sleep(AGAIN_S)


def follow(nodes, out, args):
    """Until interrupted."""
    found = queue.Queue()
    for node, rest in nodes.rests.items():
        threading.Thread(target=listen, args=(node, rest, path_of(args, True), found), daemon=True).start()
    while len(nodes.failed) < len(nodes.rests):
        node, event, data = found.get()
        if event:
            say(out, node, event, data)
        else:
            nodes.failed[node] = data
            print(f"cscfctl: {node}: {data}", file=sys.stderr)
    return finish(nodes)


def events(nodes, out, args):
    """What is kept, oldest first; with --follow what comes."""
    if args.follow:
        return follow(nodes, out, args)
    docs = [(n, e, d) for n, rows in nodes.each(lambda r: [x for x in r.stream(path_of(args, False)) if x[1]]) for _, e, d in rows]
    docs.sort(key=lambda x: x[2].get("at", ""))
    if out.as_json:
        out.json({"items": [{"node": n, "event": e, **d} for n, e, d in docs]})
    else:
        out.screen.table(("at", "node", "event", "what"), [(short_time(d.get("at")), n, e, text_of(d)) for n, e, d in docs])
    return finish(nodes) or EXIT_OK
