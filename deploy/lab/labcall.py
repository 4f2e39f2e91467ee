"""What the phones do in a demo, step by step, and what must be true after each step.

Every check is made of what the phones' events and the REST interfaces say, never of what was asked for.
"""

import json
import sys
import time

from labnet import LabError
from labrest import RestError, ctlladder

REGISTER_WAIT_S = 15.0
CALL_WAIT_S = 20.0
MESSAGE_WAIT_S = 15.0
SETTLE_WAIT_S = 5.0
POLL_S = 0.05
VOICE_OPTIONS = ("--rtp", "yes", "--precond", "yes", "--answer", "auto", "--ring-ms", "500")


class Report:
    """Prints what happens with its time, and collects the checks of the verdict."""

    def __init__(self, out=sys.stdout):
        self.out, self.began, self.checks = out, time.monotonic(), []

    def say(self, text):
        """A step, as it happens."""
        print(f"[{time.monotonic() - self.began:6.1f} s] {text}", file=self.out, flush=True)

    def raw(self, lines):
        """Lines without a time, such as a ladder."""
        for line in lines:
            print(line, file=self.out, flush=True)

    def check(self, name, ok, detail=""):
        """One line of the verdict.  A failed one is said at once."""
        self.checks.append({"check": name, "ok": bool(ok), "detail": detail})
        if not ok:
            self.say(f"FAILED: {name}" + (f": {detail}" if detail else ""))
        return ok

    @property
    def good(self):
        """Did everything hold so far, and was there anything?"""
        return bool(self.checks) and all(c["ok"] for c in self.checks)


def eventually(fn, seconds=SETTLE_WAIT_S):
    """Asks until it is true or the time is over; REST shows a state a moment after the phone does."""
    end = time.monotonic() + seconds
    while True:
        value = fn()
        if value or time.monotonic() >= end:
            return value
        time.sleep(POLL_S)


# ---- what REST says ----

def listed(lab, node, phone):
    """Is the phone among the registrations of a daemon?"""
    names = {phone.impi, phone.uri, f"sip:{phone.impi}"}
    return any(names & set(strings(item)) for item in lab.rest(node).items("/api/v1/registrations"))


def strings(doc):
    """Every string in a JSON document."""
    if isinstance(doc, str):
        yield doc
    elif isinstance(doc, (list, dict)):
        for v in doc.values() if isinstance(doc, dict) else doc:
            yield from strings(v)


def dialogs(lab, node, call_id):
    """States of the dialogs of a call that have not ended."""
    return [d["state"] for d in lab.rest(node).items("/api/v1/dialogs")
            if d["callId"] == call_id and d["state"] != "terminated"]


def hss_state(lab, phone):
    """What the lab HSS says of the subscriber, or None when the HSS is not ours."""
    if "hss" not in lab.doc["rest"]:
        return None
    import urllib.parse
    return lab.rest("hss").get("/api/v1/subscribers/" + urllib.parse.quote(phone.impi, safe=""))["state"]


# ---- steps ----

def register(lab, phone, report):
    """Registers a phone and looks for it at P- and S-CSCF and HSS."""
    phone.do("register")
    e = phone.wait("registered", REGISTER_WAIT_S, fail=("registration-failed",))
    how = next((c.get("algorithm", "?") for c in phone.seen("challenged")), None)
    report.say(f"phone {phone.label} registered as {phone.uri}: {how or 'no challenge'}, "
               f"{e.get('expires')} s, took {e.get('ms', '?')} ms")
    want = "AKAv1-MD5" if "k" in phone.sub else "MD5 or SHA-256"
    report.check(f"{phone.label} was challenged with {want}",
                 how == want if "k" in phone.sub else how in ("MD5", "SHA-256"), f"challenge {how}")
    report.check(f"{phone.label} got a Service-Route", e.get("serviceRoute"))
    for node in ("pcscf", "scscf"):
        report.check(f"{phone.label} is registered at the {ctlladder.LANE_NAMES[node]}",
                     eventually(lambda n=node: listed(lab, n, phone)))
    state = hss_state(lab, phone)
    if state is not None:
        report.check(f"{phone.label} is registered at the HSS", state == "registered", state)


def message(sender, receiver, text, report):
    """An SMS-style MESSAGE."""
    since = receiver.here()
    sender.do(f"message {receiver.uri} {text}")
    sent = sender.wait("message-sent", MESSAGE_WAIT_S)
    good = 200 <= int(sent.get("status", 0)) < 300
    report.check(f"MESSAGE of {sender.label} accepted", good, f"status {sent.get('status')}")
    if not good:
        return
    got = receiver.wait("message-received", MESSAGE_WAIT_S, since=since)
    report.check(f"MESSAGE reached {receiver.label} unharmed", got.get("text") == text, json.dumps(got.get("text")))
    report.check(f"MESSAGE names {sender.label} as its sender", sender.uri in got.get("assertedIdentity", []),
                 f"asserted {got.get('assertedIdentity')}")
    report.say(f"message from {sender.label} to {receiver.label}: \"{text}\" delivered")


