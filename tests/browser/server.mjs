// The service under test: one that runs already (BASE_URL and ADMIN_TOKEN), or the binary named by
// TEKNO_BIN, started on an empty data folder and a free port.

import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

const START_MS = 15_000;
const STOP_MS = 10_000;

/** @typedef {{ base: string, token: string, stop: () => Promise<void> }} Server */

/** @returns {Promise<Server>} */
export async function startServer() {
  const { BASE_URL, ADMIN_TOKEN, TEKNO_BIN } = process.env;
  if (BASE_URL && ADMIN_TOKEN) return { base: BASE_URL.replace(/\/$/, ""), token: ADMIN_TOKEN, stop: async () => {} };
  if (!TEKNO_BIN) throw new Error("set TEKNO_BIN, or BASE_URL and ADMIN_TOKEN");
  const folder = await mkdtemp(join(tmpdir(), "tekno-browser-"));
  const child = spawn(TEKNO_BIN, [], {
    cwd: folder,
    env: { PATH: process.env.PATH, HOME: folder, PORT: "0", DATA_DIR: folder, RATE_LIMIT_PER_IP: "0", READ_RATE_LIMIT_PER_IP: "0" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const ended = new Promise((resolve) => child.once("exit", resolve));
  const stop = async () => {
    child.kill("SIGTERM");
    const timer = setTimeout(() => child.kill("SIGKILL"), STOP_MS);
    await ended;
    clearTimeout(timer);
    await rm(folder, { recursive: true, force: true });
  };
  try {
    return { ...(await readBanner(child)), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/**
 * @param {import("node:child_process").ChildProcessByStdio<null, import("node:stream").Readable, import("node:stream").Readable>} child
 * @returns {Promise<{ base: string, token: string }>}
 */
function readBanner(child) {
  return new Promise((resolve, reject) => {
    let token = "";
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
