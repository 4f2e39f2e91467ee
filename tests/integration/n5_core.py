"""n5_core.py BUILD NET WORKERS - what only N5 has: streams that break, redirects, and the ways to a PCF (NRF, BSF, SCP, tokens):
TS 29.500 §6.10, TS 29.510, TS 29.521 §4.2.4; rows Q10 to Q13."""

import shutil
import signal
import socket
import ssl
import sys
import tempfile

from cases import Cases, Fail, check, equal, wait_for
from certs import Certs
from core import Core
from phone import hang_up
from policy import A, B, WAIT_MS, Policy
from policy_peer import N5Peer


class N5(Policy):
    """Two phones, a P-CSCF that finds its PCF in some way, and labpcfd that plays all of the core."""

    def __init__(self, core, certs=None):
        super().__init__(core, "", N5Peer)
        self.certs = certs

    def core_is(self, **how):
        """What the other end is."""
        self.core.rest("pcf").send("PUT", "/api/v1/core", how)

    def good_call(self, sessions=2):
        """From INVITE to BYE, with that many sessions at the PCF meanwhile; returns what was said there."""
        da, db = self.call()
        if sessions:
            self.sessions(sessions)
        else:
            equal(self.state()["sessions"], [], "sessions")
        hang_up(da, db)
        self.none_left()
        return self.events()

    def fresh_call(self, *rules, sessions=2):
        """The same after these orders."""
        self.fresh()
        self.behave(*rules)
        return self.good_call(sessions)

    # ---- streams ----

    def refused_stream(self):
        """RFC 9113 §8.7: nobody has looked at it, so it goes once more."""
        events = self.fresh_call(self.peer.asking(how="refuse_stream", count=1))
        equal(events.count("refused stream"), 1, "refused once")

    def goaway(self):
        """RFC 9113 §6.8: what runs is answered, the next request opens a connection; no call notices."""
        for _ in range(2):
            equal(self.fresh_call(self.peer.asking(how="goaway", count=1)).count("goaway"), 1, "said once")

    def broken(self):
        """A stream that is reset, a connection that ends: silence for that question, and none of the next calls suffers."""
        for how, word in (("reset", "reset"), ("hang_up", "hung up")):
            events = self.fresh_call([{"command": "create", "how": how, "count": 1}], sessions=1)
            equal(events.count(word), 1, word)
            self.fresh_call()

    def orphan(self):
        """Row Q4: a create that did its work and whose answer nobody heard.  Its notifications say its name: then it is ended."""
        for how in ("reset", "hang_up"):
            for notice, body in (("event", {"event": "ANI_REPORT"}), ("terminate", {})):
                self.fresh()
                self.behave([{"command": "create", "how": how, "made": True, "count": 1}])
                da, db = self.call()
                lost, kept = self.sessions(2)
                hang_up(da, db)
                wait_for(lambda: len(self.state()["sessions"]) == 1, 10, "the end of the one that is known")
                equal([s["number"] for s in self.state()["sessions"]], [lost["number"]], f"after {how}, not {kept['number']}")
                equal(self.tell(lost, notice, body), self.peer.done, notice)
                self.none_left()

    def end_unheard(self):
        """An end that is not answered, or not now, is told again (row Q4)."""
        events = self.fresh_call([{"command": "delete", "how": "reset", "count": 1}, {"command": "delete", "status": 503, "count": 1}])
        equal(events.count("delete"), 4, "two of them told twice")

    def redirected(self):
        """307 with a Location: the request goes there (TS 29.500 §6.10.9); in a ring it ends."""
        where = f"http://{self.core.doc['sbi']['pcf']}/npcf-policyauthorization/v1/app-sessions"
        self.fresh_call([{"command": "create", "status": 307, "location": where, "count": 1}])
        events = self.fresh_call([{"command": "create", "status": 307, "location": where, "count": 4}], sessions=1)
        equal(len([e for e in events if e == "answer 307"]), 4, "three are followed, the fourth is not")

    # ---- the P-CSCF ----

    def start_again(self, sig):
        """It ends so, and comes back."""
        self.core.stop_node("pcscf", sig)
        self.core.start_node("pcscf")
        self.core.wait_ready("pcscf")

    def pcscf_gone(self):
        """Row Q4: killed or stopped within a call, the bearer stays and goes with the call; before the answer it goes at once."""
        self.fresh()
        for sig in (signal.SIGKILL, signal.SIGTERM):
            da, db = self.call()
            self.sessions(2)
            self.start_again(sig)
            equal(len(self.state()["sessions"]), 2, "sessions over the restart")
            hang_up(da, db)
            self.none_left()
        inv, seen = self.ring()
        self.a.provisional(inv, 183)
        self.sessions(2)
        self.start_again(signal.SIGKILL)
        self.none_left()
        self.b.reply(seen, 486)
        self.fresh_call()

    def pcscf_gone_and_phone(self):
        """The registration ends after a restart: what its calls left goes too."""
        self.call()
        self.sessions(2)
        self.start_again(signal.SIGKILL)
        self.a.must_register(expires=0)
        self.b.must_register(expires=0)
        self.none_left()
        self.register()

    # ---- the ways to a PCF ----

    def by_nrf(self):
        """The NRF's list: the best one by its priority is not there, so the next one is asked.  Later calls know."""
        self.core_is(oauth2=True)
        events = self.fresh_call()
        check(1 <= events.count("discovery") <= 2, f"one discovery for each worker: {events}")
        check("token" in events, f"a token: {events}")
        equal([e for e in events if e == "without a token"], [], "nothing without one")

    def token_revoked(self):
        """401: a new token, once."""
        self.core_is(oauth2=True, revokeTokens=True)
        events = self.fresh_call()
        check("without a token" in events and "token" in events, f"refused, then with a new one: {events}")

    def no_token(self):
        """None to be had: silence, the call goes on."""
        self.core_is(oauth2=True, revokeTokens=True)
        self.fresh_call([{"command": "token", "status": 403}], sessions=0)
        self.core_is()

    def by_bsf(self):
        """Row Q12: the PCF of the phone's own session, looked up by its address."""
        events = self.fresh_call()
        equal(events.count("binding"), 2, "one for each phone")

    def no_binding(self):
        """TS 29.521 §4.2.4.2: the core knows no session of that address."""
        self.fresh()
        self.behave([{"command": "binding", "status": 404}])
        inv, seen = self.ring()
        self.b.incoming("CANCEL")
        self.b.reply(seen, 487)
        self.b.incoming("ACK")
        r = self.a.final(inv)
        check(r.status in (503, 500, 480), f"what the caller hears: {r}")
        with open(self.core.doc["logs"]["pcscf"], encoding="utf-8") as f:
            check("verdict=no cause=PDU_SESSION_NOT_AVAILABLE" in f.read(), "the reason in the log")
        equal(self.questions(), [], "nobody was asked")
        self.none_left()

    def bsf_silent(self):
        """Then the PCF that is configured."""
        equal(len([e for e in self.fresh_call([{"command": "binding", "status": 500}]) if e.startswith("create")]), 2, "creates")

    # ---- TLS: TS 33.501 §13.1 ----

    def over_tls(self):
        """Both ways, each with a certificate: create, a change that the PCF tells, the end by it; tokens and the NRF's list too."""
        self.core_is(oauth2=True)
        check(self.fresh_call().count("token") >= 1, "a token over TLS")
        self.fresh()
        da, db = self.call()
        first, second = self.sessions(2)
        check(first["notifUri"].startswith("https://"), f"notifications: {first}")
        equal(self.tell(first, "event", {"event": "ANI_REPORT", "place": True}), self.peer.done, "a notification over TLS")
        equal(self.tell(second, "terminate", {}), self.peer.done, "the end over TLS")
        for d in (da, db):
            d.phone.reply(d.phone.incoming("BYE"), 200)
        self.none_left()

    def pcf_with(self, cert):
        """The PCF starts anew with that certificate, and a call is made; what the P-CSCF's log says since."""
        shutil.copy(self.certs.path(cert), self.certs.path("pcf-now"))
        shutil.copy(self.certs.path(cert, "key"), self.certs.path("pcf-now", "key"))
        self.core.stop_node("pcf", signal.SIGTERM)
        self.core.start_node("pcf")
        self.core.wait_ready("pcf")
        with open(self.core.doc["logs"]["pcscf"], encoding="utf-8") as f:
            f.seek(0, 2)
            hang_up(*self.call())
            return f.read()

    def stranger(self):
        """A PCF of another authority, one with another's name: nothing is told to it, the call goes on unasked.  The right one again."""
        for cert in ("pcf-other-ca", "pcf-other-name"):
            log = self.pcf_with(cert)
            # A worker without a token or a list asks the NRF first, which it is as well.
            check(('cause="TLS refused"' in log or 'error="Permission denied"' in log) and "verdict=silent" in log, f"{cert} in the log: {log}")
            equal(self.state()["events"], [], "what it has heard")
        self.core_is()
        self.pcf_with("pcf")
        check([e for e in self.events() if e.startswith("create")], "asked again")
        self.none_left()

    def listener(self):
        """Whoever has no certificate of ours, or speaks no HTTP/2, says nothing to the P-CSCF."""
        def refused(context, what):
            with socket.create_connection((self.core.ip(10), 7777), timeout=5) as s:
                try:
                    with context.wrap_socket(s, server_hostname=self.core.ip(10)) as t:
                        t.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0")
                        while t.recv(4096):
                            pass
                except (ssl.SSLError, ConnectionError):
                    return
            raise Fail(f"{what}: not refused")

        for name, what, alpn in ((None, "no certificate", "h2"), ("pcf-other-ca", "another authority", "h2"), ("pcf", "HTTP/1.1", "http/1.1")):
            context = self.certs.client(name)
            context.set_alpn_protocols([alpn])
            refused(context, what)
        with socket.create_connection((self.core.ip(10), 7777), timeout=5) as s:
            s.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
            try:
                check(s.recv(4096)[3:4] != b"\4", "clear text is not served")
            except ConnectionError:
                pass
        self.fresh_call()

    # ---- the mode by the BSF's answer ----

    def at_pcrf(self):
        """Sessions of calls at the PCRF, of which it finds nothing wrong."""
        doc = self.core.rest("pcrf").get("/api/v1/state")
        equal([e["what"] for e in doc["events"] if e["what"].startswith("violation")], [], "what the PCRF finds wrong")
        return doc["sessions"]

    def modes(self, n5, rx, *rules):
        """A call with that many sessions at the PCF and at the PCRF; returns how often the BSF was asked."""
        self.fresh()
        self.behave(*rules)
        da, db = self.call()
        wait_for(lambda: (len(self.state()["sessions"]), len(self.at_pcrf())) == (n5, rx), 10, f"{n5} sessions at the PCF, {rx} at the PCRF")
        hang_up(da, db)
        self.none_left()
        wait_for(lambda: not self.at_pcrf(), 10, "the end of every Rx session")
        return self.events().count("binding")

    def mode_n5(self):
        """Row Q12: the BSF knows a PCF for both phones."""
        check(self.modes(2, 0) >= 2, "asked for each phone")

    def mode_rx(self):
        """It knows none: policy.bsf.none."""
        check(self.modes(0, 2, [{"command": "binding", "status": 404}]) >= 2, "asked for each phone")
        self.modes(0, 2, [{"command": "binding", "status": 204}])

    def mode_silent(self):
        """Out of order: policy.bsf.silent, here off; the call goes on unasked."""
        check(self.modes(0, 0, [{"command": "binding", "status": 500}]) >= 2, "asked for each phone")
        self.modes(0, 0, [{"command": "binding", "how": "silent"}])

    def mode_each(self):
        """Each phone has its own, and keeps it: what the BSF said counts for a while.  A restart within the call finds both sessions."""
        none_once = [{"command": "binding", "status": 404, "count": 1}]
        equal(self.modes(1, 1, none_once), 2, "each phone is asked about once")
        equal(self.modes(1, 1), 0, "and not again")
        self.fresh()
        da, db = self.call()
        self.sessions(1)
        self.start_again(signal.SIGKILL)
        equal((len(self.state()["sessions"]), len(self.at_pcrf())), (1, 1), "sessions over the restart")
        hang_up(da, db)
        self.none_left()
        wait_for(lambda: not self.at_pcrf(), 10, "the end of the Rx session")

    def mode_stale(self):
        """A PCF that knows no session of the phone any more: that call is refused, the next one asks the BSF anew."""
        self.modes(2, 0)
        self.fresh()
        self.behave([{"command": "create", "status": 500, "cause": "PDU_SESSION_NOT_AVAILABLE", "count": 1}])
        inv, seen = self.ring()
        self.b.reply(self.b.incoming("CANCEL"), 200)
        self.b.reply(seen, 487)
        self.b.incoming("ACK")
        check(self.a.final(inv).status in (503, 500), "refused")
        self.none_left()
        equal(self.modes(1, 1, [{"command": "binding", "status": 404, "count": 1}]), 1, "asked about that phone alone")

    def by_scp(self):
        """Everything through it: found by it first, named once there is a Location."""
        self.core_is(scp=True)
        self.fresh_call()


