"""The core of a lab: up, status, down, and lab.json between them."""

import json
import os
import shutil
import signal
import tempfile
import time

import labdns
from labconf import LabDir, write_all
from labnet import DNS_PORT, REST_PORT, SBI_PORT, SIP_PORTS, LabError, LabNet
from labproc import Process, boot_id, port_fault, start_time, stop_all
from labrest import Rest, RestError
from labsubs import default_subscribers, read_subscribers, write_subscribers

PROGRAMS = {"pcscf": "pcscf/pcscfd", "icscf": "icscf/icscfd", "scscf": "scscf/scscfd", "hss": "tests/hss/labhssd",
            "pcrf": "tests/pcrf/labpcrfd", "pcf": "tests/pcf/labpcfd"}
READY_WAIT_S = 30.0
DNS_WAIT_S = 5.0
POLL_S = 0.05
TAIL_LINES = 12
OUR_FILES = ("conf", "log", "state", "token", "lab.json")
STOP_ORDER = ("pcscf", "icscf", "scscf", "pcrf", "pcf", "hss", "dns")


def quiet(_text):
    """A `say` for callers that want no words."""


def default_dir(net):
    """Where a lab lives when --dir is not given: one per user and net."""
    return os.path.join(tempfile.gettempdir(), f"cscf-lab-{os.getuid()}", net)


def program(build, node):
    """Path of a daemon's program in a build folder."""
    path = os.path.join(build, PROGRAMS[node])
    if not os.access(path, os.X_OK):
        raise LabError(f"{path} is missing: build first (make -C {build}), or name another folder with --build")
    return path


def log_tail(path, lines=TAIL_LINES):
    """The last lines of a log, indented for a message."""
    try:
        with open(path, encoding="utf-8", errors="replace") as f:
            last = f.readlines()[-lines:]
    except OSError:
        return "      (no log)"
    return "".join("      " + line for line in last).rstrip() or "      (the log is empty)"


def remove_empty(path):
    """rmdir, unless something of somebody else is in it."""
    try:
        os.rmdir(path)
    except OSError:
        pass


class Lab:
    """One lab: its net, its directory, its processes."""

    def __init__(self, labdir, doc):
        self.dir, self.doc = labdir, doc
        self.net = LabNet(doc["net"], doc["plmn"]["mcc"], doc["plmn"]["mnc"], doc.get("foreignHss"), doc.get("ip6"),
                          doc.get("policy", "off"))
        self.procs = {}
        self.wait_s = READY_WAIT_S

    # ---- lab.json ----

    @classmethod
    def load(cls, path):
        """The lab that up() left in that directory."""
        labdir = LabDir(path)
        try:
            with open(labdir.lab_json, encoding="utf-8") as f:
                doc = json.load(f)
        except FileNotFoundError:
            raise LabError(f"no lab in {labdir.path}: start one with `lab up`, or name its --dir or --net") from None
        except (OSError, ValueError) as e:
            raise LabError(f"{labdir.lab_json} cannot be read: {e}") from e
        lab = cls(labdir, doc)
        same_boot = doc.get("bootId", "") == boot_id()
        for node, pid in doc["pids"].items():
            lab.procs[node] = Process(pid, doc["started"][node] if same_boot else -1)
        return lab

    def save(self):
        """Writes lab.json in one step; it holds the token, so only the owner reads it."""
        self.doc["pids"] = {n: p.pid for n, p in self.procs.items()}
        self.doc["started"] = {n: p.started for n, p in self.procs.items()}
        fd, tmp = tempfile.mkstemp(dir=self.dir.path, prefix="lab.json.")
        with os.fdopen(fd, "w", encoding="utf-8") as f:
            json.dump(self.doc, f, indent=2)
            f.write("\n")
        os.replace(tmp, self.dir.lab_json)

    def rest(self, node):
        """REST client of a daemon."""
        return Rest(self.doc["rest"][node], self.doc["token"])

    # ---- start ----

    def start(self, node, argv):
        """Starts one process and notes it at once, so that `down` finds it whatever happens next."""
        self.procs[node] = Process.start(argv, self.doc["logs"][node])
        self.save()

    def wait_ready(self, node):
        """Returns when /readyz says ready; LabError with the reason and the log's end when it does not."""
        rest, p = self.rest(node), self.procs[node]
        end, why = time.monotonic() + self.wait_s, ""
        while time.monotonic() < end:
            if not p.alive():
                status = p.exit_status()
                raise LabError(f"{node} did not start, exit status {status}; the end of {self.doc['logs'][node]}:\n"
                               + log_tail(self.doc["logs"][node]))
            ready, why = rest.ready()
            if ready:
                return
            time.sleep(POLL_S)
        raise LabError(f"{node} is not ready after {self.wait_s:.0f} s: {why}\n    the end of {self.doc['logs'][node]}:\n"
                       + log_tail(self.doc["logs"][node]))

    def wait_dns(self):
        """Returns when dnsmasq answers."""
        name, end = self.net.name("pcscf"), time.monotonic() + DNS_WAIT_S
        while self.procs["dns"].alive() and time.monotonic() < end:
            if labdns.ask_a(self.net.ip("dns"), name) == self.net.ip("pcscf"):
                return
            time.sleep(POLL_S)
        raise LabError("dnsmasq does not answer; the end of its log:\n" + log_tail(self.doc["logs"]["dns"]))

    # ---- stop ----

    def stop(self):
        """Stops every process; {node: what happened}."""
        order = [n for n in STOP_ORDER if n in self.procs]
        return stop_all({n: self.procs[n] for n in order})

    def remove_files(self):
        """Takes away what up() wrote, and the directory when up() made it."""
        for name in OUR_FILES:
            path = os.path.join(self.dir.path, name)
            if os.path.isdir(path):
                shutil.rmtree(path, ignore_errors=True)
            elif os.path.lexists(path):
                os.unlink(path)
        if self.doc.get("madeDir"):
            remove_empty(self.dir.path)
            if self.dir.path == default_dir(self.net.net):
                remove_empty(os.path.dirname(self.dir.path))

    def running(self):
        """Names of the processes that live."""
        return [n for n, p in self.procs.items() if p.alive()]


