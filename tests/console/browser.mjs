// tests/console/browser.mjs URL TOKEN IMPU IMSI SHOTS - the web console in headless Chromium, as a person uses it.  Driven by
// tests/integration/console.py: this prints "at STEP" and goes on when what it waits for is on the page; "ok NAME" for what held.
// Exit status 1 with the reason for the first thing that did not.
import { createRequire } from "module";
import { strict as assert } from "assert";

const [URL_, TOKEN, IMPU, IMSI, SHOTS] = process.argv.slice(2);
const { chromium } = createRequire(process.env.CSCF_NPM + "/")("playwright-core");
const browser = await chromium.launch({ executablePath: process.env.CSCF_CHROMIUM, args: ["--no-sandbox", "--disable-gpu"] });
const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, colorScheme: "light" });
const page = await context.newPage();
page.setDefaultTimeout(20000);
const wrong = [], hosts = new Set();
page.on("console", m => { if (m.type() === "error" && !m.text().includes("401")) wrong.push(m.text()); });
page.on("pageerror", e => wrong.push(String(e)));
page.on("request", r => hosts.add(new URL(r.url()).hostname));

const at = step => console.log("at " + step);
const ok = name => console.log("ok " + name);
const view = page.locator("#view"), row = words => view.locator("tr", { hasText: words });
const tab = name => page.getByRole("tab", { name, exact: true });
const shot = async name => { if (SHOTS) await page.screenshot({ path: `${SHOTS}/${name}.png`, fullPage: true }); };
const background = () => page.evaluate(() => getComputedStyle(document.documentElement).getPropertyValue("--accent").trim());

try {
	await page.goto(URL_ + "/console");
	const token = page.getByLabel("Bearer token");
	await token.fill("not the token");
	await token.press("Enter");
	await page.locator("#state.bad").waitFor();
	assert.match(await page.locator("#state").textContent(), /token is needed/);
	ok("a wrong token is refused and asked for again");

	await page.getByLabel("Bearer token").fill(TOKEN);
	await page.getByRole("button", { name: "Sign in" }).click();
	for (const name of ["P-CSCF", "I-CSCF", "S-CSCF"]) await view.locator(".card", { hasText: name }).locator(".good", { hasText: "ready" }).waitFor();
	assert.equal(await view.locator(".card").count(), 3);
	assert.equal(await page.evaluate(() => localStorage.length), 0);
	await view.locator("svg.chart polyline[points*=' ']").first().waitFor({ state: "attached" });
	await shot("overview");
	ok("signed in at one daemon, all three are watched; charts of their load");

	await tab("Overview").focus();
	await page.keyboard.press("ArrowRight");
	await page.keyboard.press("Enter");
	await page.locator("#tab-flows[aria-selected=true]").waitFor();
	ok("by keyboard: arrows between the tabs, Enter opens one");

	at("flows");				// now somebody calls
	const call = row("INVITE");
	await call.first().waitFor();
	assert.equal(await call.count(), 1);	// one line for the call, not one of each daemon
	await shot("flows");
	await call.getByRole("button", { name: "Ladder" }).click();
	const texts = view.locator("svg.ladder text");
	for (const lane of ["UE-A", "P-CSCF", "I-CSCF", "S-CSCF", "HSS", "UE-B"]) await texts.filter({ hasText: new RegExp(`^${lane}$`) }).waitFor();
	for (const step of [/^INVITE$/, /^180 INVITE$/, /^LIR$/]) await texts.filter({ hasText: step }).first().waitFor();
	assert.equal(await texts.filter({ hasText: /^BYE$/ }).count(), 0);
	await shot("ladder");
	ok("the ladder of a live call");

	at("ladder");				// now they hang up
	await texts.filter({ hasText: /^200 BYE$/ }).first().waitFor();
	ok("the ladder grows as the call goes on");

	await tab("Registrations").click();
	page.once("dialog", d => d.dismiss());
	await row(IMPU).first().getByRole("button", { name: "De-register" }).click();
	await row(IMPU).first().waitFor();
	at("kept");				// who says no changes nothing
	ok("de-registering asks first");
	page.once("dialog", d => d.accept());
	await row(IMPU).first().getByRole("button", { name: "De-register" }).click();
	await page.locator("#state", { hasText: "is not registered any more" }).waitFor();
	ok("a user is de-registered");
	at("deregistered");

	await tab("Explain").click();
	await page.getByLabel("IMSI, number, identity or Call-ID").fill(IMSI);
	await page.keyboard.press("Enter");
	assert.ok((await view.locator(".summary").textContent()).length > 20);
	await shot("explain");
	ok("explained in words");

	for (const [name, words] of [["Peers", "hss."], ["Dialogs", "Nothing here."], ["Alarms", "Nothing here."]]) {
		await tab(name).click();
		await view.getByText(words).first().waitFor();
	}
	ok("peers, dialogs, alarms");

	const light = await background();
	await page.emulateMedia({ colorScheme: "dark" });
	assert.notEqual(await background(), light);
	await page.setViewportSize({ width: 390, height: 844 });
	for (const name of ["Overview", "Calls and registrations", "Peers"]) {
		await tab(name).click();
		await view.locator(".card, table").first().waitFor();
		assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), name + " is wider than a phone");
	}
	await shot("phone");
	ok("on a phone, and dark");

	assert.deepEqual(wrong, []);
	assert.equal(hosts.size, 3, [...hosts].join(" "));
	ok("no error, nothing blocked, nobody asked but the three daemons");
} catch (e) {
	await shot("failed");
	console.log("not ok " + String(e.stack || e).replace(/\n/g, " | ").slice(0, 1500) + " | " + wrong.join(" | "));
	process.exitCode = 1;
} finally {
	await browser.close();
}
