// The console: views of what the daemons say.  No framework; all that comes from a daemon is put in as text, never as markup.
import { Denied, ask, discover, each, known, nodes, signIn, text } from "./nodes.js";
import { NODES, collect, coreOf, draw, nameOf, rows } from "./ladder.js";
import { History, LINES, drawLine, parse } from "./charts.js";

const GOOD = new Set(["registered", "success", "confirmed", "open", "up", "ready"]), WARN = new Set(["challenge", "cancelled", "running", "pending", "early", "minor", "warning"]);
const BAD = new Set(["failure", "closed", "critical", "major", "suspect"]);
const EVERY_MS = 2000;
const time = t => (t || "").slice(11, 19), quote = encodeURIComponent;

// name: [title, path, which daemons (the first that has something; all: every one), heads, item => cells]
const TABLES = {
	flows: ["Calls and registrations", "/api/v1/flows?limit=100", "merged", ["Started", "Method", "From", "To", "Outcome", "Status", ""],
		f => [time(f.startedAt), f.method, f.from, f.to, f.outcome, f.finalStatus || "", [["Ladder", () => show("ladder", f.callId)], ["Explain", () => show("explain", f.callId)]]]],
	registrations: ["Registrations", "/api/v1/registrations?limit=100", ["scscf", "pcscf"], ["Identity", "Private identity", "State", "Contact", "Until", ""],
		(r, n) => [r.impu, r.impi, r.state, (r.contacts[0] || {}).uri || "", time((r.contacts[0] || {}).expiresAt),
			   [["Explain", () => show("explain", r.impi)], ["De-register", () => deregister(n, r.impu)]]]],
	dialogs: ["Dialogs", "/api/v1/dialogs?limit=100", ["scscf", "pcscf", "icscf"], ["Since", "State", "From", "To", ""],
		d => [time(d.startedAt), d.state, d.from, d.to, [["Ladder", () => show("ladder", d.callId)]]]],
	peers: ["Peers", "/api/v1/diameter/peers", "all", ["Of", "Peer", "State", "For (s)", "Answers", "Mean (ms)", "Why"],
		(p, n) => [nameOf(n.nf), p.identity, p.state, Math.round(p.inStateMs / 1000), p.answers, p.meanMs, p.reason || ""]],
	alarms: ["Alarms", "/api/v1/alarms", "all", ["Of", "Severity", "Problem", "What to do", "Since"],
		(a, n) => [nameOf(n.nf), a.perceivedSeverity, a.specificProblem, a.proposedRepairActions, time(a.alarmRaisedTime)]],
};
const TITLES = { overview: "Overview", ...Object.fromEntries(Object.entries(TABLES).map(([k, v]) => [k, v[0]])), explain: "Explain", ladder: "Ladder" };
const history = new Map();		// load of each daemon
let current = "overview", subject = "", turn = 0, timer = 0;
const $ = id => document.getElementById(id);

function el(tag, content, attrs) {
	const e = document.createElement(tag);
	if (content !== undefined && content !== null) e.textContent = String(content);
	for (const [k, v] of Object.entries(attrs || {})) e.setAttribute(k, v);
	return e;
}

function svg(tag, attrs, content) {
	const e = document.createElementNS("http://www.w3.org/2000/svg", tag);
	for (const [k, v] of Object.entries(attrs)) e.setAttribute(k, v);
	if (content !== undefined) e.textContent = content;
	return e;
}

function say(words, kind) {
	$("state").textContent = words;
	$("state").className = kind || "";
}

function button(words, fn) {
	const b = el("button", words, { class: "act", type: "button" });
	b.addEventListener("click", fn);
	return b;
}

function asker(words, hint, value, fn, kind) {
	const form = el("form"), input = el("input", null, { "aria-label": hint, placeholder: hint, type: kind || "text" });
	input.value = value;
	form.append(input, el("button", words, { class: "act" }));
	form.addEventListener("submit", e => {
		e.preventDefault();
		fn(input.value.trim());
	});
	return form;
}

function askForToken(url) {
	const form = asker("Sign in", "Bearer token", "", token => {
		signIn(token, url);
		begin();
	}, "password");
	$("view").replaceChildren(el("p", url ? "The token of " + url + ":" : "The token of this daemon (rest.token_file):"), form);
	form.firstChild.focus();
}