# ---- up ----

def claim_dir(path):
    """Makes the directory, ours alone.  True when it was not there."""
    made = not os.path.isdir(path)
    os.makedirs(path, mode=0o700, exist_ok=True)
    for p in (path, os.path.dirname(path)) if path == default_dir(os.path.basename(path)) else (path,):
        if os.stat(p).st_uid != os.getuid():
            raise LabError(f"{p} belongs to somebody else: give another --dir")
    return made


def refuse_second(path):
    """One directory, one lab.  Leftovers of a lab that died are taken away."""
    if not os.path.exists(LabDir(path).lab_json):
        return False
    old = Lab.load(path)
    if old.running():
        raise LabError(f"a lab runs in {old.dir.path} already ({', '.join(old.running())}): `lab down` first, "
                       "or give another --dir and --net")
    old.remove_files()
    return bool(old.doc.get("madeDir"))


def check_ports(net, with_dns):
    """Nobody else on our addresses.  UDP sockets of ours share a port by SO_REUSEPORT, so this must be asked before."""
    wanted = [(kind, ip, p) for kind in ("udp", "tcp") for n, p in SIP_PORTS.items() for ip in net.sip_ips(n)]
    wanted += [("tcp", net.ip(n), REST_PORT) for n in net.daemons()]
    wanted += [("tcp", "0.0.0.0", net.diameter_port[n]) for n in net.diameter_nodes()]
    if with_dns:
        wanted.append(("udp", net.ip("dns"), DNS_PORT))
    faults = [f for f in (port_fault(*w) for w in wanted) if f]
    if faults:
        raise LabError("another lab or program is in the way: " + "; ".join(faults) + "\n    another --net avoids it")


def dns_obstacle(net, wanted):
    """Why there will be no dnsmasq, or None."""
    if not wanted:
        return "--no-dns"
    if not labdns.find_dnsmasq():
        return "dnsmasq is not installed (package dnsmasq-base)"
    fault = port_fault("udp", net.ip("dns"), DNS_PORT)
    if fault and "in use" not in fault:
        return fault
    return None


def up(net, path, build, workers=1, subscribers=None, dns=True, ipsec=True, say=quiet, extra=None, wait_s=READY_WAIT_S):
    """Starts a core and returns its Lab when every daemon is ready.  On failure nothing is left running."""
    for node in net.daemons():
        program(build, node)
    path = os.path.abspath(path)
    made_before = refuse_second(path)
    obstacle = dns_obstacle(net, dns)
    check_ports(net, not obstacle)
    if obstacle:
        say(f"no DNS server: {obstacle}; the daemons know each other's addresses by dns.next_hops")
    made = claim_dir(path) or made_before
    labdir = LabDir(path)
    subs_file, subs = prepare_subscribers(net, labdir, subscribers)
    configs = write_all(net, labdir, subs_file, workers, not obstacle, extra)
    lab = Lab(labdir, describe(net, labdir, configs, subs, build, made, ipsec))
    lab.wait_s = wait_s
    lab.save()
    try:
        start_all(lab, configs, build, say)
    except BaseException:
        lab.stop()
        lab.procs = {}
        lab.save()
        say(f"the logs stay in {os.path.join(labdir.path, 'log')}")
        raise
    return lab


