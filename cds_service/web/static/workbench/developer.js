// The Developer panel: the call as bytes, the answer in plain words, how each record came, how long it took, what is valid.

import { helper, place, sentence, serviceAddress } from "./client.js";
import { showCheck } from "./check.js";
import { announce, byId, fill, h, table } from "./dom.js";
import { CARDS, DEVELOPER } from "./strings.js";

const TABS = ["request", "response", "prefetch", "timing", "check"];
const STEPS = ["read", "fetch", "fetch-", "evaluate", "evidence", "write", "total"];

export class Developer {
  #services = [];
  #last = null;

  /** `send(service, body)` sends a call that was written or pasted here. */
  constructor(send) {
    this.send = send;
    this.text = byId("request-text");
    this.choice = byId("request-service");
    for (const tab of TABS) {
      const button = byId(`tab-${tab}`);
      button.addEventListener("click", () => this.choose(tab));
      button.addEventListener("keydown", (event) => this.#keys(event, tab));
    }
    byId("request-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#resend();
    });
    for (const field of [this.text, this.choice]) field.addEventListener("input", () => this.#aim());
    byId("copy-curl").addEventListener("click", () => this.#copy());
    byId("clear-request").addEventListener("click", () => {
      this.text.value = "";
      this.#aim();
      this.text.focus();
    });
    for (const tab of TABS.slice(1)) fill(byId(`panel-${tab}`), h("p", { class: "quiet" }, DEVELOPER.nothingYet));
  }

  set services(found) {
    this.#services = found;
    this.#aim();
  }

  choose(name, focus = false) {
    for (const tab of TABS) {
      const button = byId(`tab-${tab}`);
      button.setAttribute("aria-selected", String(tab === name));
      button.tabIndex = tab === name ? 0 : -1;
      byId(`panel-${tab}`).hidden = tab !== name;
      if (focus && tab === name) button.focus();
    }
    this.chosen = name;
    if (name === "check") this.#check();
  }

  /** Shows one call: the service's id, the body as it was sent, and the answer. */
  show(service, body, answer) {
    this.#last = { service, body, answer };
    this.text.value = body;
    this.#aim();
    const cards = answer.json?.cards;
    byId("developer-line").textContent = DEVELOPER.line(service, answer.status, Array.isArray(cards) ? cards.length : null, Math.round(answer.milliseconds));
    this.#response(answer);
    this.#prefetch(service, body, answer);
    this.#timing(answer);
    fill(byId("panel-check"), h("p", { class: "quiet" }, DEVELOPER.check.open));
    byId("count-check").textContent = "";
    if (this.chosen === "check") this.#check();
  }

  #keys(event, tab) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const to = { Home: 0, End: TABS.length - 1 }[event.key] ?? (step ? (TABS.indexOf(tab) + step + TABS.length) % TABS.length : -1);
    if (to < 0) return;
    event.preventDefault();
    this.choose(TABS[to], true);
  }

  /** Where the text in the request field goes, and the sentence that says why; worked out again for each text. */
  #target() {
    const { target } = DEVELOPER;
    const chosen = this.choice.value;
    if (chosen) return [chosen, target.chosen(chosen)];
    const first = this.#services[0]?.id ?? "";
    let hook;
    try {
      hook = JSON.parse(this.text.value)?.hook;
    } catch {
      return [first, this.text.value.trim() ? target.notJson(first) : ""];
    }
    const found = this.#services.find((service) => service.hook === hook);
    return found ? [found.id, target.matched(found.id, hook)] : [first, target.noHook(first)];
  }

