"""`lab demo`: from a checkout to a verdict; `lab call`: two phones on a core that runs."""

import contextlib
import json
import os
import shutil
import sys
import tempfile

import labbuild
import labcall
import labcore
import lablogs
from labcall import Report, step
from labnet import LabError
from labphone import Phone
from labrest import RestError, ctlladder, segment
from labsubs import find


def two_phones(lab, names, proto, stack):
    """Starts phones A and B for two subscribers."""
    subs = [find(lab.net, lab.doc["subscribers"], n) for n in names] if names else lab.doc["subscribers"][:2]
    if len(subs) < 2 or subs[0] is subs[1]:
        raise LabError("a call needs two different subscribers")
    return [stack.enter_context(Phone(lab, label, i, sub, proto, labcall.VOICE_OPTIONS))
            for i, (label, sub) in enumerate(zip("AB", subs))]


def scenario(lab, report, names, hold_s, proto="udp"):
    """Both phones register, send each other a message, call, and de-register."""
    with contextlib.ExitStack() as stack:
        a, b = two_phones(lab, names, proto, stack)
        for phone in (a, b):
            step(report, f"{phone.label} registers", labcall.register, lab, phone, report)
        if not report.good:
            return
        step(report, "MESSAGE from A to B", labcall.message, a, b, "Hello B, this is A", report)
        step(report, "MESSAGE from B to A", labcall.message, b, a, "Hello A, B here", report)
        call_id = step(report, "call from A to B", labcall.call, lab, a, b, hold_s, report)
        if not call_id:
            calling = a.seen("calling")
            call_id = calling[-1].get("callId") if calling else None
        for phone in (a, b):
            step(report, f"{phone.label} de-registers", labcall.deregister, lab, phone, report)
        if call_id:
            show_ladder(lab, report, call_id, a, b)


def call_ladder(lab, call_id, phone_a, phone_b):
    """The ladder of a call between two phones, as lines."""
    def fetch(node, key):
        try:
            return lab.rest(node).items("/api/v1/flows/" + segment(key))
        except RestError:
            return []

    phones = {phone_a.ip: f"UE-{phone_a.label}", phone_b.ip: f"UE-{phone_b.label}"}
    order = [phones[phone_a.ip], "pcscf"] + (["pcf"] if lab.net.policy != "off" else []) + ["icscf", "scscf", "hss", phones[phone_b.ip]]
    rows = ctlladder.arrows(ctlladder.collect(fetch, call_id), phones, lab.net.lanes())
    return ctlladder.draw(rows, order, notes=False) if rows else ["(the daemons recorded nothing of this call)"]


def show_ladder(lab, report, call_id, a, b):
    """The call as P-, I- and S-CSCF saw it."""
    report.say("the call as P-, I- and S-CSCF recorded it:")
    lines = call_ladder(lab, call_id, a, b)
    report.raw([""] + lines + [""])
    report.check("the ladder shows the call in all three CSCFs", len(lines) > 10, f"{len(lines)} lines")


def check_logs(lab, report):
    """No error lines, no sanitizer reports."""
    faults = lablogs.faults(lab.doc["logs"])
    for node, line in faults[:10]:
        report.raw([f"    {node}: {line}"])
    report.check("no error in the logs", not faults, f"{len(faults)} lines")


def stop_core(lab, report):
    """Stops the core; everything must end as asked, nothing may be left."""
    result = lab.stop()
    for node, what in result.items():
        report.check(f"{node} stopped cleanly", what == "stopped", what)
    report.check("no process is left", not lab.running(), ", ".join(lab.running()))
    check_logs(lab, report)			# after the stop: leak reports come last
    report.say("the core is stopped")


def prepare(args, report, workdir):
    """Packages and build, unless a build folder was given.  Returns the build folder."""
    if args.build:
        return os.path.abspath(args.build)
    log = os.path.join(workdir, "build.log")
    folder = os.path.join(args.top, "build")
    labbuild.install_packages(args.top, log, report.say)
    labbuild.build(args.top, folder, log, report.say)
    report.say(f"built in {folder}")
    return folder


def run_demo(args, net, report, workdir):
    """Everything between two empty places."""
    build = prepare(args, report, workdir)
    report.say("starting the core")
    lab = labcore.up(net, os.path.join(workdir, "lab"), build, args.workers, args.subscribers, not args.no_dns,
                     not args.no_ipsec, report.say, args.settings, args.wait)
    try:
        report.check("the core is ready", labcore.status(lab)[1])
        scenario(lab, report, None, args.hold, args.proto)
    finally:
        stop_core(lab, report)


def verdict(args, report, workdir, kept):
    """Prints the verdict; exit status."""
    good = report.good
    failed = [c for c in report.checks if not c["ok"]]
    if args.json:
        print(json.dumps({"ok": good, "checks": report.checks}, indent=2))
    for c in failed:
        report.raw([f"    failed: {c['check']}" + (f": {c['detail']}" if c["detail"] else "")])
    if kept:
        report.raw([f"    logs and configuration are in {workdir}"])
    report.say(f"VERDICT: {'PASSED' if good else 'FAILED'}, {len(report.checks) - len(failed)} of {len(report.checks)} checks hold")
    return 0 if good else 1


def demo(args, net):
    """`lab demo`."""
    report = Report(sys.stderr if args.json else sys.stdout)
    workdir = os.path.abspath(args.dir) if args.dir else tempfile.mkdtemp(prefix="cscf-demo-")
    os.makedirs(workdir, mode=0o700, exist_ok=True)
    kept = True
    try:
        step(report, "demo", run_demo, args, net, report, workdir)
        kept = bool(args.dir) or not report.good
    except KeyboardInterrupt:
        kept = bool(args.dir)
        raise
    finally:
        if not kept:
            shutil.rmtree(workdir, ignore_errors=True)
    return verdict(args, report, workdir, kept)


def call(args):
    """`lab call [A B]` on a core that runs."""
    lab = labcore.Lab.load(args.dir)
    report = Report(sys.stderr if args.json else sys.stdout)
    names = [args.a, args.b] if args.a and args.b else None
    step(report, "call", scenario, lab, report, names, args.hold, args.proto)
    return verdict(args, report, lab.dir.path, False)