def run(cases, build, net, workers, name, policy, rows, mode="n5", more=""):		# pylint: disable=too-many-arguments,too-many-positional-arguments
    """One core."""
    root = f"http://{net}.46:7777"
    extra = {"pcscf": f"policy: {{wait_ms: {WAIT_MS}, {more}n5: {{{policy.format(root=root)}}}}}\n"}
    with Core(build, net, [A, B], workers, extra=extra, policy=mode) as core:
        n5 = N5(core)
        cases.run(f"{name}: registered", n5.register)
        for text, row in rows:
            cases.run(text, lambda row=row: getattr(n5, row)())
    core.finish(cases)


def run_tls(cases, build, net, workers):
    """HTTP/2 over TLS throughout."""
    folder = tempfile.mkdtemp(prefix="cscf-certs-")
    certs = Certs(folder)
    pcf, pcscf = f"{net}.46", f"{net}.10"
    certs.make("pcf", ips=[pcf])
    certs.make("pcf-now", ips=[pcf])
    certs.make("pcscf", ips=[pcscf])
    certs.make("pcf-other-ca", ips=[pcf], ca="other-ca")
    certs.make("pcf-other-name", ips=[f"{net}.47"])
    tls = "tls: {{cert_file: {}, key_file: {}, ca_file: {}}}"
    root = f"https://{pcf}:7777"
    extra = {"pcscf": f'policy: {{wait_ms: {WAIT_MS}, n5: {{pcf: "{root}", nrf: "{root}", oauth2: true, '
                      f'nf_instance_id: 33333333-3333-4333-8333-333333333333, '
                      f'{tls.format(certs.path("pcscf"), certs.path("pcscf", "key"), certs.path("ca"))}}}}}\n',
             "pcf": f'sbi: {{{tls.format(certs.path("pcf-now"), certs.path("pcf-now", "key"), certs.path("ca"))}}}\n'}
    try:
        with Core(build, net, [A, B], workers, extra=extra, policy="n5") as core:
            n5 = N5(core, certs)
            cases.run("TLS: registered", n5.register)
            for text, row in (("Q10 Q11 Q13 requests, tokens and notifications over TLS", "over_tls"),
                              ("Q10 a PCF with another certificate", "stranger"), ("Q11 the listener, without a certificate", "listener")):
                cases.run(text, lambda row=row: getattr(n5, row)())
        core.finish(cases)
    finally:
        shutil.rmtree(folder)


