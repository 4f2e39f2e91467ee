"""Octets of a live INVITE and of a dialog, nanoseconds of a timer (bench_state.c); forwarding beside an echo (bench_forward.c)."""
import json
import os
import subprocess

import callgrind

FILE = os.path.join(callgrind.CORPUS, "03-invite-mo-scscf.sip")
LIVE = 20000			# INVITEs and dialogs at a time
FORWARDED = 10000


def run(build, program, *args):
    path = os.path.join(build, "tests", "bench", program)
    if not os.access(path, os.X_OK):
        raise RuntimeError("%s is missing: make tests/bench/%s" % (path, program))
    p = subprocess.run([path, *args], capture_output=True, text=True, check=False)
    if p.returncode:
        raise RuntimeError(p.stderr.strip() or "%s ended with %d" % (program, p.returncode))
    return json.loads(p.stdout)


def measure(build, say):
    """{"invite_sent": {"heap": n, "resident": n}, ..., "timers": {"pending": n, "rearm_ns": n}}"""
    f = run(build, "bench_state", FILE, str(LIVE))
    for name, what in (("invite_sent", "an INVITE that was sent on"), ("invite_ringing", "an INVITE that rings"),
                       ("dialog", "a dialog")):
        say("%-30s %6d octets of the heap, %6d of the process" % (what, f[name]["heap"], f[name]["resident"]))
    say("%-30s %6.1f ns to cancel and start again, %d pending" % ("a timer", f["timers"]["rearm_ns"], f["timers"]["pending"]))
    return f


def forward(build, say):
    """{"echo_request_us": us, "echo_response_us": us, "forward_us": us, "ratio": forward to both echoes, ...}"""
    f = run(build, "bench_forward", FILE, str(FORWARDED))
    say("forwarding: %.2f us of processor time for a request (%d octets) and its response (%d); echo of both %.2f us; ratio %.2f"
        % (f["forward_us"], f["request_bytes"], f["response_bytes"], f["echo_request_us"] + f["echo_response_us"], f["ratio"]))
    return f
