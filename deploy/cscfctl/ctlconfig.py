"""cscfctl config: the configuration read, checked, changed by a merge patch, and put back."""

import json
import urllib.parse

from ctlnodes import UsageError
from ctlrest import RestError, problem_text, segment
from ctlverbs import EXIT_FAILED, EXIT_OK, finish, flatten

PATH = "/api/v1/config"


def changes(out, docs):
    """What changed, a line per key."""
    out.rows([(n, c) for n, d in docs for c in d["changes"]], ("node", "key", "from", "to", "effect"),
             lambda n, c: (n, c["path"], short(c["from"]), short(c["to"]), c["effect"]))


def short(value):
    """A value in a cell."""
    text = "" if value is None else value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 40 else text[:37] + "..."


def query(args):
    """Of what changes something."""
    return "?dryRun=true" if args.dry_run else ""


def one(nodes, args):
    """The only daemon: a change is about one."""
    if len(nodes.rests) != 1:
        raise UsageError(f"config {args.action} is about one daemon: give --node")
    return next(iter(nodes.rests.items()))


def words(args, least, most=None):
    """The arguments, as many as they must be."""
    if not least <= len(args.words) <= (most if most is not None else max(least, len(args.words))):
        raise UsageError(f"config {args.action} {ACTIONS[args.action][1]}")
    return args.words


def findings(out, name, docs):
    """Mistakes, a line each."""
    for f in docs:
        where = f"{int(f['line'])}:{int(f['column'])}" if "line" in f else "0:0"
        out.screen.line(f"{name or f.get('file', '')}:{where}: {f['message']}", "bad")


def show(nodes, out, _args):
    """Normal form."""
    for node, (code, _, text) in nodes.each(lambda r: r.exchange("GET", PATH, None, {"Accept": "application/yaml"})):
        if code != 200:
            nodes.failed[node] = RestError(code, problem_text(code, text))
            continue
        out.screen.line(f"# {node}", "head")
        out.screen.out.write(text if isinstance(text, str) else json.dumps(text))
    return finish(nodes)


def schema(nodes, out, args):
    """JSON Schema."""
    out.json(one(nodes, args)[1].get(PATH + "/schema"))
    return EXIT_OK


def validate(nodes, out, args):
    """A file against the daemon's schema; exit status 1 when it has mistakes."""
    (name,), (node, rest) = words(args, 1, 1), one(nodes, args)
    doc = rest.send("POST", PATH + "/validate", read(name))
    if out.as_json:
        out.json({"node": node, **doc})
    else:
        findings(out, name, doc["findings"])
        if doc["valid"]:
            out.screen.line(f"{name}: the configuration is good", "good")
    return EXIT_OK if doc["valid"] else EXIT_FAILED


def read(name):
    """A file's text."""
    try:
        with open(name, encoding="utf-8") as f:
            return f.read()
    except OSError as e:
        raise UsageError(f"{name}: {e.strerror}") from e


def reload(nodes, out, args):
    """The file again, at each daemon."""
    changes(out, nodes.each(lambda r: r.send("POST", PATH + "/reload" + query(args))))
    return finish(nodes)


def value_of(text):
    """JSON where it is some, else a text."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def patch_of(args):
    """The merge patch that the arguments mean."""
    if args.action == "patch":
        text = words(args, 1, 1)[0]
        doc = value_of(read(text[1:]) if text.startswith("@") else text)
        if not isinstance(doc, dict):
            raise UsageError("config patch: not a JSON object")
        return doc
    doc = {}
    for word in words(args, 1):
        key, equals, value = word.partition("=")
        if bool(equals) != (args.action == "set"):
            raise UsageError(f"config {args.action} {ACTIONS[args.action][1]}")
        *sections, last = key.split(".")
        at = doc
        for s in sections:
            at = at.setdefault(s, {})
        at[last] = value_of(value) if equals else None
    return doc


def change(nodes, out, args):
    """set, unset, patch: on the configuration as it is now."""
    doc, (node, rest) = patch_of(args), one(nodes, args)
    code, headers, answer = rest.exchange("GET", PATH)
    if code == 200:
        code, _, answer = rest.exchange("PATCH", PATH + query(args), doc, {"If-Match": headers["ETag"]})
    if code != 200:
        if isinstance(answer, dict) and not out.as_json:
            findings(out, None, answer.get("findings", []))
        raise RestError(code, f"{node}: {problem_text(code, answer)}")
    changes(out, [(node, answer)])
    return EXIT_OK


def revisions(nodes, out, _args):
    """What the file said before."""
    docs = flatten(nodes.each(lambda r: r.items(PATH + "/revisions")))
    out.rows(docs, ("node", "revision", "applied", "by", "origin"), lambda n, d: (n, d["revision"], d["appliedAt"][:19], d["by"], d["origin"]))
    return finish(nodes)


def diff(nodes, out, args):
    """From a revision to another one or to what runs."""
    (first, *other), (node, rest) = words(args, 1, 2), one(nodes, args)
    more = "?" + urllib.parse.urlencode({"to": other[0]}) if other else ""
    changes(out, [(node, rest.get(f"{PATH}/revisions/{segment(first)}/diff{more}"))])
    return EXIT_OK


def restore(nodes, out, args):
    """Makes a revision the file again."""
    (number,), (node, rest) = words(args, 1, 1), one(nodes, args)
    changes(out, [(node, rest.send("POST", f"{PATH}/revisions/{segment(number)}/restore{query(args)}"))])
    return EXIT_OK


ACTIONS = {
    "show": (show, ""), "schema": (schema, ""), "validate": (validate, "FILE"), "reload": (reload, ""), "set": (change, "KEY=VALUE ..."),
    "unset": (change, "KEY ..."), "patch": (change, "JSON|@FILE"), "revisions": (revisions, ""), "diff": (diff, "REVISION [REVISION]"),
    "restore": (restore, "REVISION"),
}


def config(nodes, out, args):
    """What is asked for."""
    fn, usage = ACTIONS[args.action]
    if args.words and not usage:
        raise UsageError(f"config {args.action} takes no argument")
    return fn(nodes, out, args)
