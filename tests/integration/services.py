"""services.py BUILD NET WORKERS - application servers behind the S-CSCF (TS 24.229 §5.4.3.2, §5.4.3.3, §5.4.1.7), played by tests/as/labas."""

import json
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

from cases import BUSY_S, Cases, check, equal, wait_for
from core import MCC, MNC, Core, RestError, Sub
from phone import Phone, call, hang_up, uri_of

AS_WAIT_MS = 800		# of the silent one and of the dead one; the others have longer
DOMAIN = f"ims.mnc0{MNC}.mcc{MCC}.3gppnetwork.org"
SCSCF = """sessions:
  as_wait_ms: 5000
  shared_ifc_file: {shared}
  as_budgets: [{{server: "sip:{silent}", wait_ms: {wait}}}, {{server: "sip:{dead}", wait_ms: {wait}}}]
  as_hold_s: 4
  application_servers: ["{originator}"]
  interrogating: ["{icscf}"]
"""
ICSCF = """trust:
  application_servers: ["{originator}"]
"""


def ifc(priority, server, triggers, handling=0, more=""):
    """One InitialFilterCriteria; triggers are ANDed."""
    spts = "".join(f"<SPT><ConditionNegated>{n}</ConditionNegated><Group>{i}</Group>{t}</SPT>" for i, (n, t) in enumerate(triggers))
    return (f"<InitialFilterCriteria><Priority>{priority}</Priority><TriggerPoint><ConditionTypeCNF>1</ConditionTypeCNF>{spts}</TriggerPoint>"
            f"<ApplicationServer><ServerName>sip:{server}</ServerName><DefaultHandling>{handling}</DefaultHandling>{more}</ApplicationServer>"
            "</InitialFilterCriteria>")


def method(m):
    return 0, f"<Method>{m}</Method>"


def case(n):
    return 0, f"<SessionCase>{n}</SessionCase>"


NOT_REGISTER, NO_SERVER = (1, "<Method>REGISTER</Method>"), (1, "<SIPHeader><Header>Server</Header></SIPHeader>")


class Server:
    """A labas of its own at ip; seen is what it told."""

    def __init__(self, core, ip, *mode):
        self.ip, self.seen, self.mode = ip, [], mode
        hosts = [f"host={core.domain}", f"host=scscf.{core.domain}"]
        i, s = core.addr("icscf"), core.addr("scscf")
        hosts = ["host", f"{core.domain}=udp:{i[0]}:{i[1]}", "host", f"scscf.{core.domain}=udp:{s[0]}:{s[1]}"]
        self.p = subprocess.Popen([core.program("tests/as/labas"), f"udp:{ip}:5060", *hosts, *mode], stdout=subprocess.PIPE,
                                  stdin=subprocess.DEVNULL, text=True)
        core.own.append(self.p)
        equal(json.loads(self.p.stdout.readline()), {"ready": True}, f"labas {mode}")
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.p.stdout:
            self.seen.append(json.loads(line))

    def got(self, name, seconds=3):
        """The next request of that method, taken out."""
        def find():
            for m in self.seen:
                if m.get("method") == name:
                    self.seen.remove(m)
                    return m
            return None
        return wait_for(find, seconds, f"{name} at labas {self.mode}")

    def nothing(self, name):
        """None of that method is there."""
        equal([m["ruri"] for m in self.seen if m.get("method") == name], [], f"{name} at labas {self.mode}")


