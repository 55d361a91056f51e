// Fifty hostile texts where people set things up and where the service answers in words: names of projects, keys, rules and
// channels, what a channel answers, messages of alerts, the quarantine, the audit log, the setup page, refusals.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, before, describe, test } from "node:test";
import { until } from "./browser.mjs";
import { nameOf, PAYLOADS, unharmed } from "./payloads.mjs";
import { openScene } from "./scene.mjs";
import { FULL } from "./seed.mjs";

const SLUG = "hostile";
/** Queries that one project may have as rules. */
const RULES = 20;

/** @type {import("./scene.mjs").Scene} */
let scene;
let hook = "";
/** What the receiver of alerts answers next. */
let answer = { status: 200, text: "" };
const receiver = createServer((request, reply) => {
  request.resume();
  request.on("end", () => reply.writeHead(answer.status, { "Content-Type": "text/html" }).end(answer.text));
});

const clean = (/** @type {string} */ where) => unharmed(scene, where);
const region = (/** @type {string} */ name) => scene.page.getByRole("region", { name, exact: true });
const press = (/** @type {string} */ name, on = scene.page.getByRole("main")) => on.getByRole("button", { name, exact: true }).first().click();

before(async () => {
  await new Promise((resolve) => receiver.listen(0, "127.0.0.1", () => resolve(null)));
  const address = /** @type {import("node:net").AddressInfo} */ (receiver.address());
  hook = `http://127.0.0.1:${address.port}`;
  scene = await openScene({ OUTBOUND_ALLOW_PRIVATE: "true" }, [/^answer: 422 POST \/admin\/purge$/]);
  const { id } = await scene.project(SLUG, PAYLOADS[1]);
  for (const [index, payload] of PAYLOADS.entries()) {
    const name = nameOf(payload);
    const { project: other } = await scene.admin("POST", "/admin/projects", { name, slug: `named-${index}`, scrub: { extra_keys: [name.slice(0, 64).trim()] } });
    await scene.admin("POST", `/admin/projects/${id}/keys`, { kind: index % 2 === 0 ? "read" : "server", note: name });
    await scene.admin("POST", "/admin/alerts/channels", { kind: "webhook", name, url: `${hook}/${index}`, project_id: id, enabled: index % 2 === 0 });
    await scene.admin("POST", "/admin/alerts/rules", { kind: "query", name, q: JSON.stringify(name), n: 1, window_sec: 60, project_id: index < RULES ? id : other.id, environments: { include: [name], exclude: [`not ${name}`] } });
  }
});

after(async () => {
  await scene?.close();
  receiver.close();
});

