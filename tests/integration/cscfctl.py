"""cscfctl.py BUILD NET - cscfctl against a core with two phones.  Rows U6, U12, O1, O2, O7."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tarfile
import urllib.parse

import pcapng
from cases import Cases, Skip, check, equal, wait_for
from core import TOP, Core, Sub
from phone import Phone, call, hang_up

A, B = Sub(1), Sub(2)
CTL = os.path.join(TOP, "deploy", "cscfctl", "cscfctl")


class Ctl:
    """The cases; a and b are registered and have a call."""

    def __init__(self, core):
        self.core = core
        self.a, self.b = Phone(core, A, core.ip(101)), Phone(core, B, core.ip(102))
        self.one = self.other = self.invite = None
        self.captured = ("", 0)			# a file and its packets

    def run(self, *argv, wanted=0):
        """stdout of a run with this exit status."""
        p = subprocess.run([CTL, "--lab", self.core.doc["dir"], *argv], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                           timeout=20, check=False)
        equal(p.returncode, wanted, f"exit status of {argv} ({p.stderr} {p.stdout[-300:]})")
        check("Traceback" not in p.stderr, p.stderr)
        return p.stdout

    def json(self, *argv, **how):
        """Its JSON."""
        return json.loads(self.run("--json", *argv, **how))

    def call_up(self):
        self.a.must_register()
        self.b.must_register()
        self.one, self.other, self.invite = call(self.a, self.b, self.core.number(B))

    def status(self):
        rows = self.json("status")["items"]
        equal([(r["node"], r["state"]) for r in rows], [("pcscf", "ready"), ("icscf", "ready"), ("scscf", "ready")], "status")
        check("\033[" in self.run("status", "--color", "always") and "\033[" not in self.run("status"), "colour")

    def lists(self):
        rows = self.json("registrations")["items"]
        equal(sorted({r["node"] for r in rows}), ["pcscf", "scscf"], "registrations of")
        equal(len(self.json("registrations", "list", A.imsi)["items"]), 2, "registrations of A")
        equal(len(self.json("dialogs", "--node", "scscf")["items"]), 1, "dialogs of the S-CSCF")
        check(all(p["open"] for p in self.json("peers")["items"]), "peers")
        check(self.json("scscfs")["items"], "no S-CSCF")
        equal(self.json("bans")["items"], [], "bans")
        check("cscf_registrations" in self.run("metrics", "cscf_registrations", "--node", "scscf"), "metrics")
        check(isinstance(self.json("transactions")["items"], list), "transactions")
        equal(self.json("raw", "GET", "/api/v1/info", "--node", "scscf")["nf"], "scscf", "raw")
        equal(self.json("registrations", "show", self.core.impu(A))["impi"], self.core.impi(A), "show")

    def operators(self):
        """What operators do besides: each verb, as a table and as JSON."""
        equal({r["adminState"] for r in self.json("peers")["items"]}, {"enabled"}, "peers")
        peer = self.json("peers", "--node", "scscf")["items"][0]["identity"]
        self.run("peers", "drain", peer, "--node", "scscf")
        check("draining" in self.run("peers", "--node", "scscf"), "drain")
        self.run("peers", "use", peer)
        self.run("peers", "drain", "nobody", wanted=4)
        self.run("peers", "drain", wanted=2)
        check(isinstance(self.json("requests")["items"], list), "requests")
        rows = self.json("ping", f"sip:{self.core.where('icscf')}")["items"]
        equal([(r["node"], r["status"]) for r in rows], [(n, 200) for n in ("pcscf", "icscf", "scscf")], "ping")
        check("200" in self.run("ping", f"sip:{self.core.where('scscf')}", "--node", "pcscf"), "ping as a table")
        self.run("ping", f"sip:{self.core.in_uri(198)}:5999;transport=tcp", "--timeout", "500", "--node", "icscf", wanted=1)
        with socket.socket(socket.AF_INET6 if self.core.six else socket.AF_INET, socket.SOCK_DGRAM) as silent:
            silent.bind((self.core.ip(198), 0))
            rows = self.json("ping", f"sip:{self.core.in_uri(198)}:{silent.getsockname()[1]}", "--timeout", "6000", "--node", "icscf", wanted=1)["items"]
        equal([(r["node"], r["answered"]) for r in rows], [("icscf", False)], "a ping that waits longer than other requests")
        check(isinstance(self.json("connections")["items"], list) and "REMOTE" in self.run("connections"), "connections")
        self.run("connections", "close", "9-9-9", wanted=4)
        check("NAME" in self.run("dns") and "forgotten" in self.run("dns", "flush", "--node", "icscf"), "dns")
        equal(self.json("certificates", "--days", "30")["items"], [], "certificates")
        check(self.json("trust", "--node", "pcscf")["items"], "trust")
        equal(self.json("security")["items"], [], "security")
        check("policy" in self.run("security", "algorithms"), "algorithms")
        self.run("security", "show", "00000000", wanted=4)
        check(any(r["impu"] == self.core.impu(A) for r in self.json("subscriptions", "--node", "scscf")["items"]), "subscriptions")
        check(self.core.impu(B) in self.run("profile", "show", self.core.impu(B)), "profile")
        self.run("profile", "put", self.core.impu(B), "/nowhere", wanted=2)
        self.run("profile", "check", self.core.doc["configs"]["scscf"], wanted=1)
        check(isinstance(self.json("servers")["items"], list), "servers")
        check("kept out for 60 s" in self.run("bans", "add", "192.0.2.9", "--seconds", "60", "--node", "pcscf"), "bans add")
        self.run("bans", "delete", "192.0.2.9", "--node", "pcscf")
        path = os.path.join(self.core.dir, "bundle.tar.gz")
        with open(path, "w", encoding="ascii"):
            os.chmod(path, 0o644)
        self.run("bundle", path)
        equal(os.stat(path).st_mode & 0o777, 0o600, "who may read the bundle")
        with tarfile.open(path) as tar:
            names = tar.getnames()
        check({f"cscf-bundle/{n}/{f}" for n in ("pcscf", "icscf", "scscf") for f in ("log.txt", "config.json", "flows.json", "metrics.txt")} <= set(names), names)

    def ladder(self):
        key = self.invite.get("Call-ID")
        lines = self.run("flow", key).splitlines()
        check(max(map(len, lines)) <= 100 and len(lines) > 12, lines)
        for lane in ("UE-A", "P-CSCF", "I-CSCF", "S-CSCF", "HSS", "UE-B"):
            check(lane in lines[0], f"no lane {lane} in {lines[0]}")
        check(self.run("flow", key, "--mermaid").startswith("sequenceDiagram\n"), "Mermaid")
        doc = self.json("flow", key)
        check(any(s["text"] == "INVITE" and s["from"] == "UE-A" and s["to"] == "pcscf" for s in doc["steps"]), doc)
        check(any(s["text"].startswith("LIA 2001") for s in doc["steps"]), "no LIA")

    def flows(self):
        rows = self.json("flows", A.imsi)["items"]
        check(any(r["node"] == "scscf" and r["method"] == "REGISTER" and r["outcome"] == "success" for r in rows), f"no REGISTER of A in {rows}")
        rows = self.json("flows", self.invite.get("Call-ID"), "--outcome", "success", "--node", "pcscf")["items"]
        equal([(r["method"], r["finalStatus"]) for r in rows], [("INVITE", 200)], "the call")
        equal(self.json("flows", "nobody")["items"], [], "flows of nobody")
        node = self.core.rest("scscf")
        equal(node.call("GET", "/api/v1/flows?outcome=odd")[0], 400, "a wrong outcome")
        page = node.get("/api/v1/flows?limit=1")
        check(page["page"]["nextCursor"], "a page of one has no next")

    def resolve(self):
        rows = self.json("resolve", self.core.domain)["items"]
        icscf = self.core.doc["sip"]["icscf"]
        equal({r["node"]: f"{r['targets'][0]['address']}:{int(r['targets'][0]['port'])}" for r in rows},
              {n: icscf for n in ("pcscf", "icscf", "scscf")}, "the home domain")
        check(rows[0]["steps"][0]["type"] in ("NAPTR", "next_hops") and all(x["source"] for x in rows[0]["steps"]), f"how it was found: {rows[0]}")
        check(f"udp:{icscf}" in self.run("resolve", self.core.domain), "the table")
        doc = self.json("resolve", "nowhere.example", wanted=1)["items"][0]
        check(doc["error"]["cause"] and doc["targets"] == [], doc)
        self.run("resolve", "http://x", wanted=1)
        equal([x["address"] for x in self.core.rest("scscf").items("/api/v1/sip/listeners")], [self.core.doc["sip"]["scscf"]] * 2, "listeners")

    def route(self):
        """Row T14: where a number goes; nexthop.sh has ENUM and trunks."""
        number = "+" + B.msisdn
        doc = self.json("route", number, "--from", self.core.impu(A))
        equal((doc["decidedBy"], doc["rewrittenRequestUri"]), ("home", f"sip:{number}@{self.core.domain};user=phone"), "a user of ours")
        equal((doc["caller"]["known"], doc["caller"]["registered"], doc["caller"]["barred"]), (True, True, False), "the caller")
        equal(doc["number"]["canonical"], number, "canonical form")
        check(doc["enum"]["why"].startswith("not asked"), doc["enum"])
        text = self.run("route", number)
        check("1. sip:" + number in text and self.core.doc["sip"]["icscf"] in text and max(map(len, text.splitlines())) < 160, text)
        equal(self.json("route", "sip:x@nowhere.example", wanted=1)["decidedBy"], "domain", "another domain")
        check("no profile here" in self.run("route", number, "--from", "sip:nobody@nowhere.example"), "an unknown caller")
        self.run("route", "12 34", wanted=1)
        self.run("route", "tel:x y", wanted=1)

    def cx(self):
        """Row D15: UAR, LIR, SAR and MAR in words; no key, no vector, and nothing of the user changes."""
        before = self.json("registrations", "show", self.core.impu(A))["contacts"]
        doc = self.json("cx", self.core.impu(A), self.core.impi(A))["items"]
        equal([(d["node"], d["asked"], d["code"], d["result"]) for d in doc],
              [("icscf", "UAR", 2001, "SUCCESS"), ("icscf", "LIR", 2001, "SUCCESS"), ("scscf", "SAR NO_ASSIGNMENT", 2001, "SUCCESS")], "what was asked")
        check(any(i["impu"] == self.core.impu(A) for i in doc[2]["profile"]["identities"]), doc[2])
        text = self.run("--json", "cx", self.core.impu(A), self.core.impi(A), "--mar")
        mar = json.loads(text)["items"][3]
        equal((mar["asked"], mar["code"], mar["vectors"][0]["what"]), ("MAR", 2001, "a vector of AKA with keys for IPsec"), "the MAR")
        check(not re.search(r"[0-9a-fA-F]{24}|[A-Za-z0-9+/]{22}==", text), f"something that may be a key: {text}")
        text = self.run("cx", self.core.impu(A), self.core.impi(A))
        check("SAR NO_ASSIGNMENT" in text and "filter criteria" in text, text)
        equal([c["uri"] for c in self.json("registrations", "show", self.core.impu(A))["contacts"]], [c["uri"] for c in before], "contacts of A")
        self.a.must_register()			# with the SQN that the MAR moved on
        rows = self.json("cx", f"sip:nobody@{self.core.domain}", wanted=1)["items"]
        equal([d["result"] for d in rows], ["USER_UNKNOWN"] * 3, "nobody")
        code, doc = self.core.rest("scscf").call("POST", "/api/v1/cx/explain", {"ask": "mar", "impu": self.core.impu(A), "impi": self.core.impi(A)})
        equal((code, doc["cause"]), (422, "INVALID_QUESTION"), "a MAR without the wish")
        equal(self.core.rest("scscf").call("POST", "/api/v1/cx/explain", {"ask": "uar", "impu": "x"})[0], 422, "UAR")

    def console(self):
        for node in ("pcscf", "icscf", "scscf"):
            code, headers, text = self.core.rest(node).exchange("GET", "/console")
            check(code == 200 and headers["Content-Type"].startswith("text/html") and "</html>" in text, f"{node}: {code}")

    def settings(self):
        check("mcc:" in self.run("config"), "config show")
        self.run("config", "validate", self.core.doc["configs"]["scscf"], "--node", "scscf", wanted=1)	# it has an include
        path = os.path.join(self.core.dir, "wrong.yaml")
        with open(path, "w", encoding="utf-8") as f:
            f.write("wrokers: 1\n")
        check(f"{path}:1:1: " in self.run("config", "validate", path, "--node", "scscf", wanted=1), "no line of the mistake")
        equal(self.json("config", "reload", "--node", "scscf")["items"], [], "nothing changed")
        self.configuration("--node", "icscf")
        rows = self.json("log", "set", "reg=debug", "--revert-after", "60", "--node", "scscf")["items"]
        equal((rows[0]["categories"]["reg"], rows[0]["categories"]["sip"]), ("debug", "info"), "levels")
        equal(self.json("alarms")["items"], [], "alarms of a healthy core")
        self.run("alarms", "ack", "none", wanted=4)
        check(any(r["operation"] == "PATCH /api/v1/logging" for r in self.json("audit", "--node", "scscf")["items"]), "audit")

    def configuration(self, *node):
        """Changed and put back, with an included file beside it."""
        first = self.json("config", "revisions", *node)["items"][0]["revision"]
        rows = self.json("config", "set", "log.level=warn", "sip.timer_c_s=200", *node, "--dry-run")["items"]
        equal({r["path"]: (r["from"], r["to"]) for r in rows}, {"log.level": ("info", "warn"), "sip.timer_c_s": (185, 200)}, "set --dry-run")
        self.run("config", "set", "log.level=warn", "sip.timer_c_s=200", *node)
        equal(self.json("config", "unset", "sip.timer_c_s", *node)["items"][0]["to"], 185, "unset")
        check("200" in self.run("config", "diff", "1", "2", *node), "diff of two")
        equal([r["path"] for r in self.json("config", "diff", first, *node)["items"]], ["log.level"], "diff")
        self.run("config", "set", "log.level=loud", *node, wanted=1)
        self.run("config", "unset", "plmn", *node, wanted=1)		# an included file has it
        self.run("config", "patch", '{"sip": {"timer_c_s": 190}}', *node)
        self.run("config", "restore", first, *node)
        equal(self.json("config", "diff", first, *node)["items"], [], "restored")
        self.run("config", "restore", "999", *node, wanted=4)
        self.run("config", "set", "workers", *node, wanted=2)

    def refusals(self):
        self.run("flow", "no such call", wanted=4)
        self.run("registrations", "show", "sip:nobody@nowhere.example", wanted=4)
        self.run("registrations", "delete", wanted=2)
        urls = [x for n, u in self.core.doc["rest"].items() if n != "hss" for x in ("--url", f"{n}={u}")]
        p = subprocess.run([CTL, *urls, "dialogs"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=20, check=False)
        equal(p.returncode, 5, "without a token")

    def select(self):
        """Row I3: the choice by capabilities, and the HSS's own words."""
        own = f"sip:scscf.{self.core.domain}:6060"
        doc = self.json("select", "ask=uar", f"impi={self.core.impi(A)}", f"impu={self.core.impu(A)}")
        equal((doc["hss"]["asked"], doc["hss"]["code"], doc["chosen"]), ("UAR", 2001, own), f"UAR: {doc}")
        doc = self.json("select", "ask=lir", f"impu={self.core.impu(B)}")
        equal((doc["hss"]["asked"], doc["hss"]["code"], doc["chosen"]), ("LIR", 2001, own), f"LIR: {doc}")
        doc = self.json("select", "ask=lir", f"impu=sip:nobody@{self.core.domain}", wanted=1)
        equal((doc["hss"]["result"], doc["refusedWith"]), ("USER_UNKNOWN", 404), str(doc))
        check("USER_UNKNOWN" in self.run("select", "ask=lir", f"impu=sip:nobody@{self.core.domain}", wanted=1), "words")
        doc = self.json("select")
        check(doc["chosen"] and doc["order"][0]["uri"] == doc["chosen"] and doc["candidates"], doc)
        check("lacks 4711" in self.run("select", "mandatory=4711"), "without a table the default serves, and it is said what it lacks")
        self.run("select", "ask=mar", wanted=1)
        self.run("select", "x=1", wanted=2)

    def watch(self):
        p = subprocess.Popen([CTL, "--lab", self.core.doc["dir"], "--watch", "0.1", "status"], stdout=subprocess.PIPE, text=True)
        try:
            seen = [p.stdout.readline().split()[0] for _ in range(8)]
        finally:
            p.terminate()
            p.communicate()
        equal(seen, ["NODE", "pcscf", "icscf", "scscf"] * 2, "two pages")

    def events(self):
        """What happens is said while it happens, by the daemons that it happens to."""
        p = subprocess.Popen([CTL, "--lab", self.core.doc["dir"], "--json", "events", "call.", "registration.", "--follow"], stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=True)
        try:
            for node in ("pcscf", "icscf", "scscf"):
                wait_for(lambda n=node: "cscf_event_readers 1" in self.core.rest(n).call("GET", "/metrics")[1], 10, f"a reader at {node}")
            one, other, invite = call(self.a, self.b, self.core.number(B))
            hang_up(one, other)
            self.a.must_register()
            seen = []
            while not {("scscf", "registration.refreshed"), ("pcscf", "registration.refreshed")} <= {(x["node"], x["event"]) for x in seen}:
                seen.append(json.loads(p.stdout.readline()))
        finally:
            p.terminate()
            p.communicate()
        mine = [x for x in seen if x.get("callId") == invite.get("Call-ID")]
        for node in ("pcscf", "scscf"):
            kinds = [x["event"] for x in mine if x["node"] == node]
            for kind in ("call.started", "call.ringing", "call.answered", "call.ended"):
                check(kind in kinds, f"{node}: no {kind} in {kinds}")
            check(kinds[0] == "call.started" and kinds[-1] == "call.ended", kinds)
        reg = next(x for x in seen if x["event"] == "registration.refreshed" and x["node"] == "scscf")
        equal((reg["impi"], reg["contacts"]), (self.core.impi(A), 1), "who")
        check(reg["icid"] and reg["icid"] == next(x for x in seen if x["event"] == "registration.refreshed" and x["node"] == "pcscf")["icid"], "ICID")
        rows = self.json("events", "call.", "--who", invite.get("Call-ID"))["items"]
        equal([x["event"] for x in rows if x["node"] == "scscf"][-1], "call.ended", "what is kept")
        check("call.answered" in self.run("events", "call.answered", "--node", "scscf"), "as a table")

    def traces(self):
        """One subscriber's messages: into a file that others read, and to a collector; nothing that is secret."""
        collector = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        collector.bind((self.core.ip(150), 0))
        collector.settimeout(5)
        self.run("trace", "start", "x", "--hep", wanted=1)			# there is no collector
        for node in ("pcscf", "scscf"):
            self.run("config", "set", f"trace.hep_collector={self.core.ip(150)}:{collector.getsockname()[1]}", "--node", node)
        nodes = ("--node", "pcscf", "--node", "scscf")
        self.run("trace", "start", "alice", f"impu={self.core.impu(A)}", "--hep", *nodes)
        self.run("trace", "start", "wrong", "impi=nobody", *nodes)
        self.run("trace", "start", "bad", "imsi=1", wanted=2)
        one, other, invite = call(self.a, self.b, self.core.number(B))
        hang_up(one, other)
        hang_up(self.one, self.other)		# the network would end it with the registration: TS 24.229 §5.4.1.4.1
        self.a.must_register(expires=0)
        self.a.must_register()			# challenged: digests and keys are on the way
        self.b.must_register()			# somebody else's
        rest = self.core.rest("scscf")
        wait_for(lambda: sum(t["messages"] for t in self.json("trace", *nodes)["items"] if t["name"] == "alice") >= 30, 10, "messages")
        path = os.path.join(self.core.dir, "alice.pcapng")
        self.run("trace", "pcap", "alice", path, *nodes)
        with open(path, "rb") as f:
            data = f.read()
        found = pcapng.packets(data)
        text = b"".join(p for *_, p in found)
        check(b"INVITE " in text and invite.get("Call-ID").encode() in text and b"REGISTER " in text, "what it holds")
        p_cscf = (self.core.ip(10), 5060)
        check(any(src[0] == self.core.ip(101) and dst == p_cscf and p.startswith(b"INVITE") for src, dst, _, p in found), "the INVITE as it came")
        check(any(src == p_cscf and dst[0] == self.core.ip(101) and p.startswith(b"SIP/2.0 401") for src, dst, _, p in found), "the 401 as it left")
        for name in (b"response", b"ck", b"ik"):
            values = re.findall(rb'[ ,]' + name + rb'\s*=\s*"([^"]*)"', text)
            check(not [v for v in values if v.strip(b"*")], f"{name} is there: {values}")
            check(values or name != b"response", "no digest was seen: nothing is shown by this")
        heps = [pcapng.hep(collector.recv(65536)) for _ in range(10)]
        check(all(h[11] == b"\x01" and h[1] == b"\x02" and h[15].split(b"\r\n")[0].find(b"SIP/2.0") >= 0 for h in heps), "HEP")
        check({h[19] for h in heps} <= {b"pcscf", b"scscf"} and any(17 in h for h in heps), "names and ICIDs")
        check([t["messages"] for t in self.json("trace", *nodes)["items"] if t["name"] == "wrong"] == [0, 0], "somebody else's trace")
        self.captured = (path, len(found))
        self.run("trace", "delete", "alice", *nodes)
        self.run("trace", "delete", "wrong", *nodes)
        equal(rest.items("/api/v1/traces"), [], "deleted")
        self.run("trace", "pcap", "alice", path + ".none", wanted=4)
        equal(self.core.rest("scscf").call("POST", "/api/v1/traces", {"match": {"imsi": "1"}})[1]["cause"], "INVALID_TRACE", "an unknown condition")
        equal(self.core.rest("scscf").call("POST", "/api/v1/traces", {"match": {}, "maxBytes": 4096})[0], 201, "everything")
        self.a.must_register()
        wait_for(lambda: rest.items("/api/v1/traces")[0]["state"] == "full", 10, "a trace to be full")
        self.run("trace", "delete", rest.items("/api/v1/traces")[0]["id"], "--node", "scscf")
        equal(self.core.rest("scscf").call("POST", "/api/v1/traces", {"match": {}, "maxDurationS": 1})[0], 201, "a second")
        wait_for(lambda: rest.items("/api/v1/traces")[0]["state"] == "finished", 10, "its end")
        self.run("trace", "delete", rest.items("/api/v1/traces")[0]["id"], "--node", "scscf")
        collector.close()

    def completes(self):
        p = subprocess.run([CTL, "__complete", "registrations", "show", "sip:"], stdout=subprocess.PIPE, text=True, timeout=20, check=False,
                           env={**os.environ, "CSCFCTL_CONFIG": self.config_file()})
        check(self.core.impu(A) in p.stdout.split(), p.stdout)

    def config_file(self):
        """Where the daemons are, as a user would write it."""
        path = os.path.join(self.core.dir, "ctl.json")
        with open(path, "w", encoding="utf-8") as f:
            json.dump({n: {"url": u, "token": self.core.doc["token"]} for n, u in self.core.doc["rest"].items() if n != "hss"}, f)
        return path

    def if_match(self):
        """RFC 9110 §13.1.1 where a worker owns what changes: a registration that is not any more as it was read stays."""
        path = "/api/v1/registrations/" + urllib.parse.quote(self.core.impu(B), safe="")
        for node in ("pcscf", "scscf"):
            rest = self.core.rest(node)
            tag = rest.exchange("GET", path)[1]["ETag"]
            equal(rest.exchange("DELETE", path, None, {"If-Match": '"0123456789abcdef"'})[0], 412, f"{node}: another tag")
            code, headers, _ = rest.exchange("GET", path)
            equal((code, headers["ETag"]), (200, tag), f"{node}: it stands, and reads the same")
        equal(self.core.rest("scscf").exchange("DELETE", path, None, {"If-Match": tag})[0], 204, "its own tag")
        equal(self.core.rest("scscf").exchange("DELETE", path, None, {"If-Match": tag})[0], 404, "it is gone")

    def drain(self):
        """New work goes elsewhere while a call goes on; the operation ends with the call, or is cancelled."""
        one, other, _ = call(self.a, self.b, self.core.number(B))
        doc = self.json("drain", "start", "--no-wait", "--node", "pcscf")["items"][0]
        equal((doc["kind"], doc["state"]), ("drain", "running"), "begun")
        equal(self.a.ask("MESSAGE", self.core.number(B), None, "x").status, 503, "new work")
        check("503" in str(self.core.rest("pcscf").call("GET", "/readyz")[0]), "ready")
        self.run("drain", "start", "--no-wait", "--node", "pcscf", wanted=1)	# it runs
        check("draining" in self.run("drain", "--node", "pcscf"), "status")
        hang_up(one, other)
        path = f"/api/v1/operations/{doc['id']}"
        wait_for(lambda: self.core.rest("pcscf").get(path)["state"] == "succeeded", 10, "the end of the drain")
        equal(self.json("operations", "show", doc["id"], "--node", "pcscf")["items"][0]["result"], {"callsLeft": 0}, "result")
        equal(self.json("drain", "stop", "--node", "pcscf")["items"][0]["level"], "none", "stop")
        one, other, _ = call(self.a, self.b, self.core.number(B))
        doc = self.json("drain", "start", "--no-wait", "--node", "scscf")["items"][0]
        self.run("operations", "cancel", doc["id"], "--node", "scscf")
        wait_for(lambda: self.core.rest("scscf").get(f"/api/v1/operations/{doc['id']}")["state"] == "cancelled", 10, "cancelled")
        self.run("operations", "cancel", doc["id"], "--node", "scscf", wanted=1)
        check(self.core.rest("scscf").ready()[0], "ready again")
        hang_up(one, other)

    def deregister_all(self):
        """Both phones, at P- and S-CSCF, the HSS told."""
        self.a.must_register()
        self.b.must_register()
        code, headers, doc = self.core.rest("scscf").exchange("DELETE", "/api/v1/registrations")
        equal((code, headers["Location"]), (202, "/api/v1/operations/" + doc["id"]), "202")
        wait_for(lambda: self.core.rest("scscf").get(headers["Location"])["state"] != "running", 10, "its end")
        doc = self.core.rest("scscf").get(headers["Location"])
        equal((doc["state"], doc["result"], doc["progress"]), ("succeeded", {"done": 2, "failed": 0}, 100), "how it ended")
        equal(self.core.rest("scscf").items("/api/v1/registrations", state="registered"), [], "registrations")
        for sub in (A, B):
            state = self.core.rest("hss").get("/api/v1/subscribers/" + urllib.parse.quote(self.core.impi(sub)))["state"]
            check(state in ("not-registered", "unregistered"), f"the HSS says {state}")
        self.run("deregister", "--all", "--node", "pcscf")
        equal(self.json("registrations", "--node", "pcscf")["items"], [], "phones")
        check(len(self.json("operations", "--node", "scscf")["items"]) == 2, "the list")
        self.run("operations", "show", "99", "--node", "scscf", wanted=4)

    def traces_by_tshark(self):
        """The file of that case, which a reader of our own has read, by one that is not ours."""
        if not shutil.which("tshark"):
            raise Skip("not installed (package tshark)")
        path, n = self.captured
        out = subprocess.run(["tshark", "-r", path, "-Y", "sip", "-T", "fields", "-e", "sip.Method", "-e", "_ws.malformed"], text=True,
                             stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=60, check=True).stdout
        check("INVITE" in out.split() and "alformed" not in out and len(out.splitlines()) >= n * 9 // 10, f"tshark: {out[:300]}")

    def ends(self):
        self.run("registrations", "delete", self.core.impu(A))
        equal(self.json("registrations", "list", A.imsi, "--node", "scscf")["items"], [], "registrations of A at the S-CSCF")
        self.run("registrations", "delete", self.core.impu(A), wanted=4)

    def rows(self):
        """In order."""
        return [("two phones and a call", self.call_up), ("status", self.status), ("lists (O1)", self.lists), ("what operators do (O2, U12)", self.operators),
                ("flow: the ladder of the call (U6, O7)", self.ladder), ("flows: how they ended (O7)", self.flows),
                ("configuration, log levels, alarms, audit (O2, O3)", self.settings), ("resolve (RFC 3263)", self.resolve), ("console (O9)", self.console), ("exit status", self.refusals), ("T14 route: where a number goes", self.route), ("D15 cx: UAR, LIR, SAR, MAR in words", self.cx), ("select: S-CSCF, UAR, LIR (I3)", self.select), ("--watch", self.watch),
                ("events --follow", self.events), ("trace: pcapng, HEP3 (O6)", self.traces),
                ("trace: tshark reads it (O6)", self.traces_by_tshark), ("drain, and back", self.drain),
                ("completion asks the daemons", self.completes), ("a registration is ended (O2)", self.ends),
                ("If-Match on a registration", self.if_match), ("everybody is de-registered", self.deregister_all)]


def main():
    """The script."""
    cases = Cases()
    with Core(sys.argv[1], sys.argv[2], [A, B]) as core:
        for case in Ctl(core).rows():
            cases.run(*case)
    core.finish(cases)
    cases.end()


main()
