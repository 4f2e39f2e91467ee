"""What each verb does: asks the daemons, shows what they say.  A function returns the exit status."""

import json
import re
import sys
import textwrap
import urllib.parse

import ctlladder
from ctlnodes import NODES, UsageError
from ctlrest import RestError, problem_text, segment
from ctlshow import short_time

EXIT_OK, EXIT_FAILED, EXIT_USAGE, EXIT_UNREACHABLE, EXIT_NOT_FOUND, EXIT_DENIED = range(6)
WIDTH = ctlladder.WIDTH
REGISTRARS = ("scscf", "pcscf")


def exit_of(error):
    """Exit status of a RestError."""
    if error.status == 0:
        return EXIT_UNREACHABLE
    return {404: EXIT_NOT_FOUND, 401: EXIT_DENIED, 403: EXIT_DENIED}.get(error.status, EXIT_FAILED)


class Out:
    """The screen and the shape of the output."""

    def __init__(self, screen, as_json):
        self.screen, self.as_json = screen, as_json

    def json(self, doc):
        """One document."""
        print(json.dumps(doc, indent=2, ensure_ascii=False), file=self.screen.out)

    def rows(self, docs, titles, row):
        """[(node, doc)] as JSON with `node`, or as a table of row(node, doc)."""
        if self.as_json:
            self.json({"items": [{"node": n, **d} for n, d in docs]})
        else:
            self.screen.table(titles, [row(n, d) for n, d in docs])


def finish(nodes, asked=True):
    """0, or the status of the worst daemon that did not answer; said on stderr."""
    worst = EXIT_OK
    for node, error in nodes.failed.items():
        print(f"cscfctl: {node}: {error}", file=sys.stderr)
        worst = max(worst, exit_of(error))
    return worst if asked else EXIT_OK


def flatten(pairs):
    """[(node, [doc, ...])] -> [(node, doc)]."""
    return [(n, d) for n, docs in pairs for d in docs]


# ---- status ----

def status(nodes, out, _args):
    """Is each daemon there and ready?  Exit 1 when one is not."""
    rows = []
    for node, rest in nodes.rests.items():
        doc = {"ready": False}
        try:
            code, ready = rest.call("GET", "/readyz")
            doc.update(ready=code == 200, reason=ready.get("reason", "") if isinstance(ready, dict) else str(ready))
            doc.update(rest.get("/api/v1/info"))
            doc.update({k: v for k, v in rest.get("/api/v1/status").items() if k not in ("ready", "reason")})
        except RestError as e:
            doc.setdefault("reason", "")
            doc["reason"] = doc["reason"] or str(e)
            nodes.failed.setdefault(node, e)
        doc["state"] = "ready" if doc["ready"] else "unreachable" if "pid" not in doc else "NOT READY"
        rows.append((node, doc))
    out.rows(rows, ("node", "state", "version", "pid", "workers", "since", "registered", "dialogs", "alarms", "load", "reason"),
             lambda n, d: (n, d["state"], d.get("version"), d.get("pid"), d.get("workers"), short_time(d.get("startedAt")), count(d, "registrations"),
                           count(d, "dialogs"), count(d, "alarmsRaised"), d.get("overloadLevel"), d.get("reason")))
    return finish(nodes) or (EXIT_OK if all(d["ready"] for _, d in rows) else EXIT_FAILED)


def count(doc, name):
    """A figure, empty when there is none."""
    return int(doc[name]) if name in doc else ""


# ---- registrations ----

def registration_row(node, r):
    """One line."""
    contact = (r.get("contacts") or [{}])[0]
    return node, r.get("impu"), r.get("impi"), r.get("state"), contact.get("uri"), short_time(contact.get("expiresAt"))