function cell(value, name) {
	const td = el("td", null, { "data-name": name });
	if (Array.isArray(value)) {
		for (const [words, fn] of value) td.append(button(words, fn), " ");
	} else {
		td.textContent = String(value);
		td.className = GOOD.has(value) ? "good" : BAD.has(value) ? "bad" : WARN.has(value) ? "warn" : "";
	}
	return td;
}

function table(heads, all) {
	const t = el("table"), head = el("tr"), body = el("tbody"), thead = el("thead");
	head.append(...heads.map(h => el("th", h, { scope: "col" })));
	thead.append(head);
	for (const r of all) {
		const tr = el("tr");
		tr.append(...r.map((c, i) => cell(c, heads[i])));
		body.append(tr);
	}
	t.append(thead, body);
	return all.length ? t : el("p", "Nothing here.");
}

// A flow has one Call-ID at every daemon: the row of the one whose verdict is worst, and of those the longest.
function merge(answers) {
	const best = new Map(), weight = f => (f.outcome === "failure" ? 1e12 : 0) + f.durationMs;
	for (const [node, page] of answers)
		for (const f of page.items) {
			const had = best.get(f.callId);
			if (!had || weight(f) > weight(had[0])) best.set(f.callId, [f, node]);
		}
	return [...best.values()].sort((a, b) => (a[0].startedAt < b[0].startedAt ? 1 : -1));
}

async function tableView(name) {
	const [, path, whose, heads, cells] = TABLES[name], answers = await each(path, Array.isArray(whose) ? whose : undefined);
	let items;

	if (whose === "merged") items = merge(answers);
	else if (whose === "all") items = answers.flatMap(([n, page]) => page.items.map(i => [i, n]));
	else {
		const first = whose.map(nf => answers.find(([n]) => n.nf === nf)).filter(Boolean);
		const [n, page] = first.find(a => a[1].items.length) || first[0] || [null, { items: [] }];
		items = page.items.map(i => [i, n]);
	}
	return [table(heads, items.map(([i, n]) => cells(i, n)))];
}

async function sample(node) {
	const load = history.get(node.url) || new History();
	history.set(node.url, load);
	load.add(parse(await text(node, "/metrics")), performance.now() / 1000);
	return load;
}

async function card(node) {
	const box = el("section", null, { class: "card" }), list = el("dl"), put = (k, v) => list.append(el("dt", k), el("dd", v));
	box.append(el("h2", node.nf ? nameOf(node.nf) : node.url));
	if (!node.nf) {
		box.append(el("p", node.why, { class: "bad" }), button("Sign in", () => askForToken(node.url)));
		return box;
	}
	try {
		const [ready, load] = await Promise.all([text(node, "/readyz").then(JSON.parse), sample(node)]);
		box.append(el("p", ready.ready ? "ready" : "not ready: " + ready.reason, { class: ready.ready ? "good" : "bad" }));
		put("name", node.info.sipName);
		put("version", node.info.version);
		put("up since", node.info.startedAt.slice(0, 19).replace("T", " "));
		put("workers", node.info.workers);
		box.append(list);
		LINES.forEach(([title], i) => {
			const values = load.lines[i], now = values.length ? values[values.length - 1] : 0;
			const head = el("dl");
			head.append(el("dt", title), el("dd", Number.isInteger(now) ? now : now.toFixed(1)));
			box.append(head, drawLine(svg, values, title));
		});
	} catch (e) {
		box.append(el("p", "does not answer: " + e.message, { class: "bad" }));
	}
	return box;
}

async function overview() {
	const box = el("div", null, { class: "cards" });
	box.append(...await Promise.all(nodes.map(card)));
	return [box];
}

// As cscfctl does: the newest flow that somebody saw fail, and who knows most about it.
function bestOf(answers) {
	const failed = answers.filter(x => !["success", "running"].includes(x.outcome)), from = failed.length ? failed : answers;
	const newest = from.reduce((a, b) => (b.flow.startedAt > a.flow.startedAt ? b : a)).flow;
	const same = answers.filter(x => x.flow.callId === newest.callId || (newest.icid && x.flow.icid === newest.icid));
	return same.reduce((a, b) => (b.weight > a.weight ? b : a));
}

