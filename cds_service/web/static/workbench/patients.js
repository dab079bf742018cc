// The list of patients: search by words and one facet by outcome; without a choice all are shown.

import { announce, byId } from "./dom.js";
import { PATIENTS } from "./strings.js";

/** Wires the search form to the list that is in the page. */
export function patientList() {
  const form = byId("find");
  const lines = [...document.querySelectorAll("#people > li")];
  const wordsOf = new Map(lines.map((line) => [line, `${line.textContent} ${line.dataset.words}`.toLowerCase()]));

  const show = () => {
    const given = new FormData(form);
    const wanted = given.get("words").toLowerCase().split(/\s+/).filter(Boolean);
    const outcome = given.get("outcome");
    let found = 0;
    for (const line of lines) {
      line.hidden = !((!outcome || line.dataset.outcome === outcome) && wanted.every((word) => wordsOf.get(line).includes(word)));
      found += !line.hidden;
    }
    byId("found").textContent = PATIENTS.found(found, lines.length);
    byId("none-found").hidden = found > 0;
    return found;
  };

  form.addEventListener("input", () => announce(show() ? byId("found").textContent : PATIENTS.none));
  form.addEventListener("submit", (event) => event.preventDefault());
  byId("clear-search").addEventListener("click", () => {
    form.reset();
    show();
    byId("search").focus();
  });
  form.hidden = false;
  // A browser may keep what was typed over a reload.
  show();
}
