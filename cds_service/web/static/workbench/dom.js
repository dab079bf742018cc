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

/** HTML that our own server rendered and sanitised from the Markdown of a card. */
export function rendered(html) {
  const element = h("div", { class: "detail" });
  element.innerHTML = html;
  return element;
}

/** Says something to whoever cannot see what changed. */
export function announce(sentence) {
  byId("announcements").textContent = sentence;
}
