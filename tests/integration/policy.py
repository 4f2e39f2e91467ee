"""policy.py BUILD NET WORKERS rx|n5 - policy control between real daemons and a PCRF or PCF that checks and misbehaves: TS 29.214 §4.4,
TS 29.514 §4.2, TS 24.229 §5.2.7, §5.2.8."""

import json
import os
import signal
import sys
import tempfile
import time

from cases import BUSY_S, Cases, Skip, check, equal, wait_for
from core import Core, Sub
from phone import Dialog, Phone, hang_up
from policy_peer import PEERS
from relay import Rtpengine, media_of

A, B = Sub(1), Sub(2)
WAIT_MS = 700


def sdp(ip, audio=40000, video=None, way="sendrecv"):
    """An offer or answer; video 0 switches it off."""
    text = (f"v=0\r\no=- 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio {audio} RTP/AVP 8\r\nb=AS:64\r\n"
            f"a=rtpmap:8 PCMA/8000\r\na={way}\r\n")
    if video is not None:
        text += f"m=video {video} RTP/AVP 99\r\nb=AS:500\r\na=rtpmap:99 H264/90000\r\n"
    return text


class Policy:
    """a and b are registered phones of one P-CSCF, so a call has two sessions at the peer: one for each phone."""

    def __init__(self, core, file, peer, hosts=(101, 102)):
        self.core, self.file, self.peer = core, file, peer
        self.a, self.b = Phone(core, A, core.ip(hosts[0])), Phone(core, B, core.ip(hosts[1]))

    def register(self):
        if self.peer.mode == "rx":
            wait_for(lambda: self.core.rest("pcscf").items("/api/v1/diameter/peers")[0]["state"] == "open", 10, "the PCRF's connection")
        for phone in (self.a, self.b):
            phone.must_register()

    def signalling(self):
        """Row Q1: a session for each registration, once; its end ends the registration, and the other way round."""
        wait_for(lambda: len(self.state()["signalling"]) == 2, 5, "two sessions")
        one = [s for s in self.state()["signalling"] if s["address"] == self.b.ip][0]
        host, port = self.core.addr("pcscf")
        equal(one["media"][0]["flows"][0], f"permit out 17 from {host} {port} to {self.b.ip} {self.b.port}", "the flow")
        aars = self.state()["begun"]
        self.b.must_register()
        equal(self.state()["begun"], aars, "a refresh says nothing new")
        self.tell(one, *self.peer.over)
        wait_for(lambda: not self.core.registered("pcscf", B), 5, "the end of the registration")
        wait_for(lambda: len(self.state()["signalling"]) == 1, 5, "STR")
        self.b.must_register()
        wait_for(lambda: len(self.state()["signalling"]) == 2, 5, "a new session")
        self.b.must_register(expires=0)
        wait_for(lambda: len(self.state()["signalling"]) == 1, 5, "STR when it de-registers")
        self.b.must_register()
        wait_for(lambda: len(self.state()["signalling"]) == 2, 5, "and another")

    # ---- the PCRF ----

    def state(self):
        """Sessions of calls; those of registrations are "signalling"."""
        doc = self.core.rest(self.peer.node).get("/api/v1/state")
        doc["signalling"] = [s for s in doc["sessions"] if s["media"] and s["media"][0]["number"] == 0]
        doc["sessions"] = [s for s in doc["sessions"] if s not in doc["signalling"]]
        return doc

    def behave(self, *rules):
        """Each a list of rules."""
        self.core.rest(self.peer.node).send("PUT", "/api/v1/behaviour", sum(rules, []))

    def tell(self, session, verb, body):
        """The peer tells the P-CSCF something of a session; returns what it answers."""
        return self.core.rest(self.peer.node).send("POST", f"/api/v1/sessions/{session['number']}/{verb}", body)[self.peer.result]

    def questions(self):
        """What was asked, in order."""
        return [e for e in self.events() if self.peer.is_question(e)]

    def ends(self):
        """How often an end was told."""
        return len([e for e in self.events() if e.startswith(self.peer.end)])

    def events(self):
        return [e["what"] for e in self.state()["events"]]

    def fresh(self):
        """Nothing is left of the case before; good behaviour, empty history."""
        self.none_left()
        self.behave()
        self.core.rest(self.peer.node).send("DELETE", "/api/v1/events")

    def none_left(self):
        """Row Q4: every session that began has ended, and no AAR was wrong."""
        wait_for(lambda: not self.state()["sessions"], 10, "the end of every session")
        equal(self.core.rest("pcscf").items("/api/v1/policy-sessions"), [], "sessions at the P-CSCF")
        equal([e for e in self.events() if e.startswith("violation")], [], "what the peer finds wrong")

    def sessions(self, n):
        return wait_for(lambda: (lambda s: s if len(s) == n else None)(self.state()["sessions"]), 10, f"{n} sessions")

    # ---- calls ----

    def ring(self, status=183, body=True, tag=None):
        """a calls b, b answers with that 1xx: (INVITE of a, as b saw it)."""
        inv = self.a.start("INVITE", self.core.number(B), None, sdp(self.a.ip))
        seen = self.b.incoming("INVITE")
        self.b.reply(seen, status, body=sdp(self.b.ip, 41000) if body else "", tag=tag)
        return inv, seen

    def answered(self, inv, seen, tag=None):
        """200 and ACK: (dialog of a, dialog of b)."""
        ok = self.b.reply(seen, 200, body=sdp(self.b.ip, 41000), tag=tag)
        r = self.a.final(inv)
        equal(r.status, 200, "the answer")
        da = Dialog(self.a, inv, r, True)
        da.ack(inv)
        self.b.incoming("ACK")
        return da, Dialog(self.b, seen, ok, False)

    def call(self):
        inv, seen = self.ring()
        self.a.provisional(inv, 183)
        return self.answered(inv, seen)

    def refused(self, inv, status):
        r = self.a.final(inv)
        equal(r.status, status, "what the caller hears")
        return r

    def cancel(self, inv):
        """CANCEL of a; b hears it and gives up."""
        via, cseq = inv.get("Via"), inv.get("CSeq").split()[0]
        self.a.send(f"CANCEL {inv.uri} SIP/2.0\r\nVia: {via}\r\nMax-Forwards: 70\r\nFrom: {inv.get('From')}\r\nTo: {inv.get('To')}\r\n"
                    f"Call-ID: {inv.get('Call-ID')}\r\nCSeq: {cseq} CANCEL\r\nContent-Length: 0\r\n\r\n")
        self.b.reply(self.b.incoming("CANCEL"), 200)

    # ---- the cases ----

    def timeline(self):
        """Row P18: SDP, AAR, AAA, and only then the 183; alerting behind it; nothing said twice."""
        self.fresh()
        self.behave(self.peer.asking(delayMs=150))
        inv, seen = self.ring()
        self.b.reply(seen, 180)
        began = time.monotonic()
        r = self.a.answer_to(inv, 5, "a 1xx", lambda m: m.status > 100, again=False)
        equal(r.status, 183, "what comes first")
        check(time.monotonic() - began > 0.25, "the 183 waits for both answers of the PCRF")
        self.a.provisional(inv, 180)
        asked = self.peer.asked(1, self.peer.audio, self.peer.both)
        equal(self.events()[:4], [asked, self.peer.yes] * 2, "the history")
        term, orig = self.sessions(2)
        equal([s["address"] for s in (term, orig)], [self.b.ip, self.a.ip], "whose sessions")
        check(orig["subscription"].startswith(self.peer.subscription), orig["subscription"])
        equal(orig["icid"] != "" and orig["icid"], term["icid"], "one ICID")
        equal(orig["media"][0]["flows"][:2], [f"permit out 17 from {self.b.ip} 41000 to {self.a.ip} 40000",
                                              f"permit in 17 from {self.a.ip} 40000 to {self.b.ip} 41000"], "flows of the caller")
        equal((orig["media"][0]["uplinkBps"], len(orig["media"][0]["flows"])), (64000, 4), "rate, RTP and RTCP")
        listed = self.core.rest("pcscf").items("/api/v1/policy-sessions")
        equal(sorted(s["state"] for s in listed), ["agreed", "agreed"], "the P-CSCF's list")
        da, db = self.answered(inv, seen)
        equal(len(self.questions()), 2, "questions: the 200 says nothing new")
        hang_up(da, db)
        self.none_left()
        equal(self.ends(), 2, "ends")

    def change(self, dialog, other, body, answer):
        """A re-INVITE of one side, answered by the other."""
        inv = dialog.start("INVITE", None, body)
        seen = other.phone.incoming("INVITE")
        other.phone.reply(seen, 200, body=answer)
        equal(dialog.phone.final(inv).status, 200, "re-INVITE")
        dialog.ack(inv)
        other.phone.incoming("ACK")

    def changes(self):
        """Row Q3: video added, hold, video dropped: what changed and no more."""
        self.fresh()
        da, db = self.call()
        video = self.peer.asked(2, self.peer.video, self.peer.both, False)
        for audio_way, answer_way, port, want in (("sendrecv", "sendrecv", 42000, video), ("sendonly", "recvonly", 42000, None),
                                                   ("sendrecv", "sendrecv", 0, None)):
            self.core.rest(self.peer.node).send("DELETE", "/api/v1/events")
            self.change(da, db, sdp(self.a.ip, 40000, port, audio_way), sdp(self.b.ip, 41000, port and port + 100, answer_way))
            asked = self.questions()
            equal(len(asked), 2, f"questions, one for each phone: {asked}")
            if want:
                equal(asked, [want, want], "only the video")
        media = [s["media"] for s in self.sessions(2)]
        equal([[(m["type"], m["status"]) for m in s] for s in media], [[(self.peer.audio, self.peer.both)]] * 2, "what is left")
        hang_up(da, db)
        self.none_left()

    def fork(self):
        """TS 29.214 annex A.3: a second early dialog with another answer; the final one settles it."""
        self.fresh()
        inv, seen = self.ring(tag="one")
        self.a.provisional(inv, 183)
        self.b.reply(seen, 183, body=sdp(self.b.ip, 43000), tag="two")
        self.a.provisional(inv, 183)
        equal(len([e for e in self.events() if e.endswith("several")]), 2, "told as several")
        da, db = self.answered(inv, seen, tag="one")
        check(all("41000" in s["media"][0]["flows"][0] or "40000" in s["media"][0]["flows"][0] for s in self.sessions(2)), "the final one")
        hang_up(da, db)
        self.none_left()

    def cancelled(self):
        """CANCEL at each stage: before the answer, while the peer is asked, after the 183."""
        self.fresh()
        inv, seen = self.ring(180, False)
        self.a.provisional(inv, 180)
        self.cancel(inv)
        self.b.reply(seen, 487)
        self.b.incoming("ACK")
        self.refused(inv, 487)
        equal(self.events(), [], "nothing was asked")
        self.behave(self.peer.asking(delayMs=400))
        inv, seen = self.ring()
        wait_for(self.questions, 5, "the question")
        self.cancel(inv)
        self.b.reply(seen, 487)
        self.b.incoming("ACK")
        self.refused(inv, 487)
        self.none_left()			# the answer comes after that, and the end behind it
        self.behave()
        inv, seen = self.ring()
        self.a.provisional(inv, 183)
        self.cancel(inv)
        self.b.reply(seen, 487)
        self.b.incoming("ACK")
        self.refused(inv, 487)
        self.none_left()

    def failures(self):
        """580 of a phone passes and frees what was reserved (row P18)."""
        self.fresh()
        inv, seen = self.ring()
        self.a.provisional(inv, 183)
        self.b.reply(seen, 580)
        self.b.incoming("ACK")
        self.refused(inv, 580)
        self.none_left()

    def no(self):
        """Row Q7: no session, not allowed: the status and the reason."""
        self.fresh()
        for how, status, name in self.peer.refusals:
            self.behave(self.peer.asking(count=1, **how))
            inv, seen = self.ring()
            self.b.incoming("CANCEL")
            self.b.reply(seen, 487)
            self.b.incoming("ACK")
            r = self.a.final(inv)
            check(r.status in (status, 500, 480), f"{name}: {r}")		# a 503 of the far side is no 503 of ours (RFC 3261 §16.7)
            self.none_left()
        self.behave(self.peer.asking(count=1, **how))		# the callee's; of the caller's the BYE may come before the answer or behind it
        self.core.rest(self.peer.node).send("DELETE", "/api/v1/events")
        check(name in self.rejected_in_the_200(), "the reason in BYE")
        self.none_left()

    def rejected_in_the_200(self):
        """The answer is in the 200: it goes, and BYE follows; returns the Reason."""
        inv = self.a.start("INVITE", self.core.number(B), None, sdp(self.a.ip))
        seen = self.b.incoming("INVITE")
        ok = self.b.reply(seen, 200, body=sdp(self.b.ip, 41000))
        bye = self.b.incoming("BYE")
        self.b.reply(bye, 200)
        r = self.a.final(inv)
        if r.status == 200:
            Dialog(self.a, inv, r, True).ack(inv)
            self.a.reply(self.a.incoming("BYE"), 200)
        check(ok.status == 200, "ok")
        return bye.get("Reason")

    def silence(self):
        """No answer: the call goes on when the time is over, and what the PCRF may have is ended."""
        self.fresh()
        self.behave(self.peer.asking(**self.peer.silent))
        began = time.monotonic()
        inv, seen = self.ring()
        self.a.provisional(inv, 183)
        check(2 * WAIT_MS / 1000 - 0.2 < time.monotonic() - began < 2 * WAIT_MS / 1000 + BUSY_S, "both budgets")
        da, db = self.answered(inv, seen)
        self.behave()
        hang_up(da, db)
        self.none_left()

    def late_yes(self):
        """A yes after the call has gone on: it is a session like others.  One after the Diameter deadline, when the call is over: STR goes
        until it has been found."""
        self.fresh()
        self.behave(self.peer.asking(delayMs=WAIT_MS + 400))
        inv, seen = self.ring()
        self.a.provisional(inv, 183)
        wait_for(lambda: [s["state"] for s in self.core.rest("pcscf").items("/api/v1/policy-sessions")] == ["agreed", "agreed"], 5, "the yes")
        self.behave()
        hang_up(*self.answered(inv, seen))
        self.none_left()
        equal(self.ends(), 2, "ends")
        self.behave(self.peer.asking(delayMs=3500, slow=True))
        inv, seen = self.ring()
        self.a.provisional(inv, 183)
        self.behave()
        self.b.reply(seen, 486)
        self.b.incoming("ACK")
        self.refused(inv, 486)
        if self.peer.unknown:
            wait_for(lambda: self.peer.unknown in self.events() or "STA UNKNOWN_SESSION_ID" in self.events(), 10, "an STR too early")
        else:
            wait_for(lambda: self.ends() == 4, 10, "ends, once there are names")
        self.none_left()

    def revoked(self):
        """Rows Q5, Q6: ASR and RAR end the call for both, with the reason."""
        for verb, body in (self.peer.over, (self.peer.lost[0], dict(self.peer.lost[1], media=[1])), self.peer.failed):
            self.fresh()
            self.call()
            equal(self.tell(self.sessions(2)[0], verb, body), self.peer.done, verb)
            for phone in (self.a, self.b):
                bye = phone.incoming("BYE")
                check("cause=503" in bye.get("Reason"), f"Reason: {bye.get('Reason')}")
                phone.reply(bye, 200)
            self.none_left()

    def video_lost(self):
        """The loss of the video alone ends nothing; a place is noted."""
        self.fresh()
        da, db = self.call()
        self.change(da, db, sdp(self.a.ip, 40000, 42000), sdp(self.b.ip, 41000, 42100))
        equal(self.tell(self.sessions(2)[0], self.peer.lost[0], dict(self.peer.lost[1], media=[2])), self.peer.done, "the answer")
        hang_up(da, db)
        self.none_left()

    def unknown(self):
        """ASR for a session that is none (any more): 5002."""
        self.fresh()
        da, db = self.call()
        session = self.sessions(2)[0]
        self.behave(self.peer.ending(count=2, **self.peer.keeps_session))		# the PCRF keeps them
        hang_up(da, db)
        wait_for(lambda: self.ends() == 2, 5, "ends")
        equal(self.tell(session, *self.peer.over), self.peer.nobody, "the answer")

    def phone_gone(self):
        """A registration that ends takes its calls along: BYE, STR."""
        self.call()
        self.core.rest("pcscf").send("DELETE", "/api/v1/registrations/" + self.core.impi(B))
        for phone in (self.a, self.b):
            phone.reply(phone.incoming("BYE"), 200)
        wait_for(lambda: not self.core.rest("pcscf").items("/api/v1/policy-sessions"), 5, "the P-CSCF's list is empty")
        self.b.must_register()

    def peer_gone(self):
        """Killed within a call, there again after it: calls go on, and the end of the session is told (row Q4)."""
        da, db = self.call()
        self.core.stop_node(self.peer.node, signal.SIGKILL)
        hang_up(da, db)
        inv, seen = self.ring()
        self.a.provisional(inv, 183)
        da, db = self.answered(inv, seen)
        hang_up(da, db)
        self.core.start_node(self.peer.node)
        self.core.wait_ready(self.peer.node)
        wait_for(lambda: self.ends() >= 2, 15, "ends after it has come back")
        self.fresh()
        da, db = self.call()
        self.sessions(2)
        hang_up(da, db)
        self.none_left()

    def restart_pcscf(self, sig=signal.SIGKILL):
        """It ends and is back with its PCRF; what the PCRF had begun before."""
        begun = self.state()["begun"]
        self.core.stop_node("pcscf", sig)
        self.core.start_node("pcscf")
        self.core.wait_ready("pcscf")
        wait_for(lambda: self.core.rest("pcscf").items("/api/v1/diameter/peers")[0]["state"] == "open" and self.state()["connected"], 10,
                 "the connection, seen from both ends")
        return begun

    def killed(self):
        """The P-CSCF ends in mid-call: its sessions are taken up again; BYE, REST and ASR end them, and each call is recorded once."""
        self.fresh()
        for how, sig in (("BYE", signal.SIGKILL), ("REST", signal.SIGKILL), ("ASR", signal.SIGKILL), ("BYE", signal.SIGTERM)):
            da, db = self.call()
            icid = self.sessions(2)[0]["icid"]
            begun = self.restart_pcscf(sig)
            listed = self.core.rest("pcscf").items("/api/v1/policy-sessions")
            equal(sorted((s["state"], s["callId"]) for s in listed), [("agreed", da.call_id)] * 2, "what the P-CSCF knows")
            if how == "BYE":
                self.change(da, db, sdp(self.a.ip, 40000, 42000), sdp(self.b.ip, 41000, 42100))
                check(all(len(s["media"]) == 2 for s in self.sessions(2)), "video came to the sessions that there were")
            equal((self.state()["begun"], self.ends()), (begun, 0), "sessions begun anew, and ended")
            if how == "BYE":
                hang_up(da, db)
            elif how == "REST":
                self.core.rest("pcscf").send("DELETE", f"/api/v1/dialogs/{da.call_id}")
            else:
                equal(self.tell(self.sessions(2)[0], *self.peer.over), self.peer.done, "ASA")
            for phone in {"BYE": (), "ASR": (self.a, self.b), "REST": (self.a, self.b) * 2}[how]:	# REST: each leg for itself, to both ends
                phone.reply(phone.incoming("BYE"), 200)
            self.none_left()
            wait_for(lambda: len(self.recorded(icid)) == 2, 5, "two records")
            equal(len(self.state()["signalling"]), 2, "the sessions of the registrations stay")
            self.core.rest(self.peer.node).send("DELETE", "/api/v1/events")

    def killed_early(self):
        """... while a phone rings: that call is over, and its sessions with it."""
        self.fresh()
        inv, seen = self.ring()
        self.a.provisional(inv, 183)
        self.sessions(2)
        self.restart_pcscf()
        self.none_left()
        equal(self.ends(), 2, "ends")
        equal(len(self.state()["signalling"]), 2, "the sessions of the registrations stay")
        self.b.reply(seen, 486)
        hang_up(*self.call())
        self.none_left()

    def recorded(self, icid):
        """Call records of that ICID."""
        with open(self.file, encoding="utf-8") as f:
            return [r for r in map(json.loads, f) if r["type"] == "call" and r["icid"] == icid]

    def records(self):
        """Row G4: a record per call and phone, with the ICID that the PCRF was told."""
        self.fresh()
        da, db = self.call()
        icid = self.sessions(2)[0]["icid"]
        hang_up(da, db)
        wait_for(lambda: len(self.recorded(icid)) == 2, 5, "two records")
        equal(sorted((r["side"], r["status"], r["cause"], r["policy"]["state"]) for r in self.recorded(icid)),
              [("orig", 200, "BYE", "agreed"), ("term", 200, "BYE", "agreed")], "what they say")

    def rows(self):
        """What runs, in order."""
        return [
            ("registered, the peer connected", self.register),
            ("Q1 the session of a registration", self.signalling),
            ("P18 Q2 timeline: SDP, question, answer, 183, 180", self.timeline),
            ("Q3 video added, hold, video dropped", self.changes),
            ("Q3 a fork", self.fork),
            ("Q4 CANCEL at each stage", self.cancelled),
            ("P18 580", self.failures),
            ("F19 Q7 the peer refuses", self.no),
            ("F19 Q7 the peer is silent", self.silence),
            ("Q4 Q7 the PCRF says yes too late", self.late_yes),
            ("F19 Q5 Q6 revoked", self.revoked),
            ("Q6 the video's bearer is lost", self.video_lost),
            ("G4 call records", self.records),
        ] + ([          # sessions of N5 are not kept
            ("Q4 the P-CSCF is killed in mid-call", self.killed),
            ("Q4 the P-CSCF is killed while a phone rings", self.killed_early),
        ] if self.peer.mode == "rx" else []) + [
            ("Q5 the end of nobody's session", self.unknown),
            ("Q4 a phone that is gone", self.phone_gone),
            ("F19 Q4 Q7 the peer is killed and comes back", self.peer_gone),
        ]


