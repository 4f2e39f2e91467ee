"""lab - a whole IMS core on this machine: P-, I- and S-CSCF, a HSS, DNS and simulated phones, by one command."""

import argparse
import json
import os
import signal
import sys
import time

import labcore
from labnet import DEFAULT_NET, LabError, LabNet, check_net, parse_hss
from labrest import RestError

TOP = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))
INSTALLED = "/usr/lib/cscf/lab"
EXIT_INTERRUPTED = 130
END_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def is_checkout():
    """False: installed, by the package ims-lab."""
    return os.path.exists(os.path.join(TOP, "configure.ac"))


def default_build():
    """Where the programs are: the build folder of this checkout, or the package's."""
    return os.path.join(TOP, "build") if is_checkout() else INSTALLED


def lab_dir(args):
    """Directory that --dir or --net names."""
    return args.dir or labcore.default_dir(check_net(args.net))


def load(args):
    """The running lab that the options name."""
    return labcore.Lab.load(lab_dir(args))


def speaker(args):
    """Words go to stdout, or to stderr when stdout is for JSON."""
    out = sys.stderr if args.json else sys.stdout
    return lambda text: print(text, file=out, flush=True)


def read_extra(options, net):
    """{node: YAML} of the --extra options."""
    extra = {}
    for option in options:
        node, _, path = option.partition("=")
        if node not in net.daemons():
            raise LabError(f"--extra {option}: must read NODE=FILE, NODE one of {', '.join(net.daemons())}")
        try:
            with open(path, encoding="utf-8") as f:
                extra[node] = f.read()
        except OSError as e:
            raise LabError(f"--extra {option}: {path}: {e.strerror}") from e
    return extra


# ---- verbs ----

def do_up(args):
    """Starts a core."""
    say, began = speaker(args), time.monotonic()
    net = LabNet(args.net, args.mcc, args.mnc, parse_hss(args.hss) if args.hss else None, args.ip6, args.policy)
    lab = labcore.up(net, lab_dir(args), args.build, args.workers, args.subscribers, not args.no_dns, not args.no_ipsec, say,
                    read_extra(args.extra, net), args.wait)
    if args.json:
        print(json.dumps(lab.doc, indent=2))
    say(f"the core is up after {time.monotonic() - began:.1f} s; {lab.dir.lab_json} says the rest; `lab down` ends it")
    return 0


def do_status(args):
    """Shows a core."""
    rows, good = labcore.status(load(args))
    if args.json:
        print(json.dumps({"ok": good, "nodes": rows}, indent=2))
    else:
        for r in rows:
            state = "ready" if r["ready"] else "NOT READY: " + r["reason"]
            regs = f", {r['registrations']} registrations" if "registrations" in r else ""
            print(f"{r['node']:6} pid {r['pid']:<8} {state}{regs}")
    return 0 if good else 1


def do_down(args):
    """Stops a core."""
    return 0 if labcore.down(load(args), args.keep, speaker(args)) else 1


def do_logs(args):
    """Shows logs."""
    import lablogs
    return lablogs.show(load(args), args.daemon, args.follow)


def do_call(args):
    """Two phones on a running core."""
    import labdemo
    args.dir = lab_dir(args)
    if bool(args.a) != bool(args.b):
        raise LabError("call takes no subscriber or two: lab call 001010000000001 001010000000002")
    return labdemo.call(args)


def do_demo(args):
    """The main job, from nothing."""
    import labdemo
    args.top = TOP
    net = LabNet(args.net, args.mcc, args.mnc, parse_hss(args.hss) if args.hss else None, args.ip6, args.policy)
    args.settings = read_extra(args.extra, net)
    return labdemo.demo(args, net)


def do_subscriber(args):
    """Lists or adds subscribers."""
    import labsubs
    lab = load(args)
    if "hss" not in lab.doc["rest"]:
        raise LabError("this lab uses a HSS of somebody else: provision there")
    if args.action == "list":
        rows = lab.rest("hss").items("/api/v1/subscribers")
        if args.json:
            print(json.dumps(rows, indent=2))
        for r in [] if args.json else rows:
            print(f"{r['impi']}  {r['state']}  {r.get('serverName') or ''}")
        return 0
    sub = {k: v for k, v in vars(args).items() if k in ("imsi", "msisdn", "k", "opc", "amf", "sqn", "password") and v}
    if "imsi" not in sub or not ("password" in sub or {"k", "opc"} <= set(sub)):
        raise LabError("subscriber add needs --imsi and either --k with --opc or --password")
    doc = lab.rest("hss").send("POST", "/api/v1/subscribers", sub)
    lab.doc["subscribers"].append(sub)
    lab.save()
    print(json.dumps(doc, indent=2) if args.json else f"added {labsubs.impi(lab.net, sub)}")
    return 0


# ---- the command line ----

def add_place(p):
    """Options that say which lab is meant."""
    p.add_argument("--net", default=DEFAULT_NET, help=f"first three octets of its addresses (default {DEFAULT_NET})")
    p.add_argument("--dir", help="its directory (default: one per user and net under the temporary directory)")
    p.add_argument("--json", action="store_true", help="machine-readable output on stdout, words on stderr")


