// Asks for the evidence page with the secret of its link and shows it, or takes the one that was served at once to a user
// who signed in; clears it after five minutes without use.

// A page on which one writes stays longer.
const IDLE = Number(document.body.dataset.idle ?? 5) * 60_000;
const SIGNS_OF_USE = ["pointerdown", "pointermove", "keydown", "scroll", "wheel", "touchstart"];
const FORMATS = {
  date: { year: "numeric", month: "2-digit", day: "2-digit", hour: "numeric", minute: "2-digit" },
  time: { hour: "numeric", minute: "2-digit", month: "2-digit", day: "2-digit" },
};

// Out of the address bar and the history at once: whoever comes after finds no key there.
const secret = location.hash.slice(1);
history.replaceState(null, "", location.pathname);

let used = Date.now();
let watch = 0;

function show(main) {
  document.querySelector("main").replaceWith(main);
  main.querySelector("h1")?.focus();
}

function close() {
  clearInterval(watch);
  show(document.querySelector("#closed").content.firstElementChild.cloneNode(true));
}

function opened(main) {
  for (const moment of main.querySelectorAll("time[data-local]")) {
    moment.textContent = new Date(moment.dateTime).toLocaleString("en-US", FORMATS[moment.dataset.local]).replace(",", "");
  }
  main.querySelector("[data-print]")?.addEventListener("click", () => window.print());
  for (const sign of SIGNS_OF_USE) addEventListener(sign, () => (used = Date.now()), { passive: true });
  // A timer of five minutes would sleep with the machine.
  watch = setInterval(() => Date.now() - used >= IDLE && close(), 5_000);
  document.addEventListener("visibilitychange", () => Date.now() - used >= IDLE && close());
  // A page that the browser keeps to go back to would show again.
  addEventListener("pagehide", close);
}

async function open() {
  const answer = await fetch(location.pathname, {
    method: "POST",
    headers: { "Content-Type": "application/json", Accept: "text/html" },
    body: JSON.stringify({ secret }),
    cache: "no-store",
    credentials: "same-origin",
  });
  const main = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("main");
  if (!main) throw new Error("no page");
  show(document.adoptNode(main));
  if (answer.ok) opened(main);
}

if ("served" in document.body.dataset) opened(document.querySelector("main"));
else open().catch(() => show(document.querySelector("#unreachable").content.firstElementChild.cloneNode(true)));
