// FHIR in words. Charts may hold anything: what cannot be read gives an empty text, never an error.

import { CHART, PAGE } from "./strings.js";

const LONGEST = 160;
const NAMES = {
  "http://www.ama-assn.org/go/cpt": "CPT",
  "http://hl7.org/fhir/sid/icd-10-cm": "ICD-10-CM",
  "http://snomed.info/sct": "SNOMED CT",
  "http://loinc.org": "LOINC",
  "http://www.nlm.nih.gov/research/umls/rxnorm": "RxNorm",
  "urn:oid:2.16.840.1.113883.6.12": "CPT",
  "urn:oid:2.16.840.1.113883.6.90": "ICD-10-CM",
};

export const text = (value) => (typeof value === "string" ? value : typeof value === "number" ? String(value) : "");
export const object = (value) => (value && typeof value === "object" && !Array.isArray(value) ? value : {});
export const list = (value) => (Array.isArray(value) ? value : value === undefined || value === null ? [] : [value]);

/** On one line, cut where it is too long, with nothing in it that turns the writing direction of its surroundings. */
export function short(value, longest = LONGEST) {
  const line = text(value).replace(/[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]+/g, " ").replace(/\s+/g, " ").trim();
  return line.length <= longest ? line : `${line.slice(0, longest - 1)}…`;
}

export const codings = (concept) => list(object(concept).coding).map(object).filter((coding) => text(coding.code));

/** What a CodeableConcept says, otherwise the first code it holds. */
export function concept(value) {
  const given = object(value);
  const shown = text(given.text) || codings(given).map((coding) => text(coding.display)).find(Boolean);
  return short(shown || codings(given).map(code).find(Boolean) || "");
}

/** The code of a concept that people of the trade know it by: of a named system, if there is one. */
export function codeOf(value) {
  const known = codings(value).filter((coding) => NAMES[text(coding.system)]);
  return known.length ? short(known[0].code, 40) : "";
}

/** "CPT 12345": a coding with the name of its system, where that is one that people know. */
export function code(coding) {
  return short(`${NAMES[text(object(coding).system)] ?? ""} ${text(object(coding).code)}`.trim(), 100);
}

export const status = (value) => text(codings(value).map((coding) => coding.code)[0]) || text(value);
export const day = (value) => short(text(value).slice(0, 10), 10);

/** The days in a text as people in the US write them: 2026-11-29 as 11/29/2026, 2026-11 as 11/2026. */
export const shownDay = (written) => text(written).replace(/\b(\d{4})-(\d\d)(?:-(\d\d))?\b/g, (_, year, month, date) => [month, date, year].filter(Boolean).join("/"));

/** When something happened, as written: a day, or a period. */
export function when(resource, ...names) {
  for (const name of names) {
    const value = object(resource)[name];
    if (typeof value === "string") return day(value);
    const period = object(value);
    if (period.start || period.end) return CHART.period(day(period.start), day(period.end));
  }
  return "";
}

export function quantity(value) {
  const given = object(value);
  const unit = (text(given.unit) || text(given.code)).replace("{score}", "").replace("kg/m2", "kg/m²").replace("mm[Hg]", "mmHg");
  const number = `${text(given.comparator)}${text(given.value)}`;
  return short((unit === "%" ? `${number}%` : `${number} ${unit}`).trim(), 60);
}

/** The value of an Observation or of an answer, whatever its type. */
export function valueOf(part) {
  const given = object(part);
  for (const [name, value] of Object.entries(given)) {
    if (!name.startsWith("value")) continue;
    if (typeof value === "boolean") return value ? CHART.yes : CHART.no;
    if (name === "valueQuantity") return quantity(value);
    if (name === "valueCodeableConcept") return concept(value);
    if (name === "valueCoding") return short(text(object(value).display) || code(value));
    if (name.startsWith("valueDate")) return shownDay(day(value));
    return short(value);
  }
  const parts = list(given.component).map((item) => quantity(object(item).valueQuantity)).filter(Boolean);
  return parts.join(" / ");
}

export function patientName(patient) {
  for (const name of list(object(patient).name).map(object)) {
    const said = text(name.text) || [...list(name.given), name.family].map(text).filter(Boolean).join(" ");
    if (said) return short(said, 80);
  }
  return short(text(object(patient).id)) || PAGE.noName;
}

/** Whole years on a day, as text; "" where the birth date does not tell. */
export function age(patient, today = new Date()) {
  const born = text(object(patient).birthDate);
  if (!/^\d{4}-\d\d-\d\d$/.test(born)) return "";
  const [year, month, date] = born.split("-").map(Number);
  const before = today.getUTCMonth() + 1 < month || (today.getUTCMonth() + 1 === month && today.getUTCDate() < date);
  return String(today.getUTCFullYear() - year - (before ? 1 : 0));
}