def call(lab, caller, callee, hold_s, report):
    """A call, held and released.  Returns its Call-ID."""
    since = callee.here()
    caller.do(f"call {callee.uri}")
    call_id = caller.wait("calling", CALL_WAIT_S, fail=("call-failed", "error"))["callId"]
    report.say(f"{caller.label} calls {callee.label}, Call-ID {call_id}")
    incoming = callee.wait("incoming", CALL_WAIT_S, since=since)
    report.check(f"{callee.label} sees who calls", caller.uri in incoming.get("assertedIdentity", []),
                 f"asserted {incoming.get('assertedIdentity')}")
    caller.wait("ringing", CALL_WAIT_S, fail=("call-failed",))
    report.say(f"{callee.label} rings")
    answered = caller.wait("answered", CALL_WAIT_S, fail=("call-failed",))
    callee.wait("answered", CALL_WAIT_S, since=since)
    report.say(f"answered after {answered.get('ms', '?')} ms")
    check_preconditions(caller, callee, since, report)
    for node in ("pcscf", "scscf"):
        states = eventually(lambda n=node: "confirmed" in dialogs(lab, n, call_id))
        report.check(f"the {ctlladder.LANE_NAMES[node]} knows the call", states)
    time.sleep(hold_s)			# the voice call itself
    release(caller, callee, since, report)
    for node in ("pcscf", "scscf"):
        report.check(f"the {ctlladder.LANE_NAMES[node]} keeps nothing of the call",
                     eventually(lambda n=node: not dialogs(lab, n, call_id)))
    check_policy(lab, report)
    return call_id


def check_policy(lab, report):
    """With policy control: the lab's PCRF or PCF was asked for both phones, found nothing wrong, and has nothing left."""
    for node in ("pcrf", "pcf"):
        if node in lab.doc["rest"]:
            state = lab.rest(node).get("/api/v1/state")
            report.check(f"the {node.upper()} was asked, and has no session left",
                         eventually(lambda n=node: not lab.rest(n).get("/api/v1/state")["sessions"])
                         and state["begun"] >= 2 and not state["violations"], f"{state['begun']} sessions, {state['violations']} violations")
            report.say(f"the {node.upper()} had {state['begun']} sessions of the call, all have ended")


def check_preconditions(caller, callee, since, report):
    """Reliable provisional responses and a second offer before it rang: what makes it a VoLTE call."""
    events = [e["event"] for e in caller.events[caller.mark:]] + [e["event"] for e in callee.events[since:]]
    for name in ("prack", "update"):
        report.check(f"the call used {name.upper()}", name in events)


def release(caller, callee, since, report):
    """The caller hangs up; both must see it, and voice must have flowed both ways."""
    report.say("hanging up")
    at = caller.here()
    caller.do("hangup")
    ends = {caller.label: caller.wait("ended", CALL_WAIT_S, since=at), callee.label: callee.wait("ended", CALL_WAIT_S, since=since)}
    report.check("the release came from the caller",
                 [e.get("by") for e in ends.values()] == ["local", "remote"], str([e.get("by") for e in ends.values()]))
    for label, e in ends.items():
        report.check(f"{label} sent and heard voice", e.get("rtpSent", 0) > 0 and e.get("rtpReceived", 0) > 0,
                     f"RTP packets sent {e.get('rtpSent')}, received {e.get('rtpReceived')}")
    report.say("released: " + ", ".join(f"{label} sent {e.get('rtpSent')} and heard {e.get('rtpReceived')} RTP packets"
                                        for label, e in ends.items()))


def deregister(lab, phone, report):
    """De-registers a phone; nobody may list it any more."""
    phone.do("deregister")
    phone.wait("deregistered", REGISTER_WAIT_S, fail=("registration-failed",))
    report.say(f"phone {phone.label} de-registered")
    for node in ("pcscf", "scscf"):
        report.check(f"{phone.label} is gone from the {ctlladder.LANE_NAMES[node]}",
                     eventually(lambda n=node: not listed(lab, n, phone)))
    state = hss_state(lab, phone)
    if state is not None:
        report.check(f"{phone.label} is not registered at the HSS", state == "not-registered", state)


def step(report, name, fn, *args):
    """Runs a step; what goes wrong becomes a failed check.  Its result, or None."""
    try:
        return fn(*args)
    except (LabError, RestError) as e:
        report.check(name, False, str(e))
        return None