describe("hostile texts", { concurrency: false }, () => {
  test("in names of projects: their list, each choice of a project, their own pages", async () => {
    for (const address of ["/ui/projects", "/ui/", "/ui/logs", "/ui/issues", "/ui/overflow", "/ui/alerts", "/ui/system"]) {
      await scene.visit(address);
      await clean(address);
    }
    for (const [index, payload] of PAYLOADS.entries()) {
      await scene.travel(`/ui/projects/named-${index}`);
      assert.equal(await region("Settings").getByLabel("Name", { exact: true }).inputValue(), nameOf(payload).trim());
      await clean(`the project ${index}`);
      await scene.travel(`/ui/projects/named-${index}/setup`);
      await scene.page.getByText("Waiting for the first event…").waitFor();
      await clean(`the setup of ${index}`);
    }
  });

  test("in the name of a project that was just made", async () => {
    const { project, key } = await scene.admin("POST", "/admin/projects", { name: "Made", slug: "made" });
    let name = "";
    const makes = (/** @type {URL} */ url) => url.pathname === "/admin/projects";
    await scene.page.route(makes, (route) => (route.request().method() === "POST" ? route.fulfill({ status: 201, json: { project: { ...project, name }, key } }) : route.continue()));
    for (const payload of PAYLOADS) {
      name = payload;
      await scene.travel("/ui/projects");
      await region("New project").getByLabel("Name", { exact: true }).fill("made");
      await press("Create project");
      await scene.page.getByRole("heading", { name: / is ready$/ }).waitFor();
      await clean(`${payload} is ready`);
      await scene.travel("/ui/system");
    }
    await scene.page.unroute(makes);
  });

  test("in notes of keys", async () => {
    await scene.visit(`/ui/projects/${SLUG}`);
    assert.equal(await region("Keys").getByRole("listitem").count(), PAYLOADS.length + 1);
    await clean("the keys");
    await press("Revoke", region("Keys"));
    await clean("a key to be revoked");
  });

  test("in rules and channels: their lists and the forms to change them", async () => {
    await scene.visit("/ui/alerts");
    for (const name of ["Rules", "Channels"]) {
      const edits = region(name).getByRole("button", { name: "Edit", exact: true });
      const many = await edits.count();
      assert.ok(many >= PAYLOADS.length, `${many} ${name}`);
      for (let index = 0; index < many; index += 1) {
        await edits.nth(index).click();
        await region(name).getByRole("form").waitFor();
        await clean(`${name}, the form of ${index}`);
      }
      await press("Cancel", region(name));
    }
  });

  test("in what was turned on or off", async () => {
    await scene.visit("/ui/alerts");
    for (const name of ["Rules", "Channels"]) {
      const said = region(name).getByRole("status").filter({ hasText: / is o(?:n|ff)\.$/ });
      const turns = region(name).getByRole("button", { name: /^Turn o(?:n|ff)$/ });
      const many = await turns.count();
      assert.ok(many >= PAYLOADS.length, `${many} ${name}`);
      let before = "";
      for (let index = 0; index < many; index += 1) {
        await turns.nth(index).click();
        await until(async () => (await said.count()) === 1 && (await said.textContent()) !== before, `${name} ${index} is turned`);
        before = (await said.textContent()) ?? "";
        // The list is read anew: what is pressed next must be of the new one.
        await until(async () => (await region(name).locator("[aria-busy]").count()) === 0, `${name} are read anew`);
        await clean(`${name}, ${index} turned`);
      }
    }
  });

  test("in what a channel answers to a test", async () => {
    await scene.visit("/ui/alerts");
    const test = region("Channels").getByRole("button", { name: "Send test", exact: true }).first();
    for (const [index, payload] of PAYLOADS.entries()) {
      answer = { status: index % 2 === 0 ? 200 : 400, text: `${index} ${payload}` };
      await test.click();
      await region("Channels").getByLabel("What the channel answered").filter({ hasText: new RegExp(`^${index} `) }).waitFor();
      await clean(`the answer ${index}`);
    }
  });

  test("in messages of alerts, and in why one was given up", async () => {
    const history = PAYLOADS.map((text, index) => ({
      id: String(index), project_id: 1, rule: text, kind: index % 2 === 0 ? "new_issue" : text, title: text, channel: index % 3 === 0 ? text : "1",
      state: index % 2 === 0 ? "dead" : text, attempts: 1, detail: text, created_at: new Date().toISOString(), next_attempt_at: null,
    }));
    const asked = (/** @type {URL} */ url) => url.pathname === "/admin/alerts/history";
    await scene.page.route(asked, (route) => route.fulfill({ json: { history, next_cursor: null } }));
    await scene.visit("/ui/alerts");
    assert.equal(await region("History").getByRole("rowheader").count(), PAYLOADS.length);
    await clean("the messages");
    await scene.page.unroute(asked);
  });

  test("in the quarantine, the checks of the service and the ledger", async () => {
    const at = new Date().toISOString();
    const quarantine = PAYLOADS.map((text, index) => ({
      id: `${index}-0`, project_id: 1, project: text, bytes: 10, received_at: at, quarantined_at: at, expires_at: at,
      reason: { code: text, detail: text, error_number: 1, error_message: text }, event: index % 5 === 0 ? null : { ...FULL, id: `${index}-0`, message: text },
    }));
    const named = Object.fromEntries(PAYLOADS.map((text, index) => [`${text} ${index}`, { ok: false, detail: text }]));
    const counted = Object.fromEntries(PAYLOADS.map((text) => [text, 1]));
    const spool = {
      state: PAYLOADS[1], blocks: 1, events: 1, bytes: 1, max_bytes: 1, held_groups: 1, lost_groups: 1, oldest_age_seconds: 1, drained_events: 1,
      drained_per_second: 1, dropped_events: counted,
    };
    const answers = { "/admin/quarantine": { quarantine, next_cursor: null, events: 50, bytes: 1, max_events: 1, max_bytes: 1 }, "/readyz": { ready: false, checks: named, spool } };
    for (const [path, json] of Object.entries(answers)) await scene.page.route((url) => url.pathname === path, (route) => route.fulfill({ json }));
    await scene.page.route((url) => url.pathname === "/stats/ledger", async (route) => {
      const reply = await route.fetch();
      const body = await reply.json();
      Object.assign(body.totals, { received: 1, reasons: { rejected: counted }, refused_requests: counted });
      body.projects = PAYLOADS.map((project, index) => ({ ...body.totals, project, project_id: index + 1, balanced: true }));
      await route.fulfill({ response: reply, json: body });
    });
    for (const address of ["/ui/overflow", "/ui/system", "/ui/"]) {
      await scene.visit(address);
      await clean(address);
    }
    await scene.visit("/ui/overflow");
    // What is damaged can't be stored after all.
    assert.equal(await region("Quarantine").getByRole("button", { name: "Retry", exact: true }).count(), quarantine.filter(({ event }) => event !== null).length);
    assert.equal(await region("Quarantine").getByRole("button", { name: "Discard", exact: true }).count(), PAYLOADS.length);
    await scene.page.unrouteAll();
  });

  test("in what a channel can't do, and in who runs the service", async () => {
    const channels = PAYLOADS.map((text, index) => ({ id: `c${index}`, kind: "webhook", name: text, project_id: null, enabled: true, read_only: false, destination: text, problem: text, reason: text, settings: {} }));
    await scene.page.route((url) => url.pathname === "/admin/alerts/channels", (route) => route.fulfill({ json: { channels } }));
    await scene.visit("/ui/alerts");
    for (const said of ["Turned off: ", "Can't be used: "]) assert.equal(await region("Channels").getByText(said).count(), PAYLOADS.length, said);
    await clean("channels that can't be used");
    let text = "";
    await scene.page.route((url) => url.pathname === "/admin/maintenance", (route) => route.fulfill({ json: {
      instance: text, lease: { owner: text, expires_in_ms: 60_000, mine: false }, finished_ms_ago: 1, running: null, last_run: null, last_purge: null,
    } }));
    await scene.page.route((url) => url.pathname === "/healthz", (route) => route.fulfill({ json: { database: text, uptime: 1, version: text } }));
    await scene.visit("/ui/system");
    for (const [index, payload] of PAYLOADS.entries()) {
      text = `${index}: ${payload}`;
      await press("Refresh");
      await region("Maintenance").getByText(`${index}: `).nth(1).waitFor();
      await region("Health").getByText(`${index}: `).nth(1).waitFor();
      await clean(`the instance ${payload}`);
    }
    await scene.page.unrouteAll();
  });

  test("in the audit log, on all its pages", async () => {
    await scene.visit("/ui/system");
    let seen = 0;
    for (;;) {
      const rows = await region("Audit log").getByRole("rowheader").count();
      seen += rows;
      await region("Audit log").getByRole("button", { name: "Raw" }).evaluateAll((all) => all.forEach((one) => /** @type {HTMLElement} */ (one).click()));
      assert.equal(await region("Audit log").locator("pre").count(), rows, "each is there as the API has it");
      await clean(`the audit log after ${seen} rows`);
      const older = region("Audit log").getByRole("button", { name: "Older" });
      if ((await older.count()) === 0) break;
      const first = await region("Audit log").getByRole("row").nth(1).textContent();
      await older.click();
      await until(async () => (await region("Audit log").getByRole("row").nth(1).textContent()) !== first, "the next page is there");
      await scene.settled();
    }
    assert.ok(seen >= 4 * PAYLOADS.length, `${seen} rows`);
  });

  test("in what is refused, and why", async () => {
    await scene.visit("/ui/system");
    const box = scene.page.getByLabel("Only what matches");
    // A preview reads what is stored; its words are the same for all that are refused.
    for (const payload of PAYLOADS.filter((_, index) => index % 7 === 0)) {
      await box.fill(nameOf(payload));
      await scene.page.getByLabel("Age", { exact: true }).selectOption("Any age");
      const asked = scene.page.waitForResponse((reply) => reply.url().endsWith("/admin/purge"));
      await press("Preview");
      await asked;
      await until(async () => (await region("Purge").getByRole("button", { name: "Preview" }).isEnabled()), "it was counted or refused");
      await clean(`the purge of ${payload}`);
    }
    // The sentence of what goes has the query in it.
    await scene.page.route((url) => url.pathname === "/admin/purge", (route) => route.fulfill({ json: { deleted_events: 1, deleted_blocks: 1, rewritten_blocks: 0, complete: true } }));
    for (const payload of PAYLOADS) {
      await box.fill(nameOf(payload));
      await scene.page.getByLabel("Age", { exact: true }).selectOption("Any age");
      await press("Preview");
      await region("Purge").getByText(/^1 event of all projects, any age, matching “.+” will be deleted for good\./).waitFor();
      await clean(`the confirmation of ${payload}`);
    }
    await scene.page.unrouteAll();
    await scene.visit("/ui/logs");
    const problem = (/** @type {string} */ detail) => ({ status: 400, contentType: "application/problem+json", body: JSON.stringify({ code: "invalid_parameter", detail }) });
    let said = "";
    await scene.page.route((url) => url.pathname === "/logs", (route) => route.fulfill(problem(said)));
    for (const [index, payload] of PAYLOADS.entries()) {
      said = `${index}: ${payload}`;
      await press("Search");
      await until(async () => (await scene.page.getByRole("alert").textContent())?.includes(`${index}: `), "it is said");
      await clean(`the refusal ${payload}`);
    }
    await scene.page.unrouteAll();
  });

  test("in the first event that arrives while a project is set up", async () => {
    let look = 0;
    const at = new Date().toISOString();
    const searches = (/** @type {URL} */ url) => url.pathname === "/logs";
    await scene.page.clock.install();
    await scene.page.route(searches, (route) => route.fulfill({ json: {
      logs: look === 0 ? [] : [{ ...FULL, id: `${look}-0`, received_at: at, ts: at, message: `${look} ${PAYLOADS[look - 1]}` }], next_cursor: null,
    } }));
    await scene.page.goto(`${scene.server.base}/ui/projects/${SLUG}/setup`);
    await scene.page.getByText("Waiting for the first event…").waitFor();
    for (look = 1; look <= PAYLOADS.length; look += 1) {
      await scene.page.clock.runFor(2000);
      await scene.page.locator(".arrived a").filter({ hasText: new RegExp(`^${look} `) }).waitFor();
      await clean(`the arrival of ${PAYLOADS[look - 1]}`);
    }
    await scene.page.unroute(searches);
  });
});
