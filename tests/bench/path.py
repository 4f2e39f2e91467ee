"""Instructions of each step on a message's way through the code, by callgrind: bench_forward --path."""
import os
import tempfile

import callgrind

FILE = os.path.join(callgrind.CORPUS, "03-invite-mo-scscf.sip")
N = 200			# requests with their responses

# what, function, how far in; a step holds those below it that stand further in
STEPS = (
    ("request: copied into an arena, parsed", "bench_request_parse", 0),
    ("request: until it has been handed to the transport", "bench_request_input", 0),
    ("server transaction: looked for, made; then the role", "tx_server_input", 1),
    ("checks of RFC 3261 16.3: hops, loops, options", "proxy_check", 2),
    ("response context", "proxy_new", 2),
    ("a branch: target, edits, written, sent", "proxy_start", 2),
    ("topmost Route looked at", "proxy_next_hop", 3),
    ("edits, and the message written", "wire_make", 3),
    ("client transaction made, message sent", "tx_client_new", 3),
    ("response: copied into an arena, parsed", "bench_response_parse", 0),
    ("response: until it has been handed to the transport", "bench_response_input", 0),
    ("client transaction found; the proxy's choice; written; server transaction", "tx_client_input", 1),
)


def measure(build, say):
    """{function: instructions for one request with its response}"""
    program = os.path.join(build, "tests", "bench", "bench_forward")
    if not os.access(program, os.X_OK):
        raise RuntimeError("%s is missing: make tests/bench/bench_forward" % program)
    figures = {}
    say("instructions for a request of %d octets and its response" % os.path.getsize(FILE))
    with tempfile.TemporaryDirectory() as scratch:
        for what, function, depth in STEPS:
            n = callgrind.instructions([program, "--path", FILE], function, str(N), scratch) * callgrind.REPEATS // N
            figures[function] = n
            say("  %-78s %7d" % ("  " * depth + what, n))
    figures["total"] = sum(figures[f] for _, f, depth in STEPS if depth == 0)
    say("  %-78s %7d" % ("together", figures["total"]))
    return figures
