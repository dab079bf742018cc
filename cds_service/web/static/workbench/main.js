// The workbench put together: which patient is open, what is asked of the service, and where its answers go.

import { call, discover, fhir, fhirBase, helper, place, resolved, resources } from "./client.js";
import { reasons, showChart } from "./chart.js";
import { Cards } from "./cards.js";
import { announce, byId, fill, h } from "./dom.js";
import { Engineer } from "./engineer.js";
import { learn, Orders } from "./orders.js";
import { age, count, patientName, short, text } from "./words.js";

const LEAN = ["patient", "coverage"];
const TITLES = { "patient-view": "When the chart was opened", "order-select": "When the orders were selected", "order-sign": "When the orders were signed" };
const EMPTY = { resourceType: "Bundle", type: "collection" };

const own = new Map();
let services = [];
let patient = null;
let opening = 0;
let unfolded = false;

const orders = new Orders(byId("orders"), () => announce("The draft was changed."));
const cards = new Cards(byId("cards"), (actions) => {
  orders.settle();
  const done = actions.map((action) => orders.apply(action, "a card"));
  orders.show();
  return done;
});
const engineer = new Engineer((service, body) => ask({ service, title: "Sent again by hand" }, body));

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
  announce("Opening the chart.");
  try {
    if (/^own-\d+$/.test(name) && !own.has(name)) throw new Error("This page has forgotten that patient, as it does on each reload. Bring the Bundle again.");
    const opened = own.get(name) ?? (await example(name));
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
  document.title = "Patients: cds-service workbench";
  byId("chart-view").hidden = true;
  byId("list-view").hidden = false;
}

/** A synthetic patient: its drafts, and its records as its FHIR server gives them. */
async function example(name) {
  const found = await helper(`patients/${encodeURIComponent(name)}`);
  const base = fhirBase(name);
  const templates = services[0]?.prefetch ?? {};
  const context = { ...found.context };
  const selections = context.selections ?? [];
  delete context.selections;
  const prefetch = Object.fromEntries(
    await Promise.all(Object.entries(templates).map(async ([key, template]) => {
      const query = resolved(template, context);
      return [key, query === null ? undefined : await fhir(base, query)];
    })),
  );
  // The chart shows more than the service asks for: of what is searched by code, everything.
  const types = [...new Set(["Patient", "Condition", "Coverage", ...Object.values(templates).map((template) => template.split(/[?/]/)[0])])];
  const records = await Promise.all(types.map((type) => type === "Patient" ? fhir(base, `Patient/${encodeURIComponent(context.patientId)}`) : fhir(base, `${type}?patient=${encodeURIComponent(context.patientId)}&_count=100`)));
  return { ...found, base, context, selections, prefetch, records: records.flatMap(resources) };
}

async function open(found) {
  patient = found;
  const person = found.records.find((item) => item.resourceType === "Patient");
  const years = age(person);
  byId("patient-name").textContent = [patientName(person), years].filter(Boolean).join(", ");
  byId("patient-line").textContent = [text(person?.gender), person?.birthDate ? `born ${short(person.birthDate, 10)}` : "", found.base ? "synthetic" : "your own Bundle"].filter(Boolean).join(" · ");
  byId("patient-story").textContent = found.shows ? `What this patient shows: ${found.shows}` : "";
  document.title = `${patientName(person)}: cds-service workbench`;
  const lacking = reasons(found.records);
  showChart(byId("chart"), found.records);
  orders.load(structuredClone(found.drafts), found.selections, lacking);
  fill(byId("add-reason"), h("option", { value: "" }, "none"), lacking.map(([label], index) => h("option", { value: index }, label)));
  cards.clear();
  byId("content").removeAttribute("aria-busy");
  byId("list-view").hidden = true;
  byId("chart-view").hidden = false;
  modes();
  // Where there is room for it, what was sent stands below the chart from the first one on.
  if (!unfolded && matchMedia("(min-width: 70rem)").matches) byId("engineer").open = true;
  unfolded = true;
  byId("patient-name").focus();
  scrollTo(0, 0);
  await askHook("patient-view");
}