class Relayed(Policy):
    """The same with a media relay between each phone and the core: rows P17, Q2."""

    def __init__(self, core, file, peer, relay):
        super().__init__(core, file, peer, (103, 104))
        self.relay = relay

    def timeline_relayed(self):
        """Flows are what the phone sends and receives: its own address, and the relay's as it was told."""
        self.fresh()
        inv, seen = self.ring()
        r = self.a.provisional(inv, 183)
        term, orig = self.sessions(2)
        for session, phone, port, body in ((orig, self.a, 40000, r.body), (term, self.b, 41000, seen.body)):
            host, at = media_of(body)
            equal(host, self.relay.addresses[0], "what the phone was told")
            equal(session["address"], phone.ip, "whose session")
            equal(session["media"][0]["flows"][:2], [f"permit out 17 from {host} {at} to {phone.ip} {port}",
                                                     f"permit in 17 from {phone.ip} {port} to {host} {at}"], "its flows")
        da, db = self.answered(inv, seen)
        equal(len(self.questions()), 2, "questions: the 200 says nothing new")
        self.change(da, db, sdp(self.a.ip, 40000, way="sendonly"), sdp(self.b.ip, 41000, way="recvonly"))
        wait_for(lambda: len(self.questions()) == 4, 5, "hold is told for each phone")
        hang_up(da, db)
        self.none_left()
        self.relay.none_left()

    def refused_relayed(self):
        """Refused by the peer, cancelled, killed while it rings: neither has a session left."""
        self.fresh()
        how, _, name = self.peer.refusals[0]
        self.behave(self.peer.asking(count=1, **how))
        inv, seen = self.ring()
        self.b.incoming("CANCEL")
        self.b.reply(seen, 487)
        self.b.incoming("ACK")
        check(self.a.final(inv).status >= 400, name)
        self.none_left()
        self.relay.none_left()
        self.behave()
        inv, seen = self.ring()
        self.a.provisional(inv, 183)
        self.cancel(inv)
        self.b.reply(seen, 487)
        self.b.incoming("ACK")
        self.refused(inv, 487)
        self.none_left()
        self.relay.none_left()

    def rows(self):
        """What runs, in order."""
        return [("registered, the peer connected", self.register), ("P17 Q2 flows lead to the relay", self.timeline_relayed),
                ("P17 Q4 Q7 refused, cancelled", self.refused_relayed)]