def registrations(nodes, out, args):
    """list, show, delete, reauthenticate."""
    titles = ("node", "impu", "impi", "state", "contact", "expires")
    if args.action == "list":
        docs = flatten(nodes.each(lambda r: r.items("/api/v1/registrations"), REGISTRARS if not args.node else NODES))
        wanted = [(n, d) for n, d in docs if not args.id or args.id in json.dumps(d)]
        out.rows(wanted, titles, registration_row)
        return finish(nodes)
    if not args.id:
        raise UsageError(f"registrations {args.action} needs an identity")
    node, rest = nodes.one(REGISTRARS)
    path = "/api/v1/registrations/" + segment(args.id)
    if args.action == "show":
        out.json({"node": node, **rest.get(path)})
    elif args.action == "delete" and args.contact:
        rest.send("DELETE", path + "/contacts/" + segment(args.contact))
        said(out, node, f"{args.id} has one contact less")
    elif args.action == "delete":
        rest.send("DELETE", path)
        said(out, node, f"{args.id} is not registered any more")
    else:
        rest.send("POST", path + "/reauthenticate")
        said(out, node, f"{args.id} will be asked to prove itself again")
    return EXIT_OK


def said(out, node, text):
    """The result of a change."""
    if out.as_json:
        out.json({"node": node, "done": text})
    else:
        out.screen.line(f"{node}: {text}")


# ---- lists ----

def dialogs(nodes, out, _args):
    """Calls and other dialogs on the route."""
    docs = flatten(nodes.each(lambda r: r.items("/api/v1/dialogs")))
    out.rows(docs, ("node", "state", "from", "to", "since", "call-id"),
             lambda n, d: (n, d["state"], d["from"], d["to"], short_time(d["startedAt"]), d["callId"]))
    return finish(nodes)


def transactions(nodes, out, _args):
    """SIP transactions in progress."""
    docs = flatten(nodes.each(lambda r: r.items("/api/v1/transactions")))
    out.rows(docs, ("node", "side", "method", "state", "age_ms", "call-id"),
             lambda n, d: (n, d["side"], d["method"], d["state"], int(d["ageMs"]), d["callId"]))
    return finish(nodes)


def scscfs(nodes, out, _args):
    """S-CSCFs that the I-CSCF knows."""
    node, rest = nodes.one(("icscf",))
    out.rows([(node, d) for d in rest.items("/api/v1/scscfs")], ("node", "uri", "source", "health", "attempts", "failures", "capabilities"),
             lambda n, d: (n, d["uri"], d["source"], d["health"], int(d["attempts"]), int(d["failures"]),
                           ",".join(str(int(c)) for c in d["capabilities"])))
    return EXIT_OK


# ---- flows ----

def flows(nodes, out, args):
    """Recent calls, registrations and other flows, newest first."""
    query = {k: v for k, v in (("who", args.who), ("outcome", args.outcome)) if v}
    docs = flatten(nodes.each(lambda r: r.items("/api/v1/flows", **query)))
    docs = sorted(docs, key=lambda d: d[1]["startedAt"], reverse=True)[:args.limit]
    out.rows(docs, ("node", "started", "method", "from", "to", "outcome", "status", "ms", "call-id"),
             lambda n, d: (n, short_time(d["startedAt"]), d["method"], d["from"], d["to"], d["outcome"], d.get("finalStatus"),
                           int(d["durationMs"]), d["callId"]))
    return finish(nodes)


def flow(nodes, out, args):
    """The ladder of a Call-ID or ICID over the three daemons."""
    rows, order = ctlladder.ladder(nodes.fetch, nodes.listeners(), args.id)
    failed = finish(nodes)
    if not rows:
        if not failed:
            print(f"cscfctl: {args.id}: no daemon recorded anything of it", file=sys.stderr)
        return failed or EXIT_NOT_FOUND
    if out.as_json:
        out.json({"key": args.id, "lanes": order, "steps": [
            {"atUs": us, "from": src, **({"to": dst} if dst else {}), "text": text} for us, src, dst, text in rows]})
        return failed
    for n, line in enumerate(ctlladder.mermaid(rows, order) if args.mermaid else ctlladder.draw(rows, order, not args.no_notes)):
        out.screen.line(line, "head" if n == 0 and not args.mermaid else kind_of(line))
    return failed


