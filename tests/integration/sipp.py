"""Runs SIPp scenarios.

A file in scenarios/ is what SIPp takes, with two things on top so that a scenario reads in one screen:
{name} stands for a value that the case gives (user, peer, domain, ...), and a line `@macro arguments` for the block that
MACROS spells out.
"""

import ipaddress
import os
import re
import shutil
import subprocess
import tempfile

from cases import Fail, Skip, wait_for
from core import K_TEXT, OP_TEXT, host

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "scenarios")
LIMIT_S = 40

SDP = """v=0
o=- 1 1 IN IP[local_ip_type] [local_ip]
s=-
c=IN IP[media_ip_type] [media_ip]
t=0 0
m=audio [media_port] RTP/AVP 8
a=rtpmap:8 PCMA/8000
"""

# A request of the calling side outside a dialog.  %s: method, Request-URI, CSeq, more headers, body.
OUT = """<send retrans="500"><![CDATA[
%s %s SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch];rport
Max-Forwards: 70
From: <sip:{user}@{domain}>;tag=[pid]a[call_number]
To: <{peer}>
Call-ID: [call_id]
CSeq: %s %s
Contact: <sip:{user}@[local_ip]:[local_port];transport=[transport]>
%sContent-Length: [len]

%s]]></send>"""

# A request inside the dialog; the scenario keeps both ends' headers: $mine and $theirs.
IN = """<send retrans="500"><![CDATA[
%s [next_url] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch];rport
[routes]
Max-Forwards: 70
From:[$mine]
To:[$theirs]
Call-ID: [call_id]
CSeq: %s %s
Contact: <sip:{user}@[local_ip]:[local_port];transport=[transport]>
%sContent-Length: [len]

%s]]></send>"""

ANSWER = """<send%s><![CDATA[
SIP/2.0 %s %s
[last_Via:]
[last_Record-Route:]
[last_From:]
[last_To:]%s
[last_Call-ID:]
[last_CSeq:]
Contact: <sip:{user}@[local_ip]:[local_port];transport=[transport]>
%sContent-Length: [len]

%s]]></send>"""

# An answer to the INVITE when other requests came after it: what must be repeated was kept by @keep.
LATE = """<send%s><![CDATA[
SIP/2.0 %s %s
[$way]From:[$from]
To:[$to];tag=[pid]b[call_number]
Call-ID: [call_id]
CSeq:[$cseq]
Contact: <sip:{user}@[local_ip]:[local_port];transport=[transport]>
%sContent-Length: [len]

%s]]></send>"""

# Via and Record-Route lines, with their line ends: proxies put theirs on top, so both kinds stand together, mixed.
WAY = "((Via|Record-Route): [^[:cntrl:]]*[[:cntrl:]]+)+"

REASONS = {"180": "Ringing", "183": "Session Progress", "200": "OK", "202": "Accepted", "302": "Moved Temporarily", "486": "Busy Here",
           "487": "Request Terminated", "603": "Decline"}
TAG = ";tag=[pid]b[call_number]"


def header(text):
    """`more headers` of a macro: words in quotes become header lines."""
    return "".join(h + "\n" for h in re.findall(r'"([^"]*)"', text))


def m_out(args):
    """@out METHOD CSEQ [sdp|text] ["Header: value" ...]: a request outside a dialog to {peer}."""
    method, cseq, rest = (args.split(None, 2) + [""])[:3]
    body, more = "", header(rest)
    if rest.startswith("sdp"):
        body, more = SDP, more + "Content-Type: application/sdp\n"
    elif rest.startswith("text"):
        body, more = "hello", more + "Content-Type: text/plain\n"
    block = OUT % (method, "{peer}", cseq, method, more, body)
    return block.replace(' retrans="500"', ' retrans="500"' if method != "ACK" else "")


def m_in(args):
    """@in METHOD CSEQ [sdp] ["Header: value" ...]: a request inside the dialog."""
    method, cseq, rest = (args.split(None, 2) + [""])[:3]
    body, more = "", header(rest)
    if rest.startswith("sdp"):
        body, more = SDP, more + "Content-Type: application/sdp\n"
    block = IN % (method, cseq, method, more, body)
    return block.replace(' retrans="500"', "") if method == "ACK" else block