def prepare_subscribers(net, labdir, given):
    """(file, plain entries).  Without a file of the user's our own is written."""
    if given:
        given = os.path.abspath(given)
        return given, read_subscribers(given)
    os.makedirs(os.path.join(labdir.path, "conf"), mode=0o700, exist_ok=True)
    subs = default_subscribers(net)
    write_subscribers(labdir.conf("subscribers.yaml"), subs)
    return labdir.conf("subscribers.yaml"), subs


def describe(net, labdir, configs, subs, build, made, ipsec):
    """What lab.json says."""
    with open(labdir.token_file, encoding="ascii") as f:
        token = f.read().strip()
    nodes = net.daemons()
    doc = {
        "net": net.net, "ip6": net.ip6, "domain": net.domain, "plmn": {"mcc": net.mcc, "mnc": net.mnc}, "dir": labdir.path,
        "build": os.path.abspath(build), "madeDir": made, "bootId": boot_id(), "ipsec": ipsec, "pids": {}, "started": {},
        "sip": {n: net.sip(n) for n in SIP_PORTS},
        "rest": {n: net.rest(n) for n in nodes},
        "diameter": {n: f"{net.ip(n)}:{net.diameter_port[n]}" for n in net.diameter_nodes()},
        "sbi": {n: f"{net.ip(n)}:{SBI_PORT}" for n in net.sbi_nodes()},
        "token": token, "configs": configs,
        "logs": {n: labdir.log(n) for n in nodes + (["dns"] if "dns" in configs else [])},
        "subscribers": subs, "policy": net.policy,
    }
    if not net.own_hss:
        doc["foreignHss"] = net.hss
        doc["diameter"]["hss"] = f"{net.hss['address']}:{net.hss['port']}"
    if "dns" in configs:
        doc["dns"] = f"{net.ip('dns')}:{DNS_PORT}"
    return doc


def start_all(lab, configs, build, say):
    """Starts everything and waits until it is ready."""
    for log in lab.doc["logs"].values():
        with open(log, "w", encoding="utf-8"):
            pass
    if "dns" in configs:
        lab.start("dns", labdns.argv(labdns.find_dnsmasq(), configs["dns"]))
        lab.wait_dns()
        say(f"dns    ready   {lab.doc['dns']}")
    net_peers = lab.net.peers()
    for node in lab.net.daemons():
        lab.start(node, [program(build, node), "-c", configs[node]])
        if node in net_peers:			# the others would only try again a second later
            lab.wait_ready(node)
    for node in lab.net.daemons():
        lab.wait_ready(node)
        where = lab.doc["sip"].get(node) or lab.doc["diameter"].get(node) or lab.doc["sbi"][node]
        say(f"{node:6} ready   {where}, REST {lab.doc['rest'][node]}")


# ---- status ----

def status(lab):
    """[{node, pid, running, ready, reason}], and whether all is well."""
    rows = []
    if not lab.procs:
        raise LabError(f"the core in {lab.dir.path} did not come up; its logs are there, `lab down` removes them")
    for node, p in lab.procs.items():
        row = {"node": node, "pid": p.pid, "running": p.alive()}
        if not row["running"]:
            row.update(ready=False, reason="the process is gone")
        elif node == "dns":
            row["ready"] = labdns.ask_a(lab.net.ip("dns"), lab.net.name("pcscf")) is not None
            row["reason"] = "" if row["ready"] else "no answer"
        else:
            row["ready"], row["reason"] = lab.rest(node).ready()
        if row["running"] and node in ("pcscf", "scscf"):
            try:
                row["registrations"] = len(lab.rest(node).items("/api/v1/registrations"))
            except RestError:
                pass
        rows.append(row)
    return rows, all(r["ready"] for r in rows)


# ---- down ----

def down(lab, keep=False, say=quiet):
    """Stops a lab and leaves nothing behind, except its files when `keep`.  True when all stopped as asked."""
    result = lab.stop()
    for node, what in result.items():
        say(f"{node:6} {what}")
    left = lab.running()
    if left:
        raise LabError("still running: " + ", ".join(f"{n} (pid {lab.procs[n].pid})" for n in left))
    if not keep:
        lab.remove_files()
    return all(what == "stopped" for what in result.values())


def reload_daemon(lab, node):
    """SIGHUP: re-reads the configuration (the HSS: its subscribers)."""
    if node not in lab.procs or start_time(lab.procs[node].pid) is None:
        raise LabError(f"{node} does not run")
    lab.procs[node].signal(signal.SIGHUP)