def kind_of(line):
    """Colour of a ladder's line: error responses and what failed."""
    return "bad" if re.search(r"[-\s]([456]\d\d) |: none|refused|failed", line) else None


# ---- explain ----

def best(answers):
    """Of [(node, explanation)]: the newest flow that somebody saw fail, and who knows most about it.

    A call or registration has one Call-ID at P-, I- and S-CSCF; an application server may give it another one.
    """
    failed = [a for a in answers if a[1]["outcome"] not in ("success", "running")]
    newest = max(failed or answers, key=lambda a: a[1]["flow"]["startedAt"])[1]["flow"]
    same = [a for a in answers if a[1]["flow"]["callId"] == newest["callId"] or (newest["icid"] and a[1]["flow"]["icid"] == newest["icid"])]
    return max(same, key=lambda a: a[1]["weight"])


def newest_failure(nodes):
    """Call-ID of the last flow that a daemon saw fail, or None."""
    failed = [f for _, f in flatten(nodes.each(lambda r: r.items("/api/v1/flows", outcome="failure")))]		# newest first, of each worker
    return max(failed, key=lambda f: f["startedAt"])["callId"] if failed else None


def explain(nodes, out, args):
    """Why did it fail?  Exit status 0 when nothing did, 1 for a failure."""
    who = args.who or newest_failure(nodes)
    if not who:
        failed = finish(nodes)
        if not failed:
            print("cscfctl: nothing failed that a daemon remembers", file=sys.stderr)
        return failed
    path = "/api/v1/explain?" + urllib.parse.urlencode({"who": who})
    answers = nodes.each(lambda r: r.get(path))
    unknown = [n for n, e in nodes.failed.items() if e.status == 404]
    for n in unknown:
        del nodes.failed[n]
    failed = finish(nodes)
    if not answers:
        if not failed:
            print(f"cscfctl: {who}: no daemon recorded anything of it", file=sys.stderr)
        return failed or EXIT_NOT_FOUND
    node, doc = best(answers)
    if out.as_json:
        out.json({"node": node, **doc})
    else:
        say_explanation(out.screen, doc)
    return EXIT_OK if doc["outcome"] in ("success", "running") else EXIT_FAILED


def headline(word, f):
    """"FAILED  INVITE a -> b, 10:11:12"; a REGISTER has one identity."""
    whom = f["from"] if f["from"] == f["to"] else f"{f['from']} -> {f['to']}"
    return f"{word}  {f['method']} {whom}, {short_time(f['startedAt'])}"


def say_explanation(screen, doc):
    """FAILED, what, the sentence, what to try, the clause; at most 100 columns."""
    f = doc["flow"]
    word, kind = {"success": ("OK", "good"), "running": ("RUNNING", "warn")}.get(doc["outcome"], ("FAILED", "bad"))
    screen.line(headline(word, f)[:WIDTH], kind)
    for text, first in [(doc["summary"], "  ")] + [(s, "  Try: ") for s in doc["suggestions"]]:
        for line in textwrap.wrap(text, WIDTH, initial_indent=first, subsequent_indent=" " * len(first), break_on_hyphens=False):
            screen.line(line)
    for e in doc["evidence"]:
        screen.line(f"  Seen: {ctlladder.LANE_NAMES.get(doc['nf'], doc['nf'])}, {e['ts'][11:23]}: {e['text']}"[:WIDTH], "dim")
    if doc["reference"]:
        screen.line(f"  Spec: {doc['reference']}")
    screen.line(f"  See:  cscfctl flow '{f['callId']}'"[:WIDTH])


# ---- metrics ----

