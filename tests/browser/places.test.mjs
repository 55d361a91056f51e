// Each page when its address is opened, when its session ends in the middle, and while nothing answers.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { until } from "./browser.mjs";
import { openScene } from "./scene.mjs";
import { FULL, ordinary, postBatch } from "./seed.mjs";

const SLUG = "shop";

/** @type {import("./scene.mjs").Scene} */
let scene;
/** @typedef {{ address: string, press: string, then?: string }} Place what asks the service for something, and the address it leads to */
/** @type {Place[]} */
let places = [];

const isApi = (/** @type {URL} */ url) => !/^\/(ui|assets)\b/.test(url.pathname);
const shown = () => {
  const { pathname, search } = new URL(scene.page.url());
  return pathname + search;
};

before(async () => {
  scene = await openScene({}, [/^answer: 401 /]);
  const { key } = await scene.project(SLUG, "Shop");
  await postBatch(scene.server.base, key, JSON.stringify([...ordinary(60), FULL]));
  await until(async () => (await scene.admin("GET", "/issues")).issues.length > 0, "the events are counted");
  const [{ id }] = (await scene.admin("GET", `/logs?project_id=${SLUG}&level=fatal`)).logs;
  const issue = (await scene.admin("GET", "/issues")).issues.find((/** @type {{ level: string }} */ { level }) => level === "fatal");
  places = [
    { address: `/ui/?project=${SLUG}&range=24h`, press: "Refresh" },
    { address: `/ui/logs?q=checkout&project=${SLUG}&level=fatal&range=24h&side=fields`, press: "Search" },
    { address: `/ui/logs/${id}?scope=source`, press: "Whole project", then: `/ui/logs/${id}?scope=project` },
    { address: `/ui/issues?status=all&sort=count&project=${SLUG}&q=checkout`, press: "Search" },
    { address: `/ui/issues/${encodeURIComponent(issue.id)}`, press: "Resolve" },
    { address: `/ui/projects/${SLUG}`, press: "Save settings" },
    { address: `/ui/projects/${SLUG}/setup`, press: "Send test event" },
    { address: `/ui/overflow?from=-719h&project=${SLUG}`, press: "Refresh" },
    { address: `/ui/alerts?state=dead&project=${SLUG}`, press: "Refresh" },
    { address: "/ui/system", press: "Preview" },
  ];
});

after(() => scene?.close());

/** @param {Place} place */
const press = ({ press: name }) => scene.page.getByRole("main").locator("button, a.button").filter({ hasText: new RegExp(`^${name}$`) }).first().click();

describe("each page", { concurrency: false }, () => {
  test("shows what its address asks for, and leaves the address as it is", async () => {
    for (const place of places) {
      await scene.visit(place.address);
      assert.equal(shown(), place.address);
      await scene.page.reload();
      await scene.settled();
      assert.equal(shown(), place.address);
      assert.equal(await scene.page.getByText("Loading failed").count(), 0, place.address);
    }
  });

  test("takes each choice into the address, and back", async () => {
    /** @type {[string, string, string, string][]} */
    const choices = [
      ["/ui/", "Project", SLUG, `/ui/?project=${SLUG}`], ["/ui/", "Time range", "3d", "/ui/?range=3d"],
      ["/ui/overflow", "Project", SLUG, `/ui/overflow?project=${SLUG}`], ["/ui/overflow", "Time of the ledger", "-1h", "/ui/overflow?from=-1h"],
      ["/ui/alerts", "State of the messages", "waiting", "/ui/alerts?state=waiting"], ["/ui/alerts", "Project", SLUG, `/ui/alerts?project=${SLUG}`],
      ["/ui/issues", "State", "muted", "/ui/issues?status=muted"], ["/ui/issues", "Sort", "count", "/ui/issues?sort=count"],
    ];
    for (const [address, label, value, wanted] of choices) {
      await scene.visit(address);
      const select = scene.page.getByLabel(label, { exact: true }).first();
      const usual = await select.inputValue();
      await until(async () => (await select.locator(`option[value="${value}"]`).count()) > 0, `${label} has ${value}`);
      await select.selectOption(value);
      await until(async () => shown() === wanted, `${wanted} is the address`);
      await scene.settled();
      await scene.page.goBack();
      await until(async () => (await select.inputValue()) === usual, `${label} is as before`);
      await scene.page.goForward();
      await until(async () => (await select.inputValue()) === value, `${label} is as chosen`);
    }
  });

  test("leads to signing in when its session has ended, and back to the same place", async () => {
    for (const place of places) {
      await scene.visit(place.address);
      await scene.context.clearCookies();
      await press(place);
      const token = scene.page.getByLabel("Admin token");
      await token.waitFor();
      const next = scene.param("next") ?? "";
      assert.equal(next, place.then ?? place.address);
      await token.fill(scene.server.token);
      await scene.page.keyboard.press("Enter");
      await until(async () => shown() === next, `${next} is open again`);
      await scene.settled();
      assert.equal(await scene.page.locator(".panel[role=alert]").count(), 0, place.address);
    }
  });

  test("waits while nothing answers, and shows what it has once something does", async () => {
    for (const place of places) {
      await scene.visit("/ui/login");
      await scene.page.route(isApi, (route) => route.abort("connectionrefused"));
      await scene.travel("/ui/login");
      await scene.page.evaluate((to) => {
        history.pushState(null, "", to);
        dispatchEvent(new PopStateEvent("popstate"));
      }, place.address);
      await scene.page.getByRole("heading", { name: "The service is waking up" }).first().waitFor();
      await scene.page.unroute(isApi);
      const again = scene.page.getByRole("button", { name: "Try now" }).first();
      await until(async () => {
        await again.click({ timeout: 500 }).catch(() => {});
        return (await again.count()) === 0;
      }, "every part has tried again");
      await scene.settled();
      assert.equal(shown(), place.address);
      const choice = scene.page.getByLabel(/^Project( of the messages)?$/);
      if (place.address.includes("project=") && (await choice.count()) > 0) {
        await until(async () => (await choice.first().inputValue()) === SLUG && (await choice.first().locator("option").count()) > 1, `the projects are offered at ${place.address}`);
      }
    }
    scene.faults.splice(0, scene.faults.length, ...scene.faults.filter((fault) => !fault.includes("ERR_CONNECTION_REFUSED")));
  });

  test("broke no policy and logged no error in all of this", () => assert.deepEqual(scene.faults, []));
});
