// Elements made of data: text stays text, whatever it says. Nothing here reads HTML but `rendered`.

export const byId = (id) => document.getElementById(id);

/** An element: attributes (`on…` are listeners, `class`, `dataset`), and children (elements, text, lists, null). */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "dataset") Object.assign(element.dataset, value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== ""));
  return element;
}

/** Replaces what an element holds. */
export function fill(element, ...children) {
  element.replaceChildren(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
}

/** HTML that our own server rendered and sanitized from the Markdown of a card. */
export function rendered(html) {
  const element = h("div", { class: "detail" });
  element.innerHTML = html;
  return element;
}

/** Says something to whoever cannot see what changed. */
export function announce(sentence) {
  byId("announcements").textContent = sentence;
}

/** Brings an element into sight, where it is not in the upper half of the window, and gives it the focus. */
export function reveal(element) {
  const { top } = element.getBoundingClientRect();
  if (top < 0 || top > innerHeight / 2) element.scrollIntoView({ block: "start" });
  element.focus({ preventScroll: true });
}

/** What this browser remembers under a name: one of `allowed`, otherwise the first of them. */
export function remembered(name, allowed) {
  let value = null;
  try {
    value = localStorage.getItem(`cds-service-${name}`);
  } catch {
    // Storage can be closed to a page; then it begins as it comes.
  }
  return allowed.includes(value) ? value : allowed[0];
}

export function remember(name, value) {
  try {
    localStorage.setItem(`cds-service-${name}`, value);
  } catch {
    // The choice lasts for this page.
  }
}

/** A table: caption, heads, and rows of cells (text or elements), the first cell of a row being its head. */
export function table(caption, heads, rows, kind = "") {
  const cell = (content, place) => (place === 0 ? h("th", { scope: "row" }, content) : h("td", { "data-label": heads[place] }, content));
  return h(
    "table",
    { class: `stack ${kind}` },
    h("caption", {}, caption),
    h("thead", {}, h("tr", {}, heads.map((head) => h("th", { scope: "col" }, head)))),
    h("tbody", {}, rows.map((cells) => h("tr", {}, cells.map(cell)))),
  );
}