def metrics(nodes, out, args):
    """Prometheus figures whose line holds the pattern."""
    found = []
    for node, text in nodes.each(lambda r: r.call("GET", "/metrics")[1]):
        for line in text.splitlines() if isinstance(text, str) else []:
            if line.startswith("#") or (args.pattern and not re.search(args.pattern, line)):
                continue
            name, _, value = line.rpartition(" ")
            found.append((node, {"name": name, "value": float(value)}))
    out.rows(found, ("node", "name", "value"), lambda n, d: (n, d["name"], f"{d['value']:g}"))
    return finish(nodes)


# ---- log, alarms, audit ----

def log(nodes, out, args):
    """show, or set [AREA=]LEVEL..."""
    if args.action == "set":
        body = {"categories": {}}
        for text in args.levels:
            area, _, level = text.rpartition("=")
            if area:
                body["categories"][area] = level
            else:
                body["level"] = level
        if not args.levels:
            raise UsageError("log set needs LEVEL or AREA=LEVEL")
        if args.revert_after:
            body["revertAfterS"] = args.revert_after
        docs = nodes.each(lambda r: r.send("PATCH", "/api/v1/logging", body))
    else:
        docs = nodes.each(lambda r: r.get("/api/v1/logging"))
    areas = list(docs[0][1]["categories"]) if docs else []
    out.rows(docs, ["node"] + areas + ["reverts"], lambda n, d: [n] + [d["categories"][a] for a in areas] + ["yes" if d["reverts"] else ""])
    return finish(nodes)


def alarms(nodes, out, args):
    """What is wrong now; exit status 1 when there is something that nobody has acknowledged.  ack, unack ALARM."""
    if args.action != "list":
        return acknowledge(nodes, out, args)
    docs = flatten(nodes.each(lambda r: r.items("/api/v1/alarms")))
    out.rows(docs, ("node", "severity", "since", "alarm", "problem", "remedy", "acknowledged"),
             lambda n, d: (n, d["perceivedSeverity"], short_time(d["alarmRaisedTime"]), d["alarmId"], d["specificProblem"],
                           d["proposedRepairActions"], d.get("ackUserId")))
    return finish(nodes) or (EXIT_FAILED if any(d["ackState"] != "acknowledged" for _, d in docs) else EXIT_OK)


def acknowledge(nodes, out, args):
    """At each daemon that has it."""
    if not args.id:
        raise UsageError(f"alarms {args.action} needs the alarm")
    state = "acknowledged" if args.action == "ack" else "unacknowledged"
    done = nodes.each(lambda r: r.send("PATCH", "/api/v1/alarms/" + segment(args.id), {"ackState": state}))
    missing = [n for n, e in nodes.failed.items() if e.status == 404]
    for node in missing if done else []:
        del nodes.failed[node]
    for node, _ in done:
        said(out, node, f"{args.id} is {state}")
    return finish(nodes)


def audit(nodes, out, _args):
    """Who changed what, newest first."""
    docs = flatten(nodes.each(lambda r: r.items("/api/v1/audit")))
    out.rows(sorted(docs, key=lambda d: d[1]["at"], reverse=True), ("at", "node", "who", "from", "outcome", "operation"),
             lambda n, d: (d["at"][:19], n, d["who"], d["from"], int(d["outcome"]), d["operation"]))
    return finish(nodes)


# ---- anything ----

def raw(nodes, out, args):
    """Any request: METHOD PATH [JSON]."""
    body = None
    if args.body:
        try:
            body = json.loads(args.body)
        except ValueError as e:
            raise UsageError(f"the body is no JSON: {e}") from e
    for node in list(nodes.rests):
        code, doc = nodes.rests[node].call(args.method.upper(), urllib.parse.quote(args.path, safe="/?&=%:@+,-._~"), body)
        if isinstance(doc, str):
            out.screen.out.write(doc)
        else:
            out.json(doc)
        if code >= 400:
            return exit_of(RestError(code, ""))
    return EXIT_OK
