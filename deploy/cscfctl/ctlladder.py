"""What the daemons recorded of one call or registration as a ladder: merged by time, at most 100 columns; text or Mermaid."""

WIDTH = 100
FIRST_LANE = 13			# column of the first lane
MAX_GAP = 20			# columns between lanes, at most
CLOSE_US = 100000		# sending and receiving of one message are not further apart
MAX_NOTE = 64
LANE_NAMES = {"pcscf": "P-CSCF", "icscf": "I-CSCF", "scscf": "S-CSCF", "hss": "HSS", "pcf": "PCF", "as": "AS", "other": "other"}
NODES = ("pcscf", "icscf", "scscf")


# ---- collecting ----

def collect(fetch, key):
    """Events of a Call-ID or an ICID over the three daemons: [{..., "node"}] by time.

    fetch(node, key): one daemon's events, [] when it cannot say.  What a Call-ID brought in its ICIDs is fetched as well; another
    dialog's SIP under the same ICID is left out, unless the key is that ICID.
    """
    found, keys, call_ids = {}, [key], None
    direct = {node: fetch(node, key) for node in NODES}
    events = [e for list_ in direct.values() for e in list_]
    if any(e["callId"] == key[:63] and e["kind"].startswith("sip") for e in events):
        call_ids = {key[:63]}
    for e in events:
        if e.get("icid") and e["icid"] not in keys:
            keys.append(e["icid"])
    for node in NODES:
        for k in keys:
            for n, e in enumerate(direct[node] if k == key else fetch(node, k)):
                if call_ids and e["kind"].startswith("sip") and e["callId"] not in call_ids:
                    continue
                e["node"] = node
                found.setdefault((node, e["wallUs"], e["kind"], e["peer"], e["text"]), (e["wallUs"], n, e))
    return [e for _, _, e in sorted(found.values(), key=lambda v: v[:2])]


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


def endpoint_of(peer):
    """"udp:127.0.77.10:5060" -> 127.0.77.10:5060."""
    return peer.split(":", 1)[-1]


class Lanes:
    """Which lane an address belongs to: a core node by address and port, else by an address that only one node has."""

    def __init__(self, listeners):
        """listeners: {node: ["udp:ADDRESS:PORT", ...]}."""
        self.exact, owners = {}, {}
        for node, all_ in listeners.items():
            for one in all_:
                self.exact[endpoint_of(one)] = node
                owners.setdefault(address_of(one), set()).add(node)
        self.single = {a: next(iter(n)) for a, n in owners.items() if len(n) == 1}

    def core(self, peer):
        """A core node or None."""
        return self.exact.get(endpoint_of(peer)) or self.single.get(address_of(peer))


def outsiders(events, lanes):
    """{address: lane} of who is no core node: who talks to the P-CSCF is a phone, who talks to the S-CSCF an application server."""
    phones, result = [], {}
    for e in events:
        if not e["kind"].startswith("sip") or lanes.core(e["peer"]):
            continue
        a = address_of(e["peer"])
        if e["node"] == "pcscf" and a not in phones:
            phones.append(a)
        elif e["node"] != "pcscf":
            result.setdefault(a, "as" if e["node"] == "scscf" else "other")
    for n, a in enumerate(phones):
        result[a] = "UE" if len(phones) == 1 else f"UE-{chr(ord('A') + n)}" if n < 26 else f"UE-{n}"
    return result


# ---- arrows ----

def arrows(events, phones, lanes):
    """[(microseconds, from, to, label)].  What one daemon sends and the next receives is one arrow: the sender's.

    phones: {address: lane} of who is outside; lanes: {address: lane} of the core, or Lanes.
    """
    core = lanes.core if isinstance(lanes, Lanes) else lambda peer: lanes.get(address_of(peer))
    result, arrived = [], arrivals(events, core)
    for e in events:
        outside = phones.get(address_of(e["peer"])) if e["kind"].startswith("sip") else None
        other = core(e["peer"]) or outside
        if e["kind"] == "sipOut" and other:
            result.append((sent_at(e, arrived.get((e["node"], other, e["text"]))), e["node"], other, label(e["text"])))
        elif e["kind"] == "sipIn" and outside and not core(e["peer"]):
            result.append((e["wallUs"], outside, e["node"], label(e["text"])))
        elif e["kind"] == "diameterOut":
            result.append((e["wallUs"], e["node"], diameter_lane(e), label(e["text"])))
        elif e["kind"] == "diameterIn":
            result.append((e["wallUs"], diameter_lane(e), e["node"], label(e["text"])))
        elif e["kind"] == "note":
            result.append((e["wallUs"], e["node"], None, e["text"]))
    return sorted(result, key=lambda r: r[0])


