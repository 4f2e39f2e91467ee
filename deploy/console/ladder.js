// What the daemons recorded of one call or registration as a ladder.  Pure: events in, rows and lanes out; the drawing is SVG.
// The same as cscfctl's (deploy/cscfctl/ctlladder.py); tests/lab/test_console.py holds the two against each other.

export const NODES = ["pcscf", "icscf", "scscf"];
const NAMES = { pcscf: "P-CSCF", icscf: "I-CSCF", scscf: "S-CSCF", hss: "HSS", pcf: "PCF", as: "AS", other: "other" };
const CLOSE_US = 100000;	// sending and receiving of one message are not further apart

const isSip = e => e.kind.startsWith("sip");
export const nameOf = lane => NAMES[lane] || lane;
export const endpointOf = peer => peer.slice(peer.indexOf(":") + 1);
export const addressOf = peer => endpointOf(peer).replace(/:[^:]*$/, "").replace(/[[\]]/g, "");

// "INVITE sip:..." -> INVITE; "180 Ringing (INVITE)" -> 180 INVITE; Diameter answers with their result.
export function label(text) {
	const words = text.split(/\s+/).filter(Boolean), first = words[0], last = words[words.length - 1];

	if (!words.length) return "?";
	if (/^\d+$/.test(first) && last.startsWith("(")) return first + " " + last.replace(/[()]/g, "");
	if (words.length > 1 && first.replace(/:+$/, "").endsWith("A") && first === first.toUpperCase()) return first.replace(/:+$/, "") + " " + words[1].replace(/,+$/, "");
	return first.replace(/:+$/, "");
}

// Events of a Call-ID or ICID over the daemons, by time: [{..., node}].  fetchEvents(node, key): one daemon's, [] when it cannot say.
export async function collect(fetchEvents, key) {
	const direct = {}, keys = [key], found = new Map();
	let only = null;

	for (const node of NODES) direct[node] = await fetchEvents(node, key);
	const all = NODES.flatMap(n => direct[n]);
	if (all.some(e => e.callId === key.slice(0, 63) && isSip(e))) only = key.slice(0, 63);
	for (const e of all) if (e.icid && !keys.includes(e.icid)) keys.push(e.icid);
	for (const node of NODES)
		for (const k of keys)
			(k === key ? direct[node] : await fetchEvents(node, k)).forEach((e, n) => {
				const id = [node, e.wallUs, e.kind, e.peer, e.text].join("\n");

				if ((only && isSip(e) && e.callId !== only) || found.has(id)) return;
				found.set(id, { ...e, node, n });
			});
	return [...found.values()].sort((a, b) => a.wallUs - b.wallUs || a.n - b.n);
}

// listeners: {node: ["udp:ADDRESS:PORT", ...]}.  Returns peer => core node or null.
export function coreOf(listeners) {
	const exact = new Map(), owners = new Map();

	for (const [node, all] of Object.entries(listeners))
		for (const one of all) {
			exact.set(endpointOf(one), node);
			owners.set(addressOf(one), (owners.get(addressOf(one)) || new Set()).add(node));
		}
	return peer => {
		const byAddress = owners.get(addressOf(peer));

		return exact.get(endpointOf(peer)) || (byAddress && byAddress.size === 1 ? [...byAddress][0] : null);
	};
}

// Who talks to the P-CSCF and is no core node is a phone; who talks to the S-CSCF is an application server.  Map of address to lane.
function outsiders(events, core) {
	const phones = [], result = new Map();

	for (const e of events) {
		if (!isSip(e) || core(e.peer)) continue;
		const a = addressOf(e.peer);

		if (e.node === "pcscf" && !phones.includes(a)) phones.push(a);
		else if (e.node !== "pcscf" && !result.has(a)) result.set(a, e.node === "scscf" ? "as" : "other");
	}
	phones.forEach((a, n) => result.set(a, phones.length === 1 ? "UE" : n < 26 ? "UE-" + String.fromCharCode(65 + n) : "UE-" + n));
	return result;
}

