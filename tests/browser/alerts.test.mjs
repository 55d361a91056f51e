// Drives the page of alerts: channels with a real receiver, their real answers, and the history.

import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { createServer } from "node:http";
import { after, before, describe, test } from "node:test";
import { until } from "./browser.mjs";
import { check, inEachSize, SCREENSHOTS } from "./inspect.mjs";
import { openScene } from "./scene.mjs";
import { FULL, postBatch } from "./seed.mjs";

/** @type {import("./scene.mjs").Scene} */
let scene;
/** What the receiver got, and what it says next. */
/** @type {{ requests: { path: string, body: string }[], status: number, text: string }} */
const got = { requests: [], status: 204, text: "" };
const receiver = createServer((request, reply) => {
  let body = "";
  request.on("data", (part) => (body += part));
  request.on("end", () => {
    got.requests.push({ path: request.url ?? "", body });
    reply.writeHead(got.status, { "Content-Type": "text/plain" }).end(got.text);
  });
});
let hook = "";

const region = (/** @type {string} */ name) => scene.page.getByRole("region", { name, exact: true });
const entry = (/** @type {string} */ name) => region("Channels").getByRole("listitem").filter({ has: scene.page.getByRole("heading", { name, exact: true }) });
const press = (/** @type {string} */ name, on = region("Channels")) => on.getByRole("button", { name, exact: true }).click();
const rule = (/** @type {string} */ name) => region("Rules").getByRole("listitem").filter({ has: scene.page.getByRole("heading", { name, exact: true }) });
const listed = async () => /** @type {any[]} */ ((await scene.admin("GET", "/admin/alerts/channels")).channels);

/** Holds the answers to an address back until what it gives is called. @param {(url: URL) => boolean} address */
async function held(address) {
  /** @type {() => void} */
  let release = () => {};
  const released = new Promise((resolve) => (release = () => resolve(null)));
  await scene.page.route(address, (route) => released.then(() => route.continue()));
  return release;
}

before(async () => {
  await mkdir(SCREENSHOTS, { recursive: true });
  await new Promise((resolve) => receiver.listen(0, "127.0.0.1", () => resolve(null)));
  const address = /** @type {import("node:net").AddressInfo} */ (receiver.address());
  hook = `http://127.0.0.1:${address.port}`;
  scene = await openScene({ OUTBOUND_ALLOW_PRIVATE: "true", SLACK_WEBHOOK_URL: `${hook}/from-environment` }, [/^answer: 422 POST \/admin\/alerts\/channels$/]);
});

after(async () => {
  await scene?.close();
  receiver.close();
});

