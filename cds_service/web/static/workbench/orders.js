// The order column: drafts as FHIR resources, changed by the clinician or by a suggestion that was accepted.

import { fill, h } from "./dom.js";
import { ORDERS } from "./strings.js";
import { code, codings, concept, list, object, short, text } from "./words.js";

const ORDER_TYPES = ["ServiceRequest", "DeviceRequest", "MedicationRequest"];
const key = (coding) => `${text(coding.system)}|${text(coding.code)}`;
const codeElement = (resource) =>
  ({ DeviceRequest: "codeCodeableConcept", MedicationRequest: "medicationCodeableConcept" })[resource.resourceType] ?? "code";

/** What the EHR calls an order: its own words, otherwise those of the catalog for its code, otherwise the code. */
export function titleOf(resource) {
  const named = resource[codeElement(resource)];
  const known = codings(named).map((coding) => catalog.get(key(coding))).find(Boolean);
  const worded = text(object(named).text) || codings(named).some((coding) => text(coding.display));
  return (worded ? "" : known) || concept(named) || ORDERS.noName;
}

/** "system|code" -> the words for it: what an EHR has in its own order catalog. */
const catalog = new Map();
export const learn = (system, code, label) => catalog.set(`${system}|${code}`, `${label[0].toUpperCase()}${label.slice(1)}`);

export const referenceOf = (resource) => `${resource.resourceType}/${resource.id}`;

/** All codings of an order and of its reasons, to tell what a change added. */
const allCodings = (resource) =>
  new Set([resource[codeElement(resource)], ...list(resource.reasonCode)].flatMap(codings).map(key));

export class Orders {
  #element;
  #changed;
  #next = 1;

  /** `changed` is called after each change that the reader made here. */
  constructor(element, changed) {
    this.#element = element;
    this.#changed = changed;
    this.load([], []);
  }

  load(resources, selections, reasons = []) {
    this.drafts = resources.map((resource) => ({ resource, ticked: selections.length === 0 || selections.includes(referenceOf(resource)), mark: "", had: null }));
    this.removed = [];
    this.reasons = reasons;
    this.show();
  }

  get resources() {
    return this.drafts.map((draft) => draft.resource);
  }

  get selections() {
    return this.drafts.filter((draft) => draft.ticked && ORDER_TYPES.includes(draft.resource.resourceType)).map((draft) => referenceOf(draft.resource));
  }

  /** A draft of the clinician's own: `order` has resourceType, coding (or null), text, reason (or null), site. */
  add(order, context) {
    const resource = {
      resourceType: order.resourceType,
      id: this.#newId(),
      status: "draft",
      intent: "order",
      subject: { reference: `Patient/${context.patientId}` },
      authoredOn: new Date().toISOString().slice(0, 19) + "Z",
    };
    if (context.encounterId) resource.encounter = { reference: `Encounter/${context.encounterId}` };
    if (context.userId) resource.requester = { reference: context.userId };
    resource[codeElement(resource)] = { ...(order.coding ? { coding: [order.coding] } : {}), text: order.text };
    if (order.reason) resource.reasonCode = [order.reason];
    setSite(resource, order.site);
    this.drafts.push({ resource, ticked: true, mark: "added", by: ORDERS.by.you, had: null });
    this.show();
  }

