"""explain.py BUILD NET - the first-hour failures by real processes: the first sentence of `cscfctl explain` names the cause.  Goal U4.

Numbers are those of the list in deploy/README.md; what is about IPsec (4 to 7) is provoked by ipsec.py, in a kernel that has ESP.
"""

import json
import os
import signal
import subprocess
import sys
import time

from aka import Usim
from cases import Cases, check, equal, wait_for
from core import OPC, TOP, Core, K, Sub
from phone import Phone, token
from services import case, ifc, method

CTL = os.path.join(TOP, "deploy", "cscfctl", "cscfctl")
LIMIT_S = 0.1
A, B, ABSENT, WRONG_KEY, NO_MAC, SQN, SILENT, ROAMER, LOST, BROKEN, AS_DEAD, NOBODY, AWAY, MIXED, OTHER = (Sub(n) for n in range(1, 16))
ROAMER.more = {"visited_networks": ["other.example"]}


class Explain:
    """The cases."""

    def __init__(self, core):
        self.core = core
        self.a, self.b = Phone(core, A, core.ip(101)), Phone(core, B, core.ip(102))
        self.silent = Phone(core, SILENT, core.ip(104))
        self.slowest = 0

    def phone(self, sub, last, **how):
        """A phone of this case alone."""
        return Phone(self.core, sub, self.core.ip(last), **how)

    def ask(self, who):
        """The answer of cscfctl as JSON."""
        p = subprocess.run([CTL, "--lab", self.core.doc["dir"], "--json", "explain", who], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                           text=True, timeout=20, check=False)
        check("Traceback" not in p.stderr and p.stdout, f"{p.returncode}: {p.stderr}")
        return json.loads(p.stdout)

    def says(self, who, cause, *texts):
        """The cause and texts that stand in the first sentence; something to try; the clause."""
        doc = self.ask(who)
        first = doc["summary"].split(". ")[0]
        equal(doc["cause"], cause, f"the cause ({doc['summary']})")
        for t in texts:
            check(t in first, f"{t!r} is not in: {first}")
        check(doc["reference"] and (doc["suggestions"] or cause in ("busy", "declined")), f"no reference or nothing to try: {doc}")
        return doc

    # ---- registrations ----

    def wrong_key(self):
        with self.phone(WRONG_KEY, 110, usim=Usim(bytes.fromhex(K), bytes.fromhex(OPC))) as p:
            r = p.register_once()
            credentials = p.credentials("REGISTER", "sip:" + self.core.domain, r)
            equal(p.register_once(credentials[:-9] + ("0" if credentials[-9] != "0" else "1") + credentials[-8:]).status, 403, "REGISTER")
        self.says(WRONG_KEY.imsi, "key_mismatch", "K or OPc", self.core.impi(WRONG_KEY))

    def no_mac(self):
        with self.phone(NO_MAC, 111) as p:
            r = p.register_once()
            nonce = r.get("WWW-Authenticate").split('nonce="')[1].split('"')[0]
            empty = (f'Digest username="{self.core.impi(NO_MAC)}", realm="{self.core.domain}", nonce="{nonce}", '
                     f'uri="sip:{self.core.domain}", algorithm=AKAv1-MD5, response=""')
            # in clear it may be anybody: the challenge stands all the same
            equal(p.register_once(empty).status, 403, "REGISTER")
        self.says(self.core.impu(NO_MAC), "key_mismatch", "MAC check failed", "K or OPc")

    def sqn(self):
        """AUTS again and again: a USIM that never takes the new SQN."""
        with self.phone(SQN, 112, usim=Usim(bytes.fromhex(K), bytes.fromhex(OPC), 1 << 37)) as p:
            r = p.register_once()
            for n in range(8):
                if r.status != 401:
                    break
                p.usim = Usim(bytes.fromhex(K), bytes.fromhex(OPC), 1 << 38 + n)
                r = p.register_once(p.credentials("REGISTER", "sip:" + self.core.domain, r))
            equal(r.status, 403, "REGISTER")
        self.says(SQN.imsi, "sqn", "SQN", "do not come together")

    def silent_begins(self):
        """The 401 does not reach it: it sends its REGISTER once more."""
        equal(self.silent.register_once().status, 401, "REGISTER")
        self.silent.register_once()
        doc = self.core.rest("pcscf").get(f"/api/v1/explain?who={SILENT.imsi}")		# a cscfctl may take longer to start than the patience is
        check(doc["outcome"] == "running" and "no error" in doc["summary"], f"right after the 401: {doc}")

    def silent_ends(self):
        doc = wait_for(lambda: [d for d in [self.ask(SILENT.imsi)] if d["cause"] == "challenge_unanswered"], 10, "patience to end")[0]
        check("did not answer the challenge" in doc["summary"].split(". ")[0] and self.core.ip(104) in doc["summary"], doc["summary"])
        check(any("ip route get" in s for s in doc["suggestions"]), doc["suggestions"])

    def foreign_domain(self):
        with self.phone(OTHER, 113) as p:
            r = p.ask("REGISTER", "sip:ims.mnc099.mcc999.3gppnetwork.org", {"Expires": "60"}, to=f"sip:{OTHER.imsi}@ims.mnc099.mcc999.3gppnetwork.org")
            check(400 <= r.status < 500, f"{r}")
        self.says(OTHER.imsi, "foreign_domain", "not the home domain", self.core.domain)

    def unknown(self):
        with self.phone(NOBODY, 114) as p:
            equal(p.register().status, 403, "REGISTER")
        self.says(NOBODY.imsi, "unknown_user", "HSS does not know", self.core.impi(NOBODY), "5001")

    def mixed(self):
        with self.phone(MIXED, 115) as p:
            p.impu = self.core.impu(ABSENT)
            first = f'Digest username="{self.core.impi(MIXED)}", realm="{self.core.domain}", nonce="", uri="sip:{self.core.domain}", response=""'
            equal(p.register(first=first).status, 403, "REGISTER")
        self.says(MIXED.imsi, "identities", "does not belong", "5002")

    def roaming(self):
        with self.phone(ROAMER, 116) as p:
            equal(p.register().status, 403, "REGISTER")
        self.says(ROAMER.imsi, "roaming", "roam", "5004")

    def lost_server(self):
        """The HSS keeps another name than ours: 5005 to our SAR."""
        self.core.behave({"SAR": {"identity": LOST.imsi, "experimentalCode": 5005, "count": 1}})
        with self.phone(LOST, 117) as p:
            equal(p.register().status, 403, "REGISTER")
        self.core.behave({})
        self.says(LOST.imsi, "other_scscf", "HSS has another S-CSCF", self.core.impi(LOST))

    def broken_profile(self):
        self.core.behave({"SAR": {"identity": BROKEN.imsi, "userData": "<broken", "count": 1}})
        with self.phone(BROKEN, 118) as p:
            check(p.register().status >= 500, "REGISTER with a broken profile")
        self.core.behave({})
        self.says(BROKEN.imsi, "user_data", "service profile", "cannot be used")

    # ---- calls ----

    def phones(self):
        self.a.must_register()
        self.b.must_register()
        doc = self.ask(A.imsi)
        check(doc["outcome"] == "success" and "succeeded" in doc["summary"], doc)

    def refused_call(self, uri, cause, *texts):
        """A call that ends so; explained by its Call-ID."""
        inv = self.a.invite(uri)
        check(self.a.final(inv).status >= 400, "the call")
        return self.says(inv.get("Call-ID"), cause, *texts)

    def dns(self):
        self.refused_call("sip:x@nowhere.example", "dns", "DNS", "nowhere.example")

    def callee_absent(self):
        self.refused_call(self.core.number(ABSENT), "callee_not_registered", "is not registered", ABSENT.msisdn)

    def callee_unknown(self):
        self.refused_call(self.core.number(Sub(77)), "callee_unknown", "does not know the callee")

    def dead_server(self):
        with self.phone(AS_DEAD, 119) as p:
            p.must_register()
            inv = p.invite(self.core.number(B))
            check(p.final(inv).status >= 400, "the call")
        self.says(inv.get("Call-ID"), "dead_as", "application server", f"{self.core.net}.63", "SESSION_TERMINATED")

    def answered_with(self, status, reason, cause, *texts):
        """B refuses."""
        inv = self.a.invite(self.core.number(B))
        self.b.reply(self.b.incoming("INVITE"), status, reason)
        equal(self.a.final(inv).status, status, "the call")
        self.says(inv.get("Call-ID"), cause, *texts)
        self.b.incoming("ACK")

    def codecs(self):
        self.answered_with(488, "Not Acceptable Here", "codecs", "refused the media offer", "488")

    def busy(self):
        self.answered_with(486, "Busy Here", "busy", "is busy")

    def not_registered(self):
        with self.phone(OTHER, 120) as p:
            inv = p.invite(self.core.number(B))
            equal(p.final(inv).status, 403, "the call")
        self.says(inv.get("Call-ID"), "not_registered", "not registered at this P-CSCF")

    # ---- the HSS ----

    def hss_away(self):
        self.core.stop_node("hss", signal.SIGKILL)
        wait_for(lambda: not self.core.ready("icscf")[0], 15, "the I-CSCF to notice")
        with self.phone(AWAY, 121) as p:
            check(p.register().status >= 500, "REGISTER without a HSS")
        self.says(AWAY.imsi, "hss_away", "Diameter connection to the HSS is not open", f"hss.{self.core.domain}")
        p = subprocess.run([CTL, "--lab", self.core.doc["dir"], "--json", "explain"], stdout=subprocess.PIPE, text=True, timeout=20, check=False)
        doc = json.loads(p.stdout)
        equal((p.returncode, doc["cause"]), (1, "hss_away"), "explain without a name: the last thing that failed")
        check(AWAY.imsi in doc["flow"]["from"], f"the last failure is {doc['flow']}")

    # ---- all of them ----

    def nothing_known(self):
        equal(self.core.rest("scscf").call("GET", "/api/v1/explain?who=nobody%40nowhere")[0], 404, "nobody")
        equal(self.core.rest("scscf").call("GET", "/api/v1/explain")[0], 400, "no question")

    def quick(self):
        """Within 100 ms, at each daemon (the machine may be busy: the best of fifty)."""
        for node in ("pcscf", "icscf", "scscf"):
            best = 9
            for _ in range(50):
                began = time.monotonic()
                equal(self.core.rest(node).call("GET", f"/api/v1/explain?who={A.imsi}")[0], 200, f"explain at {node}")
                best = min(best, time.monotonic() - began)
                if best < LIMIT_S:
                    break
            check(best < LIMIT_S, f"{node}: {best * 1000:.0f} ms")

    def no_secrets(self):
        """K, OPc, RES, nonces and the token are in no flow, ladder or explanation."""
        nonce = token()
        with self.phone(WRONG_KEY, 122) as p:
            r = p.register_once(f'Digest username="{self.core.impi(WRONG_KEY)}", realm="{self.core.domain}", nonce="{nonce}", '
                                f'uri="sip:{self.core.domain}", algorithm=AKAv1-MD5, response="{nonce}ab"')
            challenge = r.get("WWW-Authenticate").split('nonce="')[1].split('"')[0]
            credentials = p.credentials("REGISTER", "sip:" + self.core.domain, r)
            p.register_once(credentials)
        secrets = [K, OPC, nonce, challenge, credentials.split('response="')[1].rstrip('"'), self.core.doc["token"]]
        for node in ("pcscf", "icscf", "scscf"):
            rest = self.core.rest(node)
            flows = rest.items("/api/v1/flows")
            text = json.dumps(flows) + "".join(json.dumps(rest.items("/api/v1/flows/" + f["callId"].replace("/", "%2F"))) for f in flows)
            text += json.dumps(rest.get("/api/v1/explain?who=" + WRONG_KEY.imsi))
            for s in secrets:
                check(s not in text, f"{node}: {s} is shown")

    def words(self):
        """What people see: FAILED, sentence, things to try, clause."""
        p = subprocess.run([CTL, "--lab", self.core.doc["dir"], "explain", NOBODY.imsi], stdout=subprocess.PIPE, text=True, timeout=20, check=False)
        equal(p.returncode, 1, "exit status for a failure")
        for t in ("FAILED", "REGISTER", "Try:", "Spec:", "See:", "cscfctl flow"):
            check(t in p.stdout, f"{t} is not in {p.stdout}")
        check(max(map(len, p.stdout.splitlines())) <= 100, "a line is longer than 100 columns")

    def rows(self):
        """In order; the HSS goes last."""
        return [("3 begins: the 401 never comes", self.silent_begins), ("1 wrong answer", self.wrong_key), ("1 MAC failure", self.no_mac),
                ("2 SQN", self.sqn), ("9 another domain", self.foreign_domain), ("10 unknown private identity", self.unknown),
                ("11 identities that do not match", self.mixed), ("12 roaming", self.roaming), ("14 a S-CSCF that is not ours", self.lost_server),
                ("16 User-Data", self.broken_profile), ("a success", self.phones), ("15 DNS", self.dns), ("17 callee not registered", self.callee_absent),
                ("callee unknown", self.callee_unknown), ("18 a dead application server", self.dead_server), ("20 codecs", self.codecs),
                ("busy", self.busy), ("the caller is not registered", self.not_registered), ("nothing known", self.nothing_known),
                ("3 the phone does not answer the challenge", self.silent_ends), ("within 100 ms", self.quick), ("no secrets (O7)", self.no_secrets),
                ("the words of cscfctl", self.words), ("13 the HSS is away", self.hss_away)]


def main():
    """The script."""
    cases, net = Cases(), sys.argv[2]
    AS_DEAD.more = {"ifc": [ifc(1, f"{net}.63", [method("INVITE"), case(0)], handling=1)]}
    known = [s for s in (A, B, ABSENT, WRONG_KEY, NO_MAC, SQN, SILENT, ROAMER, LOST, BROKEN, AS_DEAD, AWAY, MIXED, OTHER)]
    with Core(sys.argv[1], net, known, 2, {"scscf": "sessions: {as_wait_ms: 300}\n"}, quiet_errors=("diameter", "hss", "dia ")) as core:
        for one in Explain(core).rows():
            cases.run(*one)
    core.finish(cases)
    cases.end()


if __name__ == "__main__":
    main()
