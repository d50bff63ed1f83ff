// Loaded in the head, before the first paint, so that a dark page never flashes white.
(() => {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const apply = () => {
    let chosen = null;
    try { chosen = localStorage.getItem("muster-theme"); } catch { /* storage may be switched off */ }
    document.documentElement.dataset.bsTheme = chosen || (dark.matches ? "dark" : "light");
  };
  dark.addEventListener("change", apply);
  addEventListener("muster:theme", apply);
  apply();
})();