async function explainView() {
	const out = [asker("Explain", "IMSI, number, identity or Call-ID", subject, who => show("explain", who))];
	if (!subject) return out;
	const answers = (await each("/api/v1/explain?who=" + quote(subject))).map(a => a[1]);
	if (!answers.length) return [...out, el("p", "No daemon recorded anything of it.")];
	const x = bestOf(answers), list = el("ul");
	list.append(...x.suggestions.map(s => el("li", s)));
	out.push(el("p", x.outcome, { class: x.outcome === "success" ? "good" : x.outcome === "running" ? "warn" : "bad" }), el("p", x.summary, { class: "summary" }), list);
	if (x.evidence.length) out.push(el("pre", x.evidence.map(e => e.ts.slice(11, 23) + "  " + e.text).join("\n")));
	out.push(el("p", x.reference), button("Ladder", () => show("ladder", x.flow.callId)));
	return out;
}

async function ladderView() {
	const out = [asker("Show", "Call-ID or ICID", subject, who => show("ladder", who))];
	if (!subject) return out;
	const fetchEvents = async (nf, key) => (await each("/api/v1/flows/" + quote(key) + "?limit=1000", [nf])).flatMap(a => a[1].items);
	const listeners = Object.fromEntries(NODES.filter(known).map(nf => [nf, known(nf).info.sipListen]));
	const ladder = rows(await collect(fetchEvents, subject), coreOf(listeners));
	if (!ladder.rows.length) return [...out, el("p", "Nothing was recorded of it.")];
	const box = el("div", null, { class: "scroll", tabindex: "0" });
	box.append(draw(svg, ladder));
	return [...out, box, button("Explain", () => show("explain", subject))];
}

async function deregister(node, impu) {
	if (!confirm("End the registration of " + impu + "?")) return;
	try {
		await ask(node, "/api/v1/registrations/" + quote(impu), "DELETE");
		await refresh();
		say(impu + " is not registered any more", "good");
	} catch (e) {
		say(e.message, "bad");
	}
}

async function refresh() {
	const mine = ++turn;
	try {
		const parts = current === "overview" ? await overview() : current === "explain" ? await explainView() : current === "ladder" ? await ladderView() : await tableView(current);
		if (mine !== turn) return;
		$("view").replaceChildren(...parts);
		const silent = nodes.filter(n => n.why);
		say(silent.length ? silent.map(n => (n.nf ? nameOf(n.nf) : n.url) + ": " + n.why).join("; ") : nodes.length + (nodes.length === 1 ? " daemon answers" : " daemons answer"), silent.length ? "bad" : "good");
	} catch (e) {
		if (mine !== turn) return;
		say(e.message, "bad");
		if (e instanceof Denied) askForToken();
	}
}

// What somebody types or has chosen stays where it is; everything else comes anew.
function tick() {
	const at = document.activeElement;
	if (current !== "overview") nodes.filter(n => n.nf).forEach(n => sample(n).catch(() => { }));	// the charts go on
	if (!document.hidden && !(at && $("view").contains(at) && at.matches("input, button"))) refresh();
}

function show(name, who) {
	current = name;
	subject = who || "";
	location.hash = name + (subject ? "/" + quote(subject) : "");
	for (const b of $("tabs").children) {
		b.setAttribute("aria-selected", String(b.id === "tab-" + name));
		b.tabIndex = b.id === "tab-" + name ? 0 : -1;
	}
	clearInterval(timer);
	timer = setInterval(tick, EVERY_MS);
	$("view").focus();
	return refresh();
}

async function begin() {
	try {
		await discover();
		$("title").textContent = document.title = nodes.length > 1 ? "IMS " + nodes[0].info.homeDomain : nameOf(nodes[0].nf) + " " + nodes[0].info.sipName;
	} catch (e) {
		say(e.message, "bad");
		if (e instanceof Denied) return askForToken();
	}
	const [name, who] = location.hash.slice(1).split("/");
	return show(TITLES[name] ? name : "overview", who ? decodeURIComponent(who) : "");
}

for (const [name, title] of Object.entries(TITLES)) {
	const b = el("button", title, { role: "tab", id: "tab-" + name, type: "button" });
	b.addEventListener("click", () => show(name));
	$("tabs").append(b);
}
$("tabs").addEventListener("keydown", e => {
	const all = [...$("tabs").children], at = all.indexOf(document.activeElement), step = { ArrowRight: 1, ArrowLeft: -1 }[e.key];
	if (step && at >= 0) all[(at + step + all.length) % all.length].focus();
});
begin();
