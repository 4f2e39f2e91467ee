"""cscfctl - asks and changes P-, I- and S-CSCF by their REST interfaces."""

import argparse
import os
import sys
import time

import ctlcomplete
import ctlconfig
import ctldry
import ctlevents
import ctlmanage
import ctloperations
import ctltraces
import ctlverbs
from ctlnodes import Nodes, UsageError, find
from ctlrest import RestError
from ctlshow import Screen

EXIT_INTERRUPTED = 130
WATCH_S = 2.0
EPILOG = ("Exit status: 0 well, 1 not (said in words), 2 wrong usage, 3 a daemon cannot be reached, 4 no such thing, 5 not allowed, "
          "130 interrupted.")

# verb: (function, help, [(argument, options)])
VERBS = {
    "status": (ctlverbs.status, "is each daemon there and ready?", []),
    "registrations": (ctlverbs.registrations, "who is registered; end or re-authenticate a registration", [
        ("action", {"nargs": "?", "default": "list", "choices": ("list", "show", "delete", "reauthenticate")}),
        ("id", {"nargs": "?", "metavar": "IDENTITY", "help": "public or private identity; for list: text that must be in it"}),
        ("contact", {"nargs": "?", "metavar": "CONTACT", "help": "delete: only this contact, by its id (S-CSCF)"})]),
    "dialogs": (ctlverbs.dialogs, "calls and other dialogs", []),
    "transactions": (ctlverbs.transactions, "SIP transactions in progress", []),
    "peers": (ctlmanage.peers, "Diameter peers, how they answer, why one is not open; set one aside", [
        ("action", {"nargs": "?", "default": "list", "choices": ("list", "drain", "use")}),
        ("id", {"nargs": "?", "metavar": "PEER"})]),
    "requests": (ctlmanage.requests, "Diameter requests that have no answer yet", []),
    "connections": (ctlmanage.connections, "open TCP and TLS connections", [
        ("action", {"nargs": "?", "default": "list", "choices": ("list", "close")}),
        ("id", {"nargs": "?", "metavar": "ID"})]),
    "ping": (ctlmanage.ping, "OPTIONS to a next hop from each daemon", [
        ("uri", {"metavar": "URI"}),
        ("--timeout", {"type": int, "metavar": "MS", "help": "how long to wait (default 4000)"})]),
    "dns": (ctlmanage.dns, "what the daemons know of DNS", [
        ("action", {"nargs": "?", "default": "show", "choices": ("show", "flush")}),
        ("id", {"nargs": "?", "metavar": "NAME"})]),
    "certificates": (ctlmanage.certificates, "certificates and when they end", [
        ("--days", {"type": int, "default": 0, "metavar": "N", "help": "exit status 1 when one ends within N days"})]),
    "trust": (ctlmanage.trust, "whom each daemon believes", []),
    "security": (ctlmanage.security, "IPsec associations with phones, and what they are offered", [
        ("action", {"nargs": "?", "default": "list", "choices": ("list", "show", "delete", "algorithms")}),
        ("id", {"nargs": "?", "metavar": "ID"})]),
    "subscriptions": (ctlmanage.subscriptions, "subscriptions to registration state", []),
    "profile": (ctlmanage.profile, "what the HSS said of a user; put something in its place, or check it", [
        ("action", {"choices": ("show", "put", "check")}),
        ("words", {"nargs": "*", "metavar": "ARGUMENT", "help": "show IMPU; put IMPU FILE; check FILE"})]),
    "servers": (ctlmanage.servers, "application servers that filter criteria name", []),
    "bundle": (ctlmanage.bundle, "one archive of all daemons for a report about a fault", [
        ("file", {"nargs": "?", "metavar": "FILE", "help": "default: cscf-bundle-TIME.tar.gz here"})]),
    "scscfs": (ctlverbs.scscfs, "the S-CSCFs that the I-CSCF chooses from", []),
    "bans": (ctlmanage.bans, "sources that are kept out", [
        ("action", {"nargs": "?", "default": "list", "choices": ("list", "add", "delete")}),
        ("id", {"nargs": "?", "metavar": "SOURCE"}),
        ("--seconds", {"type": int, "metavar": "S", "help": "add: for so long (default sip.sources.ban_s)"})]),
    "flows": (ctlverbs.flows, "recent calls, registrations and other flows, with how they ended", [
        ("who", {"nargs": "?", "metavar": "WHO", "help": "identity, IMSI, number, Call-ID or ICID"}),
        ("--outcome", {"choices": ("running", "success", "challenge", "cancelled", "failure")}),
        ("--limit", {"type": int, "default": 50, "metavar": "N", "help": "at most N (default 50)"})]),
    "flow": (ctlverbs.flow, "the ladder of one call or registration", [
        ("id", {"metavar": "CALL-ID|ICID"}),
        ("--mermaid", {"action": "store_true", "help": "as a Mermaid sequence diagram"}),
        ("--no-notes", {"action": "store_true", "help": "messages only, without the daemons' decisions"})]),
    "explain": (ctlverbs.explain, "why did it fail, what to try, and which clause", [
        ("who", {"nargs": "?", "metavar": "WHO", "help": "identity, IMSI, number, Call-ID or ICID; without it the last thing that failed"})]),
    "resolve": (ctldry.resolve, "where a URI or domain leads from each daemon: DNS and next hops, step by step", [
        ("uri", {"metavar": "URI"}), ("--fresh", {"action": "store_true", "help": "ask DNS anew, whatever is in the cache"})]),
    "route": (ctldry.route, "where the S-CSCF would send what a user dials: dial plan, ENUM, routes, next hops", [
        ("number", {"metavar": "NUMBER|URI"}),
        ("--from", {"dest": "caller", "metavar": "IMPU", "help": "the user who dials: is he barred, which application servers come first?"}),
        ("--fresh", {"action": "store_true", "help": "ask DNS anew, whatever is in the cache"})]),
    "cx": (ctldry.cx, "what the HSS answers about a user: UAR, LIR, SAR in words; nothing changes there", [
        ("impu", {"metavar": "IMPU"}),
        ("impi", {"nargs": "?", "metavar": "IMPI", "help": "default: the IMPU without its scheme"}),
        ("--mar", {"action": "store_true", "help": "a MAR, too: it moves the SQN of the user on, and a user whom the S-CSCF does not serve is reserved for it"}),
        ("--scheme", {"metavar": "NAME", "help": "of the MAR: \"Digest-AKAv1-MD5\", \"SIP Digest\"; default: the HSS chooses"})]),
    "select": (ctldry.select, "which S-CSCF would be chosen, and what the HSS says (UAR, LIR)", [
        ("words", {"nargs": "*", "metavar": "KEY=VALUE", "help": "ask=uar|lir, impi, impu; or mandatory, optional, server"})]),
    "metrics": (ctlverbs.metrics, "figures", [("pattern", {"nargs": "?", "help": "regular expression"})]),
    "config": (ctlconfig.config, "the configuration: show, check, change, reload, go back", [
        ("action", {"nargs": "?", "default": "show", "choices": tuple(ctlconfig.ACTIONS)}),
        ("words", {"nargs": "*", "metavar": "ARGUMENT", "help": "; ".join(f"{k} {v[1]}" for k, v in ctlconfig.ACTIONS.items() if v[1])}),
        ("--dry-run", {"action": "store_true", "help": "say what would change, change nothing"})]),
    "events": (ctlevents.events, "what happens: registrations, calls, alarms, bans, peers, configuration", [
        ("types", {"nargs": "*", "metavar": "TYPE", "help": "prefixes: registration, call.failed, ban ..."}),
        ("--follow", {"action": "store_true", "help": "as it happens, until interrupted; else what was recorded while somebody listened"}),
        ("--who", {"metavar": "TEXT", "help": "only events that have this text as a value: an identity, a Call-ID"})]),
    "operations": (ctloperations.operations, "long actions and how far they are", [
        ("action", {"nargs": "?", "default": "list", "choices": ("list", "show", "cancel")}),
        ("id", {"nargs": "?", "metavar": "ID"})]),
    "drain": (ctloperations.drain, "send new work elsewhere while calls go on", [
        ("action", {"nargs": "?", "default": "status", "choices": ("status", "start", "stop")}),
        ("--no-wait", {"action": "store_true", "help": "do not wait for its end"})]),
    "deregister": (ctloperations.deregister_all, "end every registration (--all), some at a time", [
        ("--all", {"action": "store_true", "required": True, "help": "yes, everybody"}),
        ("--no-wait", {"action": "store_true", "help": "do not wait for its end"})]),
    "trace": (ctltraces.trace, "whole messages of one subscriber or call, in clear: pcapng, Homer", [
        ("action", {"nargs": "?", "default": "list", "choices": ("list", "start", "pcap", "delete")}),
        ("words", {"nargs": "*", "metavar": "ARGUMENT", "help": "start NAME [KEY=VALUE ...]; pcap NAME [FILE]; delete NAME"}),
        ("--seconds", {"type": int, "metavar": "S", "help": "for so long (default 900)"}),
        ("--hep", {"action": "store_true", "help": "to trace.hep_collector too"})]),
    "log": (ctlverbs.log, "levels of the log", [
        ("action", {"nargs": "?", "default": "show", "choices": ("show", "set")}),
        ("levels", {"nargs": "*", "metavar": "[AREA=]LEVEL", "help": "error, warn, info or debug"}),
        ("--revert-after", {"type": int, "metavar": "S", "help": "back to the configured ones after S seconds"})]),
    "alarms": (ctlverbs.alarms, "what is wrong now, and what to do", [
        ("action", {"nargs": "?", "default": "list", "choices": ("list", "ack", "unack")}),
        ("id", {"nargs": "?", "metavar": "ALARM"})]),
    "audit": (ctlverbs.audit, "who changed what", []),
    "raw": (ctlverbs.raw, "any REST request", [
        ("method", {}), ("path", {}), ("body", {"nargs": "?", "metavar": "JSON"})]),
    "completion": (ctlcomplete.script, "the completion script of a shell", [("shell", {"choices": ("bash", "zsh")})]),
}


