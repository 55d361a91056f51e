// Drives the page of one project: what is set for it, its keys, and its end.

import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { after, before, describe, test } from "node:test";
import { until } from "./browser.mjs";
import { check, checkStates, inEachSize, SCREENSHOTS } from "./inspect.mjs";
import { openScene } from "./scene.mjs";
import { postBatch } from "./seed.mjs";

/** @type {import("./scene.mjs").Scene} */
let scene;
/** @type {import("./seed.mjs").Key} */
let first;

const region = (/** @type {string} */ name) => scene.page.getByRole("region", { name, exact: true });
const press = (/** @type {string} */ name, on = region("Keys")) => on.getByRole("button", { name, exact: true }).click();
const entry = (/** @type {string} */ note) => region("Keys").getByRole("listitem").filter({ hasText: note });
const send = (/** @type {import("./seed.mjs").Key} */ key, message = "sent") => postBatch(scene.server.base, key, JSON.stringify([{ level: "info", message }]));
const project = async (/** @type {string} */ slug) => (await scene.admin("GET", `/admin/projects/${slug}`)).project;

before(async () => {
  await mkdir(SCREENSHOTS, { recursive: true });
  scene = await openScene({}, [/^answer: (409|422) PUT \/admin\/projects\/\d+$/, /^answer: 404 GET \/admin\/projects\/no-such-project$/]);
  ({ key: first } = await scene.project("shop", "The shop"));
});

after(() => scene?.close());

