// The workbench put together: which patient is open, what is asked of the service, and where its answers go.

import { Bundles } from "./bundles.js";
import { call, discover, fhir, fhirBase, helper, resolved, resources } from "./client.js";
import { reasons, showChart } from "./chart.js";
import { Cards } from "./cards.js";
import { Developer } from "./developer.js";
import { authorization, keeps, launch, showWritten, state } from "./ehr.js";
import { announce, byId, fill, h, remember, remembered, reveal } from "./dom.js";
import { learn, Orders } from "./orders.js";
import { patientList } from "./patients.js";
import { CARDS, DEVELOPER, ORDERS, PAGE, PATIENTS } from "./strings.js";
import { age, patientName, short, shownDay, text } from "./words.js";

const LEAN = ["patient", "coverage"];
const EMPTY = { resourceType: "Bundle", type: "collection" };

const WIDTHS = ["wide", "panel"];

let services = [];
let patient = null;
let opening = 0;
let unfolded = false;

const orders = new Orders(byId("orders"), () => announce(ORDERS.changed));
const cards = new Cards(byId("cards"), (actions) => {
  orders.settle();
  const done = actions.map((action) => orders.apply(action));
  orders.show();
  const undo = () => {
    const said = done.toReversed().flatMap((one) => one.undo());
    orders.show();
    return said;
  };
  return { said: done.map((one) => one.said), undo };
}, () => (patient?.base && keeps ? (link) => launch(patient.name, link) : null));
const developer = new Developer((service, body) => ask({ service, title: CARDS.resent, asked: false }, body));
const bundles = new Bundles(() => services[0]?.prefetch ?? {});

// --- patients ---

/** Shows the list, or the chart that the address names. */
async function route() {
  const name = decodeURIComponent(location.hash.slice(1));
  if (name === "content") return;
  const turn = ++opening;
  fill(byId("list-problem"));
  if (!name) return showList();
  // Until the chart has come, nothing of another patient can be signed by mistake.
  if (!byId("chart-view").hidden) showList();
  byId("content").setAttribute("aria-busy", "true");
  announce(PATIENTS.opening);
  try {
    if (/^own-\d+$/.test(name) && !bundles.get(name)) throw new Error(PATIENTS.forgotten);
    const opened = bundles.get(name) ?? (await example(name));
    if (turn === opening) await open(opened);
  } catch (error) {
    if (turn !== opening) return;
    showList();
    fill(byId("list-problem"), h("p", { class: "notice late" }, error.message));
  }
}

function showList() {
  patient = null;
  byId("content").removeAttribute("aria-busy");
  document.title = PAGE.title;
  byId("chart-view").hidden = true;
  byId("list-view").hidden = false;
}

/** A synthetic patient: its drafts, and its records as its FHIR server gives them. */
async function example(name) {
  const found = await helper(`patients/${encodeURIComponent(name)}`);
  const context = { ...found.context };
  const selections = context.selections ?? [];
  delete context.selections;
  return { ...found, context, selections, ...(await chartOf(name, context)) };
}

/** What the FHIR server of a synthetic patient holds now: the prefetch of calls, and the records to show. */
async function chartOf(name, context) {
  const base = fhirBase(name);
  const templates = services[0]?.prefetch ?? {};
  // Asked for first: what is written meanwhile is a change that is still to be seen.
  const { changes, written } = await state(name);
  const keyed = Object.entries(templates).map(([key, template]) => [key, resolved(template, context)]);
  // The chart shows more than the service asks for: of what is searched by code, everything.
  const types = [...new Set(["Patient", "Condition", "Coverage", ...Object.values(templates).map((template) => template.split(/[?/]/)[0])])];
  const person = encodeURIComponent(context.patientId);
  const shown = types.map((type) => (type === "Patient" ? `Patient/${person}` : `${type}?patient=${person}`));
  const queries = [...new Set([...keyed.map(([, query]) => query), ...shown])].filter((query) => query !== null);
  const answers = new Map((await fhir(base, queries)).map((answer, index) => [queries[index], answer]));
  const prefetch = Object.fromEntries(keyed.map(([key, query]) => [key, answers.get(query)]));
  const records = shown.map((query) => answers.get(query));
  return { base, prefetch, records: records.flatMap(resources), changes, written };
}

/** Reads the chart again where an app has written into it; an answer that fails leaves it as it is. */
async function refresh() {
  const asking = patient;
  if (!asking?.base || !keeps) return;
  try {
    if ((await state(asking.name)).changes === asking.changes) return;
    const found = await chartOf(asking.name, asking.context);
    if (asking !== patient) return;
    Object.assign(asking, found);
    showRecords();
  } catch {
    // The call that follows says what is wrong.
  }
}

function showRecords() {
  showChart(byId("chart"), patient.records);
  showWritten(byId("written"), patient.name, patient.written ?? [], refresh);
}

