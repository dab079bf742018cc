// The engineer's drawer: the call as bytes, what came back in plain words, how each record was obtained, how long it took.

import { helper, place, sentence, serviceAddress } from "./client.js";
import { announce, byId, fill, h } from "./dom.js";
import { count } from "./words.js";

const MEANINGS = {
  0: "No answer came: the service cannot be reached from this page.",
  200: "The call was understood and answered.",
  400: "The service could not read the call. The sentence below says what is wrong; correct it and send it again.",
  401: "The service does not know who calls: it asks for a token, which this page cannot sign.",
  404: "There is no such service.",
  405: "A service is called by POST.",
  412: "A record that is needed was neither sent nor could be fetched.",
  413: "The call is larger than the service reads.",
  415: "The call was not sent as JSON.",
  422: "The call can be read, and asks for something that cannot be done.",
  429: "Too many calls in a short time.",
  500: "The service failed. Nothing was decided; its log says where.",
  503: "The service cannot answer at the moment.",
};
const LEVELS = { error: ["✕", "late"], warning: ["!", "open"], note: ["i", "partly"] };
const STEPS = { read: "reading the call", fetch: "fetching what was not sent, all side by side", evaluate: "holding it against the statements", write: "writing the answer", total: "in the service, all together" };
const ORDER = ["request", "response", "prefetch", "timing", "check"];

export class Engineer {
  #services = [];
  #last = null;

  /** `send(service, body)` sends a call that was written or pasted here. */
  constructor(send) {
    this.send = send;
    this.text = byId("request-text");
    for (const tab of ORDER) {
      const button = byId(`tab-${tab}`);
      button.addEventListener("click", () => this.choose(tab));
      button.addEventListener("keydown", (event) => this.#keys(event, tab));
    }
    byId("request-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#sendAgain();
    });
    byId("copy-curl").addEventListener("click", () => this.#copy());
    byId("clear-request").addEventListener("click", () => {
      this.text.value = "";
      this.text.focus();
    });
    this.#panels(h("p", { class: "quiet" }, "Nothing has been sent yet. Open a patient above, or paste a request under Request."));
  }

  set services(found) {
    this.#services = found;
  }

  choose(name, focus = false) {
    for (const tab of ORDER) {
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
    byId("request-service").value = this.#serviceOf(body) === service ? "" : service;
    const cards = answer.json?.cards;
    const came = Array.isArray(cards) ? `, ${count(cards.length, "card")}` : "";
    byId("engineer-line").textContent = `POST ${service}: ${answer.status || "no answer"}${came}, ${Math.round(answer.milliseconds)} ms`;
    this.#response(answer);
    this.#prefetch(service, body, answer);
    this.#timing(answer);
    fill(byId("panel-check"), h("p", { class: "quiet" }, "Open this tab to hold the call against the specification."));
    byId("count-check").textContent = "";
    if (this.chosen === "check") this.#check();
  }

  #keys(event, tab) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const to = { Home: 0, End: ORDER.length - 1 }[event.key] ?? (step ? (ORDER.indexOf(tab) + step + ORDER.length) % ORDER.length : -1);
    if (to < 0) return;
    event.preventDefault();
    this.choose(ORDER[to], true);
  }

  #panels(content) {
    for (const tab of ORDER.slice(1)) fill(byId(`panel-${tab}`), content.cloneNode(true));
  }

