"""management.py BUILD NET - operations over REST on a core with phones and a call.  Rows O1, O2, D15, S17; U7."""

import re
import shutil
import subprocess
import sys
import urllib.parse

from cases import Cases, Skip, check, equal, wait_for
from core import Core, Sub
from phone import Phone, call, hang_up
from schema import Checked, Document, verdict

A, B = Sub(1), Sub(2)
NODES = ("pcscf", "icscf", "scscf")
USER_DATA = """<?xml version="1.0"?><IMSSubscription><PrivateID>{impi}</PrivateID><ServiceProfile>
<PublicIdentity><Identity>{impu}</Identity></PublicIdentity><PublicIdentity><Identity>{number}</Identity></PublicIdentity>
<InitialFilterCriteria><Priority>7</Priority><TriggerPoint><ConditionTypeCNF>1</ConditionTypeCNF><SPT><ConditionNegated>0</ConditionNegated>
<Group>0</Group><Method>PUBLISH</Method></SPT></TriggerPoint><ApplicationServer><ServerName>sip:as.example</ServerName>
<DefaultHandling>0</DefaultHandling></ApplicationServer></InitialFilterCriteria></ServiceProfile></IMSSubscription>"""


def quoted(text):
    """As a segment of a path."""
    return urllib.parse.quote(text, safe="")


