"""Completion: the shells' scripts ask `cscfctl __complete`, which reads the same tables as the command line."""

import argparse

import ctlnodes
from ctlnodes import NODES, UsageError
from ctlrest import RestError

BASH = """# bash completion of cscfctl: eval "$(cscfctl completion bash)"
_cscfctl() {
	local IFS=$'\\n'
	COMPREPLY=($(cscfctl __complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
	[[ ${COMPREPLY[0]} == *= ]] && compopt -o nospace
	# readline splits words at colons: what stands before the last one is there already
	local prefix=${COMP_WORDS[COMP_CWORD]}
	type __ltrim_colon_completions >/dev/null 2>&1 && __ltrim_colon_completions "$prefix"
}
complete -o default -F _cscfctl cscfctl
"""
ZSH = """#compdef cscfctl
# zsh completion of cscfctl: eval "$(cscfctl completion zsh)", or as _cscfctl in a folder of $fpath
_cscfctl() {
	local -a found
	found=("${(@f)$(cscfctl __complete "${(@)words[2,CURRENT]}" 2>/dev/null)}")
	(( ${#found} )) && compadd -a found || _files
}
if [[ "$funcstack[1]" == _cscfctl ]]; then _cscfctl "$@"; else compdef _cscfctl cscfctl; fi
"""
LIVE = {("registrations", "id"): ("/api/v1/registrations", "impu"), ("bans", "id"): ("/api/v1/bans", "source"),
        ("peers", "id"): ("/api/v1/diameter/peers", "identity"), ("connections", "id"): ("/api/v1/sip/connections", "id"),
        ("security", "id"): ("/api/v1/security-associations", "id"), ("dns", "id"): ("/api/v1/dns/cache", "name"),
        ("flow", "id"): ("/api/v1/flows", "callId"), ("flows", "who"): ("/api/v1/registrations", "impu"),
        ("explain", "who"): ("/api/v1/registrations", "impu"), ("cx", "impu"): ("/api/v1/registrations", "impu"),
        ("route", "caller"): ("/api/v1/registrations", "impu")}


def script(_nodes, _out, args):
    """Prints a shell's script."""
    print({"bash": BASH, "zsh": ZSH}[args.shell], end="")
    return 0


def subparser(parser, verb):
    """The parser of a verb or None."""
    for action in parser._actions:		# pylint: disable=protected-access
        if isinstance(action, argparse._SubParsersAction):	# pylint: disable=protected-access
            return action.choices.get(verb), list(action.choices)
    return None, []


def option_of(parser, word):
    """The action of an option's name."""
    return parser._option_string_actions.get(word)		# pylint: disable=protected-access


def takes_value(action):
    """Does the next word belong to this option?"""
    return action is not None and action.nargs is None and not isinstance(
        action, (argparse._StoreTrueAction, argparse._HelpAction))	# pylint: disable=protected-access


def split(parser, words):
    """(verb or None, positionals behind it, the option whose value comes next or None)."""
    verb, positionals, pending, current = None, [], None, parser
    for word in words:
        if pending:
            pending = None
        elif word.startswith("-"):
            action = option_of(current, word)
            pending = action if takes_value(action) else None
        elif verb is None:
            verb = word
            current = subparser(parser, verb)[0] or parser
        else:
            positionals.append(word)
    return verb, positionals, pending


def live(verb, dest):
    """What the running daemons can say for an argument."""
    path, member = LIVE[(verb, dest)]
    args = argparse.Namespace(url=None, lab=None, config=None, token_file=None)
    try:
        nodes = ctlnodes.Nodes(ctlnodes.find(args))
        return sorted({d[member] for _, docs in nodes.each(lambda r: r.get(path + "?limit=200")["items"]) for d in docs if d.get(member)})
    except (UsageError, RestError):
        return []


def candidates(parser, words):
    """All that may stand at the place of the last word."""
    verb, positionals, pending = split(parser, words[:-1])
    now, verbs = subparser(parser, verb)
    if pending is not None and (verb, pending.dest) in LIVE:
        return live(verb, pending.dest)
    if pending is not None:
        return list(pending.choices or (NODES if pending.dest == "node" else [n + "=" for n in NODES] if pending.dest == "url" else []))
    at = now if verb else parser
    if at is None:
        return []
    if words[-1].startswith("-"):
        return sorted(at._option_string_actions)		# pylint: disable=protected-access
    if not verb:
        return verbs
    places = [a for a in at._actions if not a.option_strings]	# pylint: disable=protected-access
    if len(positionals) >= len(places):
        return []
    place = places[len(positionals)]
    return list(place.choices or (live(verb, place.dest) if (verb, place.dest) in LIVE else []))


def complete(parser, words):
    """Prints what fits, a line each."""
    words = words or [""]
    for text in candidates(parser, words):
        if text.startswith(words[-1]):
            print(text)
    return 0
