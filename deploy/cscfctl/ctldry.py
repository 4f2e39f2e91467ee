"""cscfctl resolve, route, select, cx: dry runs.  What a daemon would do, each step shown; nothing is sent to a phone or a CSCF."""

from ctlnodes import UsageError
from ctlverbs import EXIT_FAILED, EXIT_OK, finish

RESOLVE, ROUTE = "/api/v1/sip/resolve", "/api/v1/routing/dry-run"
SELECT, CX = "/api/v1/scscf-selection/dry-run", "/api/v1/cx/explain"


# ---- where a URI leads ----

def answer_text(a):
    """A record, what comes of it, and why it does not count."""
    return a["record"] + (f" -> {a['gives']}" if a.get("gives") else "") + (f"  (not used: {a['unused']})" if a.get("unused") else "")


def step_rows(steps):
    """(step, query, source, ttl, answer): a line per answer, the first one says what was asked."""
    for s in steps:
        answers = [answer_text(a) for a in s["answers"]] or [s["result"]]
        for i, text in enumerate(answers):
            yield (s["type"], s["query"], s["source"], int(s["ttl"]) if s.get("ttl") else "", text) if i == 0 else ("", "", "", "", text)


def target_text(t):
    """udp:127.0.77.20:4060, and whether it is passed over for a while."""
    return f"{t['transport']}:{t['address']}:{int(t['port'])}" + ("  (did not answer lately: last)" if t["held"] else "")


def resolution_rows(r):
    """The steps, and what they lead to."""
    yield from step_rows(r["steps"])
    for n, t in enumerate(r["targets"]):
        yield f"{n + 1}.", "", "", "", target_text(t)
    if r.get("error"):
        yield "none", "", "", "", r["error"]["detail"]


def resolve(nodes, out, args):
    """RFC 3263 as each daemon does it; exit status 1 when one finds no way."""
    question = {"uri": args.uri if ":" in args.uri else "sip:" + args.uri, "bypassCache": args.fresh}
    docs = nodes.each(lambda r: r.send("POST", RESOLVE, question))
    if out.as_json:
        out.rows(docs, (), None)
    else:
        out.screen.table(("node", "step", "query", "source", "ttl", "answer"), [(n, *row) for n, d in docs for row in resolution_rows(d)])
    return finish(nodes) or (EXIT_OK if all(d["targets"] for _, d in docs) else EXIT_FAILED)


# ---- where a number goes ----

def say_caller(screen, c):
    """Who calls, and what comes before routing."""
    if not c["known"]:
        screen.line(f"caller: {c['impu']} has no profile here", "warn")
        return
    what = "barred" if c["barred"] else "registered" if c["registered"] else "not registered"
    screen.line(f"caller: {c['impu']}, {what}", "bad" if c["barred"] else None)
    for server in c["applicationServers"]:
        screen.line(f"  first to the application server {server}")


def say_number(screen, n):
    """What it can mean."""
    screen.line(f"dialled: {n['dialled']}" + (f" in the context of {n['phoneContext']}" if n.get("phoneContext") else ""))
    for r in n["readings"]:
        screen.line(f"  {r['number']}  {r['why']}" + ("  (canonical)" if r["number"] == n.get("canonical") else ""))
    say_portability(screen, n)


def say_portability(screen, o):
    """npdi and rn."""
    if "npdi" in o:
        screen.line("  portability: " + ("looked up" if o["npdi"] else "not looked up") +
                    (f", routing number {o['routingNumber']}" if o.get("routingNumber") else ""))


def say_enum(screen, e):
    """What ENUM was asked and said."""
    if e.get("steps"):
        screen.line("ENUM:")
        screen.table(("step", "query", "source", "ttl", "answer"), step_rows(e["steps"]))
    for u in e.get("uris", []):
        screen.line(f"  {u['service']}: {u['uri']}")
        say_portability(screen, u)
    if e.get("why"):
        screen.line(f"ENUM: {e['why']}")


def say_target(screen, number, t):
    """One way, and why."""
    outside = "" if t["trusted"] else ", outside of the trust domain"
    screen.line(f"{number}. {t['requestUri']}", "head")
    screen.line(f"   by {t['decidedBy']} to {t['nextHop']}{outside}")
    r = t.get("route")
    if r:
        row = f"prefix {r['prefix']}" if r.get("prefix") else f"domain {r['domain']}"
        screen.line(f"   row {r['id']} of sessions.routes: {row}, priority {int(r['priority'])}, weight {int(r['weight'])}" +
                    (", failed just now" if r["held"] else ""))
        if r["stripHeaders"] or r["addHeaders"]:
            screen.line("   headers: " + ", ".join([f"-{h}" for h in r["stripHeaders"]] + [f"+{k}: {v}" for k, v in r["addHeaders"].items()]))
    screen.table(("   step", "query", "source", "ttl", "answer"), [("   " + row[0], *row[1:]) for row in resolution_rows(t["resolution"])])