def m_ask(args):
    """@ask METHOD CSEQ STATUS ["Header: value" ...]: a request inside the dialog and its answer."""
    method, cseq, status, rest = (args.split(None, 3) + [""])[:4]
    return m_in(f"{method} {cseq} {rest}") + f'\n<recv response="{status}"/>'


def m_answer(args):
    """@answer STATUS [tag] [sdp] ["Header: value" ...]: to the request that came last."""
    status, _, rest = args.partition(" ")
    body, more = "", header(rest)
    plain = re.sub(r'"[^"]*"', "", rest)
    if "sdp" in plain:
        body, more = SDP, more + "Content-Type: application/sdp\n"
    again = ' retrans="500"' if "again" in plain else ""
    return ANSWER % (again, status, REASONS[status], TAG if "tag" in plain else "", more, body)


def m_late(args):
    """@late STATUS [sdp] [again] ["Header: value" ...]: to the INVITE that @keep kept."""
    status, _, rest = args.partition(" ")
    body, more = "", header(rest)
    plain = re.sub(r'"[^"]*"', "", rest)
    if "sdp" in plain:
        body, more = SDP, more + "Content-Type: application/sdp\n"
    return LATE % (' retrans="500"' if "again" in plain else "", status, REASONS.get(status, "{reason}"), more, body)


def m_keep(_args):
    """@keep: takes an INVITE and keeps what every answer to it repeats."""
    text = '<recv request="INVITE" rrs="true"><action>'
    text += f'<ereg regexp="{WAY}" search_in="msg" assign_to="way,unused,unused"/>'
    for name, var in (("From", "from"), ("To", "to"), ("CSeq", "cseq")):
        text += f'<ereg regexp=".*" search_in="hdr" header="{name}:" assign_to="{var}"/>'
    return text + '</action></recv>\n<Reference variables="unused"/>'


def m_serve(args):
    """@serve METHOD [STATUS]: takes a request of the dialog and answers it."""
    method, status = (args.split() + ["200"])[:2]
    return f'<recv request="{method}"/>\n' + m_answer(status)


def m_ends(args):
    """@ends caller|callee: action that keeps the dialog's two ends from the message just received."""
    mine, theirs = ("From", "To") if args == "caller" else ("To", "From")
    return (f'<action><ereg regexp=".*" search_in="hdr" header="{mine}:" assign_to="mine"/>'
            f'<ereg regexp=".*" search_in="hdr" header="{theirs}:" assign_to="theirs"/></action>')


def m_register(args):
    """@register CSEQ EXPIRES: REGISTER, the challenge, the answer to it, 200 with what must be in it."""
    cseq, expires = args.split()
    text = """<send retrans="500"><![CDATA[
REGISTER sip:{domain} SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch];rport
Max-Forwards: 70
From: <sip:{user}@{domain}>;tag=[pid]r[call_number]
To: <sip:{user}@{domain}>
Call-ID: [call_id]
CSeq: %d REGISTER
Contact: <sip:{user}@[local_ip]:[local_port];transport=[transport]>{contact}
Expires: %s
Supported: path
%sContent-Length: 0

]]></send>
"""
    trying = '<recv response="100" optional="true"/>\n'
    told = '<action><ereg regexp=".+" search_in="hdr" header="CSeq:" assign_to="seen"/></action>' if expires == "0" else ('<action><ereg regexp=".+" search_in="hdr" header="Service-Route:" check_it="true" assign_to="seen"/>'
                                     '<ereg regexp="sip:.+" search_in="hdr" header="P-Associated-URI:" check_it="true" assign_to="seen"/></action>')
    return (text % (int(cseq), expires, "") + trying + '<recv response="401" auth="true"/>\n' + text % (int(cseq) + 1, expires, "{auth}\n")
            + trying + f'<recv response="200">{told}</recv>')


MACROS = {"out": m_out, "in": m_in, "ask": m_ask, "answer": m_answer, "late": m_late, "keep": m_keep, "serve": m_serve, "ends": m_ends, "register": m_register}


def expand(name, values):
    """The XML of a scenario."""
    with open(os.path.join(HERE, name + ".xml"), encoding="utf-8") as f:
        text = f.read()
    text = re.sub(r"(?m)^[ \t]*@.*$", lambda m: fill(m.group(0), values), text)
    text = re.sub(r"(?m)^[ \t]*@(\w+) ?(.*)$", lambda m: MACROS[m.group(1)](m.group(2).strip()), text)
    return fill(text, values)