def subscribers(net):
    """Who has which services."""
    both = ifc(1, f"{net}.60", [NOT_REGISTER]) + ifc(2, f"{net}.60", [method("REGISTER")], more="<ServiceInfo>about &lt;them&gt;</ServiceInfo>"
                                                   "<Extension><IncludeRegisterRequest/><IncludeRegisterResponse/></Extension>")
    rows = {
        "a": "", "b": "", "proxied": both,
        "diverted": ifc(1, f"{net}.61", [case(1)]) + ifc(2, f"{net}.60", [case(1)]) + ifc(3, f"{net}.66", [case(4)]),
        "silent": ifc(1, f"{net}.62", [case(1)]), "dead": ifc(1, f"{net}.63", [case(1)], handling=1),
        "failing": ifc(1, f"{net}.64", [case(1)]), "looped": ifc(1, f"{net}.65", [case(1)]),
        "redirected": ifc(1, f"{net}.67", [method("INVITE"), case(0)]), "forked": ifc(1, f"{net}.69", [case(1)]),
        "texting": ifc(20, f"{net}.68", [method("MESSAGE"), NO_SERVER, case(0)]),
        "texting both ways": ifc(1, f"{net}.68", [method("MESSAGE"), NO_SERVER]),
        "without gateway": ifc(1, f"{net}.63", [method("MESSAGE"), case(0)], handling=1),
        "past the gateway": ifc(1, f"{net}.63", [method("MESSAGE"), case(0)]),
        "relayed": ifc(1, f"{net}.72", [NOT_REGISTER]),
        "away": ifc(1, f"{net}.70", [case(2)]),
        "ghost": ifc(1, f"{net}.70", [case(3)]),
        "chat": ifc(1, f"{net}.70", [method("MESSAGE"), case(2)]),
        "strict": ifc(1, f"{net}.63", [method("REGISTER")], handling=1),
        "switchboard": "",
    }
    more = {"away": {"unregistered_services": True}, "chat": {"psi": True, "impu": [f"sip:chat-![a-z]+!@{DOMAIN}", f"sip:+4930555![0-9]{{2}}!@{DOMAIN}"]},
            "switchboard": {"impu": [f"sip:{Sub(len(rows)).imsi}@{DOMAIN}", f"sip:+4930444![0-9]*!@{DOMAIN}"]}}
    return {name: Sub(n + 1, **more.get(name, {}), ifc=[x + "</InitialFilterCriteria>" for x in text.split("</InitialFilterCriteria>") if x])
            if text else Sub(n + 1, **more.get(name, {})) for n, (name, text) in enumerate(rows.items())}