// When what one daemon sent came to the next.
function arrivals(events, core) {
	const result = new Map();

	for (const e of events) {
		if (e.kind !== "sipIn" || !core(e.peer)) continue;
		const id = [core(e.peer), e.node, e.text].join("\n");

		result.set(id, [...(result.get(id) || []), e.wallUs]);
	}
	return result;
}

// A sender notes a message after it has gone out: the receiver may have acted on it already.
function sentAt(e, arrived) {
	if (!arrived || !arrived.length) return e.wallUs;
	const came = arrived.shift();

	return e.wallUs - came > 0 && e.wallUs - came < CLOSE_US ? came : e.wallUs;
}

// Rows {us, from, to, text} and lanes from left to right.  What one daemon sends and the next receives is one arrow; to null: a decision.
export function rows(events, core) {
	const outside = outsiders(events, core), arrived = arrivals(events, core), result = [];

	for (const e of events) {
		const out = isSip(e) ? outside.get(addressOf(e.peer)) : null, other = core(e.peer) || out, asked = e.node === "pcscf" ? "pcf" : "hss";

		if (e.kind === "sipOut" && other) result.push({ us: sentAt(e, arrived.get([e.node, other, e.text].join("\n"))), from: e.node, to: other, text: label(e.text) });
		else if (e.kind === "sipIn" && out && !core(e.peer)) result.push({ us: e.wallUs, from: out, to: e.node, text: label(e.text) });
		else if (e.kind === "diameterOut") result.push({ us: e.wallUs, from: e.node, to: asked, text: label(e.text) });
		else if (e.kind === "diameterIn") result.push({ us: e.wallUs, from: asked, to: e.node, text: label(e.text) });
		else if (e.kind === "note") result.push({ us: e.wallUs, from: e.node, to: null, text: e.text });
	}
	result.sort((a, b) => a.us - b.us);
	const seen = new Set(result.flatMap(r => [r.from, r.to]).filter(Boolean)), phones = [...seen].filter(l => l.startsWith("UE")).sort();

	return { rows: result, lanes: [...phones.slice(0, 1), ...["pcscf", "pcf", "icscf", "scscf", "hss", "as", "other"].filter(n => seen.has(n)), ...phones.slice(1)] };
}

const GAP = 150, LEFT = 130, ROW = 22, TOP = 34, LETTER = 7.3, MAX_NOTE = 90;

// An <svg>; svg(tag, attributes, text) makes an element.
export function draw(svg, { rows: all, lanes }) {
	const at = Object.fromEntries(lanes.map((l, i) => [l, LEFT + GAP * i])), kept = all.filter(r => r.from in at && (!r.to || r.to in at) && r.from !== r.to);
	const width = Math.max(LEFT + GAP * lanes.length, ...kept.filter(r => !r.to).map(r => at[r.from] + 16 + LETTER * Math.min(MAX_NOTE, r.text.length))), height = TOP + ROW * (kept.length + 1);
	const root = svg("svg", { class: "ladder", width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": "Ladder of " + kept.length + " steps" });

	for (const l of lanes) root.append(svg("line", { class: "lane", x1: at[l], x2: at[l], y1: TOP - 10, y2: height }), svg("text", { class: "name", x: at[l], y: 16 }, nameOf(l)));
	kept.forEach((r, i) => {
		const y = TOP + ROW * (i + 1) - 6;

		root.append(svg("text", { class: "time", x: LEFT - 45, y }, ((r.us - kept[0].us) / 1000).toFixed(1) + " ms"));
		if (!r.to) {
			root.append(svg("circle", { class: "dot", cx: at[r.from], cy: y - 4, r: 3 }), svg("text", { class: "note", x: at[r.from] + 8, y }, r.text.slice(0, MAX_NOTE)));
			return;
		}
		const a = at[r.from], b = at[r.to], way = b > a ? 1 : -1;

		root.append(svg("line", { class: "arrow" + (/^[4-6]\d\d /.test(r.text) ? " refused" : ""), x1: a, x2: b - 7 * way, y1: y, y2: y }),
			svg("polygon", { class: "head", points: `${b},${y} ${b - 8 * way},${y - 4} ${b - 8 * way},${y + 4}` }),
			svg("text", { class: "label", x: a + way * GAP / 2, y: y - 4 }, r.text));
	});
	return root;
}
