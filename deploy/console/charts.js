// Load over time out of /metrics: what the charts of the overview show.  Pure but for the drawing.

const KEEP = 200;		// points of a line

// Prometheus text -> Map of name to [{labels, value}].
export function parse(text) {
	const result = new Map();

	for (const line of text.split("\n")) {
		const m = /^([a-z_]+)(?:\{(.*)\})? ([-+0-9.eE]+|NaN|[+-]Inf)$/.exec(line);

		if (!m) continue;
		if (!result.has(m[1])) result.set(m[1], []);
		result.get(m[1]).push({ labels: m[2] || "", value: Number(m[3]) });
	}
	return result;
}

export function sum(metrics, name, has) {
	return (metrics.get(name) || []).filter(s => !has || s.labels.includes(has)).reduce((t, s) => t + s.value, 0);
}

// The lines of a daemon: [title, metrics => value, "rate" or "level"].
export const LINES = [
	["SIP requests per second", m => sum(m, "cscf_sip_requests_total", 'direction="in"'), "rate"],
	["Dialogs", m => sum(m, "cscf_dialogs"), "level"],
	["Refused per second", m => sum(m, "cscf_refused_total"), "rate"],
];

export class History {
	constructor() {
		this.last = null;
		this.lines = LINES.map(() => []);
	}

	// now in seconds; a counter that fell began anew (a restart).
	add(metrics, now) {
		const values = LINES.map(([, of]) => of(metrics));

		LINES.forEach(([, , kind], i) => {
			const before = this.last && this.last.values[i], span = this.last ? now - this.last.now : 0;

			if (kind === "level") this.lines[i].push(values[i]);
			else if (span > 0) this.lines[i].push(Math.max(0, values[i] - (values[i] < before ? 0 : before)) / span);
			if (this.lines[i].length > KEEP) this.lines[i].shift();
		});
		this.last = { now, values };
	}
}

export function drawLine(svg, values, title) {
	const top = Math.max(1, ...values), points = values.map((v, i) => `${i},${(40 - 38 * v / top).toFixed(1)}`).join(" ");
	const root = svg("svg", { class: "chart", viewBox: `0 0 ${Math.max(1, KEEP - 1)} 40`, preserveAspectRatio: "none", role: "img", "aria-label": title });

	root.append(svg("polyline", { points }));
	return root;
}
