// tests/lab/console.mjs MODULES - what of the console needs no browser: stdin {events: {node: {key: [...]}}, listeners, key, metrics: [[s, text], ...]},
// stdout {rows, lanes, lines}: for tests/lab/test_console.py.
import { readFileSync } from "fs";
const [folder] = process.argv.slice(2);
const { collect, coreOf, rows } = await import(folder + "/ladder.js"), { History, parse } = await import(folder + "/charts.js");
const given = JSON.parse(readFileSync(0, "utf8"));
const events = await collect(async (node, key) => (given.events[node] || {})[key] || [], given.key);
const ladder = rows(events, coreOf(given.listeners)), load = new History();
for (const [now, text] of given.metrics) load.add(parse(text), now);
console.log(JSON.stringify({ rows: ladder.rows.map(r => [r.us, r.from, r.to, r.text]), lanes: ladder.lanes, lines: load.lines }));
