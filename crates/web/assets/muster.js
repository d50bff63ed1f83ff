// What the pages do by themselves: the live stream, ages that count on, and a few helpers of forms.
// Everything works without it; it only saves reloading and typing.
(() => {
  const words = JSON.parse(document.getElementById("words").textContent);
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];

  // ---------- time: ages are counted from the server's clock, which may run faster than ours ----------
  const time = { server: words.now, at: performance.now(), speed: 1, ticks: 0 };
  const serverNow = () => time.server + (performance.now() - time.at) * time.speed;
  const sync = (server) => {
    const at = performance.now();
    if (time.ticks > 0 && at - time.at > 1000) time.speed = Math.max(0, (server - time.server) / (at - time.at));
    Object.assign(time, { server, at, ticks: time.ticks + 1 });
  };
  const length = (ms) => {
    const seconds = Math.max(0, Math.floor(ms / 1000)), minutes = Math.floor(seconds / 60);
    if (seconds < 60) return words.seconds.replace("{}", seconds);
    if (minutes < 60) return words.minutes.replace("{}", minutes);
    return words.hours.replace("{}", Math.floor(minutes / 60)).replace("{m}", String(minutes % 60).padStart(2, "0"));
  };
  const put = (element, text) => { if (element.textContent !== text) element.textContent = text; };
  const countAges = () => {
    const now = serverNow();
    for (const element of all("time[data-ago]")) {
      const age = now - Number(element.dataset.ago);
      if (age < 3600e3) put(element, words.ago.replace("{}", length(age)));
      else if (element.dataset.then) put(element, element.dataset.then);
    }
    for (const element of all("time[data-since]")) {
      const age = now - Number(element.dataset.since);
      if (age < 48 * 3600e3) put(element, length(age));
    }
  };
  setInterval(countAges, 1000);

  const flash = (element) => {
    element.classList.remove("fresh");
    void element.offsetWidth; // starts the animation again
    element.classList.add("fresh");
  };

  // ---------- live ----------
  const page = document.querySelector("[data-live]");
  if (page) {
    const waits = [1, 2, 5, 10, 15];
    let source = null, failures = 0, retry = null, lastEvent = performance.now(), spokenAt = -Infinity, first = true;

    const apply = (name, html) => {
      const target = document.querySelector(`[data-event="${name}"]`);
      if (!target) return;
      // Somebody reads the arrivals as a table: fetch it instead of replacing it by the drawing.
      const asTable = document.querySelector("#arrivals table") !== null;
      const fetchTable = () => htmx.ajax("GET", `${location.origin}/today/arrivals${new URL(page.dataset.live, location).search}&table=1`, { target: "#arrivals", swap: "morph:innerHTML" });
      if (name === "arrivals" && asTable) return fetchTable();
      const rows = new Set(all("[id]", target).map((row) => row.id));
      const figures = new Map(all("[data-figure]", target).map((figure) => [figure.closest("[id]").id, figure.textContent]));
      Idiomorph.morph(target, html, { morphStyle: "innerHTML", ignoreActiveValue: true });
      htmx.process(target);
      for (const row of all("[data-fresh] > [id]", target)) if (!rows.has(row.id) && rows.size) flash(row);
      for (const figure of all("[data-figure]", target)) {
        const item = figure.closest("[id]"), before = figures.get(item.id);
        if (before !== undefined && before !== figure.textContent) flash(item);
      }
      if (name === "board" && asTable) fetchTable();
      countAges();
    };
    const alive = () => { lastEvent = performance.now(); showState(); };
    const open = () => {
      if (source || document.hidden) return;
      const url = new URL(page.dataset.live, location);
      if (!first) url.searchParams.delete("v"); // every open after the first brings all regions
      first = false;
      // The server sends the whole board when its arrangement is not that of this page.
      url.searchParams.set("early", page.querySelector(".g-early") ? 1 : 0);
      source = new EventSource(url);
      source.onopen = () => { failures = 0; alive(); };
      source.onerror = () => {
        close();
        const wait = waits[Math.min(failures++, waits.length - 1)] * 1000 * (0.8 + Math.random() * 0.4);
        retry = setTimeout(open, wait);
      };
      source.addEventListener("tick", (event) => {
        const { now, spoken, clock } = JSON.parse(event.data);
        sync(now);
        if (clock) page.dataset.clock = clock;
        alive();
        const line = document.getElementById("spoken");
        if (line && spoken && performance.now() - spokenAt > 60000 && line.textContent !== spoken) {
          line.textContent = spoken;
          spokenAt = performance.now();
        }
      });
      for (const name of ["board", "heading", "last", "notices", "counters", "arrivals", "departments", "punch", "not-arrived", "unknown", "late", "devices", "brief"]) {
        source.addEventListener(name, (event) => { alive(); apply(name, event.data); });
      }
    };
    const close = () => {
      clearTimeout(retry);
      if (source) source.close();
      source = null;
    };
    const showState = () => {
      const silent = performance.now() - lastEvent, stale = silent > 20000 && !document.hidden;
      for (const mark of all("[data-live-mark]")) {
        mark.classList.toggle("stale", stale);
        const late = mark.matches("[data-live-short]") ? words.staleShort : words.stale.replace("{}", length(silent));
        put(mark.querySelector("[data-live-text]"), stale ? late : words.live);
      }
      document.body.classList.toggle("is-stale", silent > 120000 && !document.hidden);
      const lost = document.getElementById("lost");
      if (lost) {
        lost.hidden = !(silent > 120000);
        if (!lost.hidden) put(lost.querySelector("[data-text]"), words.lost.replace("{}", page.dataset.clock));
      }
    };
    setInterval(showState, 1000);
    // A browser opens six connections to a server; a tab nobody sees must not hold one of them.
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) { clearTimeout(retry); retry = setTimeout(close, 5000); }
      else { clearTimeout(retry); lastEvent = performance.now(); open(); }
    });
    addEventListener("pagehide", close);
    open();
  }

  // ---------- a page that fetches itself again when what it shows has changed ----------
  const followed = document.querySelector("[data-follow]");
  if (followed) {
    const url = followed.dataset.follow, waits = [1, 2, 5, 10, 15];
    let source = null, retry = null, failures = 0, first = true;
    const refetch = async () => {
      const answer = await fetch(location.href).catch(() => null);
      if (!answer?.ok) return;
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html"), full = isFull();
      const cells = new Map(days().map((day) => [day.id, day.textContent]));
      for (const part of all("[data-part]")) {
        const now = fresh.getElementById(part.id);
        if (now) Idiomorph.morph(part, now.outerHTML, { morphStyle: "outerHTML", ignoreActiveValue: true });
      }
      htmx.process(document.getElementById("main"));
      enterCalendar();
      showKeys();
      if (full) openFull();
      for (const day of days()) if (cells.has(day.id) && cells.get(day.id) !== day.textContent) flash(day);
    };
    const open = () => {
      if (source || document.hidden) return;
      source = new EventSource(url);
      source.onopen = () => { failures = 0; if (!first) refetch(); first = false; };
      source.onerror = () => { close(); retry = setTimeout(open, waits[Math.min(failures++, waits.length - 1)] * 1000 * (0.8 + Math.random() * 0.4)); };
      source.addEventListener("tick", (event) => sync(JSON.parse(event.data).now));
      source.addEventListener("changed", refetch);
    };
    const close = () => { clearTimeout(retry); if (source) source.close(); source = null; };
    document.addEventListener("visibilitychange", () => { clearTimeout(retry); if (document.hidden) retry = setTimeout(close, 5000); else open(); });
    addEventListener("pagehide", close);
    open();
  }

  // ---------- parts of pages that could not be fetched ----------
  const failed = (hidden) => { const notice = document.getElementById("failed"); if (notice) notice.hidden = hidden; };
  for (const name of ["htmx:responseError", "htmx:sendError", "htmx:timeout"]) document.addEventListener(name, () => failed(false));
  document.addEventListener("htmx:afterOnLoad", () => failed(true));

  // ---------- forms ----------
  document.addEventListener("change", (event) => {
    const form = event.target.closest("form[data-submit-on-change]");
    if (form) form.requestSubmit();
    const table = event.target.closest("[data-select]");
    if (table) {
      if (event.target.matches("[data-select-all]")) {
        for (const box of all("[data-select-one]", table)) if (!box.closest("[hidden]")) box.checked = event.target.checked;
      }
      countSelected(table);
    }
  });
  const countSelected = (table) => {
    const chosen = all("[data-select-one]", table).filter((box) => box.checked).length;
    for (const bar of all("[data-selected-bar]", table)) bar.hidden = chosen === 0;
    for (const text of all("[data-selected]", table)) put(text, words.selected.replace("{}", chosen));
    for (const box of all("[data-select-one]", table)) box.closest("tr, .p")?.classList.toggle("sel", box.checked);
  };
  const prepare = () => all("[data-select]").forEach(countSelected);
  prepare();
  document.addEventListener("htmx:afterSettle", prepare);
  document.addEventListener("click", (event) => {
    const theme = event.target.closest("[data-theme]");
    if (theme) {
      try {
        if (theme.dataset.theme) localStorage.setItem("muster-theme", theme.dataset.theme);
        else localStorage.removeItem("muster-theme");
      } catch { /* without storage the system decides */ }
      dispatchEvent(new Event("muster:theme"));
      for (const button of all("[data-theme]")) button.setAttribute("aria-pressed", button === theme);
    }
    if (event.target.closest("[data-print]")) print();
    const reload = event.target.closest("[data-reload]");
    if (reload) location.reload();
    const clear = event.target.closest("[data-select-none]");
    if (clear) {
      const table = clear.closest("[data-select]");
      for (const box of all("[data-select-one], [data-select-all]", table)) box.checked = false;
      countSelected(table);
    }
  });
  // ---------- calendar: one tab stop, arrows move inside ----------
  const days = () => all("[data-cal] a");
  const enterCalendar = (chosen = document.querySelector("[data-cal] a[aria-current]") || days()[0]) => {
    for (const day of days()) day.tabIndex = day === chosen ? 0 : -1;
    return chosen;
  };
  enterCalendar();
  document.addEventListener("htmx:afterSettle", () => { enterCalendar(); });
  document.addEventListener("keydown", (event) => {
    const day = event.target.closest("[data-cal] a");
    if (!day || event.ctrlKey || event.altKey || event.metaKey) return;
    const list = days(), at = list.indexOf(day), back = document.dir === "rtl" ? 1 : -1;
    const column = day.closest("td").cellIndex;
    const steps = { ArrowLeft: back, ArrowRight: -back, ArrowUp: -7, ArrowDown: 7, Home: -column, End: 6 - column };
    const month = { PageUp: "month-previous", PageDown: "month-next" }[event.key];
    if (month) { event.preventDefault(); document.getElementById(month).click(); return; }
    if (!(event.key in steps)) return;
    event.preventDefault();
    const next = list[Math.max(0, Math.min(list.length - 1, at + steps[event.key]))];
    if (Math.abs(steps[event.key]) === 7 && !list[at + steps[event.key]]) return;
    enterCalendar(next).focus();
  });
  // On a phone the panel of a chosen day covers the page until it is closed; then the day has the focus again.
  const isFull = () => document.getElementById("why")?.classList.contains("full") ?? false;
  const openFull = () => {
    const panel = document.getElementById("why");
    if (!panel) return;
    panel.classList.add("full");
    panel.setAttribute("role", "dialog");
    panel.setAttribute("aria-modal", "true");
    for (let at = panel; at !== document.body; at = at.parentElement) {
      for (const beside of at.parentElement.children) if (beside !== at && beside.id !== "words") beside.inert = true;
    }
    document.body.classList.add("covered");
  };
  const closeFull = () => {
    const panel = document.getElementById("why");
    panel.classList.remove("full");
    panel.removeAttribute("role");
    panel.removeAttribute("aria-modal");
    for (const beside of all("[inert]")) beside.inert = false;
    document.body.classList.remove("covered");
    enterCalendar()?.focus();
  };
  document.addEventListener("click", (event) => { if (event.target.closest("[data-close-why]")) closeFull(); });
  document.addEventListener("keydown", (event) => { if (event.key === "Escape" && isFull()) closeFull(); });
  // Where the panel is below the calendar, choosing a day leads there.
  document.addEventListener("htmx:afterSettle", (event) => {
    const panel = document.getElementById("why-h");
    if (!panel || !event.detail.requestConfig?.elt?.closest("[data-cal]")) return;
    if (matchMedia("(max-width:767px)").matches) { openFull(); panel.focus(); return; }
    if (panel.getBoundingClientRect().top > innerHeight * 0.8 || matchMedia("(max-width:1299px)").matches) panel.focus();
  });
  // ---------- a sheet is one stop of the tab key, and arrows move inside it ----------
  for (const grid of all("[data-grid]")) {
    const cells = all("tbody td a", grid);
    for (const cell of cells.slice(1)) cell.tabIndex = -1;
    let current = cells[0];
    const move = (to) => { if (!to) return; current.tabIndex = -1; current = to; to.tabIndex = 0; to.focus(); };
    grid.addEventListener("focusin", (event) => {
      if (!event.target.matches("td a") || event.target === current) return;
      current.tabIndex = -1; current = event.target; current.tabIndex = 0;
    });
    const inRow = (cell, step) => {
      for (let next = cell[step]; next; next = next[step]) { const link = next.querySelector("a"); if (link && next.matches("td")) return link; }
    };
    // The next row that has a day of that date, over headings of departments.
    const inColumn = (cell, rows) => {
      for (const row of rows) { const link = row.cells[cell.cellIndex]?.querySelector("a"); if (link && row.cells.length > 1) return link; }
    };
    grid.addEventListener("keydown", (event) => {
      const link = event.target.closest("td a");
      if (!link || event.ctrlKey || event.metaKey || event.altKey) return;
      const cell = link.parentElement, rows = [...grid.rows], at = rows.indexOf(cell.parentElement);
      const forward = document.documentElement.dir === "rtl" ? "ArrowLeft" : "ArrowRight", back = forward === "ArrowLeft" ? "ArrowRight" : "ArrowLeft";
      const days = all("td a", cell.parentElement);
      const to = {
        [forward]: () => inRow(cell, "nextElementSibling"), [back]: () => inRow(cell, "previousElementSibling"),
        ArrowDown: () => inColumn(cell, rows.slice(at + 1)), ArrowUp: () => inColumn(cell, rows.slice(0, at).reverse()),
        Home: () => days[0], End: () => days[days.length - 1],
      }[event.key];
      if (to) { event.preventDefault(); move(to()); }
    });
  }
  // The zone of this computer is a good guess for the first site.
  for (const field of all("[data-guess-zone]")) if (!field.value) field.value = Intl.DateTimeFormat().resolvedOptions().timeZone || "";
  // Hides the rows whose text does not contain what is typed; what is ticked in them stays ticked.
  document.addEventListener("input", (event) => {
    const rows = event.target.dataset.filter, text = event.target.value.trim().toLowerCase();
    if (rows) for (const row of all(rows)) row.hidden = !row.textContent.toLowerCase().includes(text);
  });
  // Letters that stand for the links and buttons which name them; they can be switched off, for readers whose own keys they are.
  const keysOff = () => { try { return localStorage.getItem("muster-keys") === "off"; } catch { return false; } };
  const showKeys = () => { for (const button of all("[data-keys]")) button.setAttribute("aria-pressed", !keysOff()); };
  showKeys();
  document.addEventListener("click", (event) => {
    if (!event.target.closest("[data-keys]")) return;
    try { localStorage.setItem("muster-keys", keysOff() ? "on" : "off"); } catch { /* without storage they stay on */ }
    showKeys();
  });
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.target.closest("input, textarea, select") || keysOff()) return;
    const named = all("[data-key]").find((one) => one.dataset.key.split(" ").includes(event.key.toLowerCase()));
    if (named) { event.preventDefault(); named.click(); }
  });
  // A key that moves the focus to the search field, unless somebody is writing.
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.target.closest("input, textarea, select")) return;
    const search = document.querySelector("input[type=search]");
    if (search) { event.preventDefault(); search.focus(); }
  });
})();
