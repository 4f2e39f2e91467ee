"""A call as a ladder: the events of the three daemons merged by time, drawn in at most 100 columns."""

import urllib.parse

from labrest import RestError

FIRST_LANE = 13			# column of the first lane
GAP = 16			# columns between lanes
CLOSE_US = 100000		# sending and receiving of one message are not further apart
LANE_NAMES = {"pcscf": "P-CSCF", "icscf": "I-CSCF", "scscf": "S-CSCF", "hss": "HSS"}
NODES = ("pcscf", "icscf", "scscf")


def events_of(lab, key):
    """Events of a Call-ID and of the ICIDs that came with it: [{..., "node"}] by time."""
    found = {}
    for node in NODES:
        rest = lab.rest(node)
        events = fetch(rest, key)
        for icid in sorted({e["icid"] for e in events if e.get("icid") and e["icid"] != key}):
            events += fetch(rest, icid)
        for n, e in enumerate(events):
            if e["kind"].startswith("sip") and e["callId"] != key[:63]:
                continue			# another dialog under the same ICID is not this call
            e["node"] = node
            found.setdefault((node, e["wallUs"], e["kind"], e["peer"], e["text"]), (e["wallUs"], n, e))
    return [e for _, _, e in sorted(found.values(), key=lambda v: v[:2])]


def fetch(rest, key):
    """One daemon's events of a key; none when it cannot say."""
    try:
        return rest.items("/api/v1/flows/" + urllib.parse.quote(key, safe=""))
    except RestError:
        return []


def label(text):
    """"INVITE sip:..." -> INVITE; "180 Ringing (INVITE)" -> 180 INVITE; Diameter as it is."""
    words = text.split()
    if not words:
        return "?"
    if words[0].isdigit() and words[-1].startswith("("):
        return f"{words[0]} {words[-1].strip('()')}"
    if len(words) > 1 and words[0].rstrip(":").endswith("A") and words[0].isupper():
        return f"{words[0].rstrip(':')} {words[1].rstrip(',')}"
    return words[0].rstrip(":")


def address_of(peer):
    """"udp:127.0.77.10:5060" -> 127.0.77.10."""
    return peer.split(":", 1)[-1].rsplit(":", 1)[0].strip("[]")


def arrows(events, phones, lanes):
    """[(microseconds, from, to, label)].  What one daemon sends and the next receives is one arrow: the sender's.

    phones: {address: lane}; lanes: {address: lane} of the core.
    """
    result, arrived = [], arrivals(events, lanes)
    for e in events:
        other = phones.get(address_of(e["peer"])) or lanes.get(address_of(e["peer"]))
        if e["kind"] == "sipOut" and other:
            result.append((sent_at(e, arrived.get((e["node"], other, e["text"]))), e["node"], other, label(e["text"])))
        elif e["kind"] == "sipIn" and other in phones.values():
            result.append((e["wallUs"], other, e["node"], label(e["text"])))
        elif e["kind"] == "diameterOut":
            result.append((e["wallUs"], e["node"], "hss", label(e["text"])))
        elif e["kind"] == "diameterIn":
            result.append((e["wallUs"], "hss", e["node"], label(e["text"])))
    return sorted(result, key=lambda r: r[0])


def arrivals(events, lanes):
    """When what one daemon sent came to the next: {(from, to, text): [microseconds]}."""
    result = {}
    for e in events:
        if e["kind"] == "sipIn" and address_of(e["peer"]) in lanes:
            result.setdefault((lanes[address_of(e["peer"])], e["node"], e["text"]), []).append(e["wallUs"])
    return result


def sent_at(e, arrived):
    """Time of an arrow.  A sender notes a message after it has gone out: the receiver may have acted on it already."""
    if not arrived:
        return e["wallUs"]
    came = arrived.pop(0)
    return came if 0 < e["wallUs"] - came < CLOSE_US else e["wallUs"]


def draw(rows, order):
    """The lines of the ladder.  `order`: lanes from left to right."""
    col = {lane: FIRST_LANE + GAP * i for i, lane in enumerate(order)}
    head = [" "] * (col[order[-1]] + 8)
    for lane in order:
        name = LANE_NAMES.get(lane, lane)
        at = col[lane] - len(name) // 2
        head[at:at + len(name)] = name
    lines = ["".join(head).rstrip()]
    for us, src, dst, text in rows:
        if src not in col or dst not in col or src == dst:
            continue
        line = [" "] * (col[order[-1]] + 1)
        for c in col.values():
            line[c] = "|"
        put_arrow(line, col[src], col[dst], text)
        line[:11] = f"{(us - rows[0][0]) / 1000:8.1f} ms"
        lines.append("".join(line))
    return lines


def put_arrow(line, a, b, text):
    """Draws from column a to column b with the text in its first gap."""
    left, right = min(a, b), max(a, b)
    for i in range(left + 1, right):
        if line[i] != "|":
            line[i] = "-"
    line[b - 1 if b > a else b + 1] = ">" if b > a else "<"
    text = text[:GAP - 5]
    at = left + 3 if b > a else left + 4
    if b < a and right - left > GAP:	# near the one who sends
        at = right - GAP + 3
    line[at:at + len(text)] = text


def call_ladder(lab, call_id, phone_a, phone_b):
    """The ladder of a call between two phones, as lines."""
    phones = {phone_a.ip: f"UE-{phone_a.label}", phone_b.ip: f"UE-{phone_b.label}"}
    order = [phones[phone_a.ip], "pcscf", "icscf", "scscf", "hss", phones[phone_b.ip]]
    rows = arrows(events_of(lab, call_id), phones, lab.net.lanes())
    return draw(rows, order) if rows else ["(the daemons recorded nothing of this call)"]