async function open(found) {
  patient = found;
  const person = found.records.find((item) => item.resourceType === "Patient");
  const years = age(person);
  byId("patient-name").textContent = [patientName(person), years].filter(Boolean).join(", ");
  byId("patient-line").textContent = [text(person?.gender), person?.birthDate ? PATIENTS.born(shownDay(short(person.birthDate, 10))) : "", found.base ? PATIENTS.synthetic : PATIENTS.own].filter(Boolean).join(" · ");
  byId("patient-story").textContent = found.shows ? PATIENTS.shows(found.shows) : "";
  document.title = PAGE.chartTitle(patientName(person));
  const lacking = reasons(found.records);
  showRecords();
  orders.load(structuredClone(found.drafts), found.selections, lacking);
  // Nothing that was typed for one patient stays for the next.
  byId("add-form").reset();
  byId("add-order").open = false;
  fill(byId("add-reason"), h("option", { value: "" }, byId("add-reason").dataset.none), lacking.map(([label], index) => h("option", { value: index }, label)));
  cards.clear();
  byId("content").removeAttribute("aria-busy");
  byId("list-view").hidden = true;
  byId("chart-view").hidden = false;
  modes();
  // Where there is room for it, what was sent is below the chart from the first one on.
  if (!unfolded && matchMedia("(min-width: 70rem)").matches) byId("developer").open = true;
  unfolded = true;
  byId("patient-name").focus();
  scrollTo(0, 0);
  await askHook("patient-view", false);
}

function modes() {
  const only = patient && !patient.base;
  for (const input of document.querySelectorAll('input[name="mode"]')) {
    input.disabled = Boolean(only) && input.value !== "full";
    if (only) input.checked = input.value === "full";
  }
  byId("mode-help").textContent = only ? DEVELOPER.modes.own : DEVELOPER.modes.example;
}

// --- calls ---

const mode = () => document.querySelector('input[name="mode"]:checked').value;

async function request(hook) {
  // A chart that is just opened was just read.
  if (hook !== "patient-view") await refresh();
  const { context, prefetch, base } = patient;
  const kept = mode() === "full" ? Object.keys(prefetch) : mode() === "lean" ? LEAN : [];
  const body = { hook, hookInstance: crypto.randomUUID() };
  if (base) body.fhirServer = base;
  const granted = base && patient.written.length ? await authorization(patient.name).catch(() => null) : null;
  if (granted) body.fhirAuthorization = granted;
  body.context = { ...context };
  if (hook === "order-select") body.context.selections = orders.selections;
  if (hook !== "patient-view") {
    const entry = orders.resources.map((resource) => ({ resource }));
    body.context.draftOrders = entry.length ? { ...EMPTY, entry } : EMPTY;
  }
  if (kept.length) body.prefetch = Object.fromEntries(kept.filter((key) => prefetch[key] !== undefined).map((key) => [key, prefetch[key]]));
  return body;
}

async function askHook(hook, asked = true) {
  const service = services.find((one) => one.hook === hook);
  if (!service) return;
  orders.settle();
  await ask({ service: service.id, title: CARDS.moments[hook], asked }, JSON.stringify(await request(hook), null, 2));
}

async function ask(moment, body) {
  const asking = patient;
  cards.wait(moment.title);
  const answer = await call(moment.service, body);
  developer.show(moment.service, body, answer);
  if (asking === patient) await cards.show(moment, answer);
}

byId("select").addEventListener("click", () => askHook("order-select"));
byId("sign").addEventListener("click", () => askHook("order-sign"));

byId("add-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const act = byId("add-act").selectedOptions[0].dataset;
  const name = byId("add-text").value.trim() || act.label;
  if (!name) {
    byId("add-text").focus();
    announce(ORDERS.nameIt);
    return;
  }
  const reason = byId("add-reason").value;
  orders.settle();
  orders.add(
    {
      resourceType: byId("add-type").value,
      coding: act.code ? { system: act.system, code: act.code } : null,
      text: name,
      reason: reason === "" ? null : orders.reasons[Number(reason)][1],
      site: byId("add-site").value.trim(),
    },
    patient.context,
  );
  event.target.reset();
  byId("add-order").open = false;
  byId("sign").focus();
  announce(ORDERS.added(short(name)));
});

byId("to-orders").addEventListener("click", () => reveal(byId("order-title")));

// --- begin ---

for (const input of document.querySelectorAll('input[name="card-width"]')) {
  input.checked = input.value === remembered("card-width", WIDTHS);
  input.addEventListener("change", () => {
    remember("card-width", input.value);
    byId("cards").classList.toggle("panel", input.value === "panel");
  });
}
byId("cards").classList.toggle("panel", remembered("card-width", WIDTHS) === "panel");
patientList();

services = await discover();
developer.services = services;
for (const { dataset } of byId("add-act").options) if (dataset.code) learn(dataset.system, dataset.code, dataset.label);
addEventListener("hashchange", route);
// Back from the tab of an app, which may have written something.
document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && refresh());
await route();