class Management:
    """The cases, in order."""

    def __init__(self, core):
        self.core = core
        self.a, self.b = Phone(core, A, core.ip(101), transport="tcp"), Phone(core, B, core.ip(102))
        self.documents = {n: Document(core.rest(n).get("/api/v1/openapi.json")) for n in NODES}
        self.p, self.i, self.s = self.checked = [Checked(core.rest(n), self.documents[n]) for n in NODES]
        self.sides = None

    def user_data(self, number=None):
        """Of A, with one criterion."""
        return USER_DATA.format(impi=self.core.impi(A), impu=self.core.impu(A), number=number or self.core.number(A))

    def refused(self, rest, method, path, body, code, cause):
        """A problem."""
        got, doc = rest.call(method, path, body)
        equal((got, doc["cause"]), (code, cause), f"{method} {path}: {doc}")

    def call_up(self):
        self.a.must_register()
        self.b.must_register()
        self.sides = call(self.a, self.b, self.core.number(B))

    def status(self):
        for node, registrations in (("pcscf", 2), ("icscf", None), ("scscf", 2)):
            wait_for(lambda n=node, r=registrations: self.core.rest(n).get("/api/v1/status").get("registrations") == r, 5, f"{node}: figures")
            doc = self.core.rest(node).get("/api/v1/status")
            equal((doc["nf"], doc["ready"], doc["alarmsRaised"], doc["overloadLevel"]), (node, True, 0, "none"), str(doc))
            equal(doc["diameterPeersOpen"], 0 if node == "pcscf" else 1, str(doc))
        wait_for(lambda: self.p.get("/api/v1/status")["connections"] >= 1 and self.s.get("/api/v1/status")["dialogs"] >= 1, 5, "the second's figures")

    def dialogs(self):
        call_id = self.sides[2].get("Call-ID")
        doc = self.s.get("/api/v1/dialogs/" + quoted(call_id))
        check(doc["callId"] == call_id and {d["state"] for d in doc["dialogs"]} == {"confirmed"}, doc)
        self.refused(self.s, "GET", "/api/v1/dialogs/nobody", None, 404, "RESOURCE_NOT_FOUND")

    def connections(self):
        """The phone's is listed, and closed: the phone sees the end of it, and a second time there is nothing to close."""
        def phones():
            return [c for c in self.p.items("/api/v1/sip/connections") if c["remote"].startswith(self.core.in_uri(101) + ":")]

        one = phones()
        equal([(c["transport"], c["accepted"]) for c in one], [("tcp", True)], str(self.p.items("/api/v1/sip/connections")))
        hang_up(*self.sides[:2])
        path = "/api/v1/sip/connections/" + one[0]["id"]
        equal(self.p.call("DELETE", path)[0], 204, "closed")
        wait_for(lambda: not phones(), 5, "its end")
        self.refused(self.p, "DELETE", path, None, 404, "RESOURCE_NOT_FOUND")
        for odd in ("x", "0-1", "99-1-1", "0-1-1-1"):
            self.refused(self.p, "DELETE", "/api/v1/sip/connections/" + odd, None, 404, "RESOURCE_NOT_FOUND")

    def ping(self):
        doc = self.p.send("POST", "/api/v1/sip/ping", {"uri": f"sip:{self.core.where('icscf')}"})
        equal((doc["answered"], doc["status"], doc["answeredBy"]), (True, 200, f"udp:{self.core.where('icscf')}"), str(doc))
        doc = self.s.send("POST", "/api/v1/sip/ping", {"uri": f"sip:{self.core.in_uri(199)}:5999;transport=tcp", "timeoutMs": 1000})
        check(not doc["answered"] and doc["why"], doc)
        for body, code, cause in (({}, 422, "INVALID_URI"), ({"uri": "sip:a b"}, 422, "INVALID_URI"), ({"uri": "x"}, 400, "INVALID_URI"),
                                  ({"uri": "sip:a", "timeoutMs": 1}, 422, "INVALID_TIME"), ({"uri": "sip:a>\r\nX: y"}, 422, "INVALID_URI")):
            self.refused(self.p, "POST", "/api/v1/sip/ping", body, code, cause)

    def dns(self):
        """What was looked up is there, with its records; forgotten it is not."""
        self.s.call("POST", "/api/v1/sip/resolve", {"uri": "sip:nowhere.example"})
        rows = self.s.items("/api/v1/dns/cache", name="nowhere.example")
        if not rows:
            raise Skip("this core has no DNS server")
        check({r["name"] for r in rows} == {"nowhere.example"} and {r["type"] for r in rows} <= {"NAPTR", "A", "AAAA", "SRV"}, rows)
        n = len(rows)
        equal(self.s.send("DELETE", "/api/v1/dns/cache?name=nowhere.example")["forgotten"], n, "forgotten")
        equal(self.s.items("/api/v1/dns/cache", name="nowhere.example"), [], "the cache")
        self.s.send("DELETE", "/api/v1/dns/cache")
        equal(self.s.items("/api/v1/dns/cache"), [], "the whole cache")

    def peers(self):
        """A peer that is set aside is asked all the same while there is no other one: nothing is refused for it."""
        hss = self.s.items("/api/v1/diameter/peers")[0]
        path = "/api/v1/diameter/peers/" + hss["identity"]
        equal((hss["adminState"], hss["open"]), ("enabled", True), str(hss))
        equal(self.s.send("PATCH", path, {"adminState": "draining"})["adminState"], "draining", "set aside")
        self.b.must_register()
        check(self.s.get(path)["answers"] >= hss["answers"], "it was asked")
        equal(self.s.send("PATCH", path, {"adminState": "enabled"})["adminState"], "enabled", "back")
        self.refused(self.s, "PATCH", path, {"adminState": "disabled"}, 422, "INVALID_PEER")
        self.refused(self.s, "PATCH", "/api/v1/diameter/peers/nobody", {"adminState": "enabled"}, 404, "RESOURCE_NOT_FOUND")
        self.core.behave({"UAR": {"delayMs": 1500}})
        try:
            a = Phone(self.core, A, self.core.ip(103))
            req = a.start("REGISTER", f"sip:{self.core.domain}", {"Contact": f"<sip:{A.imsi}@{self.core.ip(103)}:5060>"}, from_uri=self.core.impu(A),
                          to=self.core.impu(A))
            seen = []
            wait_for(lambda: seen.extend(self.i.items("/api/v1/diameter/requests")) or seen, 5, "a request in flight")
            check(seen[0]["command"] == "UAR" and seen[0]["icid"] and seen[0]["state"] == "sent", seen)
        finally:
            self.core.behave({})
        a.final(req)
        a.close()

    def bundle(self):
        doc = self.s.send("POST", "/api/v1/diagnostic-bundles")
        check(set(doc) == {"at", "info", "status", "config", "alarms", "diameterPeers", "log", "flows", "metrics"}, list(doc))
        check(any(f["method"] == "REGISTER" for f in doc["flows"]) and "cscf_build_info" in self.s.call("GET", "/metrics")[1], "flows")
        check(any(" ready" in line for line in doc["log"]) and "cscf_registrations" in doc["metrics"], doc["log"][:5])
        check(self.core.doc["token"] not in str(doc), "a token is in it")

    def certificates(self):
        """What the configuration names, with its names and its end."""
        if not shutil.which("openssl"):
            raise Skip("openssl is not installed (package openssl)")
        equal(self.p.items("/api/v1/tls/certificates"), [], "there are none")
        d = self.core.dir
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30", "-subj", "/CN=scscf",
                        "-addext", "subjectAltName=DNS:scscf.example", "-keyout", d + "/key", "-out", d + "/cert"], check=True, stderr=subprocess.DEVNULL)
        conf = self.core.doc["configs"]["scscf"]
        with open(conf, encoding="utf-8") as f:
            text = f.read()
        with open(conf, "w", encoding="utf-8") as f:
            tls = f"tls: {{cert_file: {d}/cert, key_file: {d}/key}}"		# beside what stands there, in braces or in lines
            f.write(re.sub(r"(?m)^sip:( \{|\n  )", lambda m: m.group(0) + tls + (", " if "{" in m.group(1) else "\n  "), text, count=1))
        self.s.send("POST", "/api/v1/config/reload")
        one = self.s.items("/api/v1/tls/certificates")
        equal([(c["use"], c["subject"], c["names"]) for c in one], [("sip.tls.cert_file", "CN=scscf", "DNS:scscf.example")], str(one))
        check(one[0]["daysLeft"] in (29, 30) and len(one[0]["sha256"]) == 64, one)

    def profiles(self):
        """D15, S17: what the HSS said, and an overlay in its place, at once."""
        path = "/api/v1/profiles/" + quoted(self.core.number(A))
        doc = self.s.get(path)
        equal((doc["impi"], doc["state"], doc["filterCriteria"]), (self.core.impi(A), "registered", []), str(doc))
        check(self.core.impu(A) in [i["impu"] for i in doc["irs"]], doc)
        self.refused(self.s, "PUT", path, {"xml": "<IMSSubscription>"}, 422, "INVALID_PROFILE")
        self.refused(self.s, "PUT", path, {}, 422, "INVALID_PROFILE")
        self.refused(self.s, "PUT", path, {"xml": self.user_data("sip:other@example")}, 422, "IDENTITY_MISSING")
        self.refused(self.s, "PUT", "/api/v1/profiles/nobody", {"xml": self.user_data()}, 404, "RESOURCE_NOT_FOUND")
        code, _, _ = self.s.exchange("PUT", path, {"xml": self.user_data()}, {"If-Match": '"other"'})
        equal(code, 412, "If-Match")
        equal(self.s.call("PUT", path, {"xml": self.user_data()})[0], 204, "overlay")
        one = self.s.items(path + "/ifc")
        equal([(c["priority"], c["applicationServer"], c["triggers"][0]["trigger"]["value"]) for c in one], [(7, "sip:as.example", "PUBLISH")], str(one))
        equal([i["impu"] for i in self.s.get(path)["irs"]], [self.core.impu(A), self.core.number(A)], "its identities")
        rows = self.s.items("/api/v1/application-servers")
        check(any(r["uri"] == "sip:as.example" and r["health"] == "unknown" for r in rows), rows)

    def check_xml(self):
        doc = self.s.send("POST", "/api/v1/ifc/check", {"xml": self.user_data()})
        check(doc["valid"] and doc["services"][0]["filterCriteria"][0]["priority"] == 7 and len(doc["services"][0]["identities"]) == 2, doc)
        doc = self.s.send("POST", "/api/v1/ifc/check", {"xml": "<IMSSubscription><PrivateID>"})
        check(not doc["valid"] and doc["why"], doc)
        doc = self.s.send("POST", "/api/v1/ifc/check", {"xml": self.user_data().replace("<Method>PUBLISH</Method>", "<SIPHeader><Header>[</Header></SIPHeader>")})
        check(doc["valid"] and doc["services"][0]["skipped"] == 1 and doc["services"][0]["skippedWhy"], doc)

    def routing(self):
        equal(self.s.get("/api/v1/routing/enum")["enabled"], False, "ENUM")
        check(isinstance(self.s.items("/api/v1/routing/routes"), list), "routes")

    def contacts(self):
        """One of two contacts is ended, the other one still rings."""
        other = Phone(self.core, B, self.core.ip(104))
        other.must_register()
        path = "/api/v1/registrations/" + quoted(self.core.impu(B))
        two = self.s.get(path)["contacts"]
        if len(two) < 2:
            raise Skip("this user has one contact at a time here")
        gone = next(c for c in two if self.core.ip(104) in c["uri"])
        equal(self.s.call("DELETE", f"{path}/contacts/{gone['id']}")[0], 204, "ended")
        equal([c["id"] for c in self.s.get(path)["contacts"]], [c["id"] for c in two if c is not gone], "what stands")
        self.refused(self.s, "DELETE", f"{path}/contacts/{gone['id']}", None, 404, "RESOURCE_NOT_FOUND")
        left = self.s.get(path)["contacts"][0]["id"]
        self.refused(self.s, "DELETE", f"{path}/contacts/{left}", None, 409, "ONLY_CONTACT")
        other.close()

    def subscriptions(self):
        rows = self.s.items("/api/v1/reg-subscriptions")
        check(any(r["impu"] == self.core.impu(B) and r["state"] == "active" for r in rows), rows)
        rows = self.p.items("/api/v1/reg-subscriptions")
        check(any(r["impi"] == self.core.impi(B) and r["state"] == "active" for r in rows), rows)

    def security(self):
        """Without IPsec: the lists are there, and empty; ipsec.sh has some."""
        equal(self.p.items("/api/v1/security-associations"), [], "sets")
        self.refused(self.p, "GET", "/api/v1/security-associations/00000001", None, 404, "RESOURCE_NOT_FOUND")
        check(isinstance(self.p.get("/api/v1/algorithms")["offered"], list), "algorithms")
        for node, key in (("pcscf", "access.trusted"), ("icscf", "trust.networks"), ("scscf", "sessions.trusted_domains")):
            check(all(x["key"] == key for x in self.core.rest(node).items("/api/v1/trusted-domains")), node)
        check(self.p.items("/api/v1/trusted-domains"), "the lab's P-CSCF trusts its core")

    def bans(self):
        """SIP of a source that is banned by hand is dropped; let in again it is answered."""
        with Phone(self.core, B, self.core.ip(105)) as far:
            doc = self.p.send("POST", "/api/v1/bans", {"source": "192.0.2.7", "durationS": 60})
            equal((doc["source"], doc["reason"], doc["expiresInS"]), ("192.0.2.7", "administration", 60), str(doc))
            self.refused(self.p, "POST", "/api/v1/bans", {"source": "192.0.2.7", "durationS": 30}, 409, "ALREADY_BANNED")
            equal(self.p.send("POST", "/api/v1/bans", {"source": "192.0.2.7", "durationS": 900})["expiresInS"], 900, "longer")
            self.refused(self.p, "POST", "/api/v1/bans", {"source": "10.0.0.0/8"}, 422, "INVALID_SOURCE")
            self.refused(self.p, "POST", "/api/v1/bans", {"source": "192.0.2.8", "durationS": 0}, 422, "INVALID_TIME")
            self.refused(self.p, "POST", "/api/v1/bans", {"source": "127.0.0.1"}, 409, "SOURCE_EXEMPT")
            self.refused(self.i, "POST", "/api/v1/bans", {"source": "192.0.2.7"}, 409, "NO_SOURCES")
            equal(self.p.call("DELETE", "/api/v1/bans/192.0.2.7")[0], 204, "lifted")
            far.must_register()

    def every_get(self):
        """U7: each GET of the document, of things that are there; and each answer of this script was as its schema says."""
        trace = self.p.send("POST", "/api/v1/traces", {"name": "x", "match": {"impu": self.core.impu(B)}, "maxDurationS": 60})
        for node, rest, doc in zip(NODES, self.checked, self.documents.values()):
            flows, peers = rest.items("/api/v1/flows"), rest.items("/api/v1/diameter/peers")
            put = {"key": flows[0]["callId"], "callId": "nobody", "revision": "1", "alarmId": "none", "operationId": "1", "traceId": trace["id"],
                   "identity": peers[0]["identity"] if peers else "none", "impu": self.core.impu(B), "id": self.core.impu(B), "setId": "1",
                   "file": "console.js", "policySessionId": "none", "saSetId": "none", "connectionId": "none"}
            for op in [o for o in doc.operations() if o.startswith("GET ") and "/events" not in o]:
                path = op[4:]
                for name, value in put.items():
                    path = path.replace("{" + name + "}", quoted(value))
                path += "?who=" + quoted(self.core.impu(B)) if path.endswith("/explain") else ""
                code, _ = rest.call("GET", path)
                check(code in (200, 404), f"{node}: {op}: {code}")
        absent = {"/api/v1/dialogs/{callId}", "/api/v1/alarms/{alarmId}", "/api/v1/operations/{operationId}", "/api/v1/traces/{traceId}",
                  "/api/v1/traces/{traceId}/pcap", "/api/v1/shared-ifc-sets/{setId}", "/api/v1/policy-sessions/{policySessionId}",
                  "/api/v1/security-associations/{saSetId}", "/api/v1/events", "/api/v1/diameter/peers/{identity}", "/console/{file}"}
        verdict(self.documents, [(n, op) for n, d in self.documents.items() for op in d.operations()
                                 if op.startswith("GET ") and op[4:] not in absent])

    def rows(self):
        """In order."""
        return [("two phones and a call", self.call_up), ("O1 status", self.status), ("O1 dialogs of a Call-ID", self.dialogs),
                ("O1 O2 connections: listed, closed", self.connections), ("O2 ping: OPTIONS to a next hop", self.ping),
                ("O1 DNS cache: shown, forgotten", self.dns), ("O2 Diameter peers: one, set aside; requests in flight", self.peers),
                ("diagnostic bundle", self.bundle), ("O1 certificates", self.certificates), ("D15 S17 profile, criteria, overlay", self.profiles),
                ("D15 User-Data is checked", self.check_xml), ("T14 ENUM and routes as they are set", self.routing), ("O2 one of two contacts", self.contacts),
                ("O1 reg-event subscriptions", self.subscriptions), ("O1 security associations, algorithms, trust", self.security),
                ("X10 bans by hand", self.bans), ("U7 every GET, and every answer as its schema says", self.every_get)]


def main():
    """The script."""
    cases = Cases()
    with Core(sys.argv[1], sys.argv[2], [A, B], workers=2) as core:
        for case in Management(core).rows():
            cases.run(*case)
    core.finish(cases)
    cases.end()


main()
