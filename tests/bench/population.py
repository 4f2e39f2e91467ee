"""A core with 100,000 subscribers who all register: registrations per second and processor time while it fills, and when nearly all are there."""
from load import DAEMONS, FIRST_BULK, K, OPC, Core, Fail, Phase, Sipp, Skip, Sub, aka_keyword

NET = "127.0.78"
SUBSCRIBERS = 100000
PART = SUBSCRIBERS // 10		# each is a row: the first meets an empty table, the last one that is nearly full
OPEN = 200				# REGISTERs at a time: as many as it takes to have the machine busy, not so many that they queue for long
RATE = 10000				# begun per second at most: the window is what counts
PART_S = 600


def register(core, first):
    """REGISTER, 401, REGISTER with the answer, 200, of PART subscribers: as fast as they go with OPEN at a time."""
    bulk = [Sub(first + i) for i in range(PART)]
    rows = "SEQUENTIAL\n" + "".join("%s;%s\n" % (s.imsi, aka_keyword(core.impi(s))) for s in bulk)
    phone = Sipp(core, bulk[0], core.ip(100))
    with Phase(core, PART) as p:
        phone.start("bulk", user="[field0]", auth="[field1]", expires="7200", files={"users.csv": rows},
                    extra=("-inf", "users.csv", "-m", str(PART), "-r", str(RATE), "-l", str(OPEN))).finish(PART_S)
    p.row["per_second"] = round(PART / p.row["seconds"])
    return p.row


def held(core):
    """Registrations that the S-CSCF says it has."""
    text = core.rest("scscf").get("/metrics")
    return sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith("cscf_registrations{") or line.startswith("cscf_registrations "))


def show(name, row, say):
    say("subscribers, %s: %d registrations per second; processor time of one: %s, SIPp %.0f us" % (
        name, row["per_second"], ", ".join("%s %.0f us" % (d, row["daemons"][d]["cpu_ms_per_1000"]) for d in DAEMONS), row["sipp_cpu_ms_per_1000"]))


def measure(build, say):
    """{"parts": [...], "resident_kib": {...}}"""
    bulk = "- {generate: {count: %d, first_imsi: \"%s\", first_msisdn: \"%s\", k: \"%s\", opc: \"%s\"}}\n" % (
        SUBSCRIBERS, Sub(FIRST_BULK).imsi, Sub(FIRST_BULK).msisdn, K, OPC)
    figures = {"subscribers": SUBSCRIBERS, "open": OPEN, "parts": []}
    try:
        with Core(build, NET, [Sub(1)], more_subscribers=bulk) as core:
            empty = {d: core.rss_kib(d) for d in DAEMONS}
            for first in range(FIRST_BULK, FIRST_BULK + SUBSCRIBERS, PART):
                figures["parts"].append(register(core, first))
            figures["registered"] = held(core)
            figures["resident_kib"] = {d: core.rss_kib(d) for d in DAEMONS}
    except (Fail, Skip, SystemExit) as e:
        raise RuntimeError(str(e)) from e
    show("the first %d of %d" % (PART, SUBSCRIBERS), figures["parts"][0], say)
    show("the last %d" % PART, figures["parts"][-1], say)
    say("subscribers: %d registered; resident " % figures["registered"] + ", ".join(
        "%s %.0f MiB (%.0f octets a subscriber)" % (d, k / 1024, (k - empty[d]) * 1024 / SUBSCRIBERS)
        for d, k in figures["resident_kib"].items()))
    return figures