  /** Does what one action of a card says; returns {said: what was done, undo: takes it back and says so}. */
  apply(action) {
    const by = ORDERS.by.card;
    const resource = action.resource;
    if (action.type === "delete") {
      const place = this.drafts.findIndex((draft) => referenceOf(draft.resource) === action.resourceId);
      if (place < 0) return { said: ORDERS.applied.notThere, undo: () => [] };
      const [draft] = this.drafts.splice(place, 1);
      const title = titleOf(draft.resource);
      this.removed.push(title);
      return {
        said: ORDERS.applied.removed(title),
        undo: () => {
          this.drafts.splice(place, 0, draft);
          this.removed = this.removed.filter((other) => other !== title);
          return [ORDERS.undone.removed(title)];
        },
      };
    }
    const place = resource.id ? this.drafts.findIndex((draft) => referenceOf(draft.resource) === referenceOf(resource)) : -1;
    if (place >= 0) {
      const draft = this.drafts[place];
      this.drafts[place] = { ...draft, resource, mark: "changed", by, had: allCodings(draft.resource) };
      return { said: ORDERS.applied.changed(titleOf(resource)), undo: () => this.#takeBack(resource, ORDERS.undone.changed, [draft]) };
    }
    const added = { ...resource, id: resource.id ?? this.#newId() };
    this.drafts.push({ resource: added, ticked: true, mark: "added", by, had: null });
    return { said: ORDERS.applied.added(titleOf(added)), undo: () => this.#takeBack(added, ORDERS.undone.added, []) };
  }

  /** Replaces the draft that a card wrote, unless somebody changed it since; returns sentences that say so. */
  #takeBack(written, sentenceOf, before) {
    const place = this.drafts.findIndex((draft) => draft.resource === written);
    const still = this.drafts.some((draft) => referenceOf(draft.resource) === referenceOf(written));
    if (place < 0) return still ? [ORDERS.undone.since(titleOf(written))] : [];
    this.drafts.splice(place, 1, ...before);
    return [sentenceOf(titleOf(written))];
  }

  /** What was new or changed has been seen. */
  settle() {
    this.removed = [];
    for (const draft of this.drafts) Object.assign(draft, { mark: "", had: null });
    this.show();
  }

  show() {
    const gone = this.removed.map((title) => h("p", { class: "was-removed" }, ORDERS.removedByCard(title)));
    const empty = h("p", { class: "quiet" }, ORDERS.none);
    fill(this.#element, this.drafts.length ? this.drafts.map((draft) => this.#draft(draft)) : empty, gone);
  }

  #newId() {
    const taken = new Set(this.drafts.map((draft) => draft.resource.id));
    let id;
    do id = `draft-${this.#next++}`;
    while (taken.has(id));
    return id;
  }

  #draft(draft) {
    const { resource } = draft;
    const title = titleOf(resource);
    const isOrder = ORDER_TYPES.includes(resource.resourceType);
    const tick = h("input", { type: "checkbox", onchange: (event) => { draft.ticked = event.target.checked; } });
    tick.checked = draft.ticked;
    const shown = (name, concepts) => {
      const found = list(concepts).filter((item) => concept(item));
      return found.length ? [h("dt", {}, name), h("dd", {}, found.map((item) => this.#concept(item, draft)))] : [];
    };
    return h(
      "article",
      { class: `order ${draft.mark}` },
      draft.mark ? h("p", { class: "mark use" }, ORDERS.marks[draft.mark](draft.by)) : null,
      h("h3", {}, isOrder ? h("label", {}, tick, " ", h("bdi", {}, title)) : h("bdi", {}, title)),
      h(
        "dl",
        {},
        h("dt", {}, ORDERS.labels.order), h("dd", {}, ORDERS.kind(resource.resourceType, short(resource.status, 30))),
        shown(ORDERS.labels.codes, resource[codeElement(resource)]),
        shown(ORDERS.labels.reason, resource.reasonCode),
        shown(ORDERS.labels.site, resource.bodySite),
        list(resource.note).map((note) => [h("dt", {}, ORDERS.labels.note), h("dd", {}, short(object(note).text))]),
      ),
      isOrder ? this.#editor(draft) : null,
    );
  }

  /** A concept as its words and its codes; a code that a change added is marked. */
  #concept(value, draft) {
    const codes = codings(value).map((coding) => {
      const chip = h("code", {}, code(coding));
      return draft.had && !draft.had.has(key(coding)) ? h("ins", {}, chip, h("span", { class: "unseen" }, ORDERS.isNew)) : chip;
    });
    return h("span", { class: "concept" }, text(object(value).text) ? h("bdi", {}, short(value.text)) : null, codes);
  }

  #editor(draft) {
    const reason = h("select", {}, h("option", { value: "" }, ORDERS.asItIs), this.reasons.map(([label], place) => h("option", { value: place }, label)), h("option", { value: "none" }, ORDERS.noReason));
    const site = h("input", { type: "text", autocomplete: "off", value: concept(list(draft.resource.bodySite)[0]) });
    const before = site.value;
    const change = (event) => {
      event.preventDefault();
      const resource = structuredClone(draft.resource);
      if (reason.value !== "") {
        delete resource.reasonCode;
        delete resource.reasonReference;
        if (reason.value !== "none") resource.reasonCode = [this.reasons[Number(reason.value)][1]];
      }
      if (site.value !== before) setSite(resource, site.value);
      this.settle();
      Object.assign(draft, { resource, mark: "changed", by: ORDERS.by.you, had: allCodings(draft.resource) });
      this.show();
      this.#changed();
    };
    const remove = () => {
      this.drafts = this.drafts.filter((other) => other !== draft);
      this.settle();
      this.#changed();
    };
    return h(
      "details",
      { class: "more" },
      h("summary", {}, ORDERS.change),
      h(
        "form",
        { onsubmit: change },
        h("p", {}, h("label", {}, ORDERS.reason, reason)),
        h("p", {}, h("label", {}, ORDERS.site, site)),
        h("p", { class: "row" }, h("button", { class: "button", type: "submit" }, ORDERS.save), h("button", { class: "button", type: "button", onclick: remove }, ORDERS.remove)),
      ),
    );
  }
}

function setSite(resource, site) {
  delete resource.bodySite;
  if (!site) return;
  if (resource.resourceType === "ServiceRequest") resource.bodySite = [{ text: site }];
  else resource.note = [{ text: site }];
}
