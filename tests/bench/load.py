"""Processor time of each daemon for registrations, calls and MESSAGEs, with SIPp as the phones and the lab HSS behind."""
import os
import re
import resource
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.append(os.path.join(os.path.dirname(HERE), "integration"))	# behind our own: both have modules of one name

from cases import Fail, Skip  # noqa: E402
from core import K, OPC, Core, Sub  # noqa: E402
from sipp import Sipp, aka_keyword  # noqa: E402

NET = "127.0.74"
DAEMONS = ("pcscf", "icscf", "scscf", "hss")
REGISTRATIONS, CALLS, MESSAGES = 2000, 1000, 2000
RATE = 400				# begun per second: below what the two ends and the core of one small machine bear together
FIRST_BULK = 1000			# index of the first subscriber that registers in bulk
TICK_S = 1 / os.sysconf("SC_CLK_TCK")


def cpu_s(pid):
    """Processor time of all threads of a process, user and system."""
    with open("/proc/%d/stat" % pid) as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) * TICK_S


def phones_s():
    """Processor time of every SIPp that has ended: this process waits for no others meanwhile."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def sip_messages(core, node):
    """SIP messages in and out so far, as the daemon counts them."""
    text = core.rest(node).get("/metrics")
    return sum(int(n) for n in re.findall(r"^cscf_sip_(?:requests|responses)_total\{[^}]*\} (\d+)", text, re.M))


class Phase:
    """with Phase(core, name, n) as p: ...   then p.row"""

    def __init__(self, core, n):
        self.core, self.n, self.row = core, n, {}

    def _look(self):
        return ({d: cpu_s(self.core.pid(d)) for d in DAEMONS},
                {d: sip_messages(self.core, d) for d in DAEMONS if d != "hss"}, time.monotonic(), phones_s())

    def __enter__(self):
        self.before = self._look()
        return self

    def __exit__(self, kind, value, tb):
        if kind:
            return
        cpu, messages, now, phones = self._look()
        cscf_s, phones_took_s = sum(cpu[d] - self.before[0][d] for d in messages), phones - self.before[3]
        self.row = {"count": self.n, "seconds": round(now - self.before[2], 2), "daemons": {},
                    "cpu_ms_per_1000": round(cscf_s / self.n * 1e6, 1), "sipp_cpu_ms_per_1000": round(phones_took_s / self.n * 1e6, 1),
                    "multiple_of_sipp": round(cscf_s / phones_took_s, 2)}
        for d in DAEMONS:
            used = cpu[d] - self.before[0][d]
            self.row["daemons"][d] = {"cpu_ms_per_1000": round(used / self.n * 1e6, 1)}
            if d in messages:
                m = messages[d] - self.before[1][d]
                self.row["daemons"][d].update(messages=m, cpu_us_per_message=round(used / max(m, 1) * 1e6, 2),
                                              messages_per_cpu_second=round(m / used) if used else None)


def many(n):
    """SIPp arguments for n of something at the common rate."""
    return ("-m", str(n), "-r", str(RATE), "-l", str(RATE))


def registrations(core):
    """REGISTER, 401, REGISTER with the answer, 200: each of another subscriber."""
    phone = Sipp(core, Sub(FIRST_BULK), core.ip(100))
    bulk = [Sub(FIRST_BULK + i) for i in range(REGISTRATIONS)]
    rows = "SEQUENTIAL\n" + "".join("%s;%s\n" % (s.imsi, aka_keyword(core.impi(s))) for s in bulk)
    before = {d: core.rss_kib(d) for d in ("pcscf", "scscf")}
    with Phase(core, REGISTRATIONS) as p:
        phone.play("bulk", user="[field0]", auth="[field1]", expires="3600", files={"users.csv": rows},
                   extra=("-inf", "users.csv") + many(REGISTRATIONS))
    for d, kib in before.items():
        p.row[d + "_bytes_per_phone"] = round((core.rss_kib(d) - kib) * 1024 / REGISTRATIONS)
    return p.row


def between(core, a, b, answering, asking, n, **values):
    """n calls or messages from phone a to phone b."""
    end = b.serve(answering, extra=many(n), status="200", **values)
    with Phase(core, n) as p:
        a.play(asking, peer=core.number(b.sub), extra=many(n), status="200", **values)
        end.finish()
    return p.row


def show(name, row, say):
    say("%s: %d in %.1f s; the three CSCFs %.0f ms of processor time per 1000, %.2f times what SIPp took" % (
        name, row["count"], row["seconds"], row["cpu_ms_per_1000"], row["multiple_of_sipp"]))
    for d, f in row["daemons"].items():
        more = "%8.2f us a message, %7s messages per core and second" % (
            f["cpu_us_per_message"], f["messages_per_cpu_second"]) if "messages" in f else ""
        say("  %-6s %8.1f ms of processor time per 1000  %s" % (d, f["cpu_ms_per_1000"], more))


def measure(build, say):
    """{"registrations": {...}, "calls": {...}, "messages": {...}}"""
    alice, bob = Sub(1), Sub(2)
    bulk = "- {generate: {count: %d, first_imsi: \"%s\", first_msisdn: \"%s\", k: \"%s\", opc: \"%s\"}}\n" % (
        REGISTRATIONS, Sub(FIRST_BULK).imsi, Sub(FIRST_BULK).msisdn, K, OPC)
    figures = {}
    try:
        with Core(build, NET, [alice, bob], more_subscribers=bulk, sheds=True) as core:
            a, b = Sipp(core, alice, core.ip(101)), Sipp(core, bob, core.ip(102))
            figures["registrations"] = registrations(core)
            for phone in (a, b):
                phone.play("register")
            figures["calls"] = between(core, a, b, "load_answer", "load_call", CALLS)
            figures["messages"] = between(core, a, b, "serve", "ask", MESSAGES, method="MESSAGE", body="text")
            figures["resident_kib"] = {d: core.rss_kib(d) for d in DAEMONS}
    except (Fail, Skip, SystemExit) as e:
        raise RuntimeError(str(e)) from e
    for name in ("registrations", "calls", "messages"):
        show(name, figures[name], say)
    say("a registered phone: %d bytes of the P-CSCF, %d of the S-CSCF" % tuple(
        figures["registrations"][d + "_bytes_per_phone"] for d in ("pcscf", "scscf")))
    say("resident: " + ", ".join("%s %.1f MiB" % (d, k / 1024) for d, k in figures["resident_kib"].items()))
    return figures
