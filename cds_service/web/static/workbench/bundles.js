// FHIR Bundles of one's own: dropped, chosen as a file, or pasted; each patient in one becomes a patient of the list.

import { helper } from "./client.js";
import { byId, fill, h } from "./dom.js";
import { BUNDLE } from "./strings.js";
import { list, patientName, short } from "./words.js";

const USER = { userId: "Practitioner/you" };

export class Bundles {
  #own = new Map();
  #templates;

  /** `templates()` gives the prefetch templates of discovery. */
  constructor(templates) {
    this.#templates = templates;
    this.#listen();
  }

  /** The patient that was opened from a Bundle under a name, or undefined; as `example` of main.js gives them. */
  get(name) {
    return this.#own.get(name);
  }

  async #bring(content, label) {
    fill(byId("bundle-problem"));
    fill(byId("bundle-choice"));
    let bundle;
    try {
      bundle = JSON.parse(content);
    } catch (error) {
      return this.#refused({ message: BUNDLE.notJson(error.message) });
    }
    await this.#open(bundle, label, null);
  }

  async #open(bundle, label, patientId) {
    try {
      const asked = { bundle, templates: this.#templates(), context: USER, ...(patientId ? { patientId } : {}) };
      const found = await helper("prefetch", JSON.stringify(asked));
      if (found.patients) return this.#choose(found.patients, bundle, label);
      this.#keep(found, label);
    } catch (error) {
      this.#refused(error);
    }
  }

  #choose(patients, bundle, label) {
    const buttons = patients.map((patient) =>
      h("li", {}, h("button", { class: "button", type: "button", onclick: () => this.#open(bundle, label, patient.id) }, h("bdi", {}, short(patient.name, 80)), " ", h("span", { class: "quiet" }, BUNDLE.records(patient.records)))));
    fill(byId("bundle-choice"), h("p", { id: "choose-patient" }, BUNDLE.choose(patients.length)), h("ul", { class: "choices", "aria-labelledby": "choose-patient" }, buttons));
    byId("bundle-choice").querySelector("button").focus();
  }

  #keep(found, label) {
    const name = `own-${this.#own.size + 1}`;
    this.#own.set(name, {
      name,
      base: null,
      context: { ...USER, patientId: found.patientId },
      drafts: list(found.drafts).map((item, index) => ({ id: `brought-${index + 1}`, ...item })),
      selections: [],
      prefetch: found.prefetch,
      records: found.records,
    });
    const person = found.records.find((item) => item.resourceType === "Patient");
    const number = found.records.length + found.drafts.length;
    byId("own-patients").append(h("li", {}, h("a", { href: `#${name}` }, h("span", { class: "who" }, patientName(person)), h("span", { class: "story" }, BUNDLE.from(short(label, 60), number)))));
    byId("bundle-text").value = "";
    fill(byId("bundle-choice"));
    location.hash = name;
  }

  #refused(error) {
    fill(byId("bundle-problem"), h("div", { class: "notice late" }, h("p", {}, error.message), error.place ? h("p", {}, BUNDLE.where, h("code", {}, error.place)) : null));
  }

  #listen() {
    const drop = byId("drop");
    for (const kind of ["dragenter", "dragover"]) {
      document.addEventListener(kind, (event) => {
        event.preventDefault();
        drop.classList.add("over");
      });
    }
    document.addEventListener("dragleave", (event) => { if (!event.relatedTarget) drop.classList.remove("over"); });
    document.addEventListener("drop", async (event) => {
      event.preventDefault();
      drop.classList.remove("over");
      const [file] = event.dataTransfer.files;
      const content = file ? await file.text() : event.dataTransfer.getData("text/plain");
      if (content) await this.#bring(content, file?.name ?? BUNDLE.dropped);
    });
    byId("bundle-file").addEventListener("change", async (event) => {
      const [file] = event.target.files;
      if (file) await this.#bring(await file.text(), file.name);
      event.target.value = "";
    });
    byId("bundle-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#bring(byId("bundle-text").value, BUNDLE.pasted);
    });
  }
}