def add_start(p):
    """Options of what starts a core."""
    add_place(p)
    p.add_argument("--hss", metavar="IDENTITY@ADDR:PORT", help="use this HSS; the lab starts none of its own")
    p.add_argument("--subscribers", metavar="FILE", help="subscribers (YAML) instead of the lab's five")
    p.add_argument("--workers", type=int, default=1, metavar="N", help="workers of each CSCF; 0: by cores (default 1)")
    p.add_argument("--extra", action="append", default=[], metavar="NODE=FILE",
                   help="YAML for the configuration of pcscf, icscf, scscf, hss, pcrf or pcf that wins over what the lab writes")
    p.add_argument("--ip6", metavar="PREFIX",
                   help="SIP over IPv6: PREFIX10, PREFIX20... on this host, the P-CSCF on --net too, for example fd00:77::")
    p.add_argument("--policy", choices=("off", "rx", "n5", "bsf"), default="off",
                   help="whom the P-CSCF asks about the bearers of calls: rx a PCRF, n5 a PCF, the lab's own (default off)")
    p.add_argument("--no-ipsec", action="store_true", help="phones without security associations only (the default so far)")
    p.add_argument("--no-dns", action="store_true", help="no dnsmasq: static next hops")
    p.add_argument("--wait", type=float, default=labcore.READY_WAIT_S, metavar="S",
                   help=f"how long a daemon may take to be ready (default {labcore.READY_WAIT_S:.0f})")
    p.add_argument("--mcc", default="001", help="mobile country code (default 001)")
    p.add_argument("--mnc", default="01", help="mobile network code (default 01)")


def add_call(p):
    """Options of what makes a call."""
    p.add_argument("--hold", type=float, default=3.0, metavar="S", help="how long the call is held (default 3)")
    p.add_argument("--proto", choices=("udp", "tcp"), default="udp", help="how the phones reach the P-CSCF (default udp)")


def parser():
    """The whole command line."""
    top = argparse.ArgumentParser(prog="lab", description=__doc__.split(" - ")[1],
                                  epilog="Exit status: 0 all well, 1 something failed (said in words), 2 wrong usage, 130 interrupted.")
    verbs = top.add_subparsers(dest="verb", required=True, metavar="VERB")
    p = verbs.add_parser("demo", help="packages, build, core up, two phones register, message and call: a verdict")
    add_start(p)
    add_call(p)
    p.add_argument("--build", metavar="DIR", default=None if is_checkout() else INSTALLED,
                   help="use this build folder and neither install nor build anything")
    p.set_defaults(fn=do_demo)
    p = verbs.add_parser("up", help="start a core and return when it is ready")
    add_start(p)
    p.add_argument("--build", default=default_build(), metavar="DIR", help="build folder with the programs (default: build/)")
    p.set_defaults(fn=do_up)
    p = verbs.add_parser("status", help="is everything there and ready?")
    add_place(p)
    p.set_defaults(fn=do_status)
    p = verbs.add_parser("call", help="two phones register on a running core, message and call")
    add_place(p)
    add_call(p)
    p.add_argument("a", nargs="?", metavar="A", help="IMSI, number or public identity of the caller")
    p.add_argument("b", nargs="?", metavar="B", help="of the callee (default: the first two subscribers)")
    p.set_defaults(fn=do_call)
    p = verbs.add_parser("down", help="stop a core and remove its files")
    add_place(p)
    p.add_argument("--keep", action="store_true", help="leave configuration and logs")
    p.set_defaults(fn=do_down)
    p = verbs.add_parser("logs", help="show the logs, merged by time")
    add_place(p)
    p.add_argument("-f", "--follow", action="store_true", help="go on as they grow")
    p.add_argument("daemon", nargs="?", help="only this one: pcscf, icscf, scscf, hss, pcrf, pcf or dns")
    p.set_defaults(fn=do_logs)
    p = verbs.add_parser("subscriber", help="list or add subscribers of the lab HSS")
    add_place(p)
    p.add_argument("action", choices=("list", "add"))
    for name, text in (("imsi", "15 digits"), ("msisdn", "number without +"), ("k", "hex"), ("opc", "hex"), ("amf", "hex"),
                       ("sqn", "hex"), ("password", "makes it a SIP Digest subscriber")):
        p.add_argument(f"--{name}", help=text)
    p.set_defaults(fn=do_subscriber)
    return top


def on_signal(_sig, _frame):
    """SIGTERM and SIGHUP end as Ctrl-C does: what was started is stopped, and nothing interrupts that."""
    for sig in END_SIGNALS:
        signal.signal(sig, signal.SIG_IGN)
    raise KeyboardInterrupt


def main():
    """Runs one verb."""
    for sig in END_SIGNALS:
        signal.signal(sig, on_signal)
    args = parser().parse_args()
    try:
        return args.fn(args)
    except (LabError, RestError) as e:
        print(f"lab: {e}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("lab: interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


if __name__ == "__main__":
    sys.exit(main())