  #aim() {
    [, byId("request-target").textContent] = this.#target();
  }

  async #resend() {
    const [service] = this.#target();
    if (!service) return;
    await this.send(service, this.text.value);
    this.choose("response", true);
  }

  async #copy() {
    const line = `curl -sS ${serviceAddress(this.#target()[0])} -H 'Content-Type: application/json' --data-binary @- <<'REQUEST'\n${this.text.value}\nREQUEST\n`;
    try {
      await navigator.clipboard.writeText(line);
      announce(DEVELOPER.copiedShort);
      byId("copy-curl").textContent = DEVELOPER.copied;
      setTimeout(() => { byId("copy-curl").textContent = DEVELOPER.copy; }, 2000);
    } catch {
      this.text.value = line;
      this.text.select();
      announce(DEVELOPER.cannotCopy);
    }
  }

  #response(answer) {
    const where = place(answer);
    byId("count-response").textContent = ` ${answer.status || "none"}`;
    fill(
      byId("panel-response"),
      h(
        "div",
        { class: answer.status === 200 ? "verdict" : "verdict notice late" },
        h("p", {}, h("strong", {}, DEVELOPER.status(answer.status)), DEVELOPER.meanings[answer.status] ?? DEVELOPER.otherStatus(answer.status)),
        answer.status === 200 ? null : h("p", {}, DEVELOPER.says, h("q", {}, sentence(answer))),
        where ? h("p", {}, DEVELOPER.where, h("code", {}, where)) : null,
      ),
      h("pre", { class: "raw", tabindex: 0, "aria-label": DEVELOPER.responseLabel }, answer.json === undefined ? answer.body || DEVELOPER.nothing : JSON.stringify(answer.json, null, 2)),
    );
  }

  #prefetch(service, body, answer) {
    const words = DEVELOPER.prefetch;
    const templates = this.#services.find((one) => one.id === service)?.prefetch ?? {};
    let sent;
    try {
      sent = JSON.parse(body)?.prefetch ?? {};
    } catch {
      sent = {};
    }
    const fetched = Object.fromEntries(timings(answer).filter((item) => item.name.startsWith("fetch-")).map((item) => [item.name.slice("fetch-".length), item]));
    const tally = { filled: 0, empty: 0, missing: 0, failed: 0 };
    const rows = Object.entries(templates).map(([key, template]) => {
      const [kind, mark, said] = state(sent, key, fetched[key], answer.status);
      tally[kind] += 1;
      return [h("code", {}, key), h("code", {}, template), h("span", { class: `mark ${mark}` }, said)];
    });
    byId("count-prefetch").textContent = words.sent(tally.filled + tally.empty, rows.length);
    fill(byId("panel-prefetch"), h("p", {}, words.tally(tally.filled, tally.empty, tally.missing, tally.failed)), table(words.caption, words.heads, rows));
  }

  #timing(answer) {
    const { timing } = DEVELOPER;
    const trip = { name: "trip", duration: answer.milliseconds, description: "" };
    const found = timings(answer);
    const longest = Math.max(trip.duration, ...found.map((item) => item.duration), 0.001);
    const words = (item) => timing.steps[item.name] ?? (item.name.startsWith("fetch-") ? timing.part(item.name.slice("fetch-".length), item.description) : item.name);
    const rank = ({ name }) => STEPS.indexOf(name.startsWith("fetch-") ? "fetch-" : name);
    const rows = [...found.sort((one, other) => rank(one) - rank(other)), trip].map((item) =>
      [words(item), item.duration.toFixed(1), h("meter", { min: 0, max: longest, value: item.duration, "aria-label": words(item) })]);
    byId("count-timing").textContent = ` ${CARDS.milliseconds(answer.milliseconds.toFixed(0))}`;
    fill(byId("panel-timing"), h("p", {}, timing.says), table(timing.caption, timing.heads, rows));
  }

  async #check() {
    if (!this.#last) return;
    const { service, answer } = this.#last;
    byId("count-check").textContent = await showCheck(byId("panel-check"), service, this.text.value, answer);
  }
}

/** [kind, look, words] of how one key came. */
function state(sent, key, fetched, status) {
  const words = DEVELOPER.prefetch;
  if (!(key in sent)) {
    if (!fetched) return ["missing", "none", status === 200 ? words.notNeeded : words.notSent];
    const whole = fetched.description === "fetched";
    return [whole ? "missing" : "failed", whole ? "sure" : "late", words.fetched(words.how[fetched.description] ?? fetched.description, fetched.duration.toFixed(0))];
  }
  const value = sent[key];
  if (value?.resourceType === "OperationOutcome") return ["failed", "late", words.outcome];
  if (value === null || (value?.resourceType === "Bundle" && !value.entry?.length)) return ["empty", "partly", words.empty];
  if (!value?.resourceType) return ["failed", "late", words.notFhir];
  return ["filled", "sure", value.resourceType === "Bundle" ? words.bundle(value.entry.length) : words.filled];
}

/** The entries of a Server-Timing header (W3C Server Timing). */
function timings(answer) {
  const header = answer.headers.get("Server-Timing") ?? "";
  return [...header.matchAll(/([!#$%&'*+.^_`|~\w-]+)((?:;\s*\w+=(?:"[^"]*"|[^,;]*))*)/g)].map(([, name, rest]) => ({
    name,
    duration: Number(/dur=([\d.]+)/.exec(rest)?.[1] ?? 0),
    description: /desc="([^"]*)"/.exec(rest)?.[1] ?? "",
  }));
}