def route(nodes, out, args):
    """Where the S-CSCF would send what a user dials; exit status 1 when it would refuse, or no target has an address."""
    key = "requestUri" if ":" in args.number else "number"
    node, rest = nodes.one(("scscf",))
    doc = rest.send("POST", ROUTE, {key: args.number, "bypassCache": args.fresh, **({"originating": args.caller} if args.caller else {})})
    good = any(t["resolution"]["targets"] for t in doc["targets"]) and not doc.get("caller", {}).get("barred")
    if out.as_json:
        out.json({"node": node, **doc})
        return EXIT_OK if good else EXIT_FAILED
    if "caller" in doc:
        say_caller(out.screen, doc["caller"])
    if "number" in doc:
        say_number(out.screen, doc["number"])
    if "enum" in doc:
        say_enum(out.screen, doc["enum"])
    for n, t in enumerate(doc["targets"]):
        say_target(out.screen, n + 1, t)
    if "refusedWith" in doc:
        out.screen.line(f"refused with {int(doc['refusedWith'])}: {doc['why']}", "bad")
    return EXIT_OK if good else EXIT_FAILED


# ---- which S-CSCF ----

def select(nodes, out, args):
    """What the I-CSCF would choose for capabilities, or for what the HSS says of a user; exit status 1 when it would refuse."""
    doc = {}
    for word in args.words:
        key, _, value = word.partition("=")
        if key not in ("impi", "impu", "ask", "visited", "mandatory", "optional", "server") or not value:
            raise UsageError("select [ask=uar impi=... impu=... | ask=lir impu=... | mandatory=1,2 optional=3 server=sip:...]")
        long = {"visited": "visitedNetwork", "mandatory": "mandatoryCapabilities", "optional": "optionalCapabilities", "server": "serverNames"}
        numbers = [int(x) for x in value.split(",") if x.isdecimal()]
        doc[long.get(key, key)] = numbers if key in ("mandatory", "optional") else [value] if key == "server" else value
    node, rest = nodes.one(("icscf",))
    answer = rest.send("POST", SELECT, doc)
    if out.as_json:
        out.json({"node": node, **answer})
        return EXIT_OK if answer.get("chosen") else EXIT_FAILED
    hss = answer.get("hss")
    if hss:
        out.screen.line(f"HSS: {hss['asked']} {int(hss.get('code', 0))} {hss['result']}: {hss['meaning']}")
    if "refusedWith" in answer:
        out.screen.line(f"refused with {int(answer['refusedWith'])}", "bad")
    for n, o in enumerate(answer.get("order", [])):
        out.screen.line(f"{n + 1}. {o['uri']}  {o['why']}")
    for c in answer.get("candidates", []):
        if c["missing"]:
            out.screen.line(f"   {c['uri']} lacks {', '.join(str(int(m)) for m in c['missing'])}", "dim")
    out.screen.line(f"chosen: {answer['chosen']}" if answer.get("chosen") else answer.get("why", "none"), "good" if answer.get("chosen") else "bad")
    return EXIT_OK if answer.get("chosen") else EXIT_FAILED


# ---- what the HSS says ----

def cx_answers(nodes, impu, impi, mar, scheme):
    """[(node, answer)]: UAR and LIR by the I-CSCF, SAR and, when it is wished for, MAR by the S-CSCF."""
    who = {"impu": impu, "impi": impi}
    docs = nodes.each(lambda r: {**who, **r.send("POST", SELECT, {"ask": "uar", **who})}, ("icscf",))
    docs += nodes.each(lambda r: {**who, **r.send("POST", SELECT, {"ask": "lir", "impu": impu})}, ("icscf",))
    docs += nodes.each(lambda r: r.send("POST", CX, {"ask": "sar", **who}), ("scscf",))
    if mar:
        more = {"scheme": scheme} if scheme else {}
        docs += nodes.each(lambda r: r.send("POST", CX, {"ask": "mar", "useVector": True, **who, **more}), ("scscf",))
    return [(n, {**d.pop("hss"), **d} if isinstance(d.get("hss"), dict) else d) for n, d in docs]


def cx_more(d):
    """What an answer says beside its result."""
    if d.get("chosen"):
        yield f"S-CSCF {d['chosen']}" + ("" if d.get("serverName") else ", chosen")
    profile = d.get("profile")
    if profile and profile.get("error"):
        yield f"User-Data: {profile['error']}"
    for i in (profile or {}).get("identities", []):
        flags = [w for w, on in (("default", i["default"]), ("barred", i["barred"])) if on]
        yield f"{i['impu']}{' (' + ', '.join(flags) + ')' if flags else ''}, {int(i['criteria'])} filter criteria"
    if d.get("charging"):
        yield f"charging {d['charging']}"
    for v in d.get("vectors", []):
        yield f"{v.get('scheme', '')} {v['what']}".strip()


def cx(nodes, out, args):
    """What the HSS answers I- and S-CSCF about a user; exit status 1 when one of them would refuse him."""
    impu = args.impu if ":" in args.impu else "sip:" + args.impu
    impi = args.impi or impu.partition(":")[2].partition(";")[0]
    docs = cx_answers(nodes, impu, impi, args.mar, args.scheme)
    if out.as_json:
        out.rows(docs, (), None)
    else:
        rows = []
        for n, d in docs:
            rows.append((n, d["asked"], int(d["code"]) if "code" in d else "", d["result"], d["meaning"]))
            rows += [("", "", "", "", text) for text in cx_more(d)]
        out.screen.table(("node", "asked", "code", "result", "meaning"), rows)
    return finish(nodes) or (EXIT_FAILED if any("refusedWith" in d for _, d in docs) else EXIT_OK)
