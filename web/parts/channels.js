// The channels alerts go to: made, changed, tested with their real answer, deleted. What is secret is never shown back.

import { change, read } from "../api.js";
import { fill, h, shown } from "../lib/h.js";
import { answerText } from "../lib/rules.js";
import { section, verdictLine } from "./board.js";
import { acting, actionsWith, changeForm, choiceControl, formPlace, listControl, textControl } from "./control.js";
import { copyButton } from "./copy.js";
import { button, problemText } from "./state.js";

/** @typedef {import("../api.js").Project} Project */
/**
 * @typedef {object} Channel
 * @property {number | string} id
 * @property {number | null} project_id
 * @property {string} kind
 * @property {string} name
 * @property {boolean} enabled
 * @property {string} reason why the service turned it off
 * @property {boolean} read_only
 * @property {string | null} destination
 * @property {string | null} problem
 * @property {Record<string, string | string[] | null>} settings what is secret is masked
 */
/**
 * What is known of names by now, and the places that say them.
 * @typedef {object} KnownNames
 * @property {Project[]} projects
 * @property {Channel[] | null} channels null until they are known
 * @property {Promise<unknown>} ready the names are there, or can't be had
 * @property {() => number | null | undefined} chosen the project the page is about: null is all, undefined is one that is not there
 */
/** @typedef {KnownNames & ReturnType<typeof import("./board.js").retold>} Names */
/** @typedef {{ delivered: boolean, status: number | null, detail: string, answer: string, retry_after_ms: number | null }} Answer */

/**
 * A field: its name, its label, a hint, and what it is: `secret` is masked by the API, `optional` may be left out.
 * @typedef {[string, string, string, string?]} Field
 */

/** Each kind with its title and fields. @type {Record<string, { title: string, fields: Field[] }>} */
const CHANNEL_KINDS = {
  discord: { title: "Discord", fields: [["url", "Webhook URL", "Server settings, Integrations, Webhooks.", "secret"], ["thread_id", "Thread", "The number of a thread to post in.", "optional"]] },
  slack: { title: "Slack", fields: [["url", "Webhook URL", "Of an incoming webhook.", "secret"]] },
  pagerduty: { title: "PagerDuty", fields: [["routing_key", "Routing key", "Of an integration with Events API v2.", "secret"], ["url", "URL", "Only for another region.", "secret optional"]] },
  webhook: { title: "Webhook", fields: [["url", "URL", "Gets a signed POST.", "secret"], ["secret", "Secret", "whsec_…; left empty one is made and shown once.", "secret optional"]] },
  email: { title: "Mail by SMTP", fields: [["to", "To", "Addresses, separated by commas.", "list"], ["from", "From", "Empty for ALERT_EMAIL_FROM.", "optional"], ["smtp_url", "Server", "smtps://user:password@host:465; empty for SMTP_URL.", "secret optional"]] },
  mail_api: { title: "Mail by HTTPS", fields: [["to", "To", "Addresses, separated by commas.", "list"], ["from", "From", "The sender."], ["api_key", "API key", "Of the mail service.", "secret"], ["url", "URL", "Of a mail API in Resend's shape; empty for Resend.", "secret optional"]] },
};

/** @param {string} kind */
const channelTitle = (kind) => CHANNEL_KINDS[kind]?.title ?? kind;

/** @param {Names} names @param {number | null} id */
export function projectName({ projects }, id) {
  return id === null ? "all projects" : shown(projects.find((one) => one.id === id)?.slug ?? `project ${id}`);
}

/** @param {Names} names @param {number | string} id */
export function channelName({ channels }, id) {
  return shown(channels?.find((one) => String(one.id) === String(id))?.name ?? `channel ${id}`);
}

/**
 * The project that something is for.
 * @param {Names} names
 * @param {string} label
 * @param {number | null} chosen
 */
export function projectControl(names, label, chosen) {
  const ids = new Set([null, ...names.projects.map(({ id }) => id), chosen]);
  return choiceControl("project_id", label, [...ids].map((id) => [String(id ?? ""), id === null ? "All projects" : projectName(names, id)]), String(chosen ?? ""), (value) => (value === "" ? null : Number(value)));
}

/**
 * @param {AbortSignal} life
 * @param {Names} names
 * @param {(channels: Channel[]) => void} onList
 */
