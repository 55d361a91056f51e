// The service under test: one that runs already (BASE_URL and ADMIN_TOKEN), or the binary named by
// TEKNO_BIN, started on an empty data folder and a free port.

import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

const START_MS = 15_000 * Number(process.env.PATIENCE ?? 1);
const STOP_MS = 10_000;

/**
 * @typedef {object} Server
 * @property {string} base
 * @property {string} token
 * @property {() => Promise<void>} stop ends it and removes its folder
 * @property {() => Promise<void>} sleep ends it; only of one that was started here
 * @property {() => Promise<void>} wake starts it again at the same address, with the same data
 */

/**
 * @param {Record<string, string>} [settings] of the environment; with any, a service of its own is started
 * @returns {Promise<Server>}
 */
export async function startServer(settings) {
  const { BASE_URL, ADMIN_TOKEN, TEKNO_BIN } = process.env;
  const none = async () => {};
  if (BASE_URL && ADMIN_TOKEN && !settings) return { base: BASE_URL.replace(/\/$/, ""), token: ADMIN_TOKEN, stop: none, sleep: none, wake: none };
  if (!TEKNO_BIN) throw new Error("set TEKNO_BIN, or BASE_URL and ADMIN_TOKEN");
  const folder = await mkdtemp(join(tmpdir(), "tekno-browser-"));
  const env = {
    PATH: process.env.PATH, HOME: folder, PORT: "0", DATA_DIR: folder, RATE_LIMIT_PER_IP: "0", READ_RATE_LIMIT_PER_IP: "0", ...settings,
  };
  let running = launch(TEKNO_BIN, folder, env);
  const stop = async () => {
    await running.end();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const { base, token } = await running.banner;
    const wake = async () => {
      running = launch(TEKNO_BIN, folder, { ...env, PORT: new URL(base).port, ADMIN_TOKEN: token });
      await running.banner;
    };
    return { base, token, stop, sleep: () => running.end(), wake };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** @param {string} binary @param {string} folder @param {Record<string, string | undefined>} env */
function launch(binary, folder, env) {
  const child = spawn(binary, [], { cwd: folder, env, stdio: ["ignore", "pipe", "pipe"] });
  const ended = new Promise((resolve) => child.once("exit", resolve));
  const end = async () => {
    child.kill("SIGTERM");
    const timer = setTimeout(() => child.kill("SIGKILL"), STOP_MS);
    await ended;
    clearTimeout(timer);
  };
  return { end, banner: readBanner(child, env.ADMIN_TOKEN ?? "") };
}

/**
 * @param {import("node:child_process").ChildProcessByStdio<null, import("node:stream").Readable, import("node:stream").Readable>} child
 * @param {string} known the token, when it was given
 * @returns {Promise<{ base: string, token: string }>}
 */
function readBanner(child, known) {
  return new Promise((resolve, reject) => {
    let token = known;
    let base = "";
    /** @type {string[]} */
    const said = [];
    const fail = (/** @type {string} */ why) => reject(new Error(`${why}; it said:\n${said.join("\n")}`));
    const timer = setTimeout(() => fail("the service did not name its address and token"), START_MS);
    child.once("exit", (code) => fail(`the service ended with ${code}`));
    child.once("error", (error) => fail(String(error)));
    const read = (/** @type {string} */ line) => {
      if (said.length < 100) said.push(line);
      token ||= /ADMIN_TOKEN=(\S+)/.exec(line)?.[1] ?? "";
      const port = /http:\/\/[^\s"]*?:(\d+)/.exec(line)?.[1];
      if (port && port !== "0") base ||= `http://127.0.0.1:${port}`;
      if (token === "" || base === "") return;
      clearTimeout(timer);
      resolve({ base, token });
    };
    createInterface({ input: child.stdout }).on("line", read);
    createInterface({ input: child.stderr }).on("line", read);
  });
}
