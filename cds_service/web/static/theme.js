// The reader's theme: that of the system, light, or dark. It is kept in this browser and set before the page is drawn,
// so that no page flashes; without storage it lasts for one page.

(() => {
  const KEY = "cds-service-theme";
  const THEMES = ["system", "light", "dark"];
  const root = document.documentElement;

  const kept = () => {
    try {
      return localStorage.getItem(KEY);
    } catch {
      return null;
    }
  };
  const keep = (theme) => {
    try {
      localStorage.setItem(KEY, theme);
    } catch {
      // The choice lasts for this page.
    }
  };
  const set = (theme) => {
    if (theme === "system") delete root.dataset.theme;
    else root.dataset.theme = theme;
  };

  let theme = THEMES.includes(kept()) ? kept() : "system";
  set(theme);
  addEventListener("DOMContentLoaded", () => {
    const button = document.getElementById("theme");
    // A page may follow the choice and offer none of its own.
    if (!button) return;
    const show = () => { button.textContent = button.dataset[theme]; };
    button.addEventListener("click", () => {
      theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
      set(theme);
      keep(theme);
      show();
    });
    show();
    button.hidden = false;
  });
})();
