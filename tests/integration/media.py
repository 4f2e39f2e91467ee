"""media.py BUILD NET PREFIX - calls whose media go through a real rtpengine: TS 24.229 §6.7; rows P17, G4, H1.  Runs inside a network
namespace of its own: the core is IPv6, phones are of both families."""

import json
import os
import signal
import subprocess
import sys
import tempfile

from cases import Cases, Skip, check, equal, wait_for
from core import Core, Sub
from phone import Dialog, Phone, hang_up
from relay import Rtp, Rtpengine, flows, media_of

A, B, C = Sub(1), Sub(2), Sub(3)
HOSTS = ("10", "20", "30", "80", "101", "102", "103")
PING_MS = 300


def prepare(prefix):
    """Addresses on the loopback; a bridge, because freeDiameter does not start on a host that has nothing but a loopback."""
    commands = ["ip link set lo up", "ip link add br0 type bridge", "ip addr add 192.0.2.1/24 dev br0", "ip link set br0 up"]
    commands += [f"ip -6 addr add {prefix}{h}/128 dev lo nodad" for h in HOSTS]
    for c in commands:
        p = subprocess.run(c.split(), stderr=subprocess.PIPE, text=True, check=False)
        if p.returncode:
            raise Skip(f"{c}: {p.stderr.strip()}")


def sdp(ip, port, way="sendrecv", version=1):
    """An offer or answer."""
    family = "IP6" if ":" in ip else "IP4"
    return (f"v=0\r\no=- 1 {version} IN {family} {ip}\r\ns=-\r\nc=IN {family} {ip}\r\nt=0 0\r\nm=audio {port} RTP/AVP 8\r\n"
            f"a=rtpmap:8 PCMA/8000\r\na={way}\r\n")


class Call:
    """One that is answered: both dialogs, what each was told of the other's media, both ends of the sound."""

    def __init__(self, da, db, told_a, told_b, ra, rb):
        self.da, self.db, self.told_a, self.told_b, self.ra, self.rb = da, db, told_a, told_b, ra, rb

    def flows(self, ways=("there", "back")):
        """Packets pass."""
        flows(self.ra, media_of(self.told_a), self.rb, media_of(self.told_b), ways)

    def over(self):
        """BYE; the sockets are free."""
        hang_up(self.da, self.db)
        self.close()

    def close(self):
        """Without a word."""
        self.ra.close()
        self.rb.close()