def fill(text, values):
    """Puts the values in."""
    return re.sub(r"\{(\w+)\}", lambda m: values[m.group(1)], text)


def aka_keyword(impi):
    """What SIPp replaces by an Authorization for AKA."""
    return f"[authentication username={impi} aka_K={K_TEXT} aka_OP={OP_TEXT} aka_AMF=0x8000]"


def bound(ip, port, transport):
    """Does somebody listen there?"""
    raw = ipaddress.ip_address(ip).packed
    want = "".join(raw[i:i + 4][::-1].hex().upper() for i in range(0, len(raw), 4)) + f":{port:04X}"
    with open("/proc/net/" + transport + ("6" if len(raw) == 16 else ""), encoding="ascii") as f:
        for line in f:
            fields = line.split()
            if fields[1] == want and (transport == "udp" or fields[3] == "0A"):
                return True
    return False


class Sipp:
    """One SIPp phone: a subscriber at an address."""

    def __init__(self, core, sub, ip, port=5060, transport="udp"):
        if not shutil.which("sipp"):
            raise Skip("sipp is not installed (package sip-tester)")
        self.core, self.sub, self.ip, self.port, self.transport = core, sub, ip, port, transport

    def start(self, scenario, peer="", to=None, extra=(), files=None, **values):
        """Starts a scenario; finish() waits for it.

        to: (address, port) it talks to instead of the P-CSCF; extra: SIPp's options when it is more than one call; files: for them.
        """
        given = {"user": self.sub.imsi, "auth": aka_keyword(self.core.impi(self.sub)), "domain": self.core.domain, "peer": peer, "contact": "",
                 "status": "", "reason": ""}
        given.update(values)
        given["reason"] = given["reason"] or REASONS.get(given["status"], "x")
        run = Run(scenario, tempfile.mkdtemp(prefix="sipp-", dir=self.core.dir))
        run.write("scenario.xml", expand(scenario, given))
        to_ip, to_port = to or self.core.addr("pcscf")
        for name, text in (files or {}).items():
            run.write(name, text)
        argv = ["sipp", "-sf", "scenario.xml", "-i", self.ip, "-p", str(self.port), "-mi", self.ip,
                "-t", "u1" if self.transport == "udp" else "t1", "-nostdin", "-trace_err", "-error_file", "errors", *extra]
        if not extra:
            argv += ["-m", "1", "-l", "1", "-timeout", f"{LIMIT_S}s", "-timeout_error", "-aa", "-trace_msg", "-message_file", "messages"]
        argv.append(f"{host(to_ip)}:{to_port}")
        run.popen = subprocess.Popen(argv, cwd=run.dir, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                     text=True)
        return run

    def serve(self, scenario, **how):
        """Starts a scenario that begins with waiting, and returns when it listens."""
        run = self.start(scenario, **how)
        wait_for(lambda: bound(self.ip, self.port, self.transport) or run.popen.poll() is not None, 5, "SIPp's socket")
        return run

    def play(self, scenario, **how):
        """Runs a scenario to its good end."""
        self.start(scenario, **how).finish()


class Run:
    """A scenario that runs."""

    def __init__(self, scenario, folder):
        self.scenario, self.dir, self.popen = scenario, folder, None

    def write(self, name, text):
        """A file for SIPp."""
        with open(os.path.join(self.dir, name), "w", encoding="utf-8") as f:
            f.write(text)

    def finish(self, seconds=LIMIT_S + 5):
        """Fail with SIPp's own words unless every message came as the scenario says."""
        try:
            _, err = self.popen.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.communicate()
            raise Fail(f"SIPp {self.scenario} does not end") from None
        if self.popen.returncode:
            raise Fail(f"SIPp {self.scenario}: exit {self.popen.returncode}: {self.why(err)}")

    def stop(self):
        """Ends it: it is no longer wanted."""
        if self.popen.poll() is None:
            self.popen.kill()
        self.popen.communicate()

    def why(self, err):
        """What SIPp says in its error file, on one line."""
        try:
            with open(os.path.join(self.dir, "errors"), encoding="utf-8", errors="replace") as f:
                err = f.read() or err
        except OSError:
            pass
        words = " ".join(err.split())
        return words[:700] or "no reason given"
