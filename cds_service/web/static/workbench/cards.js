// The card column: cards as a clinician reads them, newest on top; what the reader does with one is told to the service.

import { feedback, helper, sentence } from "./client.js";
import { announce, fill, h, rendered } from "./dom.js";
import { count, list, object, short, text } from "./words.js";

const INDICATORS = { info: ["i", "Information"], warning: ["!", "Warning"], critical: ["‼", "Critical"] };
const TRUTHS = { "Not met": ["not-met", "✕"], "To document": ["unknown", "?"], Met: ["met", "✓"], Waived: ["met", "✓"], "Does not apply": ["met", "–"] };

export class Cards {
  #element;
  #accept;

  /** `accept` applies the actions of a suggestion and returns sentences that say what was done. */
  constructor(element, accept) {
    this.#element = element;
    this.#accept = accept;
    this.clear();
  }

  clear() {
    this.earlier = [];
    this.current = null;
    fill(this.#element, h("p", { class: "quiet" }, "Nothing has been asked yet. Sign the order: if a statement has something to say, its card appears here."));
  }

  wait(title) {
    this.#element.setAttribute("aria-busy", "true");
    announce(`${title}: asking the service.`);
  }

  /** Shows the cards of one answer. `moment` has title and service; the answer is of status 200. */
  async show(moment, answer) {
    const cards = list(answer.json?.cards).map(object);
    const applied = list(answer.json?.systemActions).map(object);
    const done = applied.length ? this.#accept(applied) : [];
    const elements = await Promise.all(cards.map((card) => this.#card(card, moment)));
    const nothing = h("p", {}, "No card: the service has nothing to say here, as about most orders.");
    this.#put(moment, answer, [
      done.length ? h("p", { class: "outcome" }, `Applied by the service itself: ${done.join(" ")}`) : null,
      cards.length ? elements : nothing,
    ]);
    announce(cards.length ? `${count(cards.length, "card")}: ${cards.map((card) => text(card.summary)).join("; ")}` : "No card.");
  }

  /** Says that a call was refused or failed, in the service's own words. */
  fail(moment, answer, place) {
    const said = sentence(answer);
    const where = place ? h("p", {}, "Where: ", h("code", {}, place)) : null;
    this.#put(moment, answer, h("div", { class: "notice late" }, h("h4", {}, answer.status ? `The call was refused (${answer.status})` : "No answer"), h("p", {}, said), where));
    announce(`The call was refused: ${said}`);
  }

  #put(moment, answer, body) {
    if (this.current) this.earlier.unshift(this.current);
    this.current = h(
      "section",
      { class: "moment" },
      h("h3", {}, moment.title, " ", h("span", { class: "quiet" }, `${Math.max(1, Math.round(answer.milliseconds))} ms`)),
      body,
    );
    const before = this.earlier.length
      ? h("details", { class: "more earlier" }, h("summary", {}, `Earlier in this visit (${this.earlier.length})`), this.earlier)
      : null;
    this.#element.removeAttribute("aria-busy");
    fill(this.#element, this.current, before);
  }

  async #card(card, moment) {
    const [mark, word] = INDICATORS[card.indicator] ?? ["?", `Unknown indicator (${short(card.indicator, 30)})`];
    const outcome = h("p", { class: "outcome", role: "status" });
    const element = h("article", { class: "advice", dataset: { indicator: text(card.indicator) } });
    const source = object(card.source);
    fill(
      element,
      h("p", { class: "indicator" }, h("span", { class: "sign", "aria-hidden": "true" }, mark), ` ${word}`),
      h("h4", {}, h("bdi", {}, text(card.summary))),
      text(card.detail) ? await detail(card.detail) : null,
      source.label ? h("p", { class: "source" }, "Source: ", link(source.url, text(source.label))) : null,
      this.#suggestions(card, moment, element, outcome),
      list(card.links).length ? h("ul", { class: "inline links" }, list(card.links).map(object).map((item) => h("li", {}, cardLink(item)))) : null,
      this.#dismissal(card, moment, element, outcome),
      outcome,
    );
    return element;
  }