export function channels(life, names, onList) {
  const said = h("p", { role: "status" });
  const secrets = h("div");
  const make = button("New channel", () => openForm(null, "discord"));
  const editor = formPlace(make, names);
  const part = section(life, {
    id: "channels",
    title: "Channels",
    tools: make,
    load: async () => {
      const reply = /** @type {{ channels: Channel[] }} */ (await read("/admin/alerts/channels", life));
      // There is one of each kind at most, and the API calls all of them the same.
      const list = reply.channels.map((one) => (one.read_only ? { ...one, name: `${channelTitle(one.kind)} (environment)` } : one));
      names.channels = list;
      onList(list);
      names.retell();
      return list;
    },
    view: (list) => [editor.element, said, secrets, list.length === 0
      ? h("p", { class: "muted" }, "No channel yet. Make one, or set DISCORD_WEBHOOK_URL or its like.")
      : h("ul", { class: "entries" }, list.map(channelView))],
  });

  const place = (/** @type {Channel} */ channel) => `/admin/alerts/channels/${encodeURIComponent(channel.id)}`;

  const act = acting(said, () => part.refresh());

  /** @param {Channel} channel */
  function channelView(channel) {
    const answer = h("div", { role: "status", class: "answer" });
    const name = shown(channel.name);
    const test = button("Send test", async () => {
      test.disabled = true;
      fill(answer, h("p", { class: "muted" }, "Sending…"));
      try {
        fill(answer, answerView(/** @type {Answer} */ (await change("POST", `${place(channel)}/test`, {}))));
      } catch (error) {
        fill(answer, h("p", null, problemText(error)));
      } finally {
        test.disabled = false;
      }
    });
    const turn = button(channel.enabled ? "Turn off" : "Turn on", () =>
      void act(() => change("PUT", place(channel), { enabled: !channel.enabled }), `${name} is ${channel.enabled ? "off" : "on"}.`));
    const edit = button("Edit", () => openForm(channel, channel.kind));
    return h("li", { class: "entry", "data-off": !channel.enabled && "" },
      h("div", null,
        h("div", { class: "entry-head" }, h("h3", null, name), onOff(channel.enabled)),
        h("p", { class: "value" }, `${channelTitle(channel.kind)}${channel.destination ? `, ${shown(channel.destination)}` : ""}`),
        names.tell(h("p", { class: "muted" }), () => `Alerts of ${projectName(names, channel.project_id)}.${channel.read_only ? " Set by the environment." : ""}`),
        channel.reason && h("p", null, `Turned off: ${shown(channel.reason)}`),
        channel.problem && h("p", { class: "form-error" }, `Can't be used: ${shown(channel.problem)}`)),
      channel.read_only ? h("div", { class: "actions" }, test) : actionsWith([test, turn, edit], {
        label: "Delete", ask: "What waits for it is given up.", sure: "Delete it", act: () => act(() => change("DELETE", place(channel)), `${name} is deleted.`),
      }),
      answer);
  }

  /**
   * @param {Channel | null} channel null makes one
   * @param {string} kind
   */
  function openForm(channel, kind) {
    void editor.open(() => changeForm({
      title: channel === null ? "New channel" : `Edit channel: ${shown(channel.name)}`,
      controls: [
        ...(channel === null ? [choiceControl("kind", "Kind", Object.entries(CHANNEL_KINDS).map(([name, { title }]) => [name, title]), kind, (value) => value, (chosen) => openForm(null, chosen))] : []),
        textControl("name", "Name", { required: true, maxlength: "128", defaultValue: channel?.name ?? channelTitle(kind) }),
        projectControl(names, "Alerts of", channel?.project_id ?? null),
        ...(CHANNEL_KINDS[kind]?.fields ?? []).map((field) => fieldControl(field, channel)),
      ],
      method: channel === null ? "POST" : "PUT",
      address: channel === null ? "/admin/alerts/channels" : place(channel),
      submit: channel === null ? "Create channel" : "Save channel",
      cancel: editor.close,
      done: (/** @type {{ secret?: string }} */ { secret }) => {
        editor.close();
        if (secret) fill(secrets, secretView(secret));
        fill(said, "Saved. Send a test to see that it works.");
        void part.refresh();
      },
    }));
  }

  return part;
}

/** Whether something works now. @param {boolean} enabled */
export function onOff(enabled) {
  return h("span", { class: enabled ? "badge" : "badge muted" }, enabled ? "On" : "Off");
}

/**
 * What is masked is kept while its input stays empty.
 * @param {Field} field
 * @param {Channel | null} channel
 */
function fieldControl([name, label, hint, kind = ""], channel) {
  const now = channel?.settings[name] ?? null;
  if (kind === "list") return listControl(name, label, Array.isArray(now) ? now : [], hint, { required: true });
  const secret = kind.includes("secret");
  const optional = kind.includes("optional");
  const keeps = secret && now !== null;
  const props = { required: !optional && !keeps, defaultValue: secret ? "" : String(now ?? ""), ...(keeps ? { placeholder: `Kept: ${shown(String(now))}` } : {}) };
  return textControl(name, label, props, keeps ? `${hint} Empty keeps what is set.` : hint, (text) => {
    if (text !== "") return text;
    return secret || channel === null ? undefined : null;
  });
}

/** @param {string} secret */
function secretView(secret) {
  return h("div", { class: "card" },
    h("p", { class: "notice" }, "The webhook is signed with this secret, shown this once."),
    h("div", { class: "actions" }, h("code", { class: "value" }, secret), copyButton("Copy secret", () => secret)));
}

/** @param {Answer} answer */
function answerView(answer) {
  return [
    verdictLine(answer.delivered, shown(answerText(answer))),
    answer.answer && h("pre", { class: "code", tabindex: "0", "aria-label": "What the channel answered" }, shown(answer.answer)),
  ];
}
