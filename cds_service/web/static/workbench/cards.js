// The card column: the answer to each call, newest on top.

import { place, sentence } from "./client.js";
import { Card } from "./card.js";
import { announce, fill, h, reveal } from "./dom.js";
import { CARDS } from "./strings.js";
import { list, object, text } from "./words.js";

export class Cards {
  #element;
  #accept;
  #launch;

  /** `accept` applies actions and returns {said: sentences on what was done, undo: takes it back, returns sentences};
   * `launch()` gives what launches the app of a link and returns a sentence, or null where no app can be launched. */
  constructor(element, accept, launch) {
    this.#element = element;
    this.#accept = accept;
    this.#launch = launch;
    this.clear();
  }

  clear() {
    this.earlier = [];
    this.current = null;
    fill(this.#element, h("p", { class: "quiet" }, CARDS.nothingYet));
  }

  wait(title) {
    this.#element.setAttribute("aria-busy", "true");
    announce(CARDS.asking(title));
  }

  /** Shows one answer. `moment` has title, service, and whether the reader asked (`asked`): then the answer is brought
   * into sight and gets the focus. */
  async show(moment, answer) {
    if (answer.status !== 200) return this.#fail(moment, answer);
    const cards = list(answer.json?.cards).map(object);
    const actions = list(answer.json?.systemActions).map(object);
    const done = actions.length ? this.#accept(actions).said : [];
    const elements = await Promise.all(cards.map((card) => new Card(card, moment.service, this.#accept, this.#launch()).element()));
    this.#put(moment, answer, [
      done.length ? h("p", { class: "outcome" }, CARDS.systemActions(done.join(" "))) : null,
      cards.length ? elements : h("p", {}, CARDS.none),
    ]);
    announce(cards.length ? CARDS.announced(cards.map((card) => text(card.summary))) : CARDS.noneShort);
  }

  /** Says that a call was refused or failed, in the service's own words. */
  #fail(moment, answer) {
    const said = sentence(answer);
    const where = place(answer) ? h("p", {}, CARDS.where, h("code", {}, place(answer))) : null;
    this.#put(moment, answer, h("div", { class: "notice late" }, h("h4", {}, CARDS.refused(answer.status)), h("p", {}, said), where));
    announce(CARDS.refusedShort(said));
  }

  #put(moment, answer, body) {
    if (this.current) this.earlier.unshift(this.current);
    const title = h("h3", { tabindex: -1 }, moment.title, " ", h("span", { class: "quiet" }, CARDS.milliseconds(Math.max(1, Math.round(answer.milliseconds)))));
    this.current = h("section", { class: "moment" }, title, body);
    const before = this.earlier.length
      ? h("details", { class: "more earlier" }, h("summary", {}, CARDS.earlier(this.earlier.length)), this.earlier)
      : null;
    this.#element.removeAttribute("aria-busy");
    fill(this.#element, this.current, before);
    if (moment.asked) reveal(title);
  }
}