describe("the page of a project", { concurrency: false }, () => {
  test("is a link away from the list, and leads to its logs and its setup", async () => {
    await scene.visit("/ui/projects");
    await scene.page.getByRole("link", { name: "The shop", exact: true }).click();
    await scene.page.getByRole("heading", { name: "The shop", level: 1 }).waitFor();
    await scene.settled();
    assert.equal(new URL(scene.page.url()).pathname, "/ui/projects/shop");
    assert.equal(await scene.page.getByRole("link", { name: "Projects", exact: true }).getAttribute("aria-current"), "page");
    const main = scene.page.getByRole("main");
    assert.equal(await main.getByRole("link", { name: "Logs", exact: true }).getAttribute("href"), "/ui/logs?project=shop");
    assert.equal(await main.getByRole("link", { name: "Set up", exact: true }).getAttribute("href"), "/ui/projects/shop/setup");
  });

  test("has its whole name beside a long slug, and its cap in words and with its unit", async () => {
    const { id } = await scene.project("a-slug-of-the-greatest-length-there-is-0123456789-0123456789-abc", "Orders of the northern warehouse");
    await scene.visit("/ui/projects");
    const name = scene.page.getByRole("rowheader", { name: "Orders of the northern warehouse" });
    assert.ok((await name.boundingBox() ?? { height: 999 }).height <= 100, "the name has room");
    await scene.page.getByRole("columnheader", { name: "Cap, events a minute" }).waitFor();
    const row = scene.page.getByRole("row").filter({ has: name });
    await row.getByRole("cell", { name: "default, no limit", exact: true }).waitFor();
    await check(scene.page, "projects-long-slug-1440", true);
    await scene.admin("DELETE", `/admin/projects/${id}`);
  });

  test("offers a new one only with the list", async () => {
    const list = (/** @type {URL} */ url) => url.pathname === "/admin/projects";
    await scene.page.route(list, (route) => route.fulfill({ status: 500, contentType: "application/problem+json", json: { code: "internal", detail: "A fault." } }));
    await scene.visit("/ui/projects");
    assert.equal(await scene.page.getByRole("button", { name: "Create project" }).count(), 0);
    await scene.page.unroute(list);
    await scene.page.getByRole("button", { name: "Try again" }).click();
    await scene.page.getByRole("button", { name: "Create project" }).waitFor();
  });

  test("changes what is set, keeps the rest, and says what is wrong at its field", async () => {
    await scene.visit("/ui/projects/shop");
    const settings = region("Settings");
    assert.equal(await settings.getByLabel("Name", { exact: true }).inputValue(), "The shop");
    assert.equal(await settings.getByLabel("Events a minute").inputValue(), "");
    await settings.getByLabel("Retention, days").fill("14");
    await settings.getByLabel("Events a minute").fill("4000");
    await settings.getByLabel("Further secret names").fill("iban, SSN");
    await press("Save settings", settings);
    await settings.getByText("Saved.").waitFor();
    const { name, slug, retention_days: days, minute_cap: cap, scrub } = await project("shop");
    assert.deepEqual([name, slug, days, cap, scrub], ["The shop", "shop", 14, 4000, { off: false, extra_keys: ["iban", "ssn"] }]);
    await settings.getByLabel("Secrets in events").selectOption("Stored as sent");
    await settings.getByLabel("Events a minute").fill("");
    await press("Save settings", settings);
    await until(async () => (await project("shop")).minute_cap === null, "the cap is the default again");
    assert.deepEqual((await project("shop")).scrub, { off: true, extra_keys: ["iban", "ssn"] });
    await settings.getByLabel("Further secret names").fill("x".repeat(65));
    await press("Save settings", settings);
    await settings.getByRole("alert").getByText(/64 texts of 1 to 64/).waitFor();
    assert.equal(await settings.getByText("Saved.").count(), 0, "what was said of an earlier save is gone");
    await settings.getByLabel("Further secret names").fill("");
  });

  test("sends only what was changed, so what others change meanwhile stays", async () => {
    await scene.visit("/ui/projects/shop");
    await scene.admin("PUT", "/admin/projects/shop", { minute_cap: 777, scrub: { off: false, extra_keys: ["pin"] } });
    const settings = region("Settings");
    await settings.getByLabel("Name", { exact: true }).fill("Our shop");
    await press("Save settings", settings);
    await settings.getByText("Saved.").waitFor();
    const { name, minute_cap: cap, scrub } = await project("shop");
    assert.deepEqual([name, cap, scrub], ["Our shop", 777, { off: false, extra_keys: ["pin"] }]);
    await settings.getByLabel("Name", { exact: true }).fill("The shop");
    await press("Save settings", settings);
    await until(async () => (await project("shop")).name === "The shop", "the name is back");
    assert.equal((await project("shop")).minute_cap, 777);
    await scene.admin("PUT", "/admin/projects/shop", { minute_cap: null });
  });

  test("asks before a shorter retention deletes events, and not before a longer one", async () => {
    await scene.visit("/ui/projects/shop");
    const settings = region("Settings");
    const days = settings.getByLabel("Retention, days");
    const stored = async () => (await project("shop")).retention_days;
    await days.fill("7");
    await press("Save settings", settings);
    await settings.getByText("Events older than 7 days will be deleted.").waitFor();
    assert.equal(await stored(), 14);
    await days.fill("1");
    assert.equal(await settings.getByText("will be deleted.").count(), 0, "what was asked no longer holds");
    await press("Save settings", settings);
    await settings.getByText("Events older than 1 day will be deleted.").waitFor();
    await press("Keep it", settings);
    assert.equal(await stored(), 14);
    await days.fill("7");
    await press("Save settings", settings);
    await scene.page.keyboard.press("Enter");
    await settings.getByText("Saved.").waitFor();
    assert.equal(await stored(), 7);
    assert.ok(await settings.getByRole("button", { name: "Save settings" }).evaluate((one) => one === document.activeElement), "the focus is where it was");
    await days.fill("14");
    await press("Save settings", settings);
    await until(async () => (await stored()) === 14, "a longer one is saved at once");
  });

  test("a new slug moves the page, and one that is taken is refused", async () => {
    await scene.project("other");
    await scene.visit("/ui/projects/shop");
    const settings = region("Settings");
    await settings.getByLabel("Slug").fill("other");
    await press("Save settings", settings);
    await settings.getByRole("alert").getByText("Another project has this slug.").waitFor();
    await settings.getByLabel("Slug").fill("shop-eu");
    await press("Save settings", settings);
    await until(async () => new URL(scene.page.url()).pathname === "/ui/projects/shop-eu", "the address has the new slug");
    await scene.settled();
    await send(first, "by the key from before");
    await settings.getByLabel("Slug").fill("shop");
    await press("Save settings", settings);
    await until(async () => new URL(scene.page.url()).pathname === "/ui/projects/shop", "and back");
    await scene.settled();
  });

  test("makes a key to send with and one to read with, shows their secrets once, and both work", async () => {
    await scene.visit("/ui/projects/shop");
    await press("New key");
    await region("Keys").getByLabel("Note").fill("the billing server");
    await press("Make key");
    await region("Keys").getByText("Copy both now.").waitFor();
    const made = { api_key: (await scene.page.locator("#api-key").textContent()) ?? "", signing_secret: (await scene.page.locator("#signing-secret").textContent()) ?? "" };
    await send(made, "by the second key");
    await entry("the billing server").getByText("Sends events, signed. Made").waitFor();
    const shownOnce = scene.page.locator("#signing-secret");
    assert.equal(await scene.page.locator("[role=status], [role=alert], [aria-live]").filter({ has: shownOnce }).count(), 0, "no secret is read aloud");
    await press("New key");
    await region("Keys").getByLabel("For", { exact: true }).selectOption("Reads the logs of this project");
    await press("Cancel");
    const settings = region("Settings");
    for (const slug of ["shop-eu", "shop"]) {
      await settings.getByLabel("Slug").fill(slug);
      await press("Save settings", settings);
      await until(async () => new URL(scene.page.url()).pathname === `/ui/projects/${slug}`, "the page moves");
      await scene.settled();
      assert.equal(await region("Delete").count(), 1);
      assert.equal(await scene.page.getByRole("main").getByRole("link", { name: "Logs", exact: true }).getAttribute("href"), `/ui/logs?project=${slug}`);
      assert.equal(await shownOnce.textContent(), made.signing_secret, "a new slug takes no secret away");
    }
    await press("New key");
    await region("Keys").getByLabel("For", { exact: true }).selectOption("Reads the logs of this project");
    await region("Keys").getByLabel("Note").fill("a dashboard");
    await press("Make key");
    await region("Keys").getByText("Copy it now.").waitFor();
    const read = (await scene.page.locator("#api-key").textContent()) ?? "";
    assert.equal(await scene.page.locator("#signing-secret").count(), 0);
    await scene.admin("POST", "/admin/projects/shop/keys", { kind: "read", note: "of short life" });
    await press("New key");
    await region("Keys").getByLabel("Note").fill("the last one");
    await press("Make key");
    await entry("of short life").getByRole("button", { name: "Revoke", exact: true }).click();
    await press("Revoke it", entry("of short life"));
    await region("Keys").getByText("Revoked.").waitFor();
    assert.equal(await shownOnce.count(), 1, "a word about another key takes no secret away");
    const reply = await fetch(`${scene.server.base}/logs`, { headers: { Authorization: `Bearer ${read}` } });
    assert.equal(reply.status, 200);
    assert.ok((await reply.json()).logs.some((/** @type {{ message: string }} */ { message }) => message === "by the second key"));
    await scene.page.reload();
    await scene.settled();
    assert.ok(!(await scene.page.content()).includes(made.signing_secret) && !(await scene.page.content()).includes(read));
  });

  test("a key is revoked after a second word, stays in the list, and is of no use", async () => {
    await scene.visit("/ui/projects/shop");
    await entry("the billing server").getByRole("button", { name: "Revoke", exact: true }).click();
    await entry("the billing server").getByRole("button", { name: "Keep it" }).click();
    const keys = async () => (await scene.admin("GET", "/admin/projects/shop/keys")).keys;
    assert.equal((await keys()).filter((/** @type {{ revoked_at: string | null }} */ one) => one.revoked_at !== null).length, 1, "only the one of before");
    await entry("the billing server").getByRole("button", { name: "Revoke", exact: true }).click();
    await scene.page.keyboard.press("Enter");
    await entry("the billing server").getByText("(revoked)").waitFor();
    assert.equal(await entry("the billing server").getByRole("button").count(), 0);
    // The focus is on no button of another key: who goes on pressing Enter revokes nothing more.
    await until(async () => region("Keys").getByRole("heading", { name: "Keys" }).evaluate((one) => one === document.activeElement), "the heading has the focus");
    await scene.page.keyboard.press("Enter");
    await scene.page.keyboard.press("Enter");
    assert.deepEqual((await keys()).filter((/** @type {{ revoked_at: string | null }} */ one) => one.revoked_at !== null).map((/** @type {{ note: string }} */ { note }) => note).sort(), ["of short life", "the billing server"]);
    await send(first);
  });

  test("failures are said where they belong", async () => {
    const problem = { status: 503, contentType: "application/problem+json", body: JSON.stringify({ code: "storage_unavailable", detail: "The database is away." }) };
    const changes = (/** @type {import("playwright-core").Route} */ route) => (route.request().method() === "GET" ? route.fallback() : route.fulfill(problem));
    const admin = (/** @type {URL} */ url) => url.pathname.startsWith("/admin/projects/");
    await scene.visit("/ui/projects/shop");
    await scene.page.route(admin, changes);
    await press("Save settings", region("Settings"));
    await region("Settings").getByRole("alert").getByText("The database is away.").waitFor();
    await press("New key");
    await press("Make key");
    await region("Keys").getByRole("alert").getByText("The database is away.").waitFor();
    await entry("a dashboard").getByRole("button", { name: "Revoke", exact: true }).click();
    await press("Revoke it");
    await region("Keys").getByRole("status").getByText("The database is away.").waitFor();
    await press("Delete this project…", region("Delete"));
    await region("Delete").getByLabel("Type").fill("shop");
    await press("Delete the project", region("Delete"));
    await region("Delete").getByRole("alert").getByText("The database is away.").waitFor();
    await press("Cancel", region("Delete"));
    await press("Delete this project…", region("Delete"));
    assert.equal(await region("Delete").getByRole("alert").filter({ hasText: /\S/ }).count(), 0, "the failure of before is gone");
    await scene.page.unroute(admin);
    await scene.visit("/ui/projects/no-such-project");
    await scene.page.getByRole("heading", { name: "No such project" }).waitFor();
  });

  test("fits and is accessible in every size and theme", async () => {
    await inEachSize(scene.browser, scene.context, async (look, width) => {
      await scene.visit("/ui/projects/shop", look);
      await check(look, `project-${width}`, true);
      await look.getByRole("button", { name: "New key" }).click();
      await check(look, `project-new-key-${width}`, true);
      await look.getByLabel("Note").fill(`for ${width}`);
      await look.getByRole("button", { name: "Make key" }).click();
      await look.getByText("Copy both now.").waitFor();
      await look.getByRole("button", { name: "Revoke", exact: true }).first().click();
      await look.getByRole("button", { name: "Delete this project…" }).click();
      await check(look, `project-asked-${width}`, true);
      await checkStates(look, `${scene.server.base}/ui/projects/shop`, (url) => url.pathname === "/admin/projects/shop", `project-*-${width}`);
    });
  });

  test("a project is deleted only after its slug is typed, and its key sends nothing more", async () => {
    await scene.visit("/ui/projects/shop");
    await press("Delete this project…", region("Delete"));
    await press("Cancel", region("Delete"));
    await press("Delete this project…", region("Delete"));
    const sure = region("Delete").getByRole("button", { name: "Delete the project" });
    await scene.page.keyboard.type("sho");
    assert.ok(await sure.isDisabled());
    await scene.page.keyboard.type("p");
    await scene.page.keyboard.press("Enter");
    await scene.page.getByRole("heading", { name: "Projects", level: 1 }).waitFor();
    await scene.settled();
    assert.equal(await scene.page.getByRole("link", { name: "The shop", exact: true }).count(), 0);
    await assert.rejects(send(first), /401/);
  });

  test("broke no policy and logged no error in all of this", () => assert.deepEqual(scene.faults, []));
});
