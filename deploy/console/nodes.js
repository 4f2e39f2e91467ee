// The daemons that this page watches: the one that served it and its neighbours, and how they are asked.

const SIGN = "tokens";
export class Denied extends Error { }

export const nodes = [{ url: "", nf: "", info: null, why: "" }];

const tokens = () => JSON.parse(sessionStorage.getItem(SIGN) || "{}");

// One token for all, until a daemon wants its own.
export function signIn(token, url) {
	sessionStorage.setItem(SIGN, JSON.stringify(url === undefined ? { all: token } : { ...tokens(), [url]: token }));
}

export async function ask(node, path, method) {
	const known = tokens(), token = known[node.url] || known.all, headers = token ? { Authorization: "Bearer " + token } : {};
	const r = await fetch(node.url + path, { method: method || "GET", headers, cache: "no-store" });
	const doc = r.status === 204 ? {} : await r.json().catch(() => ({}));

	if (r.status === 401) throw new Denied(doc.detail || "a token is needed");
	if (!r.ok) throw Object.assign(new Error(doc.detail || "status " + r.status), { status: r.status });
	return doc;
}

export const text = (node, path) => fetch(node.url + path, { cache: "no-store" }).then(r => r.text());

// Fills in who is who; the neighbours are what the first one says.
export async function discover() {
	const own = nodes[0];

	own.info = await ask(own, "/api/v1/info");
	own.nf = own.info.nf;
	for (const url of own.info.neighbours || [])
		if (!nodes.some(n => n.url === url)) nodes.push({ url, nf: "", info: null, why: "" });
	await Promise.all(nodes.slice(1).filter(n => !n.info).map(async n => {
		try {
			n.info = await ask(n, "/api/v1/info");
			n.nf = n.info.nf;
		} catch (e) {
			n.why = e.message;
		}
	}));
}

export const known = nf => nodes.find(n => n.nf === nf);

// [[node, answer]] of those that answer; why the others did not stays in node.why.
export async function each(path, only) {
	const asked = nodes.filter(n => n.nf && (!only || only.includes(n.nf)));
	const got = await Promise.all(asked.map(async n => {
		try {
			const doc = await ask(n, path);

			n.why = "";
			return [n, doc];
		} catch (e) {
			if (e instanceof Denied && n === nodes[0]) throw e;
			n.why = e.status === 404 ? "" : e.message;
			return null;
		}
	}));

	return got.filter(Boolean);
}