def add_common(p, default):
    """Options that may stand before and behind the verb."""
    p.add_argument("--json", action="store_true", default=default, help="JSON on stdout")
    p.add_argument("--watch", nargs="?", type=float, const=WATCH_S, metavar="S", default=default,
                   help=f"again every S seconds (default {WATCH_S:g})")
    p.add_argument("--node", action="append", metavar="NODE", default=default, help="only pcscf, icscf or scscf; may be given again")
    p.add_argument("--color", choices=("auto", "always", "never"), default=default or "auto", help="colour (default: on a terminal)")
    p.add_argument("--lab", metavar="DIR", default=default, help="the daemons of this lab (lab up --dir)")
    p.add_argument("--config", metavar="FILE", default=default, help="JSON file that says where the daemons are")
    p.add_argument("--url", action="append", metavar="NODE=URL", default=default, help="http://, https:// or unix:/path of one daemon")
    p.add_argument("--token-file", metavar="FILE", default=default, help="bearer token for --url; else CSCFCTL_TOKEN")


def parser():
    """The whole command line."""
    top = argparse.ArgumentParser(prog="cscfctl", description=__doc__.split(" - ")[1], epilog=EPILOG)
    add_common(top, None)
    verbs = top.add_subparsers(dest="verb", required=True, metavar="VERB")
    for name, (_, text, arguments) in VERBS.items():
        p = verbs.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".", epilog=EPILOG)
        add_common(p, argparse.SUPPRESS)
        for arg, options in arguments:
            p.add_argument(arg, **options)
    return top


def once(args):
    """Runs the verb once."""
    screen = Screen(colour={"always": True, "never": False}.get(args.color))
    nodes = Nodes(find(args), args.node)
    return VERBS[args.verb][0](nodes, ctlverbs.Out(screen, args.json), args)


def run(args):
    """Runs the verb, again and again with --watch."""
    if args.verb == "completion":
        return ctlcomplete.script(None, None, args)
    if args.watch is None:
        return once(args)
    if args.watch <= 0:
        raise UsageError("--watch: must be more than 0 seconds")
    while True:
        Screen().clear()
        once(args)
        sys.stdout.flush()
        time.sleep(args.watch)


def main(argv):
    """The program."""
    try:
        if argv[:1] == ["__complete"]:
            return ctlcomplete.complete(parser(), argv[1:])
        return run(parser().parse_args(argv))
    except UsageError as e:
        print(f"cscfctl: {e}", file=sys.stderr)
        return ctlverbs.EXIT_USAGE
    except RestError as e:
        print(f"cscfctl: {e}", file=sys.stderr)
        return ctlverbs.exit_of(e)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ctlverbs.EXIT_FAILED
