// The chart column: what is in the chart, by resource type, newest first. It knows FHIR and no statement.

import { fill, h } from "./dom.js";
import { CHART } from "./strings.js";
import { codeOf, concept, day, list, object, short, shownDay, status, text, valueOf, when } from "./words.js";

// The order is what one came for: on a narrow screen it must not lie far below the chart.
const FEW = matchMedia("(max-width: 44rem)").matches ? 3 : 5;
const DATES = ["effectiveDateTime", "effectivePeriod", "performedDateTime", "performedPeriod", "onsetDateTime", "onsetPeriod", "authored", "authoredOn", "recordedDate", "issued", "dateAsserted", "period"];
const GONE = new Set(["resolved", "inactive", "remission", "stopped", "completed", "cancelled"]);

/** One row: what it is, what it says, when, and a remark on its state. */
const row = (resource, what, says = "") => ({ what, says, when: when(resource, ...DATES), resource });

const newest = (rows) => rows.sort((one, other) => other.when.localeCompare(one.when));

function problems(resources) {
  const rows = resources.map((item) => {
    const clinical = status(item.clinicalStatus);
    const verified = status(item.verificationStatus);
    const remarks = [clinical === "active" ? "" : clinical, verified === "confirmed" ? "" : verified];
    const since = text(item.onsetDateTime) ? CHART.since(shownDay(day(item.onsetDateTime))) : "";
    return { ...row(item, concept(item.code), [codeOf(item.code), since, ...remarks].filter(Boolean).join(", ")), gone: GONE.has(clinical) };
  });
  return [...newest(rows.filter((item) => !item.gone)), ...newest(rows.filter((item) => item.gone))];
}

/** The newest value of each thing measured, surveys first, then vital signs, then the rest. */
function measurements(resources) {
  const order = ["survey", "vital-signs", "social-history", "exam", "imaging", "laboratory"];
  const category = (item) => {
    const found = order.indexOf(status(list(item.category)[0]));
    return found < 0 ? order.length : found;
  };
  const latest = new Map();
  for (const item of newest(resources.map((one) => row(one, concept(one.code), valueOf(one))))) {
    const known = latest.get(item.what);
    if (known) known.earlier += 1;
    else latest.set(item.what, { ...item, earlier: 0, rank: category(item.resource) });
  }
  return [...latest.values()]
    .map((item) => ({ ...item, says: [item.says, item.earlier ? CHART.earlier(item.earlier) : ""].filter(Boolean).join(", ") }))
    .sort((one, other) => one.rank - other.rank);
}

/** Things that happen often, counted, with the last day. */
function counted(resources, name, more = () => "") {
  const found = new Map();
  for (const item of newest(resources.map((one) => row(one, name(one), more(one))))) {
    const known = found.get(item.what);
    if (known) known.times += 1;
    else found.set(item.what, { ...item, times: 1 });
  }
  return [...found.values()].map((item) => ({ ...item, says: [item.times > 1 ? CHART.times(item.times) : "", item.says].filter(Boolean).join(", ") }));
}

const medication = (item) => concept(item.medicationCodeableConcept) || short(object(item.medicationReference).display);
const plain = (item) => concept(item.code) || concept(item.type) || item.resourceType;

function answers(resources) {
  return resources.map((item) => {
    const given = [];
    const walk = (items) => list(items).map(object).forEach((one) => {
      const said = list(one.answer).map(valueOf).filter(Boolean).join(", ");
      if (said) given.push({ what: short(text(one.text) || text(one.linkId)), says: said });
      walk(one.item);
    });
    walk(item.item);
    const form = short(text(item.questionnaire).split("/").pop(), 80) || CHART.form;
    return { what: form, says: CHART.answered(given.length), when: day(item.authored), inner: given };
  });
}

function coverage(resources) {
  return resources.map((item) => row(item, list(item.payor).map((payor) => short(object(payor).display || object(payor).reference)).filter(Boolean).join(", ") || CHART.noPayer, [concept(item.type), text(item.status)].filter(Boolean).join(", ")));
}

const SECTIONS = [
  [CHART.problems, ["Condition"], problems],
  [CHART.measurements, ["Observation"], measurements],
  [CHART.procedures, ["Procedure"], (items) => counted(items, plain, (item) => list(item.bodySite).map(concept).join(", "))],
  [CHART.medication, ["MedicationRequest", "MedicationStatement"], (items) => counted(items, medication, (item) => text(item.status))],
  [CHART.reports, ["DiagnosticReport"], (items) => newest(items.map((item) => row(item, plain(item), short(item.conclusion, 90))))],
  [CHART.devices, ["Device"], (items) => items.map((item) => row(item, concept(item.type) || short(object(list(item.deviceName)[0]).name), text(item.status)))],
  [CHART.orders, ["ServiceRequest", "DeviceRequest"], (items) => newest(items.map((item) => row(item, concept(item.code) || concept(item.codeCodeableConcept), text(item.status))))],
  [CHART.answers, ["QuestionnaireResponse"], answers],
  [CHART.coverage, ["Coverage"], coverage],
];

/** Fills the chart column with the resources of one patient. */
export function showChart(element, resources) {
  const shown = new Set(["Patient", ...SECTIONS.flatMap(([, types]) => types)]);
  const rest = [...new Set(resources.map((item) => item.resourceType))].filter((type) => !shown.has(type));
  const others = rest.map((type) => [[type, ""], [type], (items) => items.map((item) => row(item, plain(item)))]);
  fill(element, [...SECTIONS, ...others].map(([[title, none], types, make]) => {
    let nothing = none;
    let rows = [];
    try {
      rows = make(resources.filter((item) => types.includes(item.resourceType)));
    } catch {
      nothing = CHART.cannotShow;
    }
    return rows.length || nothing ? section(title, rows, nothing) : [];
  }));
}

function section(title, rows, nothing) {
  const body = rows.length ? h("ul", { class: "records" }, rows.slice(0, FEW).map(record)) : h("p", { class: "quiet" }, nothing);
  const more = rows.length > FEW
    ? h("details", { class: "more" }, h("summary", {}, CHART.more(rows.length - FEW)), h("ul", { class: "records" }, rows.slice(FEW).map(record)))
    : null;
  return h("section", {}, h("h3", {}, title), body, more);
}

function record(item) {
  const line = [h("bdi", { class: "what" }, item.what || CHART.noName), item.says ? h("bdi", { class: "says" }, item.says) : null, item.when ? h("time", {}, shownDay(item.when)) : null];
  if (!item.inner?.length) return h("li", { class: item.gone ? "gone" : null }, line);
  return h("li", {}, line, h("details", { class: "more" }, h("summary", {}, CHART.show), h("ul", { class: "records" }, item.inner.map(record))));
}

/** The active problems, for the reason of an order: [text, CodeableConcept]. */
export function reasons(resources) {
  const conditions = resources.filter((item) => item.resourceType === "Condition" && !GONE.has(status(item.clinicalStatus)));
  const found = new Map(conditions.map((item) => [[concept(item.code), codeOf(item.code)].filter(Boolean).join(", "), item.code]));
  return [...found].filter(([label]) => label);
}
