// One card as a clinician reads it; each choice of the reader is sent to the service as feedback.

import { feedback, helper, sentence } from "./client.js";
import { h, rendered } from "./dom.js";
import { CARDS } from "./strings.js";
import { list, object, short, text } from "./words.js";

/** A card is open, accepted, or dismissed; undo leads from either of the last two back to the first. */
export class Card {
  #card;
  #service;
  #accept;
  #launch;
  #accepted = [];
  #undo = [];

  /** `service` is the id of the service that gave the card; `accept` and `launch` are as in Cards. */
  constructor(card, service, accept, launch) {
    this.#card = card;
    this.#service = service;
    this.#accept = accept;
    this.#launch = launch;
  }

  async element() {
    const card = this.#card;
    const [sign, word] = CARDS.indicators[card.indicator] ?? ["?", CARDS.unknownIndicator(short(card.indicator, 30))];
    const source = object(card.source);
    this.body = h(
      "div",
      { class: "body" },
      h("p", { class: "indicator" }, h("span", { class: "sign", "aria-hidden": "true" }, sign), ` ${word}`),
      h("h4", {}, h("bdi", {}, text(card.summary))),
      text(card.detail) ? await detail(card.detail) : null,
      source.label ? h("p", { class: "source" }, CARDS.source, link(source.url, text(source.label))) : null,
      this.#suggestions(),
      list(card.links).length ? h("ul", { class: "inline links" }, list(card.links).map(object).map((item) => h("li", {}, this.#link(item)))) : null,
      this.#dismissal(),
    );
    this.outcome = h("p", { class: "outcome", role: "status", tabindex: -1 });
    this.shower = h("button", { class: "button small", type: "button", hidden: true, onclick: () => this.#unfold(this.body.hidden) });
    this.undoer = h("button", { class: "button small", type: "button", hidden: true, onclick: () => this.#takeBack() }, CARDS.undo);
    this.whole = h(
      "article",
      { class: "advice", dataset: { indicator: text(card.indicator) } },
      this.body,
      h("div", { class: "choice" }, this.outcome, this.shower, this.undoer),
    );
    return this.whole;
  }

  #suggestions() {
    const suggestions = list(this.#card.suggestions).map(object);
    if (!suggestions.length) return null;
    this.takers = suggestions.map((suggestion) => {
      const button = h("button", { class: "button take", type: "button" }, text(suggestion.label));
      button.addEventListener("click", () => this.#take(suggestion, button));
      return button;
    });
    const behavior = suggestions.length > 1 || this.#card.selectionBehavior === "at-most-one" ? CARDS.behavior[this.#card.selectionBehavior] : "";
    return h("div", { class: "suggestions" }, h("p", { class: "label" }, CARDS.suggestions, h("span", { class: "quiet" }, behavior ?? "")), this.takers);
  }

  async #take(suggestion, button) {
    if (button.getAttribute("aria-disabled")) return;
    const closed = this.#card.selectionBehavior === "at-most-one" ? this.takers : [button];
    for (const one of closed) one.setAttribute("aria-disabled", "true");
    button.classList.add("taken");
    button.prepend(h("span", { class: "tick" }, h("span", { "aria-hidden": "true" }, "✓ "), h("span", { class: "unseen" }, CARDS.taken)));
    const { said, undo } = this.#accept(list(suggestion.actions));
    this.#undo.unshift(undo);
    if (suggestion.uuid) this.#accepted.push({ id: suggestion.uuid });
    // A card that was accepted is not dismissed as well.
    this.dismissal.hidden = true;
    const told = await this.#tell({ outcome: "accepted", acceptedSuggestions: this.#accepted });
    this.#say([...said, told].join(" "));
    this.undoer.hidden = false;
  }

  /** A link as an EHR shows it: of type smart it launches an app, which no address alone can do. */
  #link(item) {
    const shown = link(item.url, text(item.label));
    if (item.type !== "smart" || !/^https?:/i.test(text(item.url))) return shown;
    if (!this.#launch) return [h("bdi", {}, text(item.label)), h("span", { class: "quiet" }, CARDS.smartOwn)];
    const open = async () => this.#say(await this.#launch(item));
    return [h("button", { class: "button launch", type: "button", onclick: open }, h("bdi", {}, text(item.label))), h("span", { class: "quiet" }, CARDS.smart)];
  }

  #dismissal() {
    const name = `reason-${crypto.randomUUID()}`;
    const reasons = list(this.#card.overrideReasons).map(object);
    const comment = h("textarea", { rows: 2, maxlength: 2000 });
    const open = (wide) => {
      this.form.hidden = !wide;
      this.opener.hidden = wide;
      (wide ? this.form.querySelector("input, textarea") : this.opener).focus();
    };
    this.opener = h("button", { class: "button", type: "button", onclick: () => open(true) }, CARDS.dismiss);
    this.form = h(
      "form",
      { hidden: true },
      h("fieldset", {}, h("legend", {}, CARDS.why), reasons.map((reason, index) => h("label", {}, h("input", { type: "radio", name, value: index, required: true }), " ", text(reason.display) || text(reason.code)))),
      h("label", {}, CARDS.comment, h("span", { class: "quiet" }, CARDS.commentNote), comment),
      h("p", { class: "row" }, h("button", { class: "button", type: "submit" }, CARDS.confirm), h("button", { class: "button", type: "button", onclick: () => open(false) }, CARDS.cancel)),
    );
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#dismiss(reasons[Number(new FormData(this.form).get(name) ?? -1)], comment.value.trim());
    });
    this.dismissal = h("div", { class: "dismissal" }, h("p", {}, this.opener), this.form);
    return this.dismissal;
  }

  async #dismiss(reason, comment) {
    const override = {
      ...(reason ? { reason: { code: reason.code, system: reason.system, ...(reason.display ? { display: reason.display } : {}) } } : {}),
      ...(comment ? { userComment: comment } : {}),
    };
    const told = await this.#tell({ outcome: "overridden", ...(Object.keys(override).length ? { overrideReason: override } : {}) });
    const said = [reason ? text(reason.display) : CARDS.noReason, comment].filter(Boolean).join(": ");
    this.whole.classList.add("dismissed");
    this.#actions(false);
    this.shower.hidden = false;
    this.undoer.hidden = false;
    this.#unfold(false);
    this.#say(`${CARDS.dismissed(said)}. ${told}`);
    this.outcome.focus();
  }

  #unfold(shown) {
    this.body.hidden = !shown;
    this.shower.textContent = shown ? CARDS.hide : CARDS.show;
    this.shower.setAttribute("aria-expanded", String(shown));
  }

  /** Back to an open card. CDS Hooks has no message that retracts feedback: the next choice counts instead. */
  #takeBack() {
    const undone = this.#undo.flatMap((undo) => undo());
    this.#undo = [];
    this.#accepted = [];
    for (const button of this.takers ?? []) {
      button.removeAttribute("aria-disabled");
      button.classList.remove("taken");
      button.querySelector(".tick")?.remove();
    }
    this.whole.classList.remove("dismissed");
    this.form.hidden = true;
    this.opener.hidden = false;
    this.#actions(true);
    this.#unfold(true);
    this.shower.hidden = true;
    this.undoer.hidden = true;
    this.#say([...undone, CARDS.undone].join(" "));
    (this.takers?.[0] ?? this.opener).focus();
  }

  /** Shows or hides what can be done with the card. */
  #actions(shown) {
    for (const part of [this.dismissal, this.takers?.[0].parentElement]) if (part) part.hidden = !shown;
  }

  #say(sentence) {
    this.outcome.textContent = sentence;
    this.outcome.title = sentence;
  }

  /** Sends feedback, and says in words what became of it. */
  async #tell(item) {
    if (!this.#card.uuid) return CARDS.noId;
    const answer = await feedback(this.#service, { card: this.#card.uuid, ...item, outcomeTimestamp: new Date().toISOString() });
    return answer.status === 200 ? CARDS.stored : CARDS.notStored(sentence(answer));
  }
}

async function detail(markdown) {
  let element;
  try {
    element = rendered((await helper("markdown", JSON.stringify({ text: markdown }))).html);
  } catch {
    return h("pre", {}, markdown);
  }
  for (const table of element.querySelectorAll("table")) {
    table.tabIndex = 0;
    table.setAttribute("aria-label", table.querySelector("th")?.textContent ?? CARDS.table);
  }
  return element;
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
