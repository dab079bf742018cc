// A CDS Hooks client as an EHR is one: discovery, prefetch, call, feedback; everything over HTTP.

import { CALLS } from "./strings.js";

const at = (path) => new URL(path, document.baseURI);

/** What came of one exchange: the status, the text as it came, the JSON in it (or undefined), headers, milliseconds. */
async function exchange(url, options) {
  const started = performance.now();
  try {
    const answer = await fetch(url, options);
    const body = await answer.text();
    return { status: answer.status, body, json: parsed(body), headers: answer.headers, milliseconds: performance.now() - started };
  } catch {
    return { status: 0, body: "", json: undefined, headers: new Headers(), milliseconds: performance.now() - started };
  }
}

function parsed(body) {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}

// Says of a call that it is a demo: its card and what becomes of it are kept apart from those of EHRs.
const DEMO = { "CDS-Service-Workbench": "demo" };

const post = (url, body, type = "application/json") =>
  exchange(url, { method: "POST", headers: { "Content-Type": type, ...DEMO }, body });

/** The services of discovery. */
export async function discover() {
  const answer = await exchange(at("cds-services"), { headers: { Accept: "application/json" } });
  return answer.json?.services ?? [];
}

/** One helper of the workbench: what it answers, or an Error with its sentence. */
export async function helper(path, body) {
  const answer = body === undefined ? await exchange(at(`workbench/${path}`)) : await post(at(`workbench/${path}`), body);
  if (answer.status === 200) return answer.json;
  throw Object.assign(new Error(sentence(answer)), { place: place(answer) });
}

/** The sentence of an OperationOutcome, or what the status says by itself. */
export function sentence(answer) {
  const said = answer.json?.issue?.[0]?.diagnostics;
  if (said) return said;
  return answer.status ? CALLS.noReason(answer.status) : CALLS.silent;
}

export const place = (answer) => answer.json?.issue?.[0]?.expression?.[0] ?? "";

/** The address of a service, for people to copy. */
export const serviceAddress = (service) => at(`cds-services/${encodeURIComponent(service)}`).href;

/** Posts a call: `body` is sent as it is. */
export const call = (service, body) => post(serviceAddress(service), body);

/** Sends the service what became of a card (CDS Hooks 2.0, "Feedback"). */
export const feedback = (service, item) => post(`${serviceAddress(service)}/feedback`, JSON.stringify({ feedback: [item] }));

/** A prefetch template with its tokens replaced; null where the context has no value for one. */
export function resolved(template, context) {
  let complete = true;
  const query = template.replace(/\{\{\s*([^{}]*?)\s*\}\}/g, (_, token) => {
    const value = token.startsWith("context.") ? context[token.slice("context.".length)] : undefined;
    if (typeof value !== "string" || !value) complete = false;
    return encodeURIComponent(value ?? "");
  });
  return complete ? query : null;
}

/** The address of a FHIR server of the workbench. */
export const fhirBase = (name) => at(`workbench/fhir/${encodeURIComponent(name)}`).href;

const MOST_PAGES = 40;

const FHIR = "application/fhir+json";

/**
 * Reads several addresses of a FHIR server in one batch (FHIR R4, RESTful API, "batch"), in their order: of a search all
 * pages, put into one Bundle. What fails gives its outcome.
 */
export async function fhir(base, queries) {
  const entry = queries.map((url) => ({ request: { method: "GET", url } }));
  const batch = { resourceType: "Bundle", type: "batch", entry };
  const answer = await post(base, JSON.stringify(batch), FHIR);
  if (answer.status !== 200) return queries.map(() => answer.json ?? outcome(answer.status));
  return Promise.all(answer.json.entry.map(({ resource, response }) => (resource ? whole(base, resource) : response.outcome)));
}

/** A resource as it is; of a searchset all that follows on further pages, too. */
async function whole(base, bundle) {
  if (bundle.resourceType !== "Bundle") return bundle;
  let page = bundle;
  for (let pages = 1; pages < MOST_PAGES; pages += 1) {
    const next = (page.link ?? []).find((link) => link.relation === "next");
    if (!next) break;
    const answer = await exchange(new URL(next.url, `${base}/`), { headers: { Accept: FHIR } });
    if (answer.status !== 200) return answer.json ?? outcome(answer.status);
    page = answer.json;
    bundle.entry = [...(bundle.entry ?? []), ...(page.entry ?? [])];
  }
  bundle.link = (bundle.link ?? []).filter((link) => link.relation !== "next");
  return bundle;
}

const outcome = (status) => ({
  resourceType: "OperationOutcome",
  issue: [{ severity: "error", code: "processing", diagnostics: CALLS.fhirFailed(status) }],
});

/** The resources of a Bundle or of a read. */
export function resources(value) {
  if (value?.resourceType === "Bundle") return (value.entry ?? []).map((entry) => entry?.resource).filter((item) => item?.resourceType);
  return value?.resourceType && value.resourceType !== "OperationOutcome" ? [value] : [];
}