def relayed(build, net, peer, cases):
    """A core of its own with rtpengine."""
    with tempfile.TemporaryDirectory() as top:
        records = os.path.join(top, "calls")
        relay = Rtpengine(f"{net}.81", [f"{net}.80"])
        try:
            relay.start()
            extra = (f"policy: {{wait_ms: 2000, on_silence: go_on}}\nrecords: {{file: {records}}}\n"
                     f'media: {{mode: always, rtpengine: [{{address: "{relay.ip}:2223"}}]}}\n')
            with Core(build, net, [A, B], 1, {"pcscf": extra}, policy=peer.mode) as core:
                policy = Relayed(core, records, peer, relay)
                for name, fn in policy.rows():
                    cases.run("with rtpengine: " + name, fn)
            core.finish(cases)
        finally:
            relay.stop()


def with_relay(build, net, peer, cases):
    """Where rtpengine is."""
    try:
        relayed(build, net, peer, cases)
    except Skip as e:
        cases.say(f"skip - with rtpengine: {e}")


def main():
    """The script."""
    build, net, workers, peer = sys.argv[1], sys.argv[2], int(sys.argv[3]), PEERS[sys.argv[4]]
    cases = Cases()
    top = tempfile.TemporaryDirectory()
    records = os.path.join(top.name, "calls")
    extra = {"pcscf": f"policy: {{wait_ms: {WAIT_MS}, location: true, registration: true}}\n{peer.extra}"
             f"records: {{file: {records}}}\n"}
    with Core(build, net, [A, B], workers, extra=extra, policy=peer.mode) as core:
        for case in Policy(core, records, peer).rows():
            cases.run(*case)
    core.finish(cases)
    top.cleanup()
    with_relay(build, net, peer, cases)
    cases.end()


if __name__ == "__main__":
    main()
