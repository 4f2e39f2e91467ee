"""cscfctl peers, bans, connections, ping, dns, certificates, trust, security, subscriptions, profile, servers, bundle: what operators do."""

import io
import json
import os
import sys
import tarfile
import time
import urllib.parse

from ctlnodes import UsageError
from ctlrest import TIMEOUT_S, segment
from ctlshow import short_time
from ctlverbs import EXIT_FAILED, EXIT_NOT_FOUND, EXIT_OK, EXIT_USAGE, finish, flatten, said

NODES = ("pcscf", "icscf", "scscf")
PING_MORE_S = 2			# that a daemon may take beside the time it waits itself
PEERS, CONNECTIONS, SETS = "/api/v1/diameter/peers", "/api/v1/sip/connections", "/api/v1/security-associations"


def listed(nodes, path, names=NODES, **query):
    """[(node, doc)] of these daemons."""
    return flatten(nodes.each(lambda r: r.items(path, **query), names))


def need(args, what):
    """The argument that this action cannot do without."""
    if not args.id:
        raise UsageError(f"{args.verb} {args.action} needs {what}")
    return args.id


def on_those(nodes, out, docs, member, wanted, act, text):
    """act(rest, doc) on each listed thing of that name; said in words.  Exit status 4 when there is none."""
    found = [(n, d) for n, d in docs if d[member] == wanted]
    for node, doc in found:
        act(nodes.rests[node], doc)
        said(out, node, text)
    return finish(nodes) or (EXIT_OK if found else EXIT_NOT_FOUND)


# ---- Diameter ----

def peers(nodes, out, args):
    """list: exit status 1 when a daemon that has some has none open.  drain, use PEER."""
    pairs = nodes.each(lambda r: r.items(PEERS))
    if args.action != "list":
        state = {"drain": "draining", "use": "enabled"}[args.action]
        text = "other peers are asked instead, while one is open" if args.action == "drain" else "is used again"
        return on_those(nodes, out, flatten(pairs), "identity", need(args, "the peer"),
                        lambda r, d: r.send("PATCH", f"{PEERS}/{segment(d['identity'])}", {"adminState": state}), f"{args.id}: {text}")
    out.rows(flatten(pairs), ("node", "peer", "state", "for_s", "use", "answers", "errors", "timeouts", "mean_ms", "why"),
             lambda n, d: (n, d["identity"], d["state"], int(d["inStateMs"]) // 1000, d["adminState"], int(d["answers"]), int(d["errors"]),
                           int(d["timeouts"]), f"{d['meanMs']:.1f}", d.get("reason")))
    dead = any(docs and not any(d["open"] for d in docs) for _, docs in pairs)
    return finish(nodes) or (EXIT_FAILED if dead else EXIT_OK)


def requests(nodes, out, _args):
    """Diameter requests that have no answer yet."""
    out.rows(listed(nodes, "/api/v1/diameter/requests"), ("node", "command", "state", "age_ms", "icid"),
             lambda n, d: (n, d["command"], d["state"], int(d["ageMs"]), d["icid"]))
    return finish(nodes)


# ---- SIP ----

def bans(nodes, out, args):
    """list; add SOURCE for --seconds; delete SOURCE."""
    if args.action == "list":
        out.rows(listed(nodes, "/api/v1/bans"), ("node", "source", "reason", "since", "left_s", "dropped"),
                 lambda n, d: (n, d["source"], d["reason"], short_time(d["since"]), int(d["expiresInS"]), int(d["dropped"])))
        return finish(nodes)
    source = need(args, "the source")
    node, rest = nodes.one(NODES)
    if args.action == "add":
        doc = rest.send("POST", "/api/v1/bans", {"source": source, **({"durationS": args.seconds} if args.seconds else {})})
        said(out, node, f"{doc['source']} is kept out for {int(doc['expiresInS'])} s")
    else:
        rest.send("DELETE", "/api/v1/bans/" + segment(source))
        said(out, node, f"{source} is let in again")
    return EXIT_OK