  #serviceOf(body) {
    try {
      const { hook } = JSON.parse(body);
      return this.#services.find((service) => service.hook === hook)?.id ?? "";
    } catch {
      return "";
    }
  }

  async #sendAgain() {
    const body = this.text.value;
    const service = byId("request-service").value || this.#serviceOf(body) || this.#last?.service || this.#services[0]?.id;
    if (!service) return;
    await this.send(service, body);
    this.choose("response", true);
  }

  async #copy() {
    const body = this.text.value;
    const service = byId("request-service").value || this.#serviceOf(body) || this.#last?.service || "";
    const line = `curl -sS ${serviceAddress(service)} -H 'Content-Type: application/json' --data-binary @- <<'REQUEST'\n${body}\nREQUEST\n`;
    try {
      await navigator.clipboard.writeText(line);
      announce("Copied.");
      byId("copy-curl").textContent = "Copied";
      setTimeout(() => { byId("copy-curl").textContent = "Copy as curl"; }, 2000);
    } catch {
      this.text.value = line;
      this.text.select();
      announce("The browser does not let this page copy: the curl line stands in the request field, selected.");
    }
  }

  #response(answer) {
    const where = place(answer);
    const plain = MEANINGS[answer.status] ?? `The service answered with the status ${answer.status}.`;
    byId("count-response").textContent = ` ${answer.status || "–"}`;
    fill(
      byId("panel-response"),
      h(
        "div",
        { class: answer.status === 200 ? "verdict" : "verdict notice late" },
        h("p", {}, h("strong", {}, answer.status ? `Status ${answer.status}. ` : ""), plain),
        answer.status === 200 ? null : h("p", {}, "It says: ", h("q", {}, sentence(answer))),
        where ? h("p", {}, "Where: ", h("code", {}, where)) : null,
      ),
      h("pre", { class: "raw", tabindex: 0, "aria-label": "Response as JSON" }, answer.json === undefined ? answer.body || "(nothing)" : JSON.stringify(answer.json, null, 2)),
    );
  }

  #prefetch(service, body, answer) {
    const templates = this.#services.find((one) => one.id === service)?.prefetch ?? {};
    let sent;
    try {
      sent = JSON.parse(body)?.prefetch ?? {};
    } catch {
      sent = {};
    }
    const fetched = Object.fromEntries(timings(answer).filter((item) => item.name.startsWith("fetch-")).map((item) => [item.name.slice("fetch-".length), item]));
    const tally = { filled: 0, empty: 0, missing: 0 };
    const rows = Object.entries(templates).map(([key, template]) => {
      const [kind, mark, words] = state(sent, key, fetched[key], answer.status);
      tally[kind] = (tally[kind] ?? 0) + 1;
      return h("tr", {}, h("th", { scope: "row" }, h("code", {}, key)), h("td", { "data-label": "Template" }, h("code", {}, template)), h("td", { "data-label": "How it came" }, h("span", { class: `mark ${mark}` }, words)));
    });
    byId("count-prefetch").textContent = ` ${tally.filled + tally.empty} of ${rows.length} sent`;
    fill(
      byId("panel-prefetch"),
      h("p", {}, `${tally.filled} sent filled, ${tally.empty} sent empty, ${tally.missing} not sent${tally.failed ? `, ${tally.failed} failed` : ""}. Sent empty means “nothing on record”; not sent means “not looked up”.`),
      table("How each prefetch key came", ["Key", "Template", "How it came"], rows),
    );
  }

  #timing(answer) {
    const found = timings(answer);
    const trip = { name: "trip", duration: answer.milliseconds, description: "" };
    const longest = Math.max(trip.duration, ...found.map((item) => item.duration), 0.001);
    const words = (item) => STEPS[item.name] ?? (item.name === "trip" ? "the whole way there and back, as this page saw it" : item.name.startsWith("fetch-") ? `of that: ${item.name.slice(6)} (${item.description})` : item.name);
    const order = ["read", "fetch", "fetch-", "evaluate", "evidence", "write", "total"];
    const rank = ({ name }) => order.indexOf(name.startsWith("fetch-") ? "fetch-" : name);
    const rows = [...found.sort((one, other) => rank(one) - rank(other)), trip].map((item) =>
      h("tr", {}, h("th", { scope: "row" }, words(item)), h("td", { "data-label": "Milliseconds" }, item.duration.toFixed(1)), h("td", {}, h("meter", { min: 0, max: longest, value: item.duration, "aria-label": words(item) }))));
    byId("count-timing").textContent = ` ${answer.milliseconds.toFixed(0)} ms`;
    fill(byId("panel-timing"), h("p", {}, "The answer says in its Server-Timing header where the time went."), table("Where the time went", ["Step", "Milliseconds", "Share"], rows));
  }

  async #check() {
    const panel = byId("panel-check");
    if (!this.#last) return;
    const { service, answer } = this.#last;
    const body = this.text.value;
    fill(panel, h("p", {}, "Holding the call against CDS Hooks 2.0 and FHIR R4…"));
    const ask = async (path, text) => {
      try {
        return (await helper(path, text)).findings;
      } catch (error) {
        return [{ path: "", level: "error", text: error.message }];
      }
    };
    const asked = await ask(`validation?service=${encodeURIComponent(service)}`, body);
    const answered = answer.status === 200 ? await ask("validation/response", answer.body) : null;
    byId("count-check").textContent = ` ${asked.length + (answered?.length ?? 0)}`;
    fill(
      panel,
      h("p", {}, "All that was found at once, held against CDS Hooks 2.0 and FHIR R4; the service itself is more liberal. ", h("a", { href: "services#must-send" }, "The check list in words")),
      h("h3", {}, "Request"), findings("Request", asked, "Nothing was found: the request is as the specification asks."),
      h("h3", {}, "Response"), answered ? findings("Response", answered, "Nothing was found.") : h("p", {}, "There are no cards to look at."),
    );
  }
}

function findings(title, found, nothing) {
  if (!found.length) return h("p", {}, h("span", { class: "mark sure" }, "✓ "), nothing);
  return table(`${title}: ${count(found.length, "finding")}`, ["Level", "Where", "What"], found.map((item) => {
    const [sign, look] = LEVELS[item.level] ?? ["?", "partly"];
    return h("tr", {}, h("td", { "data-label": "Level" }, h("span", { class: `mark ${look}` }, h("span", { "aria-hidden": "true" }, `${sign} `), item.level)), h("td", { "data-label": "Where" }, h("code", {}, item.path || "the whole")), h("td", { "data-label": "What" }, item.text));
  }), "findings");
}

const table = (caption, heads, rows, kind = "") =>
  h("table", { class: `stack ${kind}` }, h("caption", {}, caption), h("thead", {}, h("tr", {}, heads.map((head) => h("th", { scope: "col" }, head)))), h("tbody", {}, rows));

/** [kind, look, words] of how one key came. */
function state(sent, key, fetched, status) {
  const came = fetched ? [fetched.description === "fetched" ? "missing" : "failed", fetched.description === "fetched" ? "sure" : "late", `not sent; ${({ fetched: "fetched by the service", "in-part": "fetched in part", failed: "the service asked in vain" })[fetched.description] ?? fetched.description}, ${fetched.duration.toFixed(0)} ms`] : null;
  if (!(key in sent)) return came ?? ["missing", "none", status === 200 ? "not sent, and not needed for this answer or not to be had" : "not sent"];
  const value = sent[key];
  if (value?.resourceType === "OperationOutcome") return ["failed", "late", "sent as failed (OperationOutcome)"];
  if (value === null || (value?.resourceType === "Bundle" && !value.entry?.length)) return ["empty", "partly", "sent empty: nothing on record"];
  if (!value?.resourceType) return ["failed", "late", "sent, but not as FHIR"];
  return ["filled", "sure", value.resourceType === "Bundle" ? `sent filled: ${count(value.entry.length, "record")}` : "sent filled"];
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