def diameter_lane(e):
    """The peer of a Diameter event: the P-CSCF asks the PCRF, the others the HSS."""
    return "pcf" if e["node"] == "pcscf" else "hss"


def arrivals(events, core):
    """When what one daemon sent came to the next: {(from, to, text): [microseconds]}."""
    result = {}
    for e in events:
        if e["kind"] == "sipIn" and core(e["peer"]):
            result.setdefault((core(e["peer"]), e["node"], e["text"]), []).append(e["wallUs"])
    return result


def sent_at(e, arrived):
    """Time of an arrow.  A sender notes a message after it has gone out: the receiver may have acted on it already."""
    if not arrived:
        return e["wallUs"]
    came = arrived.pop(0)
    return came if 0 < e["wallUs"] - came < CLOSE_US else e["wallUs"]


def order_of(rows):
    """Lanes from left to right: caller, core, HSS, servers, callee."""
    seen = {lane for r in rows for lane in r[1:3] if lane}
    phones = sorted(lane for lane in seen if lane.startswith("UE"))
    core = [n for n in ("pcscf", "pcf", "icscf", "scscf", "hss", "as", "other") if n in seen]
    return phones[:1] + core + phones[1:]


# ---- text ----

def columns(order):
    """{lane: column}, so that the last one ends within WIDTH."""
    gap = min(MAX_GAP, (WIDTH - FIRST_LANE - 4) // max(1, len(order) - 1))
    return {lane: FIRST_LANE + gap * i for i, lane in enumerate(order)}, gap


def draw(rows, order, notes=True):
    """The lines of the ladder.  `order`: lanes from left to right."""
    col, gap = columns(order)
    head = [" "] * (col[order[-1]] + 8)
    for lane in order:
        name = LANE_NAMES.get(lane, lane)[:gap - 1]
        at = col[lane] - len(name) // 2
        head[at:at + len(name)] = name
    lines = ["".join(head).rstrip()[:WIDTH]]
    for us, src, dst, text in rows:
        if src not in col or (dst and dst not in col) or src == dst or (not dst and not notes):
            continue
        line = [" "] * (col[order[-1]] + 1)
        for c in col.values():
            line[c] = "|"
        if dst:
            put_arrow(line, col[src], col[dst], text, gap)
        else:
            line = put_note(line, col[src], text)
        line[:11] = f"{(us - rows[0][0]) / 1000:8.1f} ms"
        lines.append("".join(line).rstrip()[:WIDTH])
    return lines


def put_arrow(line, a, b, text, gap=MAX_GAP):
    """Draws from column a to column b with the text in its first gap."""
    left, right = min(a, b), max(a, b)
    for i in range(left + 1, right):
        if line[i] != "|":
            line[i] = "-"
    line[b - 1 if b > a else b + 1] = ">" if b > a else "<"
    text = text[:gap - 4]
    at = left + 3 if b > a else left + 4
    if b < a and right - left > gap:	# near the one who sends
        at = right - gap + 3
    if len(text) > gap - 5:
        at -= 1
    line[at:at + len(text)] = text


def put_note(line, at, text):
    """A decision stands at its node's lane, to the right; where there is no room, to its left."""
    room = WIDTH - at - 3
    if room < min(len(text), MAX_NOTE):
        start = max(FIRST_LANE, WIDTH - min(len(text), MAX_NOTE) - 2)
    else:
        start = at + 2
    text = text[:WIDTH - start]
    line = line + [" "] * (WIDTH - len(line))
    line[start - 1:start + len(text) + 1] = f" {text} "
    if at < start:
        line[at] = "*"
    return line


# ---- Mermaid ----

def mermaid(rows, order):
    """The same as a Mermaid sequence diagram."""
    lines = ["sequenceDiagram"]
    for lane in order:
        lines.append(f"    participant {lane} as {LANE_NAMES.get(lane, lane)}")
    for _, src, dst, text in rows:
        text = "".join(c if c not in ";#<>\n" else " " for c in text)
        if dst is None:
            lines.append(f"    Note over {src}: {text}")
        elif src in order and dst in order:
            lines.append(f"    {src}->>{dst}: {text}")
    return lines


def ladder(fetch, listeners, key):
    """(rows, order) of a key; ([], []) when nobody recorded anything.  listeners as for Lanes."""
    events = collect(fetch, key)
    lanes = Lanes(listeners)
    rows = arrows(events, outsiders(events, lanes), lanes)
    return rows, order_of(rows)