def main():
    """The script."""
    build, net, workers = sys.argv[1], sys.argv[2], int(sys.argv[3])
    cases = Cases()
    run(cases, build, net, workers, "a PCF", "timeout_ms: 1500", (
        ("Q10 a refused stream", "refused_stream"), ("Q10 GOAWAY", "goaway"), ("Q7 Q10 streams and connections that break", "broken"),
        ("Q4 an end that is not heard", "end_unheard"), ("Q4 a create whose answer nobody heard", "orphan"), ("Q10 a redirect", "redirected"),
        ("Q4 H1 the P-CSCF ends within a call", "pcscf_gone"), ("Q4 H1 then the phones leave", "pcscf_gone_and_phone")))
    # One worker: each has lists and tokens of its own.
    run(cases, build, net, 1, "a NRF", 'nrf: "{root}", oauth2: true, nf_instance_id: 33333333-3333-4333-8333-333333333333', (
        ("Q13 discovery by the NRF, with a token", "by_nrf"), ("Q13 a token that is worth nothing any more", "token_revoked"),
        ("Q13 no token", "no_token")))
    run(cases, build, net, workers, "a BSF", 'bsf: "{root}", bsf_cache_s: 0', (
        ("Q12 the BSF's binding", "by_bsf"), ("Q12 no binding", "no_binding"), ("Q12 a BSF out of order", "bsf_silent")))
    run(cases, build, net, workers, "the mode by the BSF", 'bsf_cache_s: 0', (
        ("Q12 a binding: n5", "mode_n5"), ("Q12 none: rx", "mode_rx"), ("Q12 out of order: off", "mode_silent")), "bsf", "bsf: {silent: off}, ")
    run(cases, build, net, 1, "remembered", "dnn: ims", (
        ("Q12 H1 each phone its own, for a while", "mode_each"), ("Q12 a binding that is stale", "mode_stale")), "bsf")
    run(cases, build, net, workers, "a SCP", 'scp: "{root}"', (("Q13 through a SCP", "by_scp"),))
    run_tls(cases, build, net, workers)
    cases.end()


main()
