// The Check tab: what is wrong with a call, what passed, and what the service can read of what was sent.

import { helper } from "./client.js";
import { fill, h, table } from "./dom.js";
import { DEVELOPER } from "./strings.js";
import { list } from "./words.js";

const WORDS = DEVELOPER.check;
const LEVELS = { error: ["✕", "late"], warning: ["!", "open"], note: ["i", "partly"] };
const MOST_DROPPED = 5;

/** Validates a call and its answer into the panel; returns the number of issues as the tab shows it. */
export async function showCheck(panel, service, body, answer) {
  fill(panel, h("p", {}, WORDS.running));
  const asked = await validated(`validation?service=${encodeURIComponent(service)}`, body);
  const answered = answer.status === 200 ? await validated("validation/response", answer.body) : null;
  fill(
    panel,
    h("p", {}, WORDS.intro, h("a", { href: "services#must-send" }, WORDS.list)),
    h("h3", {}, WORDS.request), issues(WORDS.request, asked.findings), passed(asked.passed), delivery(asked.delivery),
    h("h3", {}, WORDS.response), answered ? [issues(WORDS.response, answered.findings), passed(answered.passed)] : h("p", {}, WORDS.noCards),
  );
  return ` ${asked.findings.length + (answered?.findings.length ?? 0)}`;
}

async function validated(path, text) {
  try {
    return await helper(path, text);
  } catch (error) {
    return { findings: [{ path: error.place ?? "", level: "error", text: error.message }], passed: [], delivery: [] };
  }
}

function issues(title, found) {
  if (!found.length) return h("p", {}, h("span", { class: "mark sure" }, "✓ "), WORDS.noIssue);
  return table(WORDS.issues(title, found.length), WORDS.heads, found.map((item) => {
    const [sign, look] = LEVELS[item.level] ?? ["?", "partly"];
    return [h("span", { class: `mark ${look}` }, h("span", { "aria-hidden": "true" }, `${sign} `), item.level), h("code", {}, item.path || WORDS.whole), item.text];
  }), "findings");
}

function passed(titles) {
  if (!list(titles).length) return null;
  return h("details", { class: "more" }, h("summary", {}, WORDS.passed(titles.length)), h("ul", { class: "passed" }, titles.map((title) => h("li", {}, h("span", { class: "mark sure", "aria-hidden": "true" }, "✓ "), title))));
}

/** One row for each type: whether its list came, and what of it counts as evidence. */
function delivery(rows) {
  if (!list(rows).length) return null;
  return table(WORDS.delivery, WORDS.deliveryHeads, rows.map((row) => [
    h("code", {}, row.type),
    h("span", { class: `mark ${{ whole: "sure", missing: "none" }[row.state] ?? "open"}` }, WORDS.states[row.state] ?? row.state),
    String(row.received),
    h("span", { class: row.received && !row.counted ? "mark late" : null }, String(row.counted)),
    dropped(row),
  ]), "delivery");
}

function dropped(row) {
  if (!row.dropped.length) return row.received ? WORDS.all : WORDS.nothingCame;
  const shown = row.dropped.slice(0, MOST_DROPPED).map((item) => h("li", {}, h("code", {}, item.reference), ` ${item.why}`));
  const more = row.dropped.length > MOST_DROPPED ? h("li", {}, WORDS.more(row.dropped.length - MOST_DROPPED)) : null;
  return h("ul", {}, shown, more);
}
