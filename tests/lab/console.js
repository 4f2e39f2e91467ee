// tests/lab/console.js PAGE - runs the console's script over a stand-in for a browser's document: what it asks, shows and does.
"use strict";
const fs = require("fs"), vm = require("vm"), assert = require("assert");

class Element {
	constructor(tag) { Object.assign(this, { tag, children: [], attributes: {}, listeners: {}, own: "", value: "", className: "" }); }
	set textContent(t) { this.own = t; this.children = []; }
	get textContent() { return this.own + this.children.map(c => typeof c === "string" ? c : c.textContent).join(" "); }
	append(...c) { this.children.push(...c); }
	replaceChildren(...c) { this.children = c; this.own = ""; }
	setAttribute(k, v) { this.attributes[k] = v; if (k === "id") this.id = v; }
	addEventListener(k, fn) { this.listeners[k] = fn; }
	contains() { return false; }
	focus() { world.document.activeElement = this; }
	all(tag) { return this.children.flatMap(c => typeof c === "string" ? [] : [...(c.tag === tag ? [c] : []), ...c.all(tag)]); }
}

const ids = Object.fromEntries(["title", "state", "tabs", "view"].map(i => [i, new Element("div")]));
const HOSTILE = "<img src=x onerror=alert(1)>@evil.example";
const flow = { callId: "c1", startedAt: "2026-01-01T10:00:00Z", method: "INVITE", from: HOSTILE, to: "b@x", outcome: "failure", finalStatus: 480 };
const answers = {
	"/readyz": { ready: true }, "/api/v1/info": { nf: "scscf", sipName: "s:6060" }, "/api/v1/flows?limit=100": { items: [flow] },
	"/api/v1/explain?who=c1": { outcome: "failure", summary: "The callee is not registered.", suggestions: ["Register it"], reference: "TS 29.228", flow },
	"/api/v1/flows/c1?limit=1000": { items: [{ wallUs: 1000, kind: "sipIn", peer: "udp:1.2.3.4:5060", text: "INVITE sip:b@x" }, { wallUs: 2500, kind: "note", peer: "scscf", text: "480 by us" }] },
	"/api/v1/registrations?limit=100": { items: [{ impu: "sip:a@x", impi: "a@x", state: "registered", contacts: [{ uri: "sip:a@1.2.3.4", expiresAt: "2026-01-01T11:00:00Z" }] }] },
	"DELETE /api/v1/registrations/sip%3Aa%40x": {}, "/api/v1/dialogs?limit=100": { items: [] },
	"/api/v1/diameter/peers": { items: [{ identity: "hss", state: "closed", inStateMs: 1500, reason: "refused" }] },
	"/api/v1/alarms": { items: [{ perceivedSeverity: "critical", specificProblem: "hss is closed", proposedRepairActions: "start it", alarmRaisedTime: "2026-01-01T10:00:00Z" }] },
};
const asked = [], store = {};
let denied = true;
const world = {
	document: { getElementById: i => ids[i], createElement: t => new Element(t), activeElement: null, hidden: false },
	sessionStorage: { getItem: k => store[k] || null, setItem: (k, v) => { store[k] = v; } },
	location: { hash: "" }, setInterval: () => 1, clearInterval: () => {}, confirm: () => true, encodeURIComponent, decodeURIComponent, Set, Math, console,
	fetch: async (path, o) => {
		const key = (o.method && o.method !== "GET" ? o.method + " " : "") + path;
		asked.push([key, (o.headers || {}).Authorization]);
		if (denied && path !== "/readyz") return { status: 401, ok: false, json: async () => ({ detail: "a valid bearer token is needed" }) };
		assert(key in answers, key);
		return { status: 200, ok: true, json: async () => answers[key] };
	},
};
const settle = async () => { for (let i = 0; i < 30; i++) await new Promise(r => setImmediate(r)); };
const press = async (where, text) => {
	const b = where.all("button").find(e => e.textContent === text);
	assert(b, text);
	b.listeners.click();
	await settle();
};

(async () => {
	const page = fs.readFileSync(process.argv[2], "utf8"), script = page.split("<script>")[1].split("</script>")[0];

	vm.runInNewContext(script, world);
	await settle();
	const form = ids.view.all("form")[0];		// nobody is signed in
	assert(form && ids.view.all("input").length === 1);
	denied = false;
	form.all("input")[0].value = " secret ";
	form.listeners.submit({ preventDefault() {} });
	await settle();
	assert(asked.some(a => a[0] === "/api/v1/flows?limit=100" && a[1] === "Bearer secret"));
	assert(ids.view.textContent.includes(HOSTILE) && ids.view.all("img").length === 0);
	await press(ids.view, "Explain");
	assert(ids.view.textContent.includes("The callee is not registered."), ids.view.textContent);
	await press(ids.view, "Ladder");
	assert(ids.view.textContent.includes("1.5 ms") && ids.view.textContent.includes("480 by us"), ids.view.textContent);
	for (const [tab, text] of [["Peers", "refused"], ["Alarms", "start it"], ["Dialogs", "Nothing here."], ["Registrations", "sip:a@1.2.3.4"]]) {
		await press(ids.tabs, tab);
		assert(ids.view.textContent.includes(text), tab + ": " + ids.view.textContent);
	}
	await press(ids.view, "De-register");
	assert(asked.some(a => a[0].startsWith("DELETE ")));
	ids.tabs.children[0].focus();
	ids.tabs.listeners.keydown({ key: "ArrowLeft" });	// by keyboard, round the end
	assert(world.document.activeElement === ids.tabs.children[ids.tabs.children.length - 1]);
	console.log("ok");
})().catch(e => { console.error(e); process.exit(1); });