  #suggestions(card, moment, element, outcome) {
    const suggestions = list(card.suggestions).map(object);
    if (!suggestions.length) return null;
    const buttons = suggestions.map((suggestion) => {
      const button = h("button", { class: "button take", type: "button" }, text(suggestion.label));
      button.addEventListener("click", async () => {
        if (button.getAttribute("aria-disabled")) return;
        const others = card.selectionBehavior === "at-most-one" ? buttons : [button];
        others.forEach((one) => one.setAttribute("aria-disabled", "true"));
        button.classList.add("taken");
        button.prepend(h("span", { "aria-hidden": "true" }, "✓ "), h("span", { class: "unseen" }, "Taken: "));
        const done = this.#accept(list(suggestion.actions));
        element.classList.add("taken-up");
        const told = await tell(card, moment, { outcome: "accepted", acceptedSuggestions: suggestion.uuid ? [{ id: suggestion.uuid }] : [] });
        outcome.textContent = `${done.join(" ")} ${told}`;
      });
      return button;
    });
    const why = { "at-most-one": "Take one of them, or none.", any: suggestions.length > 1 ? "Take any of them, or none." : "" };
    return h("div", { class: "suggestions" }, h("p", { class: "label" }, "Suggested ", h("span", { class: "quiet" }, why[card.selectionBehavior] ?? "")), buttons);
  }

  #dismissal(card, moment, element, outcome) {
    const name = `reason-${crypto.randomUUID()}`;
    const reasons = list(card.overrideReasons).map(object);
    const comment = h("textarea", { rows: 2, maxlength: 2000 });
    const form = h(
      "form",
      { hidden: true },
      h("fieldset", {}, h("legend", {}, "Why does this card not help here?"), reasons.map((reason, place) => h("label", {}, h("input", { type: "radio", name, value: place, required: true }), " ", text(reason.display) || text(reason.code)))),
      h("label", {}, "In your own words, if you like ", h("span", { class: "quiet" }, "(it is stored: name no patient)"), comment),
      h("p", { class: "row" }, h("button", { class: "button", type: "submit" }, "Dismiss the card"), h("button", { class: "button", type: "button", onclick: () => open(false) }, "Keep it")),
    );
    const opener = h("button", { class: "button", type: "button", "aria-expanded": "false", onclick: () => open(form.hidden) }, "Dismiss with a reason");
    const open = (wide) => {
      form.hidden = !wide;
      opener.setAttribute("aria-expanded", String(wide));
      (wide ? form.querySelector("input, textarea") : opener).focus();
    };
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const chosen = reasons[Number(new FormData(form).get(name) ?? -1)];
      const override = {
        ...(chosen ? { reason: { code: chosen.code, system: chosen.system, ...(chosen.display ? { display: chosen.display } : {}) } } : {}),
        ...(comment.value.trim() ? { userComment: comment.value.trim() } : {}),
      };
      const told = await tell(card, moment, { outcome: "overridden", ...(Object.keys(override).length ? { overrideReason: override } : {}) });
      const said = [chosen ? text(chosen.display) : "no reason given", comment.value.trim()].filter(Boolean).join(": ");
      element.classList.add("dismissed");
      outcome.textContent = `Dismissed: ${said}. ${told}`;
      outcome.tabIndex = -1;
      area.remove();
      outcome.focus();
    });
    const area = h("div", { class: "dismissal" }, h("p", {}, opener), form);
    return area;
  }
}

/** Sends feedback and says in words what became of it. */
async function tell(card, moment, item) {
  if (!card.uuid) return "The card has no id, so that no feedback can be sent.";
  const answer = await feedback(moment.service, { card: card.uuid, ...item, outcomeTimestamp: new Date().toISOString() });
  return answer.status === 200 ? "Feedback stored." : `Feedback was not stored: ${sentence(answer)}`;
}

async function detail(markdown) {
  let element;
  try {
    element = rendered((await helper("markdown", JSON.stringify({ text: markdown }))).html);
  } catch {
    return h("pre", {}, markdown);
  }
  for (const cell of element.querySelectorAll("tbody td:first-child")) mark(cell);
  for (const table of element.querySelectorAll("table")) {
    table.tabIndex = 0;
    table.setAttribute("aria-label", table.querySelector("th")?.textContent ?? "Table");
  }
  return element;
}

/** The word that a row begins with ("To document: …") as a badge. */
function mark(cell) {
  const [word] = cell.textContent.split(":", 1);
  const [name, sign] = TRUTHS[word] ?? [];
  if (!name || !cell.textContent.startsWith(`${word}: `)) return;
  if (cell.firstElementChild?.tagName === "STRONG" && cell.firstElementChild === cell.firstChild) cell.firstChild.remove();
  else cell.firstChild.textContent = cell.firstChild.textContent.slice(word.length + 1);
  cell.prepend(h("span", { class: `badge ${name}` }, h("span", { "aria-hidden": "true" }, `${sign} `), word), " ");
}

function link(address, label) {
  let url;
  try {
    url = new URL(text(address));
  } catch {
    return h("bdi", {}, label);
  }
  if (!["http:", "https:"].includes(url.protocol)) return h("bdi", {}, label);
  return h("a", { href: url.href, target: "_blank", rel: "noopener noreferrer" }, h("bdi", {}, label));
}

function cardLink(item) {
  const shown = link(item.url, text(item.label));
  return item.type === "smart" ? [shown, h("span", { class: "quiet" }, " (an app that a health record launches)")] : shown;
}
