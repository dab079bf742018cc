// The demo EHR behind the charts: apps are launched, what they wrote is shown and deleted, and refusals are chosen.

import { helper } from "./client.js";
import { announce, byId, fill, h } from "./dom.js";
import { CARDS, REFUSALS, WRITTEN } from "./strings.js";
import { concept, day, list, object, short, shownDay, text } from "./words.js";

/** Whether the service keeps what apps write; without it the charts are read-only, and no app is launched. */
export const keeps = byId("content").dataset.session !== undefined;

const chart = (name, what = "") => `charts/${encodeURIComponent(name)}${what}`;

/** What was written into a chart, and how often it changed. */
export const state = (name) => (keeps ? helper(chart(name)) : Promise.resolve({ changes: 0, written: [] }));

/** What a call hands over, so that the service reads what was written; null where nothing was. */
export async function authorization(name) {
  return keeps ? (await helper(chart(name, "/access"), "{}")).fhirAuthorization : null;
}

/** Launches the app of a card's link in a new tab, as an EHR does (SMART App Launch 2.2, "EHR launch"); says so. */
export async function launch(name, link) {
  // At once: a browser blocks a tab that opens later than the click.
  const tab = open("", "_blank");
  if (!tab) return CARDS.blocked;
  try {
    const context = text(link.appContext) ? { appContext: link.appContext } : {};
    const launched = await helper(chart(name, "/launch"), JSON.stringify(context));
    const url = new URL(text(link.url));
    url.searchParams.set("iss", launched.iss);
    url.searchParams.set("launch", launched.launch);
    tab.opener = null;
    tab.location.replace(url.href);
    return CARDS.launched;
  } catch (error) {
    tab.close();
    return CARDS.notLaunched(error.message);
  }
}

function what(resource) {
  const { resourceType, code, description } = object(resource);
  const named = concept(code) || short(text(description), 80);
  return [WRITTEN.kinds[resourceType] ?? text(resourceType), named].filter(Boolean).join(": ");
}

/** Fills the part of the chart that shows what was written; `changed` is called when something was deleted. */
export function showWritten(element, name, written, changed) {
  if (!written.length) return fill(element);
  const remove = async (body, said) => {
    try {
      await helper(chart(name, "/removal"), JSON.stringify(body));
      await changed();
      announce(said);
      byId("chart-title").focus();
    } catch (error) {
      announce(error.message);
    }
  };
  const rows = list(written).map((resource) => {
    const { resourceType, id, status, meta } = object(resource);
    const { versionId, lastUpdated } = object(meta);
    return h(
      "li",
      {},
      h("bdi", { class: "what" }, what(resource)),
      h("bdi", { class: "says" }, WRITTEN.version(short(text(status), 40), text(versionId))),
      h("time", {}, shownDay(day(lastUpdated))),
      h("button", { class: "button small", type: "button", "aria-label": WRITTEN.removeIt(what(resource)), onclick: () => remove({ resourceType, id }, WRITTEN.removed) }, WRITTEN.remove),
    );
  });
  fill(
    element,
    h(
      "section",
      { class: "written" },
      h("h3", {}, WRITTEN.title),
      h("p", { class: "quiet" }, WRITTEN.note),
      h("ul", { class: "records" }, rows),
      h("p", {}, h("button", { class: "button", type: "button", onclick: () => remove({}, WRITTEN.wasReset) }, WRITTEN.reset)),
    ),
  );
}

const form = byId("refusals-form");

/** Shows which refusals are on; until that is known none can be chosen, because all are sent at once. */
async function showRefusals() {
  try {
    const chosen = await helper("refusals");
    for (const choice of form.querySelectorAll("select")) choice.value = chosen[choice.name];
    form.querySelector("fieldset").disabled = false;
  } catch (error) {
    byId("refusals-said").textContent = REFUSALS.notSaved(error.message);
  }
}

// Asked for when they are first opened, and again where that failed.
byId("refusals")?.addEventListener("toggle", () => form.querySelector("fieldset").disabled && showRefusals());
form?.addEventListener("change", async () => {
  try {
    await helper("refusals", JSON.stringify(Object.fromEntries(new FormData(form))));
    byId("refusals-said").textContent = REFUSALS.saved;
  } catch (error) {
    byId("refusals-said").textContent = REFUSALS.notSaved(error.message);
  }
});
form?.addEventListener("submit", (event) => event.preventDefault());
