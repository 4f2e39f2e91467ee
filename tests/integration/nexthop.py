"""nexthop.py BUILD NET - where a request goes when names have several addresses and some are dead: RFC 3263, row C12.

A S-CSCF sends a phone's MESSAGEs to foreign domains that a name server of this script knows.
"""

import re
import socket
import sys
import threading
import time

from cases import BUSY_S, Cases, Fail, check, equal, wait_for
from core import Core, Sub, settle
from nameserver import NameServer, a, enum, naptr, srv
from phone import ANSWER_S, Message, Phone

A, X = Sub(1), Sub(9)
WAIT_MS, DNS_PORT = 3000, 5354
SOON_S = 2.5			# nobody was waited for, although the machine is busy
LARGE = "x" * 1600

SCSCF = """sip:
  next_hop_wait_ms: {wait}
dns:
  servers: ["{dns}"]
  timeout_ms: 1000
  tries: 1
  next_hops:
    ims.mnc001.mcc001.3gppnetwork.org: "udp:{icscf}"
    pcscf.ims.mnc001.mcc001.3gppnetwork.org: "udp:{pcscf}"
sessions:
  country_code: "49"
  enum_suffix: e164.test
  route_wait_ms: {wait}
  routes:
    - {{prefix: "+44", next_hop: "sip:{trunk}:5059", priority: 1}}
    - {{prefix: "+44", next_hop: "sip:far.example", priority: 2, trusted: false, strip_headers: [X-Secret], add_headers: {{X-Trunk: "2"}}}}
    - {{prefix: "+4999", next_hop: "sip:near.example"}}
"""


def number_name(number):
    """4930 -> 0.3.9.4.e164.test"""
    return ".".join(reversed(number)) + ".e164.test"


class TcpServer:
    """Accepts, answers each request with 200, and remembers them."""

    def __init__(self, ip, port):
        self.seen = []
        self.sock = socket.socket()
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.sock.bind((ip, port))
        self.sock.listen()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                conn, _ = self.sock.accept()
            except OSError:
                return
            threading.Thread(target=self._talk, args=(conn,), daemon=True).start()

    def _talk(self, conn):
        data = b""
        while True:
            try:
                more = conn.recv(65536)
            except OSError:
                return
            if not more:
                return
            data += more
            head, sep, body = data.partition(b"\r\n\r\n")
            m = Message(head.decode() + "\r\n\r\n")
            if not sep or len(body) < int(m.get("Content-Length") or 0):
                continue
            data = b""
            self.seen.append(m)
            conn.sendall("\r\n".join(["SIP/2.0 200 OK"] + [f"Via: {v}" for v in m.all("Via")] + [
                f"From: {m.get('From')}", f"To: {m.get('To')};tag=t", f"Call-ID: {m.get('Call-ID')}", f"CSeq: {m.get('CSeq')}",
                "Content-Length: 0", "", ""]).encode())

    def close(self):
        """No more."""
        self.sock.close()