class Services:
    """Phones by the name of their service."""

    def __init__(self, core, subs):
        self.core, self.subs = core, subs
        self.phone = {name: Phone(core, s, core.ip(101 + n)) for n, (name, s) in enumerate(subs.items())}
        self.to_b = core.number(subs["b"])
        self.proxy = Server(core, core.ip(60), "proxy", "record")
        self.divert = Server(core, core.ip(61), "retarget", self.to_b)
        self.silent = Server(core, core.ip(62), "silent")
        self.failing = Server(core, core.ip(64), "answer", "500")
        self.loop = Server(core, core.ip(65), "loop", f"sip:{core.domain}")
        self.cdiv = Server(core, core.ip(66), "proxy")
        self.redirect = Server(core, core.ip(67), "redirect", self.to_b)
        self.sms = Server(core, core.ip(68), "sms")
        self.mailbox = Server(core, core.ip(70), "answer", "200")
        self.originator = Phone(core, subs["a"], core.ip(71), proxy=core.addr("scscf"))
        self.b2bua = Server(core, core.ip(72), "b2bua")
        self.fork = Server(core, core.ip(69), "fork", self.to_b)

    def register(self):
        for name, p in self.phone.items():
            if name not in ("strict", "away", "ghost", "chat"):
                p.must_register()

    # ---- third-party registration: row S19 ----

    def third_party(self):
        m = self.proxy.got("REGISTER")
        sub = self.subs["proxied"]
        check(sub.msisdn in m["to"] or sub.imsi in m["to"], f"To of the third-party REGISTER: {m['to']}")
        equal(m["expires"], "3600", "its time")
        check(m["type"].startswith("multipart/mixed"), m["type"])
        for text in ("<service-info>about &lt;them&gt;</service-info>", "REGISTER sip:", "SIP/2.0 200 OK"):
            check(text in m["body"], f"{text} is not in {m['body']}")

    def third_party_again(self):
        self.phone["proxied"].must_register()
        equal(self.proxy.got("REGISTER")["expires"], "3600", "re-registration")

    def third_party_fails(self):
        """Nobody listens there and the criterion says SESSION_TERMINATED: the registration ends by itself."""
        sub = self.subs["strict"]
        equal(self.phone["strict"].register().status, 200, "the phone's own registration")
        wait_for(lambda: not self.core.registered("scscf", sub), 6, "the end of the registration")

    def third_party_end(self):
        self.core.rest("scscf").send("DELETE", "/api/v1/registrations/" + self.core.impi(self.subs["proxied"]))
        m = self.proxy.got("REGISTER")
        equal((m["expires"], m["body"] and "SIP/2.0" in m["body"]), ("0", False), "ended by the operator")
        self.phone["proxied"].must_register()
        equal(self.proxy.got("REGISTER")["expires"], "3600", "registered again")
        self.phone["proxied"].must_register(expires=0)
        equal(self.proxy.got("REGISTER")["expires"], "0", "the phone leaves")

    # ---- chains: row T7 ----

    def through_both_ways(self):
        """A server that stays on the route, at the caller's and at the callee's side; the call goes on along it."""
        for a, b, word in (("proxied", "b", "orig"), ("a", "proxied", "term")):
            da, db, seen = call(self.phone[a], self.phone[b], self.core.number(self.subs[b]))
            m = self.proxy.got("INVITE")
            check(f";sescase={word};regstate=reg" in m["served"], m["served"])
            equal(len(m["route"].split(",")), 2, "Routes at the server")
            check(not seen.all("P-Served-User"), "P-Served-User at the phone")
            check(any(self.proxy.ip in r for r in seen.listed("Record-Route")), "the server is not on the route")
            hang_up(db, da)
            self.proxy.got("BYE")

    def two_dialogs(self):
        """A B2BUA at the caller's and at the callee's side: the identifier finds its user under another Call-ID (and worker)."""
        for a, b in (("relayed", "b"), ("a", "relayed")):
            da, db, seen = call(self.phone[a], self.phone[b], self.core.number(self.subs[b]))
            equal(seen.get("Call-ID"), "b2b-" + da.call_id, "Call-ID at the callee")
            self.b2bua.got("INVITE")
            info = da.start("INFO", None, "x")
            self.phone[b].reply(self.phone[b].incoming("INFO"), 200)
            equal(self.phone[a].final(info).status, 200, "INFO from the caller")
            hang_up(db, da)
            self.b2bua.got("BYE")
        self.b2bua.nothing("INVITE")

    def dry_run(self):
        """POST .../ifc/dry-run: what the criteria would do, without a request that goes anywhere (row D15)."""
        path = "/api/v1/profiles/" + urllib.parse.quote(self.core.impu(self.subs["texting"]), safe="") + "/ifc/dry-run"
        for method, invoked in (("MESSAGE", [f"sip:{self.sms.ip}"]), ("INVITE", [])):
            body = {"sessionCase": "originating-registered", "request": {"method": method, "requestUri": "tel:+49301"}}
            r = self.core.rest("scscf").send("POST", path, body)
            equal(r["invoked"], invoked, method)
            equal([t["result"] for t in r["chain"][0]["triggers"]], [method == "MESSAGE", True, True], "its triggers")

    def shared_sets(self):
        """Row T5: the sets of the file over REST, one page at a time, and what cannot be used of them."""
        rest, path = self.core.rest("scscf"), "/api/v1/shared-ifc-sets"
        equal([s["id"] for s in rest.items(path)], [7, 3], "their numbers")
        first = rest.get(path + "?limit=1")
        equal((len(first["items"]), bool(first["page"]["nextCursor"])), (1, True), "a page")
        one = rest.get(path + "/7")
        equal([(c["priority"], c["applicationServer"], c["defaultHandling"]) for c in one["filterCriteria"]], [(5, "sip:as.example", "terminate")], "set 7")
        equal(one["skipped"], 0, "set 7")
        check("<ServerName>sip:as.example</ServerName>" in one["xml"], one["xml"])
        equal((rest.get(path + "/3")["filterCriteria"], rest.get(path + "/3")["skipped"]), ([], 1), "set 3")
        for missing in ("/8", "/x"):
            try:
                rest.get(path + missing)
                raise AssertionError("there is no such set")
            except RestError as e:
                equal(e.status, 404, missing)

    def to_the_mailbox(self):
        """Does a MESSAGE of a end at the server of set 9?  Else b gets it."""
        a, b = self.phone["a"], self.phone["b"]
        req = a.start("MESSAGE", self.to_b, None, "x")
        wait_for(lambda: self.mailbox.seen or (b.read(0.02) and b.queue), 5, "a MESSAGE")
        at_mailbox = bool(self.mailbox.seen)
        if at_mailbox:
            self.mailbox.got("MESSAGE")
        else:
            b.reply(b.incoming("MESSAGE"), 200)
        equal(a.final(req).status, 200, "MESSAGE")
        return at_mailbox

    def changed_sets(self):
        """Row T5: a set that is put counts for who is registered already, and over a kill; so does its end.  Mistakes are told."""
        rest, path, sub = self.core.rest("scscf"), "/api/v1/shared-ifc-sets/9", self.subs["a"]
        impi = urllib.parse.quote(self.core.impi(sub), safe="")
        identities = "".join(f"<PublicIdentity><Identity>{u}</Identity></PublicIdentity>" for u in (self.core.impu(sub), self.core.number(sub)))
        self.core.rest("hss").send("POST", f"/api/v1/subscribers/{impi}/ppr", {"userData":
            f"<IMSSubscription><PrivateID>{self.core.impi(sub)}</PrivateID><ServiceProfile>{identities}<Extension><SharedIFCSetID>9</SharedIFCSetID>"
            "</Extension></ServiceProfile></IMSSubscription>"})
        check(not self.to_the_mailbox(), "there is no set 9 yet")
        good = ifc(1, self.mailbox.ip, [method("MESSAGE"), case(0)])
        for body, status in (({}, 400), ({"id": 8, "xml": good}, 400), ({"xml": "<InitialFilterCriteria>"}, 422), ({"xml": ""}, 422),
                             ({"xml": good + "</SharedIFCSet><SharedIFCSet><SetID>8</SetID>" + good}, 422),
                             ({"xml": "<InitialFilterCriteria><Priority>1</Priority></InitialFilterCriteria>"}, 422),
                             ({"xml": good.replace("<Method>MESSAGE", "<RequestURI>(").replace("MESSAGE</Method>", "</RequestURI>")}, 422)):
            equal(rest.call("PUT", path, body)[0], status, f"PUT {str(body)[:60]}")
        equal(rest.call("GET", path)[0], 404, "after nothing but mistakes")
        equal(rest.call("PUT", path, {"id": 9, "xml": good})[0], 201, "PUT")
        check(self.to_the_mailbox(), "set 9 is there")
        self.killed()
        check(self.to_the_mailbox(), "set 9 after a kill")
        equal(rest.call("PUT", path, {"xml": ifc(1, self.mailbox.ip, [method("INFO"), case(0)])})[0], 200, "PUT again")
        check(not self.to_the_mailbox(), "set 9 is about something else")
        equal(rest.call("DELETE", path)[0], 204, "DELETE")
        equal(rest.call("DELETE", path)[0], 404, "DELETE again")
        equal(rest.call("DELETE", "/api/v1/shared-ifc-sets/3")[0], 204, "DELETE of a set of the file")
        check(not self.to_the_mailbox(), "set 9 is gone")
        self.killed()
        equal([s["id"] for s in rest.items("/api/v1/shared-ifc-sets")], [7], "sets after a kill")
        self.core.rest("hss").send("POST", f"/api/v1/subscribers/{impi}/ppr", {})

    def killed(self):
        """The S-CSCF, and back."""
        self.core.stop_node("scscf", signal.SIGKILL)
        self.core.start_node("scscf")
        self.core.wait_ready("scscf")

    def released(self):
        """Row T18, TS 24.229 §5.4.5: an operator ends a call; both phones and the server between them hear BYE."""
        da, _, _ = call(self.phone["proxied"], self.phone["b"], self.to_b)
        self.proxy.got("INVITE")
        rest = self.core.rest("scscf")
        rest.send("DELETE", f"/api/v1/dialogs/{da.call_id}?cause=503")
        for name in ("proxied", "b"):
            bye = self.phone[name].incoming("BYE")
            check("cause=503" in bye.get("Reason"), f"Reason is {bye.get('Reason')!r}")
            self.phone[name].reply(bye, 200)
        self.proxy.got("BYE")
        wait_for(lambda: not rest.items("/api/v1/dialogs"), 3, "the end of the dialog")

    def diverted(self):
        """Row T3: another target; then only the services of case ORIGINATING_CDIV."""
        da, db, _ = call(self.phone["a"], self.phone["b"], self.core.number(self.subs["diverted"]))
        self.divert.got("INVITE")
        check(self.cdiv.got("INVITE")["served"].endswith(";orig-cdiv"), "P-Served-User of the diverting user")
        self.proxy.nothing("INVITE")
        hang_up(da, db)

    def forked(self):
        """Two branches: the served user's own phone, and b, who answers."""
        inv = self.phone["a"].invite(self.core.number(self.subs["forked"]))
        own, other = self.phone["forked"].incoming("INVITE"), self.phone["b"].incoming("INVITE")
        self.phone["forked"].reply(own, 486)
        self.phone["forked"].incoming("ACK")
        self.phone["b"].reply(other, 486)
        self.phone["b"].incoming("ACK")
        equal(self.phone["a"].final(inv).status, 486, "both are busy")

    def redirected(self):
        inv = self.phone["redirected"].invite(self.core.number(self.subs["a"]))
        r = self.phone["redirected"].final(inv)
        equal((r.status, uri_of(r.get("Contact"))), (302, self.to_b), "the server's redirection")

    def looped(self):
        """A server that sends the request round by the I-CSCF for ever: 482 or 483, and soon."""
        began = time.monotonic()
        r = self.phone["a"].ask("MESSAGE", self.core.number(self.subs["looped"]), None, "x", seconds=20)
        check(r.status in (482, 483), f"{r.status}")
        check(time.monotonic() - began < 5 + BUSY_S, "it took long")

    # ---- default handling: row T8 ----

    def reaches(self, name, seconds):
        """A MESSAGE arrives within that time although the server does nothing for it."""
        began = time.monotonic()
        req = self.phone["a"].start("MESSAGE", self.core.number(self.subs[name]), None, "x")
        self.phone[name].reply(self.phone[name].incoming("MESSAGE"), 200)
        equal(self.phone["a"].final(req).status, 200, name)
        took = time.monotonic() - began
        check(took < seconds + BUSY_S, f"{name}: it took {took:.1f} s")
        return took

    def silent_goes_on(self):
        """It costs its budget once, then nothing; after as_hold_s the server is asked again."""
        took = self.reaches("silent", 3)
        check(took > AS_WAIT_MS / 1000 - 0.1, f"it took {took:.1f} s only: was the server asked?")
        self.silent.got("MESSAGE")
        self.silent.seen.clear()
        self.reaches("silent", AS_WAIT_MS / 1000)
        self.silent.nothing("MESSAGE")
        wait_for(lambda: self.reaches("silent", 3) and self.silent.seen, 5, "another try")

    def failing_goes_on(self):
        self.reaches("failing", 1)
        self.failing.got("MESSAGE")

    def dead_ends(self):
        """Nobody listens there, SESSION_TERMINATED."""
        for _ in range(2):
            inv = self.phone["a"].invite(self.core.number(self.subs["dead"]))
            r = self.phone["a"].final(inv)
            check(r.status == 408 or r.status // 100 == 5, f"{r}")

    # ---- SMS over IP: row T17, TS 24.341 ----

    def sms_both_ways(self):
        """The submission ends at the IP-SM-GW with 202; its report comes back to the sender past the criterion."""
        p = self.phone["texting"]
        r = p.ask("MESSAGE", f"sip:smsc@{self.core.domain}", {"Content-Type": "application/vnd.3gpp.sms"}, "submit")
        equal(r.status, 202, "the gateway's answer")
        seen = p.incoming("MESSAGE")
        check("report" in seen.text and seen.get("Content-Type") == "application/vnd.3gpp.sms", seen.text)
        p.reply(seen, 200)
        wait_for(lambda: {"report": 200} in self.sms.seen, 3, "the answer at the gateway")

    def submit(self, name, text, to=None):
        """A short message of that phone; the status that it hears."""
        return self.phone[name].ask("MESSAGE", to or f"sip:smsc@{self.core.domain}", {"Content-Type": "application/vnd.3gpp.sms"}, text).status

    def sms_no_loop(self):
        """Row T17: a criterion for both directions does not bring the gateway's own MESSAGE back to it (TS 24.341 §5.3.3)."""
        self.sms.seen.clear()
        p = self.phone["texting both ways"]
        equal(self.submit("texting both ways", "submit"), 202, "the gateway's answer")
        seen = p.incoming("MESSAGE")
        equal(seen.text.split("\r\n")[-1], "report", "what the phone gets")
        p.reply(seen, 200)
        wait_for(lambda: {"report": 200} in self.sms.seen, 3, "the answer at the gateway")
        self.sms.got("MESSAGE")
        self.sms.nothing("MESSAGE")
        req = self.phone["a"].start("MESSAGE", self.core.number(self.subs["texting both ways"]), None, "x")
        equal(self.phone["a"].final(req).status, 202, "somebody else's goes to the gateway")
        self.sms.got("MESSAGE")
        seen = self.phone["a"].incoming("MESSAGE")
        self.phone["a"].reply(seen, 200)

    def sms_answers(self):
        """Row T17, TS 24.341 §5.3.3: what the gateway learns of whom it cannot reach: not registered 480, unknown 404; and a phone's refusal."""
        for to, status in ((self.core.number(self.subs["ghost"]), 480), (f"sip:+4917000000@{self.core.domain}", 404)):
            self.sms.seen.clear()
            equal(self.submit("texting", "for " + to), 202, to)
            wait_for(lambda s=status: {"report": s} in self.sms.seen, 3, f"{status} for {to}: {self.sms.seen}")
        self.sms.seen.clear()
        equal(self.submit("texting", "for " + self.to_b), 202, "to a phone that has no room")
        self.phone["b"].reply(self.phone["b"].incoming("MESSAGE"), 488)
        wait_for(lambda: {"report": 488} in self.sms.seen, 3, "488 at the gateway")

    def sms_without_gateway(self):
        """Rows T8, T17: it is down.  SESSION_TERMINATED: the phone hears so, nothing goes on; SESSION_CONTINUED: past it."""
        for _ in range(2):
            status = self.submit("without gateway", "submit", self.to_b)
            check(status == 408 or status // 100 == 5, f"{status}")
        req = self.phone["past the gateway"].start("MESSAGE", self.to_b, {"Content-Type": "application/vnd.3gpp.sms"}, "past it")
        seen = self.phone["b"].incoming("MESSAGE")
        check("past it" in seen.text, seen.text)
        self.phone["b"].reply(seen, 200)
        equal(self.phone["past the gateway"].final(req).status, 200, "past the gateway")

    # ---- who is not registered: rows T3, S7 ----

    def unregistered(self):
        """LIR UNREGISTERED_SERVICE, SAR UNREGISTERED_USER, criteria of that case; the second time the profile is there."""
        sars = []
        for _ in range(2):
            r = self.phone["a"].ask("MESSAGE", self.core.number(self.subs["away"]), None, "x")
            equal(r.status, 200, "the answer of the server")
            check(";sescase=term;regstate=unreg" in self.mailbox.got("MESSAGE")["served"], "P-Served-User")
            sars.append(self.core.rest("hss").get("/api/v1/subscribers/" + self.core.impi(self.subs["away"]))["counters"]["sar"])
        equal(sars, [1, 1], "SARs")
        self.phone["away"].must_register()
        req = self.phone["a"].start("MESSAGE", self.core.number(self.subs["away"]), None, "x")
        self.phone["away"].reply(self.phone["away"].incoming("MESSAGE"), 200)
        equal(self.phone["a"].final(req).status, 200, "once registered")
        self.mailbox.nothing("MESSAGE")

    # ---- wildcarded identities: rows S9, T10; TS 23.003 §13.4A, §13.5; RFC 5002 ----

    def wildcarded_psi(self):
        """Whatever fits is served by the criteria of the wildcard; the server hears which one is meant; what does not fit is nobody."""
        for user in ("chat-lobby", "chat-bar", "+493055542"):
            equal(self.phone["a"].ask("MESSAGE", f"sip:{user}@{self.core.domain}", None, "x").status, 200, user)
            m = self.mailbox.got("MESSAGE")
            check(f"sip:{user}@" in m["served"] and ";sescase=term;regstate=unreg" in m["served"], m["served"])
        for user in ("chat-7", "+4930555420"):
            equal(self.phone["a"].ask("MESSAGE", f"sip:{user}@{self.core.domain}", None, "x").status, 404, user)

    def wildcarded_impu(self):
        """A number behind a switchboard rings at what registered the wildcard, and it is told which number."""
        for number in ("+493044417", "+4930444"):
            req = self.phone["a"].start("MESSAGE", f"sip:{number}@{self.core.domain}", None, "x")
            seen = self.phone["switchboard"].incoming("MESSAGE")
            check(f"sip:{number}@" in seen.get("P-Called-Party-ID"), f"P-Called-Party-ID is {seen.get('P-Called-Party-ID')!r}")
            self.phone["switchboard"].reply(seen, 200)
            equal(self.phone["a"].final(req).status, 200, number)

    # ---- application servers that originate: row T9 ----

    def originate(self, name, by="scscf", sender=None):
        """A MESSAGE to b on behalf of that user."""
        host, port = self.core.addr(by)
        return (sender or self.originator).start("MESSAGE", self.to_b, {"Route": f"<sip:{host}:{port};lr;orig>",
                                                            "P-Served-User": f"<{self.core.impu(self.subs[name])}>"}, "x")

    def on_behalf(self):
        """Of a registered user: to b, with his identity.  Of one who is not: SAR 3 and the criteria of that case."""
        req = self.originate("a")
        seen = self.phone["b"].incoming("MESSAGE")
        self.phone["b"].reply(seen, 200)
        equal(self.originator.final(req).status, 200, "for a registered user")
        check(self.subs["a"].imsi in seen.get("P-Asserted-Identity"), f"P-Asserted-Identity {seen.all('P-Asserted-Identity')}")
        equal(self.originator.final(self.originate("ghost")).status, 200, "for one who is not registered")
        check(";sescase=orig;regstate=unreg" in self.mailbox.got("MESSAGE")["served"], "P-Served-User")

    def on_behalf_by_icscf(self):
        """I6, T9: by way of the I-CSCF, which asks the HSS; and nobody else gets through there, nor past it."""
        door = self.core.addr("icscf")
        with Phone(self.core, self.subs["a"], self.core.ip(71), port=0, proxy=door) as server:
            req = self.originate("a", "icscf", server)
            seen = self.phone["b"].incoming("MESSAGE")
            self.phone["b"].reply(seen, 200)
            equal(server.final(req).status, 200, "for a registered user")
            check(self.subs["a"].imsi in seen.get("P-Asserted-Identity"), f"P-Asserted-Identity {seen.all('P-Asserted-Identity')}")
            equal(server.final(self.originate("ghost", "icscf", server)).status, 200, "for one who is not registered")
            check(";sescase=orig;regstate=unreg" in self.mailbox.got("MESSAGE")["served"], "P-Served-User")
        with Phone(self.core, self.subs["a"], self.core.ip(75), proxy=door) as stranger:
            equal(stranger.final(self.originate("a", "icscf", stranger)).status, 403, "a stranger")
            routes = ", ".join("<sip:%s:%s;lr%s>" % (*self.core.addr(node), more) for node, more in (("icscf", ""), ("scscf", ";orig")))
            req = stranger.start("MESSAGE", self.to_b, {"Route": routes, "P-Served-User": f"<{self.core.impu(self.subs['a'])}>"}, "x")
            equal(stranger.final(req).status, 403, "a stranger past the I-CSCF")

    def rows(self):
        """Every case in its order."""
        return [
            ("everybody registers", self.register), ("a server hears of a registration", self.third_party),
            ("a server hears of a re-registration", self.third_party_again), ("a server that may end a registration", self.third_party_fails),
            ("calls through a server, both ways", self.through_both_ways), ("calls through a B2BUA, both ways", self.two_dialogs), ("filter criteria tried over REST", self.dry_run),
            ("shared sets over REST", self.shared_sets), ("shared sets that change", self.changed_sets),
            ("a call ended over REST", self.released),
            ("a server that diverts", self.diverted),
            ("a server that forks", self.forked), ("a server that redirects", self.redirected), ("F18 a server that loops", self.looped),
            ("F18 a silent server is left, and remembered", self.silent_goes_on), ("F18 a failing server is left", self.failing_goes_on),
            ("F18 a dead server that ends sessions", self.dead_ends), ("SMS over IP, both ways", self.sms_both_ways),
            ("SMS over IP: not back to the gateway", self.sms_no_loop), ("SMS over IP: what the gateway hears", self.sms_answers),
            ("SMS over IP: without a gateway", self.sms_without_gateway),
            ("services of a user who is not registered", self.unregistered), ("a server that originates for users", self.on_behalf),
            ("T9 a server that originates by way of the I-CSCF", self.on_behalf_by_icscf),
            ("a wildcarded service identity", self.wildcarded_psi), ("numbers of a wildcarded public identity", self.wildcarded_impu),
            ("a server hears of every end", self.third_party_end),
        ]


def main():
    """The script."""
    build, net, workers = sys.argv[1], sys.argv[2], int(sys.argv[3])
    cases = Cases()
    subs = subscribers(net)
    shared = tempfile.NamedTemporaryFile("w", suffix=".xml")		# gone with the script
    shared.write("<SharedIFCSets><SharedIFCSet><SetID>7</SetID>" + ifc(5, "as.example", [method("INVITE")], handling=1) + "</SharedIFCSet>"
                 "<SharedIFCSet><SetID>3</SetID><InitialFilterCriteria><Priority>1</Priority></InitialFilterCriteria></SharedIFCSet></SharedIFCSets>")
    shared.flush()
    scscf = SCSCF.format(shared=shared.name, wait=AS_WAIT_MS, originator=f"{net}.71", icscf=f"{net}.20", silent=f"{net}.62", dead=f"{net}.63")
    with Core(build, net, list(subs.values()), workers, {"scscf": scscf, "icscf": ICSCF.format(originator=f"{net}.71")}) as core:
        for name, fn in Services(core, subs).rows():
            cases.run(name, fn)
    core.finish(cases)
    cases.end()


if __name__ == "__main__":
    main()