describe("the page of alerts", { concurrency: false }, () => {
  test("shows a channel of the environment, which can be tested and nothing else", async () => {
    await scene.visit("/ui/alerts");
    const own = region("Channels").getByRole("listitem");
    await own.getByRole("heading", { name: "Slack (environment)", exact: true }).waitFor();
    assert.equal(await scene.page.getByText("reach nobody").count(), 0);
    await own.getByText("Set by the environment.").waitFor();
    assert.deepEqual(await own.getByRole("button").allTextContents(), ["Send test"]);
    await region("History").getByText("Nothing was worth an alert").waitFor();
  });

  test("makes a channel of each kind, refuses what is wrong at its field, and never shows a secret back", async () => {
    await scene.project("shop");
    await scene.visit("/ui/alerts");
    /** @type {[string, Record<string, string>, string][]} */
    const kinds = [
      ["discord", { "Webhook URL": `${hook}/api/webhooks/1/discord-secret`, Thread: "42" }, "discord-secret"],
      ["slack", { "Webhook URL": `${hook}/slack-secret` }, "slack-secret"],
      ["pagerduty", { "Routing key": "0123456789abcdef0123456789abcdef", URL: `${hook}/v2/enqueue` }, "0123456789abcdef0123456789abcdef"],
      ["webhook", { URL: `${hook}/webhook-secret` }, "webhook-secret"],
      ["email", { To: "a@example.com, b@example.com", From: "logs@example.com", Server: "smtp://user:mail-secret@mail.example.com:587" }, "mail-secret"],
      ["mail_api", { To: "a@example.com", From: "logs@example.com", "API key": "api-secret", URL: `${hook}/emails` }, "api-secret"],
    ];
    for (const [kind, fields, secret] of kinds) {
      await press("New channel");
      await region("Channels").getByLabel("Kind").selectOption(kind);
      await region("Channels").getByLabel("Name").fill(`My ${kind}`);
      await region("Channels").getByLabel("Alerts of").selectOption({ label: "shop" });
      for (const [label, value] of Object.entries(fields)) await region("Channels").getByLabel(label, { exact: true }).fill(value);
      await press("Create channel");
      await entry(`My ${kind}`).waitFor();
      if (kind === "webhook") {
        await region("Channels").getByText("shown this once").waitFor();
        assert.equal(await region("Channels").getByRole("status").filter({ hasText: "whsec_" }).count(), 0, "no secret is read aloud");
        assert.match((await region("Channels").locator("code.value").textContent()) ?? "", /^whsec_/);
      }
      await scene.visit("/ui/alerts");
      assert.ok(!(await scene.page.content()).includes(secret), `${kind} shows ${secret}`);
    }
    const made = (await listed()).filter((one) => !one.read_only);
    assert.deepEqual(made.map(({ kind }) => kind).sort(), kinds.map(([kind]) => kind).sort());
    assert.ok(made.every((one) => one.project_id !== null && one.problem === null), JSON.stringify(made));

    await press("New channel");
    await region("Channels").getByLabel("Webhook URL").fill("ftp://example.com/hook");
    await press("Create channel");
    const wrong = region("Channels").getByLabel("Webhook URL");
    await until(async () => (await wrong.getAttribute("aria-invalid")) === "true", "the field is marked");
    assert.equal(await region("Channels").getByRole("alert").filter({ hasText: /\S/ }).count(), 1);
    assert.ok(await wrong.evaluate((input) => input === document.activeElement), "the focus is in the field");
    await press("Cancel");
    assert.equal((await listed()).length, kinds.length + 1);
  });

  test("shows the channels with numbers for names where the projects can't be had", async () => {
    const names = (/** @type {URL} */ url) => url.pathname === "/admin/projects";
    await scene.page.route(names, (route) => route.fulfill({ status: 500, contentType: "application/problem+json", json: { code: "internal", detail: "A fault." } }));
    await scene.visit("/ui/alerts");
    await entry("My webhook").getByText(/Alerts of project \d+/).waitFor();
    await scene.page.unroute(names);
    await scene.visit("/ui/alerts");
  });

  test("each part loads, waits and fails on its own, and names come once they are there", async () => {
    const path = (/** @type {string} */ wanted) => (/** @type {URL} */ url) => url.pathname === wanted;
    const [slow, failing] = [path("/admin/alerts/channels"), path("/admin/alerts/history")];
    const release = await held(slow);
    await scene.page.route(failing, (route) => route.fulfill({ status: 500, contentType: "application/problem+json", json: { code: "internal", detail: "A fault of ours." } }));
    await scene.page.goto(`${scene.server.base}/ui/alerts`);
    await region("Rules").getByRole("listitem").first().waitFor();
    await region("Channels").getByText("Loading…").waitFor();
    await region("History").getByText("A fault of ours.").waitFor();
    await scene.page.unroute(failing);
    const channel = (await listed()).at(-1);
    await scene.page.route(failing, (route) => route.fulfill({ json: { next_cursor: null, history: [{ id: "1", project_id: null, rule: "spike", kind: "spike", title: "t", channel: String(channel.id),
      attempts: 1, state: "delivered", detail: "delivered (HTTP 200)", created_at: new Date().toISOString(), next_attempt_at: null }] } }));
    await region("History").getByRole("button", { name: "Try again" }).click();
    await region("History").getByRole("cell", { name: `channel ${channel.id}` }).waitFor();
    assert.equal(await region("History").getByText("HTTP 200").count(), 0, "that it was delivered is said once");
    release();
    await region("History").getByRole("cell", { name: channel.name, exact: true }).waitFor();
    await scene.page.unroute(slow);
    await scene.page.unroute(failing);
    await scene.visit("/ui/alerts?project=no-such-project");
    await region("History").getByText("No message is like that.").waitFor();
    await scene.visit("/ui/alerts");
  });

  test("shows the real answer to a test, good or bad", async () => {
    got.requests.length = 0;
    Object.assign(got, { status: 200, text: "ok, taken" });
    await entry("My webhook").getByRole("button", { name: "Send test" }).click();
    await entry("My webhook").getByText("Delivered, status 200").waitFor();
    await entry("My webhook").getByText("ok, taken").waitFor();
    assert.equal(got.requests[0]?.path, "/webhook-secret");
    Object.assign(got, { status: 404, text: "<b>no such hook</b>" });
    await entry("My discord").getByRole("button", { name: "Send test" }).click();
    await entry("My discord").getByText("Not delivered, status 404").waitFor();
    await entry("My discord").getByText("<b>no such hook</b>").waitFor();
    Object.assign(got, { status: 204, text: "" });
  });

  test("changes a channel and keeps what is not given again", async () => {
    await entry("My discord").getByRole("button", { name: "Edit" }).click();
    const form = scene.page.getByRole("form", { name: "Edit channel: My discord" });
    assert.equal(await form.getByLabel("Webhook URL").inputValue(), "");
    assert.equal(await form.getByLabel("Thread").inputValue(), "42");
    await form.getByLabel("Name").fill("Renamed");
    await form.getByLabel("Thread").fill("");
    await form.getByLabel("Alerts of").selectOption("");
    await form.getByRole("button", { name: "Save channel" }).click();
    await entry("Renamed").getByText("Alerts of all projects.").waitFor();
    const changed = (await listed()).find(({ name }) => name === "Renamed");
    assert.equal(changed.settings.thread_id, null);
    got.requests.length = 0;
    await entry("Renamed").getByRole("button", { name: "Send test" }).click();
    await entry("Renamed").getByText("Delivered, status 204").waitFor();
    assert.match(got.requests[0]?.path ?? "", /^\/api\/webhooks\/1\/discord-secret/);
    await entry("Renamed").getByRole("button", { name: "Turn off" }).click();
    await entry("Renamed").getByRole("button", { name: "Turn on" }).waitFor();
    await entry("Renamed").getByText("Off", { exact: true }).waitFor();
    assert.equal((await listed()).find(({ name }) => name === "Renamed").enabled, false);
    await entry("Renamed").getByRole("button", { name: "Turn on" }).click();
    await entry("Renamed").getByRole("button", { name: "Turn off" }).waitFor();
    await entry("Renamed").getByText("On", { exact: true }).waitFor();
  });

  test("deletes only after a second word", async () => {
    await entry("My pagerduty").getByRole("button", { name: "Delete" }).click();
    const colours = await entry("My pagerduty").getByRole("button").evaluateAll((buttons) => buttons.map((one) => getComputedStyle(one).borderColor));
    assert.equal(new Set(colours).size, colours.length, "what deletes looks like it");
    await entry("My pagerduty").getByRole("button", { name: "Keep it" }).click();
    assert.equal((await listed()).some(({ name }) => name === "My pagerduty"), true);
    for (const name of ["My pagerduty", "My email", "My mail_api"]) {
      await entry(name).getByRole("button", { name: "Delete" }).click();
      await entry(name).getByRole("button", { name: "Delete it" }).click();
      await entry(name).waitFor({ state: "hidden" });
    }
    assert.equal((await listed()).some(({ name }) => name === "My pagerduty"), false);
  });

  test("keeps the history's filters in the address, and pages through it", async () => {
    const { key } = await scene.project("burst");
    await postBatch(scene.server.base, key, JSON.stringify([FULL]));
    await until(async () => (await scene.admin("GET", "/admin/alerts/history?state=delivered")).history.length > 0, "a message is delivered");
    await scene.visit("/ui/alerts");
    await region("History").getByRole("rowheader").first().waitFor();
    await scene.page.getByLabel("State of the messages").selectOption("delivered");
    await until(async () => scene.param("state") === "delivered", "the state is in the address");
    await scene.page.getByLabel("Project", { exact: true }).selectOption("burst");
    await scene.settled();
    await until(async () => new URL(scene.page.url()).search === "?state=delivered&project=burst", "both are in the address");
    await scene.page.reload();
    await scene.settled();
    assert.equal(await scene.page.getByLabel("State of the messages").inputValue(), "delivered");
    assert.equal(await scene.page.getByLabel("Project", { exact: true }).inputValue(), "burst");
    await region("History").getByRole("cell", { name: "Delivered", exact: true }).first().waitFor();
    await scene.page.getByLabel("State of the messages").selectOption("dead");
    await region("History").getByText("No message is like that.").waitFor();

    /** @type {string[]} */
    const asked = [];
    const history = (/** @type {URL} */ url) => url.pathname === "/admin/alerts/history";
    await scene.page.route(history, (route) => {
      const cursor = new URL(route.request().url()).searchParams.get("cursor") ?? "";
      asked.push(cursor);
      const one = { id: "1", project_id: 1, rule: "spike", kind: "spike", title: `page ${cursor || "first"}`, channel: "9", attempts: 3,
        state: "waiting", detail: "It said 503.", created_at: new Date().toISOString(), next_attempt_at: new Date(Date.now() + 90_000).toISOString(), finished_at: null };
      return route.fulfill({ json: { history: [one], next_cursor: cursor === "" ? "second" : null } });
    });
    await scene.visit("/ui/alerts");
    await region("History").getByText("page first").waitFor();
    await region("History").getByText("It said 503. Next try in 1 min.").waitFor();
    const [what = "", time = "", ...rest] = await region("History").locator("tbody tr").first().locator("th, td").allTextContents();
    assert.match(what, /^Spike of an issue: page first/);
    assert.match(time, /^\d{4}-\d\d-\d\d \d\d:\d\d \(\d+ s ago\)$/);
    const { slug } = (await scene.admin("GET", "/admin/projects")).projects.find((/** @type {{ id: number }} */ { id }) => id === 1);
    assert.deepEqual(rest, ["Waiting", "3", slug, "channel 9"]);
    assert.equal(await region("History").getByRole("link", { name: slug }).getAttribute("href"), `/ui/issues?project=${slug}`);
    await region("History").getByText(/^As of \d\d:\d\d:\d\d (UTC|[+-]\d\d:\d\d)\.$/).waitFor();
    await press("Older", region("History"));
    await region("History").getByText("page second").waitFor();
    await press("First page", region("History"));
    await region("History").getByText("page first").waitFor();
    assert.ok(asked.includes("second"));
    await scene.page.unroute(history);
  });

  test("shows the rules a service has, changes one, and gives the default back", async () => {
    const none = { include: [], exclude: [] };
    const base = { project_id: null, enabled: true, source: "default", levels: null, environments: none, issues: none, cooldown_sec: 900, n: null, window_sec: null, share: null, grace_sec: null, q: null, channels: null };
    const rules = [{ ...base, id: "spike", kind: "spike", name: "spike", n: 5, window_sec: 60 },
      { ...base, id: 7, kind: "query", name: "Card declined", source: "custom", q: "level:error \"card declined\"", n: 3, window_sec: 300 }];
    /** @type {{ method: string, path: string, body: any }[]} */
    const asked = [];
    const place = (/** @type {URL} */ url) => url.pathname.startsWith("/admin/alerts/rules");
    await scene.page.route(place, (route) => {
      const request = route.request();
      if (request.method() === "GET") return route.fulfill({ json: { rules } });
      asked.push({ method: request.method(), path: new URL(request.url()).pathname, body: request.postDataJSON() });
      if (request.method() === "DELETE") return route.fulfill({ status: 204 });
      if (request.postDataJSON().window_sec === 15) {
        return route.fulfill({ status: 422, contentType: "application/problem+json", json: { code: "invalid_field", status: 422, detail: "window_sec: must be a multiple of 10." } });
      }
      return route.fulfill({ json: { rule: rules[0] } });
    });
    await scene.visit("/ui/alerts");
    await region("Rules").getByText("5 events of one issue in 1 min, and well above what is usual.").waitFor();
    await region("Rules").getByText('3 events matching level:error "card declined" in 5 min.').waitFor();
    assert.deepEqual(await rule("Spike of an issue").getByRole("button").allTextContents(), ["Turn off", "Edit"]);
    await rule("Spike of an issue").getByRole("button", { name: "Turn off" }).click();
    await until(async () => asked.length === 1, "the change is sent");
    assert.deepEqual(asked[0], { method: "PUT", path: "/admin/alerts/rules/spike", body: { enabled: false } });
    await rule("Card declined").getByRole("button", { name: "Edit" }).click();
    const form = scene.page.getByRole("form", { name: "Edit rule: Card declined" });
    await form.getByLabel("Within, seconds").evaluate((input) => input.removeAttribute("step"));
    await form.getByLabel("Within, seconds").fill("15");
    await form.getByLabel("Only these environments").fill("production, staging");
    await form.getByRole("button", { name: "Save rule" }).click();
    await form.getByText("Must be a multiple of 10.").waitFor();
    await form.getByLabel("Within, seconds").fill("120");
    await form.getByRole("button", { name: "Save rule" }).click();
    await form.waitFor({ state: "hidden" });
    assert.deepEqual(asked.at(-1), { method: "PUT", path: "/admin/alerts/rules/7", body: { window_sec: 120, environments: { include: ["production", "staging"], exclude: [] } } });
    await region("Rules").getByRole("button", { name: "New rule" }).click();
    await region("Rules").getByLabel("Kind").selectOption("near_cap");
    await region("Rules").getByLabel("Part of the cap, %").fill("75");
    await region("Rules").getByRole("button", { name: "Create rule" }).click();
    await until(async () => asked.at(-1)?.method === "POST", "the rule is sent");
    assert.deepEqual(asked.at(-1)?.body, { kind: "near_cap", project_id: null, name: "Near the cap", share: 0.75, cooldown_sec: 900, channels: null });
    await rule("Card declined").getByRole("button", { name: "Delete" }).click();
    await rule("Card declined").getByRole("button", { name: "Delete it" }).click();
    await until(async () => asked.at(-1)?.method === "DELETE", "the deletion is sent");
    await scene.page.unroute(place);
  });

  test("shows the rules that apply to the project chosen, which is in the address", async () => {
    const { id } = await scene.project("chosen");
    const { rule: own } = await scene.admin("POST", "/admin/alerts/rules", { kind: "spike", project_id: id, name: "Own spikes" });
    const { rule: query } = await scene.admin("POST", "/admin/alerts/rules", { kind: "query", name: "Everywhere", q: "x" });
    await scene.visit("/ui/alerts");
    const titles = () => region("Rules").getByRole("heading", { level: 3 }).allTextContents();
    const all = await titles();
    assert.ok(all.includes("Own spikes") && all.includes("Everywhere") && all.includes("Spike of an issue"), all.join());
    await scene.page.getByLabel("Project", { exact: true }).selectOption("chosen");
    await until(async () => !(await titles()).includes("Spike of an issue"), "its own rule takes the place of the default");
    assert.deepEqual(await titles(), all.filter((title) => title !== "Spike of an issue"), "and what is of all projects stays");
    assert.equal(new URL(scene.page.url()).search, "?project=chosen");
    await rule("Own spikes").getByText("For chosen.").waitFor();
    await rule("Everywhere").getByText("For all projects.").waitFor();
    await press("New rule", region("Rules"));
    assert.equal(await region("Rules").getByLabel("For", { exact: true }).inputValue(), String(id), "a new one is for it");
    await press("Cancel", region("Rules"));
    await scene.page.reload();
    await scene.settled();
    assert.ok(!(await titles()).includes("Spike of an issue"));
    await scene.page.goBack();
    await until(async () => (await titles()).length === all.length, "all are back");
    await scene.visit("/ui/alerts?project=no-such-project");
    await region("Rules").getByText("No such project.").waitFor();
    for (const one of [own, query]) await scene.admin("DELETE", `/admin/alerts/rules/${one.id}`);
  });

  test("says when a rule spoke last, what of it is open and how much it left out, and nothing of one that never spoke", async () => {
    const place = (/** @type {URL} */ url) => url.pathname === "/admin/alerts/rules";
    const before = (/** @type {number} */ ms) => new Date(Date.now() - ms).toISOString();
    const states = new Map([
      ["spike", { open: 2, last_said_at: before(5 * 60_000), suppressed: 1234 }],
      ["regression", { open: 0, last_said_at: before(3 * 3_600_000), suppressed: 0 }],
      ["new_issue", { open: 0, last_said_at: null, suppressed: 0 }],
    ]);
    await scene.page.route(place, async (route) => {
      const reply = await route.fetch();
      const body = await reply.json();
      for (const one of body.rules) one.state = states.get(one.kind);
      await route.fulfill({ response: reply, json: body });
    });
    await scene.visit("/ui/alerts");
    const said = (/** @type {string} */ name) => rule(name).getByText(/^For all projects\./).textContent();
    assert.match((await said("Spike of an issue")) ?? "", /\. Last fired 5 min ago, 2 not over, 1,234 left out since\.$/);
    assert.match((await said("Regression")) ?? "", /\. Last fired 3 h ago\.$/);
    assert.doesNotMatch((await said("New issue")) ?? "", /said|open|left out/i);
    assert.equal(await region("Rules").getByText("Last fired").count(), 2, "nor of one whose state is not known");
    await scene.page.unroute(place);
  });

  test("tells a rule of no channel from one of every channel, and keeps what is not changed", async () => {
    const { rule: made } = await scene.admin("POST", "/admin/alerts/rules", { kind: "query", name: "Quiet", q: "x", channels: [] });
    const stored = async () => (await scene.admin("GET", "/admin/alerts/rules")).rules.find((/** @type {{ id: unknown }} */ { id }) => id === made.id);
    const one = (await scene.admin("POST", "/admin/alerts/channels", { kind: "webhook", name: "For all", url: `${hook}/all` })).channel;
    await scene.visit("/ui/alerts");
    await rule("Quiet").getByText("kept in the history alone.").waitFor();
    /** @param {(form: import("playwright-core").Locator) => Promise<void>} change */
    const edit = async (change) => {
      await rule("Quiet").getByRole("button", { name: "Edit" }).click();
      const form = scene.page.getByRole("form", { name: "Edit rule: Quiet" });
      await change(form);
      await form.getByRole("button", { name: "Save rule" }).click();
      await form.waitFor({ state: "hidden" });
      await scene.settled();
    };
    const every = (/** @type {import("playwright-core").Locator} */ form) => form.getByLabel("Every channel of the project");
    await edit(async (form) => {
      assert.equal(await form.getByRole("group", { name: "Channels" }).getByRole("checkbox", { checked: true }).count(), 0);
      await form.getByText("None chosen is kept in the history alone.").waitFor();
      await form.getByLabel("Within, seconds").fill("120");
    });
    assert.deepEqual([(await stored()).window_sec, (await stored()).channels], [120, []]);
    await edit((form) => every(form).check());
    assert.equal((await stored()).channels, null);
    await rule("Quiet").getByText("to every channel of the project.").waitFor();
    await edit(async (form) => {
      await form.getByLabel(one.name, { exact: true }).check();
      assert.ok(!(await every(form).isChecked()), "it is every channel or some");
    });
    assert.deepEqual((await stored()).channels, [one.id]);
    await rule("Quiet").getByText(`to ${one.name}.`).waitFor();
    await edit(async (form) => {
      await every(form).check();
      assert.ok(!(await form.getByLabel(one.name, { exact: true }).isChecked()));
      await every(form).uncheck();
    });
    assert.deepEqual((await stored()).channels, []);
    await scene.admin("DELETE", `/admin/alerts/rules/${made.id}`);
  });

  test("says of a rule's channel that it was given to another project, or deleted", async () => {
    const [here, there] = [await scene.project("here"), await scene.project("there")];
    const { channel } = await scene.admin("POST", "/admin/alerts/channels", { kind: "webhook", name: "Wanderer", url: `${hook}/wanderer` });
    const rules = [];
    for (const project_id of [here.id, null]) {
      rules.push((await scene.admin("POST", "/admin/alerts/rules", { kind: "query", name: project_id ? "Of here" : "Of all", q: "x", project_id, channels: [channel.id] })).rule);
    }
    await scene.visit("/ui/alerts");
    await rule("Of here").getByText("to Wanderer.").waitFor();
    await scene.admin("PUT", `/admin/alerts/channels/${channel.id}`, { project_id: there.id });
    await scene.visit("/ui/alerts");
    await rule("Of here").getByText("to Wanderer (of another project: not sent there).").waitFor();
    await rule("Of all").getByText("to Wanderer (of there alone).").waitFor();
    await scene.admin("DELETE", `/admin/alerts/channels/${channel.id}`);
    await scene.visit("/ui/alerts");
    await rule("Of here").getByText(`to channel ${channel.id}.`).waitFor();
    await rule("Of here").getByRole("button", { name: "Edit" }).click();
    assert.ok(await region("Rules").getByLabel(`channel ${channel.id}`).isChecked(), "what it still names can be taken away");
    assert.ok(!(await region("Rules").getByLabel("Every channel of the project").isChecked()));
    for (const one of rules) await scene.admin("DELETE", `/admin/alerts/rules/${one.id}`);
  });

  test("a form opened before the projects have come offers them", async () => {
    const projects = (/** @type {URL} */ url) => url.pathname === "/admin/projects";
    for (const [where, button, label] of /** @type {const} */ ([["Rules", "New rule", "For"], ["Channels", "New channel", "Alerts of"]])) {
      const release = await held(projects);
      await scene.page.goto(`${scene.server.base}/ui/alerts`);
      await entry("My webhook").waitFor();
      await press(button, region(where));
      await region(where).getByText("Loading…").waitFor();
      release();
      await region(where).getByLabel(label, { exact: true }).selectOption({ label: "shop" });
      await press("Cancel", region(where));
      assert.ok(await region(where).getByRole("button", { name: button }).evaluate((one) => one === document.activeElement));
      await scene.page.unroute(projects);
    }
    // Where they can't be had, the form is there all the same, and what is set stays set.
    await scene.page.route(projects, (route) => route.fulfill({ status: 500, contentType: "application/problem+json", json: { code: "internal", detail: "A fault." } }));
    await scene.visit("/ui/alerts");
    await entry("My webhook").getByRole("button", { name: "Edit" }).click();
    assert.match((await region("Channels").getByLabel("Alerts of").evaluate((select) => /** @type {HTMLSelectElement} */ (select).selectedOptions[0]?.textContent)) ?? "", /^project \d+$/);
    await scene.page.unroute(projects);
  });

  test("keeps an open question, an answer and the focus when names come", async () => {
    const { rule: made } = await scene.admin("POST", "/admin/alerts/rules", { kind: "query", name: "Asked", q: "x" });
    const projects = (/** @type {URL} */ url) => url.pathname === "/admin/projects";
    const release = await held(projects);
    await scene.page.goto(`${scene.server.base}/ui/alerts`);
    await entry("My webhook").getByText(/Alerts of project \d+\./).waitFor();
    await entry("My webhook").getByRole("button", { name: "Send test" }).click();
    await entry("My webhook").getByText("Delivered, status 204").waitFor();
    await entry("My slack").getByRole("button", { name: "Delete" }).click();
    await rule("Asked").getByRole("button", { name: "Delete" }).click();
    const sure = rule("Asked").getByRole("button", { name: "Delete it" });
    await sure.evaluate((button) => Reflect.set(window, "asked", button));
    release();
    await entry("My webhook").getByText("Alerts of shop.").waitFor();
    await entry("My webhook").getByText("Delivered, status 204").waitFor();
    await entry("My slack").getByRole("button", { name: "Delete it" }).waitFor();
    assert.ok(await sure.evaluate((button) => button === Reflect.get(window, "asked") && button === document.activeElement), "the question is the one that was asked");
    await scene.page.unroute(projects);
    await scene.admin("DELETE", `/admin/alerts/rules/${made.id}`);
  });

  test("says at its top that nobody hears of anything, and no rule says otherwise", async () => {
    const list = (/** @type {URL} */ url) => url.pathname === "/admin/alerts/channels";
    await scene.page.route(list, (route) => route.fulfill({ json: { channels: [] } }));
    await scene.visit("/ui/alerts");
    const notice = scene.page.locator(".notice").filter({ hasText: "No channel yet: alerts reach nobody." });
    await notice.waitFor();
    assert.ok((await notice.boundingBox() ?? { y: 999 }).y < 200, "it is at the top");
    assert.equal(await region("Rules").getByText("to every channel").count(), 0);
    await region("Rules").getByText("to no channel yet.").first().waitFor();
    await check(scene.page, "alerts-nobody-1440", true);
    await notice.getByRole("link", { name: "Make a channel" }).click();
    assert.ok(await region("Channels").getByRole("heading", { name: "Channels" }).evaluate((one) => one === document.activeElement));
    await press("New rule", region("Rules"));
    await region("Rules").getByText("None chosen is every level.").waitFor();
    await region("Rules").getByLabel("Kind").selectOption("spike");
    await region("Rules").getByText("None chosen is error and fatal.").waitFor();
    await scene.page.unroute(list);
  });

  test("fits and is accessible in every size and theme", async () => {
    await inEachSize(scene.browser, scene.context, async (look, width) => {
      await scene.visit("/ui/alerts", look);
      await check(look, `alerts-${width}`, true);
      await look.getByRole("button", { name: "New channel" }).click();
      await look.getByLabel("Kind").last().selectOption("email");
      await check(look, `alerts-channel-form-${width}`, true);
    });
  });

  test("broke no policy and logged no error in all of this", () => {
    assert.deepEqual(scene.faults, []);
  });
});