function modes() {
  const only = patient && !patient.base;
  for (const input of document.querySelectorAll('input[name="mode"]')) {
    input.disabled = Boolean(only) && input.value !== "full";
    if (only) input.checked = input.value === "full";
  }
  byId("mode-help").textContent = only
    ? "Your own Bundle has no FHIR server, so that all of it is sent."
    : "What is not sent, the service fetches from the FHIR server of the record.";
}

// --- calls ---

const mode = () => document.querySelector('input[name="mode"]:checked').value;

function request(hook) {
  const { context, prefetch, base } = patient;
  const kept = mode() === "full" ? Object.keys(prefetch) : mode() === "lean" ? LEAN : [];
  const body = { hook, hookInstance: crypto.randomUUID() };
  if (base) body.fhirServer = base;
  body.context = { ...context };
  if (hook === "order-select") body.context.selections = orders.selections;
  if (hook !== "patient-view") {
    const entry = orders.resources.map((resource) => ({ resource }));
    body.context.draftOrders = entry.length ? { ...EMPTY, entry } : EMPTY;
  }
  if (kept.length) body.prefetch = Object.fromEntries(kept.filter((key) => prefetch[key] !== undefined).map((key) => [key, prefetch[key]]));
  return body;
}

async function askHook(hook) {
  const service = services.find((one) => one.hook === hook);
  if (!service) return;
  orders.settle();
  await ask({ service: service.id, title: TITLES[hook] }, JSON.stringify(request(hook), null, 2));
}

async function ask(moment, body) {
  const asking = patient;
  cards.wait(moment.title);
  const answer = await call(moment.service, body);
  engineer.show(moment.service, body, answer);
  if (asking !== patient) return;
  if (answer.status === 200) await cards.show(moment, answer);
  else cards.fail(moment, answer, place(answer));
}

byId("select").addEventListener("click", () => askHook("order-select"));
byId("sign").addEventListener("click", () => askHook("order-sign"));

byId("add-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const act = byId("add-act").selectedOptions[0].dataset;
  const name = byId("add-text").value.trim() || act.label;
  if (!name) {
    byId("add-text").focus();
    announce("Give the order a name.");
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
  announce(`Added: ${short(name)}.`);
});

// --- a Bundle of one's own ---

async function bring(content, label) {
  fill(byId("bundle-problem"));
  try {
    const bundle = JSON.parse(content);
    const drafted = (item) => ["ServiceRequest", "DeviceRequest"].includes(item?.resourceType) && item.status === "draft";
    const all = resources(bundle);
    const chart = Array.isArray(bundle?.entry) ? { ...bundle, entry: bundle.entry.filter((entry) => !drafted(entry?.resource)) } : bundle;
    const found = await helper("prefetch", JSON.stringify({ bundle: chart, templates: services[0]?.prefetch ?? {}, context: { userId: "Practitioner/you" } }));
    const name = `own-${own.size + 1}`;
    own.set(name, {
      name,
      base: null,
      context: { userId: "Practitioner/you", patientId: found.patientId },
      drafts: all.filter(drafted).map((item, index) => ({ id: `brought-${index + 1}`, ...item })),
      selections: [],
      prefetch: found.prefetch,
      records: all.filter((item) => !drafted(item)),
    });
    const person = all.find((item) => item.resourceType === "Patient");
    byId("own-patients").append(h("li", {}, h("a", { href: `#${name}` }, h("span", { class: "who" }, patientName(person)), h("span", { class: "story" }, `${short(label, 60)}: ${count(all.length, "record")}`))));
    location.hash = name;
  } catch (error) {
    const why = error instanceof SyntaxError ? `This is not JSON: ${error.message}.` : error.message;
    fill(byId("bundle-problem"), h("div", { class: "notice late" }, h("p", {}, why), error.place ? h("p", {}, "Where: ", h("code", {}, error.place)) : null));
  }
}

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
  if (content) await bring(content, file?.name ?? "dropped text");
});
byId("bundle-file").addEventListener("change", async (event) => {
  const [file] = event.target.files;
  if (file) await bring(await file.text(), file.name);
  event.target.value = "";
});
byId("bundle-form").addEventListener("submit", (event) => {
  event.preventDefault();
  bring(byId("bundle-text").value, "pasted");
});

// --- begin ---

services = await discover();
engineer.services = services;
for (const { dataset } of byId("add-act").options) if (dataset.code) learn(dataset.system, dataset.code, dataset.label);
addEventListener("hashchange", route);
await route();