def connections(nodes, out, args):
    """list; close ID."""
    docs = listed(nodes, CONNECTIONS)
    if args.action == "close":
        return on_those(nodes, out, docs, "id", need(args, "the connection's id"), lambda r, d: r.send("DELETE", f"{CONNECTIONS}/{d['id']}"),
                        f"{args.id} is closed")
    out.rows(docs, ("node", "id", "proto", "local", "remote", "opened", "age_s", "idle_s", "queued"),
             lambda n, d: (n, d["id"], d["transport"], d["local"], d["remote"], "by them" if d["accepted"] else "by us", int(d["ageMs"]) // 1000,
                           int(d["idleMs"]) // 1000, int(d["queuedBytes"])))
    return finish(nodes)


def ping(nodes, out, args):
    """OPTIONS from each daemon; exit status 1 when one hears nothing."""
    body = {"uri": args.uri if ":" in args.uri else "sip:" + args.uri, **({"timeoutMs": args.timeout} if args.timeout else {})}
    patience = max(TIMEOUT_S, (args.timeout or 0) / 1000 + PING_MORE_S)
    docs = nodes.each(lambda r: r.send("POST", "/api/v1/sip/ping", body, timeout=patience))
    out.rows(docs, ("node", "status", "ms", "answered by", "what"),
             lambda n, d: (n, int(d["status"]) if d["answered"] else "none", f"{d['ms']:.1f}", d.get("answeredBy"), d.get("reason") or d.get("why")))
    return finish(nodes) or (EXIT_OK if all(d["answered"] for _, d in docs) else EXIT_FAILED)


def dns(nodes, out, args):
    """show or flush the caches of the workers, of one name or all."""
    if args.action == "flush":
        query = "?" + urllib.parse.urlencode({"name": args.id}) if args.id else ""
        for node, doc in nodes.each(lambda r: r.send("DELETE", "/api/v1/dns/cache" + query)):
            said(out, node, f"{int(doc['forgotten'])} answers are forgotten")
        return finish(nodes)
    docs = listed(nodes, "/api/v1/dns/cache", **({"name": args.id} if args.id else {}))
    out.rows(docs, ("node", "worker", "name", "type", "state", "left_s", "answer"),
             lambda n, d: (n, int(d["worker"]), d["name"], d["type"], d["state"], int(d["leftMs"]) // 1000, d["answer"] or d.get("error")))
    return finish(nodes)


def certificates(nodes, out, args):
    """Certificates that the configurations name; exit status 1 when one ends within --days."""
    docs = listed(nodes, "/api/v1/tls/certificates")
    out.rows(docs, ("node", "use", "subject", "names", "ends", "days"),
             lambda n, d: (n, d["use"], d["subject"], d["names"], d["notAfter"][:10], int(d["daysLeft"])))
    return finish(nodes) or (EXIT_FAILED if any(d["daysLeft"] < args.days for _, d in docs) else EXIT_OK)


def trust(nodes, out, _args):
    """Whom each daemon believes."""
    out.rows(listed(nodes, "/api/v1/trusted-domains"), ("node", "trusted", "key"), lambda n, d: (n, d.get("network") or d.get("domain"), d["key"]))
    return finish(nodes)


# ---- users ----

def security(nodes, out, args):
    """IPsec of the P-CSCF: list, show ID, delete ID, algorithms."""
    node, rest = nodes.one(("pcscf",))
    if args.action == "algorithms":
        doc = rest.get("/api/v1/algorithms")
        if out.as_json:
            out.json({"node": node, **doc})
            return EXIT_OK
        out.screen.line(f"policy {doc['policy']}, " + ("IPsec is on" if doc["enabled"] else "IPsec is off") + f", null encryption {doc['nullEncryption']}")
        out.screen.table(("preference", "integrity", "encryption"), [(int(p["preference"]), p["alg"], p["ealg"]) for p in doc["offered"]])
    elif args.action == "show":
        out.json({"node": node, **rest.get(f"{SETS}/{segment(need(args, 'an id'))}")})
    elif args.action == "delete":
        rest.send("DELETE", f"{SETS}/{segment(need(args, 'an id'))}")
        said(out, node, f"{args.id} is ended, and the phone must register again")
    else:
        out.rows([(node, d) for d in rest.items(SETS)], ("node", "id", "impi", "phone", "state", "integrity", "encryption", "mode"),
                 lambda n, d: (n, d["id"], d["impi"], d["ueAddress"], d["state"], d["alg"], d["ealg"], d["mode"]))
    return EXIT_OK


def subscriptions(nodes, out, _args):
    """Reg event: whom the S-CSCF tells, and what the P-CSCF asks for."""
    out.rows(listed(nodes, "/api/v1/reg-subscriptions", ("pcscf", "scscf")), ("node", "impu", "state", "s", "version", "subscriber"),
             lambda n, d: (n, d["impu"], d["state"], int(d.get("expiresInS", d.get("nextInS", 0))), int(d["version"]) if "version" in d else "",
                           d.get("subscriber")))
    return finish(nodes)


def say_criteria(screen, doc):
    """A line for each criterion."""
    screen.table(("priority", "server", "part", "if it fails", "triggers"),
                 [(int(c["priority"]), c["applicationServer"], c["profilePart"], c["defaultHandling"], c["conditionType"] + " " + ", ".join(
                     ("not " if t["trigger"]["negated"] else "") + t["trigger"]["kind"] + "=" + t["trigger"].get("value", "*") for t in c["triggers"]))
                  for c in doc["filterCriteria"]])
    if doc["skipped"]:
        screen.line(f"{int(doc['skipped'])} left out: {doc.get('skippedWhy', '')}", "bad")


def read_file(name):
    """A text; "-": what comes on stdin.  None when it cannot be read, said on stderr."""
    try:
        if name == "-":
            return sys.stdin.read()
        with open(name, encoding="utf-8") as f:
            return f.read()
    except (OSError, UnicodeDecodeError) as e:
        print(f"cscfctl: {name}: {getattr(e, 'strerror', None) or 'is no text'}", file=sys.stderr)
        return None


def check_profile(rest, out, xml):
    """What the S-CSCF would make of it; exit status 1 when it is not usable or something is left out."""
    doc = rest.send("POST", "/api/v1/ifc/check", {"xml": xml})
    if out.as_json:
        out.json(doc)
    elif not doc["valid"]:
        out.screen.line(doc["why"], "bad")
    for s in doc["services"] if not out.as_json else ():
        out.screen.line(" ".join(s["identities"]), "head")
        say_criteria(out.screen, s)
    return EXIT_OK if doc["valid"] and not any(s["skipped"] for s in doc["services"]) else EXIT_FAILED


def profile(nodes, out, args):
    """show IMPU; put IMPU FILE: in place of what the HSS said; check FILE."""
    words = args.words
    if len(words) != (2 if args.action == "put" else 1):
        raise UsageError({"show": "profile show IMPU", "put": "profile put IMPU FILE", "check": "profile check FILE"}[args.action])
    node, rest = nodes.one(("scscf",))
    if args.action == "show":
        doc = rest.get("/api/v1/profiles/" + segment(words[0]))
        if out.as_json:
            out.json({"node": node, **doc})
            return EXIT_OK
        out.screen.line(f"{doc['impu']}, {doc['impi']}, {doc['state']}" + (", barred" if doc["barred"] else ""))
        for i in doc["irs"]:
            out.screen.line(f"  {i['impu']}" + ("  (default)" if i["default"] else "") + ("  (barred)" if i["barred"] else ""))
        say_criteria(out.screen, doc)
        return EXIT_OK
    xml = read_file(words[-1])
    if xml is None:
        return EXIT_USAGE
    if args.action == "check":
        return check_profile(rest, out, xml)
    rest.send("PUT", "/api/v1/profiles/" + segment(words[0]), {"xml": xml})
    said(out, node, f"{words[0]} has this profile until the HSS sends another one")
    return EXIT_OK


def servers(nodes, out, _args):
    """Application servers that filter criteria name."""
    node, rest = nodes.one(("scscf",))
    out.rows([(node, d) for d in rest.items("/api/v1/application-servers")], ("node", "uri", "health", "wait_ms", "criteria"),
             lambda n, d: (n, d["uri"], d["health"], int(d["waitMs"]), int(d["criteria"])))
    return EXIT_OK


# ---- a bundle ----

def add_text(tar, name, text):
    """A file of the archive."""
    data = text.encode()
    info = tarfile.TarInfo(name)
    info.size, info.mtime, info.mode = len(data), int(time.time()), 0o600
    tar.addfile(info, io.BytesIO(data))


def bundle(nodes, out, args):
    """One archive of all daemons for a report about a fault."""
    docs = nodes.each(lambda r: r.send("POST", "/api/v1/diagnostic-bundles"))
    path = args.file or time.strftime("cscf-bundle-%Y%m%d-%H%M%S.tar.gz")
    if not docs:
        return finish(nodes) or EXIT_FAILED
    try:
        with open(path, "wb", opener=lambda p, flags: os.open(p, flags, 0o600)) as f, tarfile.open(fileobj=f, mode="w:gz") as tar:
            os.fchmod(f.fileno(), 0o600)	# one that was there already, too
            for node, doc in docs:
                add_text(tar, f"cscf-bundle/{node}/log.txt", "\n".join(doc.pop("log")) + "\n")
                add_text(tar, f"cscf-bundle/{node}/metrics.txt", doc.pop("metrics"))
                for part, value in doc.items():
                    add_text(tar, f"cscf-bundle/{node}/{part}.json", json.dumps(value, indent=2, ensure_ascii=False) + "\n")
    except OSError as e:
        print(f"cscfctl: {path}: {e.strerror}", file=sys.stderr)
        return EXIT_FAILED
    said(out, ", ".join(n for n, _ in docs), f"{path} (it names subscribers)")
    return finish(nodes)