class Media:
    """a has IPv4 and is behind no NAT, b has IPv6, c has IPv4."""

    def __init__(self, core, one, two, records):
        self.core, self.one, self.two, self.records_file = core, one, two, records
        old = (f"{core.net}.10", core.addr("pcscf")[1])
        self.a = Phone(core, A, f"{core.net}.101", proxy=old)
        self.b = Phone(core, B, core.ip6("102"))
        self.c = Phone(core, C, f"{core.net}.103", proxy=old)

    def register(self):
        """All three, and the relays answer."""
        for phone in (self.a, self.b, self.c):
            phone.must_register()
        wait_for(lambda: [r["state"] for r in self.relays()] == ["up", "up"], 5, "two relays that answer")

    # ---- what there is ----

    def relays(self):
        """GET /media."""
        return self.core.rest("pcscf").get("/api/v1/media")["relays"]

    def sessions(self, n):
        """So many at the P-CSCF, and at the relays."""
        listed = wait_for(lambda: (lambda s: s if len(s) == n else None)(self.core.rest("pcscf").items("/api/v1/media-sessions")) if n else
                          self.core.rest("pcscf").items("/api/v1/media-sessions") == [] and [True], 10, f"{n} sessions")
        wait_for(lambda: len(self.one.calls() + self.two.calls()) == n, 10, f"{n} calls at the relays")
        return listed if n else []

    def none_left(self):
        """Row P17: nothing of a call that is over stays, here or there."""
        self.sessions(0)
        wait_for(lambda: [r["sessions"] for r in self.relays()] == [0, 0], 5, "no session is counted")

    def metric(self, text):
        """One number of /metrics."""
        for line in self.core.rest("pcscf").get("/metrics").splitlines():
            if line.startswith(text + " "):
                return float(line.split()[-1])
        return 0.0

    # ---- calls ----

    def ring(self, x, y, body=None, status=183, tag=None, headers=None):
        """x calls y, which answers with that 1xx: (INVITE of x, as y saw it)."""
        inv = x.start("INVITE", self.core.number(y.sub), headers, sdp(x.ip, 40000) if body is None else body)
        seen = y.incoming("INVITE")
        y.reply(seen, status, body=sdp(y.ip, 41000) if status == 183 else "", tag=tag)
        return inv, seen

    def answered(self, x, y, inv, seen, body=None, tag=None):
        """200 and ACK: Call."""
        ok = y.reply(seen, 200, body=sdp(y.ip, 41000) if body is None else body, tag=tag)
        r = x.final(inv)
        equal(r.status, 200, "the answer")
        da = Dialog(x, inv, r, True)
        da.ack(inv)
        y.incoming("ACK")
        return Call(da, Dialog(y, seen, ok, False), r.body, seen.body, Rtp(x.ip, 40000), Rtp(y.ip, 41000))

    def call(self, x, y, body=None):
        """With the answer in the 200."""
        inv, seen = self.ring(x, y, body, 180)
        x.provisional(inv, 180)
        return self.answered(x, y, inv, seen)

    def relayed(self, told, ip):
        """That description leads to a relay, in that family."""
        host = media_of(told)[0]
        equal(host, self.core.ip6("80") if ":" in ip else f"{self.core.net}.80", "the address")
        check(f" {host}\r\n" in told.split("\r\ns=")[0] + "\r\n", f"the origin is replaced too: {told}")

    # ---- the cases ----

    def families(self):
        """An IPv4 phone calls an IPv6 one, and the other way round: each sees its own family, and sound passes."""
        for x, y in ((self.a, self.b), (self.b, self.a)):
            call = self.call(x, y)
            self.relayed(call.told_a, x.ip)
            self.relayed(call.told_b, y.ip)
            listed = self.sessions(1)
            equal((listed[0]["state"], listed[0]["side"]), ("relayed", "orig" if x is self.a else "term"), "GET /media-sessions")
            call.flows()
            call.over()
            self.none_left()

    def direct(self):
        """Two phones of one family, no NAT: nothing is relayed, the core being of theirs or not offered."""
        inv = self.b.start("INVITE", self.core.number(B), None, sdp(self.b.ip, 40000))
        seen = self.b.incoming("INVITE")
        equal(media_of(seen.body), (self.b.ip, 40000), "what the callee sees")
        self.sessions(0)
        self.b.reply(seen, 486)
        self.b.incoming("ACK")
        equal(self.b.final(inv).status, 486, "the end")

    def nat(self):
        """A phone that does not know its address: sound finds it before it has sent any, and both of an IPv4 call are relayed."""
        call = self.call(self.a, self.c, sdp("10.9.9.9", 40000))
        self.relayed(call.told_a, self.a.ip)
        self.relayed(call.told_b, self.c.ip)
        self.sessions(2)
        flows(call.rb, media_of(call.told_b), call.ra, media_of(call.told_a))
        call.over()
        self.none_left()

    def change(self, dialog, other, body, answer):
        """A re-INVITE: (as the other saw it, its 200 as it came back)."""
        inv = dialog.start("INVITE", None, body)
        seen = other.phone.incoming("INVITE")
        other.phone.reply(seen, 200, body=answer)
        r = dialog.phone.final(inv)
        equal(r.status, 200, "re-INVITE")
        dialog.ack(inv)
        other.phone.incoming("ACK")
        return seen, r

    def hold(self):
        """Hold and back, by both sides; a refresh that says nothing new asks nothing."""
        call = self.call(self.a, self.b)
        for one, other, ip, port, at, answer in ((call.da, call.db, self.a.ip, 40000, self.b.ip, 41000),
                                                 (call.db, call.da, self.b.ip, 41000, self.a.ip, 40000)):
            seen, r = self.change(one, other, sdp(ip, port, "sendonly", 2), sdp(at, answer, "recvonly", 2))
            check("a=sendonly" in seen.body and "a=recvonly" in r.body, seen.body + r.body)
            self.relayed(seen.body, at)
            self.relayed(r.body, ip)
            self.change(one, other, sdp(ip, port, version=3), sdp(at, answer, version=3))
            call.flows()
        asked = self.sessions(1)[0]["questions"]
        seen, r = self.change(call.db, call.da, sdp(self.b.ip, 41000, version=3), sdp(self.a.ip, 40000, version=3))
        self.relayed(seen.body, self.a.ip)
        self.relayed(r.body, self.b.ip)
        equal(self.sessions(1)[0]["questions"], asked, "questions about a refresh")
        call.flows()
        call.over()
        self.none_left()

    def fork(self):
        """Two early dialogs with other answers; sound goes to the one whose 200 comes, also when that says nothing."""
        for final in (None, ""):
            inv, seen = self.ring(self.a, self.b, tag="one")
            first = self.a.provisional(inv, 183)
            self.b.reply(seen, 183, body=sdp(self.b.ip, 43000), tag="two", headers={"X-Fork": "two"})
            second = self.a.answer_to(inv, 5, "the other 183", lambda m: m.status == 183 and "tag=two" in m.get("To"), again=False)
            self.relayed(first.body, self.a.ip)
            self.relayed(second.body, self.a.ip)
            call = self.answered(self.a, self.b, inv, seen, final, "one")
            call.told_a = call.told_a or first.body
            call.flows()
            equal(self.sessions(1)[0]["forks"], 2, "forks")
            call.over()
            self.none_left()

    def cancelled(self):
        """CANCEL before and behind the answer, and a refusal: nothing stays at the relay."""
        for status, end in ((180, 487), (183, 487), (183, 486)):
            inv, seen = self.ring(self.a, self.b, status=status)
            self.a.provisional(inv, status)
            self.sessions(1)
            if end == 487:
                self.a.send(f"CANCEL {inv.uri} SIP/2.0\r\nVia: {inv.get('Via')}\r\nMax-Forwards: 70\r\nFrom: {inv.get('From')}\r\n"
                            f"To: {inv.get('To')}\r\nCall-ID: {inv.get('Call-ID')}\r\nCSeq: {inv.get('CSeq').split()[0]} CANCEL\r\n"
                            "Content-Length: 0\r\n\r\n")
                self.b.reply(self.b.incoming("CANCEL"), 200)
            self.b.reply(seen, end)
            self.b.incoming("ACK")
            equal(self.a.final(inv).status, end, "what the caller hears")
            self.none_left()

    def late_offer(self):
        """No offer in the INVITE: the 200 has it, the ACK the answer."""
        inv = self.a.start("INVITE", self.core.number(B))
        seen = self.b.incoming("INVITE")
        equal(seen.body, "", "the INVITE")
        ok = self.b.reply(seen, 200, body=sdp(self.b.ip, 41000))
        r = self.a.final(inv)
        self.relayed(r.body, self.a.ip)
        da = Dialog(self.a, inv, r, True)
        da.start("ACK", None, sdp(self.a.ip, 40000), cseq=int(inv.get("CSeq").split()[0]))
        ack = self.b.incoming("ACK")
        self.relayed(ack.body, self.b.ip)
        call = Call(da, Dialog(self.b, seen, ok, False), r.body, ack.body, Rtp(self.a.ip, 40000), Rtp(self.b.ip, 41000))
        call.flows()
        call.over()
        self.none_left()

    def reliable(self):
        """100rel: the answer in the 183, an UPDATE within the early dialog, and a 200 that says nothing."""
        inv, seen = self.ring(self.a, self.b, tag="rel", headers={"Supported": "100rel"})
        r = self.a.provisional(inv, 183)
        early = Dialog(self.a, inv, r, True)
        update = early.start("UPDATE", None, sdp(self.a.ip, 40000, version=2))
        at_b = self.b.incoming("UPDATE")
        self.relayed(at_b.body, self.b.ip)
        self.b.reply(at_b, 200, body=sdp(self.b.ip, 41000, version=2))
        answer = self.a.final(update)
        self.relayed(answer.body, self.a.ip)
        call = self.answered(self.a, self.b, inv, seen, "", "rel")
        call.told_a, call.told_b = answer.body, at_b.body
        call.flows()
        call.over()
        self.none_left()

    def multipart(self):
        """A description beside other things: it alone is replaced."""
        other = "x" * 40
        body = ("--b1\r\nContent-Type: text/plain\r\n\r\n" + other + "\r\n--b1\r\nContent-Type: application/sdp\r\n\r\n" + sdp(self.a.ip, 40000) +
                "\r\n--b1--\r\n")
        inv, seen = self.ring(self.a, self.b, body, 180, headers={"Content-Type": "multipart/mixed;boundary=b1"})
        check(other in seen.body and seen.body.rstrip().endswith("--b1--") and self.a.ip not in seen.body, seen.body)
        equal(seen.get("Content-Type"), "multipart/mixed;boundary=b1", "its type")
        check(self.core.ip6("80") in seen.body, seen.body)
        call = self.answered(self.a, self.b, inv, seen)
        call.flows()
        call.over()
        self.none_left()

    def restart(self, sig):
        """The P-CSCF ends and is back."""
        self.core.stop_node("pcscf", sig)
        self.core.start_node("pcscf")
        self.core.wait_ready("pcscf")

    def killed(self):
        """The P-CSCF ends in mid-call: sound passes on, the call can be changed and ended; while a phone rings: its session ends."""
        for sig in (signal.SIGKILL, signal.SIGTERM):
            call = self.call(self.a, self.b)
            self.restart(sig)
            equal([s["state"] for s in self.sessions(1)], ["relayed"], "taken up again")
            call.flows()
            seen, r = self.change(call.da, call.db, sdp(self.a.ip, 40000, version=2), sdp(self.b.ip, 41000, version=2))
            self.relayed(seen.body, self.b.ip)
            self.relayed(r.body, self.a.ip)
            call.flows()
            call.over()
            self.none_left()
        inv, seen = self.ring(self.a, self.b)
        self.a.provisional(inv, 183)
        self.sessions(1)
        self.restart(signal.SIGKILL)
        self.none_left()
        self.b.reply(seen, 486)

    def released(self):
        """REST ends a call, a registration that ends takes its calls along: so do the sessions."""
        for how, heard in (("dialogs", (self.a, self.b) * 2), ("registrations", (self.a, self.b))):	# dialogs: each leg for itself, to both ends
            call = self.call(self.a, self.b)
            self.core.rest("pcscf").send("DELETE", f"/api/v1/dialogs/{call.da.call_id}" if how == "dialogs" else "/api/v1/registrations/" + self.core.impi(A))
            for phone in heard:
                phone.reply(phone.incoming("BYE"), 200)
            call.close()
            self.none_left()
        self.a.must_register()

    def recorded(self):
        """Row G4: the record of a call says how its media went; so do the metrics."""
        before = self.metric('cscf_pcscf_media_total{command="offer",outcome="ok"}')
        call = self.call(self.a, self.b)
        session = self.sessions(1)[0]
        call.flows()
        call.over()
        self.none_left()

        def records():
            with open(self.records_file, encoding="utf-8") as f:
                return [r for r in map(json.loads, f) if r["type"] == "call" and r["icid"] == session["icid"] and "media" in r]
        record = wait_for(records, 5, "its record")[0]
        equal((record["media"]["state"], record["media"]["relay"], record["media"]["questions"]), ("relayed", session["relay"], 2), "the record")
        equal(self.metric('cscf_pcscf_media_total{command="offer",outcome="ok"}'), before + 1, "offers in the metrics")
        equal(self.metric("cscf_pcscf_media_sessions"), 0.0, "sessions in the metrics")

    def relay_dies(self):
        """The relay of a call is killed in mid-call: an end passes, a change goes to the other relay and sound is there again; new calls go to
        the one that is left; without any 503 says why; back again it serves."""
        call = self.call(self.a, self.b)
        name = self.sessions(1)[0]["relay"]
        dead, alive = (self.one, self.two) if self.one.ip in name else (self.two, self.one)
        dead.stop(kill=True)
        self.change(call.da, call.db, sdp(self.a.ip, 40000, version=2), sdp(self.b.ip, 41000, version=2))
        seen, r = self.change(call.da, call.db, sdp(self.a.ip, 40000, version=3), sdp(self.b.ip, 41000, version=3))
        call.told_a, call.told_b = r.body, seen.body
        check(len(alive.calls()) == 1, "the session is at the other relay")
        call.flows()
        call.over()
        wait_for(lambda: not alive.calls(), 10, "no call at the relay that lives")
        call = self.call(self.a, self.b)		# one is left
        call.flows()
        alive.stop(kill=True)
        call.over()
        wait_for(lambda: {r["state"] for r in self.relays()} == {"down"}, 10, "both are known to be down")
        inv = self.a.start("INVITE", self.core.number(B), None, sdp(self.a.ip, 40000))
        r = self.a.final(inv)
        equal(r.status, 503, "without a relay")
        check("edia relay" in r.get("Reason"), r.text)
        for relay in (dead, alive):
            relay.start()
        wait_for(lambda: {r["state"] for r in self.relays()} == {"up"}, 10, "both answer again")
        call = self.call(self.b, self.a)
        call.flows()
        call.over()
        self.none_left()

    def rows(self):
        """What runs, in order."""
        return [
            ("three phones registered, two relays answer", self.register),
            ("P17 an IPv4 phone and an IPv6 phone", self.families),
            ("P17 where nothing differs nothing is relayed", self.direct),
            ("P17 a phone behind a NAT", self.nat),
            ("P17 hold, back, refresh", self.hold),
            ("P17 a fork", self.fork),
            ("P17 CANCEL and refusal", self.cancelled),
            ("P17 the offer in the 200, the answer in the ACK", self.late_offer),
            ("P17 UPDATE within an early dialog", self.reliable),
            ("P17 a multipart body", self.multipart),
            ("P17 P19 released by REST, and with the registration", self.released),
            ("G4 call record and metrics", self.recorded),
            ("P17 H1 the P-CSCF is killed, in mid-call and while a phone rings", self.killed),
            ("P17 a relay dies in mid-call, then both", self.relay_dies),
        ]


def main():
    """The script."""
    build, net, prefix = sys.argv[1:4]
    cases = Cases()
    prepare(prefix)
    with tempfile.TemporaryDirectory() as top:
        os.chmod(top, 0o777)
        records = os.path.join(top, "calls.json")
        both = (f"{net}.80", f"{prefix}80")
        one, two = Rtpengine(f"{net}.81", both), Rtpengine(f"{net}.82", both, (24000, 24999))
        try:
            one.start()
            two.start()
            extra = (f'media: {{mode: nat, core_family: ipv6, access_interface: access, core_interface: core, ping_ms: {PING_MS}, timeout_ms: 5000,\n'
                     f'        rtpengine: [{{address: "{one.ip}:2223"}}, {{address: "{two.ip}:2223"}}]}}\nrecords: {{file: {records}}}\n')
            with Core(build, net, [A, B, C], 2, {"pcscf": extra}, ip6=prefix) as core:
                media = Media(core, one, two, records)
                for name, fn in media.rows():
                    cases.run(name, fn)
            core.finish(cases)
        finally:
            one.stop()
            two.stop()
    cases.end()


if __name__ == "__main__":
    main()