class NextHop:
    """near and far are two servers of the foreign domains; .69 hears what comes to port 5060 and says nothing."""

    def __init__(self, core, dns):
        self.core, self.dns = core, dns
        self.a = Phone(core, A, core.ip(101))
        self.near, self.far = (Phone(core, X, core.ip(n), proxy=core.addr("scscf")) for n in (60, 61))
        self.mute = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.mute.bind((core.ip(69), 5060))
        dns.records.update({
            "near.example": [a(core.ip(60))], "far.example": [a(core.ip(61))], "dead.example": [a(core.ip(69))],
            "two.example": [naptr(10, 50, "SIP+D2U", "_sip._udp.two.example")],
            "_sip._udp.two.example": [srv(10, 1, 5060, "dead.example"), srv(20, 1, 5060, "far.example")],
            "_sip._udp.closed.example": [srv(10, 1, 5095, "near.example"), srv(20, 1, 5060, "far.example")],
            "_sip._udp.busy.example": [srv(10, 1, 5060, "near.example"), srv(20, 1, 5060, "far.example")],
            "_sip._tcp.refused.example": [srv(10, 1, 5099, "near.example"), srv(20, 1, 5070, "far.example")],
            "_sip._udp.gone.example": [srv(10, 1, 5098, "dead.example"), srv(20, 1, 5097, "dead.example")],
            "_sip._udp.shared.example": [srv(10, 50, 5060, "near.example"), srv(10, 50, 5060, "far.example")],
            "thin.example": [a(core.ip(60))], "many.example": [a(core.ip(69)), a(core.ip(61))],
            number_name("49301"): [enum(10, "E2U+sip", "!^(.*)$!sip:\\1@near.example!")],
            number_name("49302"): [enum(10, "E2U+pstn:tel", "!^(.*)$!tel:\\1;npdi;rn=+49997!")],
        })

    def register(self):
        """The sender."""
        self.a.must_register()

    def ask(self, uri, at=None, body="x"):
        """(the final response, how long it took); `at` answers with 200."""
        began = time.monotonic()
        req = self.a.start("MESSAGE", uri, None, body)
        if at:
            seen = at.expect(lambda m: m.method == "MESSAGE" and m.get("Call-ID") == req.get("Call-ID"), ANSWER_S, "the MESSAGE")
            at.reply(seen, 200)
        return self.a.final(req), time.monotonic() - began

    def silent(self):
        """The first address says nothing: the second is tried; the next request goes there at once."""
        r, took = self.ask("sip:x@two.example", self.far)
        check(r.status == 200 and WAIT_MS / 1000 - 0.1 < took < WAIT_MS / 1000 + BUSY_S, f"{r} after {took:.1f} s")
        r, took = self.ask("sip:x@two.example", self.far)
        check(r.status == 200 and took < SOON_S, f"the second one: {r} after {took:.1f} s")

    def closed(self):
        """Nobody has that port: ICMP says so, and the next address is tried at once (RFC 3261 §18.4, RFC 3263 §4.3)."""
        for method, body in (("MESSAGE", "x"), ("INVITE", "")):
            began = time.monotonic()
            req = self.a.start(method, "sip:x@closed.example", None, body)
            self.far.reply(self.far.incoming(method), 486)
            equal(self.a.final(req).status, 486, "the second server's answer")
            took = time.monotonic() - began
            check(took < SOON_S, f"{method}: after {took:.1f} s")
        wait_for(lambda: re.search(r"^cscf_sip_unreachable_total [1-9]", self.core.rest("scscf").get("/metrics"), re.M), 3, "the figure")

    def addresses(self):
        """Several A records of one name, the first dead: it is known to be by now."""
        r, took = self.ask("sip:x@many.example", self.far)
        check(r.status == 200 and took < WAIT_MS / 1000 + BUSY_S, f"{r} after {took:.1f} s")

    def unavailable(self):
        """503 is a reason to go on (RFC 3263 §4.3); the caller does not see it."""
        req = self.a.start("MESSAGE", "sip:x@busy.example", None, "x")
        self.near.reply(self.near.incoming("MESSAGE"), 503, "Service Unavailable", {"Retry-After": "30"})
        self.far.reply(self.far.incoming("MESSAGE"), 200)
        equal(self.a.final(req).status, 200, "the second server's answer")
        r, took = self.ask("sip:x@busy.example", self.far)
        check(r.status == 200 and took < SOON_S, f"the next request: {r} after {took:.1f} s")

    def other_answers(self):
        """Any other final response is an answer."""
        req = self.a.start("MESSAGE", "sip:x@far.example", None, "x")
        self.far.reply(self.far.incoming("MESSAGE"), 500)
        equal(self.a.final(req).status, 500, "a 500")

    def refused(self):
        """TCP that is refused: the next one at once."""
        server = TcpServer(self.core.ip(61), 5070)
        r, took = self.ask("sip:x@refused.example;transport=tcp")
        server.close()
        check(r.status == 200 and took < SOON_S and len(server.seen) == 1, f"{r} after {took:.1f} s, {len(server.seen)} requests")
        equal("TCP" in server.seen[0].get("Via"), True, "a Via of TCP")

    def all_dead(self):
        """Nobody at all: an answer in time, and it is no 408 (RFC 4320)."""
        r, took = self.ask("sip:x@gone.example;transport=tcp")
        check(r.status in (500, 504) and took < SOON_S, f"{r} after {took:.1f} s")

    def shared(self):
        """Equal priority and weight: both get some (RFC 2782)."""
        self.near.queue.clear(), self.far.queue.clear()
        got = {"near": 0, "far": 0}
        reqs = [self.a.start("MESSAGE", "sip:x@shared.example", None, "x") for _ in range(24)]
        end = time.monotonic() + ANSWER_S
        while sum(got.values()) < len(reqs) and time.monotonic() < end:
            for who, p in (("near", self.near), ("far", self.far)):
                try:
                    p.reply(p.expect(lambda m: m.method == "MESSAGE", 0.02, "one"), 200)
                    got[who] += 1
                except Fail:
                    pass
        for req in reqs:
            equal(self.a.final(req).status, 200, "a MESSAGE")
        check(got["far"] > 0, f"{got}")
        return got

    def thin(self):
        """A record alone: port 5060, and UDP."""
        r, _ = self.ask("sip:x@thin.example", self.near)
        equal(r.status, 200, "thin DNS")

    def large_refused(self):
        """Over 1300 octets TCP is tried; where it is refused, UDP has to do (RFC 3261 §18.1.1)."""
        r, took = self.ask("sip:x@thin.example", self.near, LARGE)
        check(r.status == 200 and took < SOON_S, f"{r} after {took:.1f} s")

    def large(self):
        """Where it is taken, TCP it is."""
        server = TcpServer(self.core.ip(60), 5060)
        r, _ = self.ask("sip:x@thin.example", None, LARGE)
        server.close()
        equal((r.status, len(server.seen)), (200, 1), "over TCP")

    def dns_down(self):
        """What was known goes on, though its time is over; what was not known fails in time."""
        self.dns.ttl = 1
        self.dns.records["old.example"] = [a(self.core.ip(60))]
        equal(self.ask("sip:x@old.example", self.near)[0].status, 200, "while DNS is up")
        settle(1.2)
        self.dns.mute = True
        r, took = self.ask("sip:x@old.example", self.near)
        check(r.status == 200 and took < 3 + BUSY_S, f"stale: {r} after {took:.1f} s")
        r, took = self.ask("sip:x@new.example")
        check(r.status in (500, 504) and took < 4 + BUSY_S, f"unknown: {r} after {took:.1f} s")
        self.dns.mute = False

    def no_name(self):
        """A name that is not there."""
        r, took = self.ask("sip:x@nowhere.example")
        check(r.status in (404, 500, 502, 504) and took < SOON_S, f"{r} after {took:.1f} s")

    # ---- numbers: RFC 6116, RFC 4769, TS 24.229 §5.4.3.2, §5.6.2; row T14 ----

    def enum(self):
        """ENUM says where a number lives, however it was dialled."""
        for uri in ("tel:+49301", f"tel:0301;phone-context={self.core.domain}"):
            req = self.a.start("MESSAGE", uri, None, "x")
            seen = self.near.incoming("MESSAGE")
            self.near.reply(seen, 200)
            equal((self.a.final(req).status, seen.uri), (200, "sip:+49301@near.example"), uri)

    def ported(self):
        """Nobody at home has it, and it is ported: by the routing number's row, which stays in the request (RFC 4694)."""
        req = self.a.start("MESSAGE", "tel:+49302", None, "x")
        seen = self.near.incoming("MESSAGE")
        self.near.reply(seen, 200)
        equal(self.a.final(req).status, 200, "the gateway's answer")
        equal(seen.uri, f"sip:+49302;npdi;rn=+49997@{self.core.domain};user=phone", "the ported number")

    def trunks(self):
        """The first trunk is dead: the second one, with its header profile, and the next call goes there at once."""
        for limit in (WAIT_MS / 1000 + BUSY_S, SOON_S):
            began = time.monotonic()
            req = self.a.start("MESSAGE", "tel:+44301", {"X-Secret": "1"}, "x")
            seen = self.far.incoming("MESSAGE")
            self.far.reply(seen, 200)
            equal(self.a.final(req).status, 200, "the second trunk's answer")
            check(time.monotonic() - began < limit, "it took too long")
            equal((seen.all("X-Secret"), seen.get("X-Trunk"), seen.all("P-Charging-Vector")), ([], "2", []), "the profile")
        routes = self.core.rest("scscf").get("/api/v1/routing/routes")["items"]
        equal([(r["match"]["prefix"], r["order"]) for r in routes], [("+44", 1), ("+44", 2), ("+4999", 0)], "the table over REST")

    # ---- the same, shown and not done ----

    def dry(self, **question):
        """POST /api/v1/routing/dry-run."""
        code, doc = self.core.rest("scscf").call("POST", "/api/v1/routing/dry-run", question)
        equal(code, 200, f"{question}: {doc}")
        return doc

    def dry_resolve(self):
        """Each step of RFC 3263: records by weight, how old they are, who did not answer; nothing is sent there."""
        rest, uri = self.core.rest("scscf"), "sip:x@two.example"
        rest.call("POST", "/api/v1/sip/resolve", {"uri": uri})
        doc = rest.call("POST", "/api/v1/sip/resolve", {"uri": uri})[1]
        equal([(s["type"], s["query"]) for s in doc["steps"]],
              [("NAPTR", "two.example"), ("SRV", "_sip._udp.two.example"), ("A", "dead.example"), ("AAAA", "dead.example"), ("A", "far.example"),
               ("AAAA", "far.example")], "steps")
        equal([a["record"] for a in doc["steps"][1]["answers"]], ["10 1 5060 dead.example", "20 1 5060 far.example"], "SRV")
        equal([(t["address"], t["held"]) for t in doc["targets"]], [(self.core.ip(61), False), (self.core.ip(69), True)], "who is tried first")
        check(all(s["cached"] for s in doc["steps"] if s["answers"]), "it was asked for a moment ago")
        asked = len(self.dns.asked)
        doc = rest.call("POST", "/api/v1/sip/resolve", {"uri": uri, "bypassCache": True})[1]
        check(not any(s["cached"] for s in doc["steps"]) and len(self.dns.asked) >= asked + 6, doc["steps"])
        code, doc = rest.call("POST", "/api/v1/sip/resolve", {"uri": "sip:x@nowhere.example"})
        equal((code, doc["targets"], doc["error"]["cause"], doc["steps"][0]["result"]), (200, [], "NO_SUCH_NAME", "nothing"), "no such name")

    def dry_number(self):
        """Dial plan, ENUM, portability, row, header profile, next hop: as the cases above had it."""
        doc = self.dry(number="0301")
        equal((doc["number"]["canonical"], doc["decidedBy"], doc["rewrittenRequestUri"]), ("+49301", "ENUM", "sip:+49301@near.example"), "ENUM")
        equal([(s["type"], s["query"]) for s in doc["enum"]["steps"]], [("ENUM", number_name("49301"))], "what was asked")
        equal(doc["enum"]["steps"][0]["answers"][0]["gives"], "sip:+49301@near.example", "what it gives")
        doc = self.dry(requestUri="tel:+49302")
        equal((doc["enum"]["uris"][0]["npdi"], doc["enum"]["uris"][0]["routingNumber"]), (True, "+49997"), "portability")
        last = doc["targets"][-1]
        equal((last["decidedBy"], last["route"]["prefix"], last["requestUri"]),
              ("sessions.routes", "+4999", f"sip:+49302;npdi;rn=+49997@{self.core.domain};user=phone"), "the row of the routing number")
        ways = [t for t in self.dry(number="+44301")["targets"] if t["decidedBy"] == "sessions.routes"]
        equal([(t["nextHop"].split(";")[0], t["route"]["held"]) for t in ways], [("sip:far.example", False), (f"sip:{self.core.ip(69)}:5059", True)], "trunks")
        equal((ways[0]["trusted"], ways[0]["route"]["stripHeaders"], ways[0]["route"]["addHeaders"]), (False, ["X-Secret"], {"X-Trunk": "2"}), "profile")
        equal(ways[0]["resolution"]["targets"][0]["address"], self.core.ip(61), "where the trunk is")

    def dry_stale(self):
        """DNS is silent: the old answer is said to be one."""
        rest = self.core.rest("scscf")
        self.dns.mute = True
        doc = rest.call("POST", "/api/v1/sip/resolve", {"uri": "sip:x@old.example:5060", "bypassCache": True})[1]
        equal((doc["steps"][0]["source"], doc["targets"][0]["address"]), ("stale", self.core.ip(60)), "an old answer")
        doc = rest.call("POST", "/api/v1/sip/resolve", {"uri": "sip:x@newer.example:5060"})[1]
        equal((doc["steps"][0]["result"], doc["error"]["cause"]), ("timeout", "DNS_SILENT"), "no answer")
        self.dns.mute = False

    def leave(self):
        """The sender."""
        self.a.must_register(expires=0)

    def rows(self):
        """Every case in its order."""
        return [
            ("a phone registers", self.register), ("F10 C12 a silent address: the next one, and it is remembered", self.silent),
            ("a closed port: the next one at once", self.closed), ("several addresses of one name", self.addresses), ("other final responses are answers", self.other_answers),
            ("equal targets share", self.shared), ("503: the next one, and it is remembered", self.unavailable),
            ("TCP refused: the next one at once", self.refused), ("no address works: 5xx at once", self.all_dead),
            ("thin DNS: A records only", self.thin), ("large: UDP where TCP is refused", self.large_refused), ("large: TCP", self.large),
            ("a number by ENUM", self.enum), ("a ported number by its routing number", self.ported), ("trunks, and their headers", self.trunks),
            ("RFC 3263 shown step by step (O1)", self.dry_resolve), ("T14 number routing shown step by step", self.dry_number),
            ("F10 DNS down: stale answers, and failures in time", self.dns_down), ("DNS down: shown (O1)", self.dry_stale),
            ("F10 no such name", self.no_name),
            ("the phone de-registers", self.leave),
        ]


def main():
    """The script."""
    build, net = sys.argv[1], sys.argv[2]
    cases = Cases()
    dns = NameServer(f"{net}.54", DNS_PORT)
    extra = SCSCF.format(wait=WAIT_MS, dns=f"{net}.54:{DNS_PORT}", icscf=f"{net}.20:4060", pcscf=f"{net}.10:5060", trunk=f"{net}.69")
    with Core(build, net, [A, X], 1, {"scscf": extra}) as core:
        for case in NextHop(core, dns).rows():
            cases.run(*case)
    core.finish(cases)
    cases.end()


main()
