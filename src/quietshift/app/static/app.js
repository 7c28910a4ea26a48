// Enhancement only: every page reads and acts without this file.
// Live updates, relative times, keyboard, command palette, tips. No framework; htmx morphs and posts.
(() => {
  "use strict";
  const one = (selector, root = document) => root.querySelector(selector);
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  document.documentElement.classList.add("scripted");

  // ---- half-typed text is never taken away ----
  const FIELDS = "input:not([type=hidden]), textarea, select";
  const changed = (f) =>
    f.type === "checkbox" || f.type === "radio" ? f.checked !== f.defaultChecked
      : f.tagName === "SELECT" ? [...f.options].some((o) => o.selected !== o.defaultSelected) && ![...f.options].every((o) => !o.defaultSelected)
      : f.value !== f.defaultValue;
  const sent = new WeakSet(), folded = new WeakSet();
  document.addEventListener("click", (e) => { const s = e.target.closest("summary"); if (s) folded.add(s.parentElement); });
  const held = (form) =>
    !sent.has(form) && (all(FIELDS, form).some(changed) || (form.contains(document.activeElement) && document.activeElement.matches(FIELDS)));

  if (window.htmx) {
    htmx.registerExtension("quietshift", {
      htmx_before_morph_node: (old) => !(old.tagName === "FORM" && held(old)),
      htmx_before_morph_attr: (old, { attrName, newValue }) =>    // what a person unfolded or folded stays so
        attrName !== "open" || (newValue !== null && old.tagName === "DETAILS" && !folded.has(old)),
    });
  }

  // ---- posting ----
  let posting = 0;
  const leaves = (ctx) => ctx.response && ctx.response.raw.redirected && new URL(ctx.response.raw.url).pathname !== location.pathname;
  document.addEventListener("htmx:before:request", () => { posting += 1; });
  document.addEventListener("htmx:finally:request", () => { posting -= 1; if (!posting && stale) refresh(); });
  document.addEventListener("htmx:before:swap", (e) => {
    const { ctx } = e.detail;
    if (!ctx || !ctx.response) return;
    if (leaves(ctx)) {                       // the answer is another page, such as sign-in: go there
      e.preventDefault();
      location.assign(ctx.response.raw.url);
      return;
    }
    height = scrollY;
    const form = ctx.sourceElement;
    if (form && form.tagName === "FORM") {
      sent.add(form);                        // its answer may change it: what was typed is in there, with what is wrong with it
      if (ctx.response.status >= 400) return;
      HTMLFormElement.prototype.reset.call(form);   // a field may be called "reset"
      const fold = form.closest("details");
      if (fold) fold.open = false;
    }
  });
  let height = 0;
  const stay = () => { if (height && !scrollY) scrollTo({ top: height, behavior: "instant" }); };   // a morph may be short for a moment
  document.addEventListener("htmx:after:swap", (e) => {
    if (!e.detail.ctx || !e.detail.ctx.response) return;
    sent.delete(e.detail.ctx.sourceElement);
    stay();
    ticks();
    if (document.activeElement === document.body) one("#main").focus({ preventScroll: true });   // the button that was pressed is gone
  });
  document.addEventListener("htmx:error", () => say("No answer. Nothing was changed as far as we know; try again."));

  // ---- live: the page fetches itself again and morphs what is marked ----
  const note = one("#live");
  let hush = 0;
  function say(text, stay) {
    note.textContent = text;
    clearTimeout(hush);
    if (!stay) hush = setTimeout(() => { note.textContent = ""; }, 4000);
  }

  let stale = false, fetching = false, source = null;
  async function refresh() {
    if (posting || fetching) { stale = true; return; }
    stale = false;
    fetching = true;
    try {
      const answer = await fetch(location.href, { headers: { "Quietshift-Live": "1", Accept: "text/html" }, credentials: "same-origin" });
      if (answer.redirected || !answer.ok) { say("This page is no longer live. Reload it.", true); return; }
      const text = await answer.text();
      const fresh = new DOMParser().parseFromString(text, "text/html");
      let touched = false, kept = false;
      height = scrollY;
      for (const region of all("[data-live][id]")) {
        const next = fresh.getElementById(region.id);
        if (!next || same(region, next)) continue;
        const lost = all("form[id]", region).some((f) => held(f) && !one("#" + CSS.escape(f.id), next));
        if (lost) { kept = true; continue; }
        await htmx.swap({ sourceElement: region, target: region, text: next.outerHTML, swap: "outerMorph" });
        touched = true;
      }
      for (const next of all("[data-live][id]", fresh)) {     // a region that is new, such as the first open incident
        if (document.getElementById(next.id)) continue;
        const before = next.previousElementSibling && next.previousElementSibling.id && document.getElementById(next.previousElementSibling.id);
        if (before) { await htmx.swap({ sourceElement: before, target: before, text: next.outerHTML, swap: "afterend" }); touched = true; }
      }
      document.title = fresh.title;
      stay();
      ticks();
      if (kept) say("This changed while you were typing. Reload to see it.", true);
      else if (touched && !poll) say("Updated");
    } catch { say("No connection to Quietshift.", true); } finally {
      fetching = false;
      if (stale) refresh();
    }
  }
  const bare = (node) => {
    const copy = node.cloneNode(true);
    all("time[data-rel], time[data-age]", copy).forEach((t) => { t.textContent = ""; });
    all("[data-htmx-powered]", copy).forEach((n) => n.removeAttribute("data-htmx-powered"));
    all("details[open]", copy).forEach((n) => n.removeAttribute("open"));
    copy.removeAttribute("data-htmx-powered");
    return copy.outerHTML;
  };
  const same = (a, b) => bare(a) === bare(b);

  const topics = (document.body.dataset.topics || "").split(" ").filter(Boolean);
  function listen() {                        // only the tab one looks at holds a connection: browsers allow six a host
    if (source || !topics.length || document.hidden) return;
    source = new EventSource("/events?" + topics.map((t) => "topic=" + encodeURIComponent(t)).join("&"));
    let lost = false, wait = 0;
    const soon = () => { clearTimeout(wait); wait = setTimeout(refresh, 60); };
    source.onmessage = soon;
    source.addEventListener("changed", soon);
    source.onopen = () => { if (lost) { lost = false; say("Connected again"); refresh(); } };
    source.onerror = () => {
      lost = true;
      say("Live updates are interrupted; trying again.", true);
      if (source && source.readyState === EventSource.CLOSED) { source = null; setTimeout(() => { if (!document.hidden) { listen(); refresh(); } }, 5000); }
    };
  }
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) { if (source) source.close(); source = null; } else if (topics.length) { listen(); refresh(); }
  });
  addEventListener("pagehide", () => { if (source) source.close(); source = null; });
  addEventListener("pageshow", (e) => { if (e.persisted) { listen(); refresh(); } });

  const poll = Number(document.body.dataset.poll);
  if (poll) setInterval(() => { if (!document.hidden) refresh(); }, poll);

  // ---- relative times, in the words the server uses (macros.html: span, time, age) ----
  const span = (s) => (s < 60 ? s + " s" : s < 3600 ? Math.floor(s / 60) + " min" : s < 86400 ? Math.floor(s / 3600) + " h" : Math.floor(s / 86400) + " d");
  const skew = Date.parse(document.body.dataset.now) - Date.now();   // a phone's clock may be off: the server's counts
  function ticks() {
    const now = Date.now() + skew;
    for (const t of all("time[data-rel], time[data-age]")) {
      const s = Math.trunc((now - Date.parse(t.dateTime)) / 1000), size = Math.abs(s);
      const text = "age" in t.dataset ? span(Math.max(size, 60))
        : size >= 86400 ? null
        : size < 45 ? (s > -5 ? "just now" : "now")
        : (s < 0 ? "in " : "") + span(Math.max(size, 60)) + (s > 0 ? " ago" : "");
      if (text && t.textContent !== text) t.textContent = text;
    }
  }
  setInterval(ticks, 10000);

  // ---- dialogs and commands ----
  const visible = (e) => e.getClientRects().length > 0 && !e.closest("dialog:not([open])");
  function open(id) {
    const dialog = document.getElementById(id);
    if (!dialog || dialog.open) return;
    if (id === "commands") commands();
    dialog.showModal();
  }
  function ask(text) {
    const dialog = one("#ask");
    if (!dialog) return Promise.resolve(confirm(text));
    one("#ask-text").textContent = text;
    dialog.returnValue = "";
    dialog.showModal();
    return new Promise((done) => dialog.addEventListener("close", () => done(dialog.returnValue === "yes"), { once: true }));
  }
  function commands() {
    const list = one("#command-list"), input = one("#command");
    all("[data-made]", list).forEach((n) => n.remove());
    input.value = "";
    const made = all("[data-key]").filter((b) => visible(b) && b.dataset.key.length === 1 && !b.matches("input") && !b.closest("#nav"));
    for (const b of made.reverse()) {
      const li = document.createElement("li"), go = document.createElement("button"), key = document.createElement("kbd");
      li.dataset.made = "";
      go.type = "button";
      go.textContent = b.textContent;
      key.textContent = b.dataset.key;
      go.append(key);
      go.addEventListener("click", () => { one("#commands").close(); press(b); });
      li.append(go);
      list.prepend(li);
    }
    all("li", list).forEach((li) => { li.hidden = false; });
  }
  const palette = one("#commands");
  if (palette) {
    one("#command").addEventListener("input", (e) => {
      const q = e.target.value.trim().toLowerCase();
      all("#command-list li").forEach((li) => { li.hidden = !li.textContent.toLowerCase().includes(q); });
    });
    palette.addEventListener("keydown", (e) => {
      const shown = all("#command-list li:not([hidden]) > *"), at = shown.indexOf(document.activeElement);
      if (e.key === "ArrowDown") { e.preventDefault(); (shown[at + 1] || shown[0] || e.target).focus(); }
      else if (e.key === "ArrowUp") { e.preventDefault(); (at > 0 ? shown[at - 1] : one("#command")).focus(); }
      else if (e.key === "Enter" && at < 0) {
        const q = one("#command").value.trim();
        if (/^(inc-)?\d+$/i.test(q)) { e.preventDefault(); location.assign("/incidents/INC-" + q.replace(/\D/g, "")); }
        else if (q && shown.length) { e.preventDefault(); shown[0].click(); }
      }
    });
  }
  document.addEventListener("click", (e) => {
    const opener = e.target.closest && e.target.closest("[data-open]");
    if (opener) open(opener.dataset.open);
    else if (e.target.matches && e.target.matches("dialog")) e.target.close();    // the backdrop
  });

  // ---- keyboard ----
  const store = { get: (k) => { try { return localStorage.getItem(k); } catch { return null; } }, set: (k, v) => { try { localStorage.setItem(k, v); } catch { /* private mode: the switch lasts for this page */ } } };
  const keysOn = one("#keys-on");
  if (keysOn) {
    keysOn.checked = keysOn.defaultChecked = store.get("keys") !== "off";
    keysOn.addEventListener("change", () => store.set("keys", keysOn.checked ? "on" : "off"));
  }
  async function press(target) {
    if (target.matches(FIELDS)) { target.focus(); target.select && target.select(); return; }
    if (target.dataset.ask && !(await ask(target.dataset.ask))) return;
    if (target.matches('a[href^="#"]')) { one(target.getAttribute("href")).focus(); }
    target.click();
  }
  function move(step) {
    const rows = all("[data-row]").filter(visible);
    if (!rows.length) return;
    const at = rows.findIndex((r) => r.contains(document.activeElement));
    const row = rows[Math.min(rows.length - 1, Math.max(0, at < 0 ? (step > 0 ? 0 : rows.length - 1) : at + step))];
    const link = one("a[href], button", row);
    (link || row).focus();
    row.scrollIntoView({ block: "nearest" });
  }
  document.addEventListener("keydown", (e) => {
    if (e.defaultPrevented || e.altKey || e.isComposing) return;
    if ((e.ctrlKey || e.metaKey) && e.key.toLowerCase() === "k") { if (palette) { e.preventDefault(); open("commands"); } return; }
    if (e.ctrlKey || e.metaKey || e.target.isContentEditable || e.target.matches("input, textarea, select") || one("dialog[open]")) return;
    if (keysOn && !keysOn.checked) return;
    if (e.key === "j" || e.key === "k") { e.preventDefault(); move(e.key === "j" ? 1 : -1); return; }
    if (e.key === "?") { e.preventDefault(); open("keys"); return; }
    const row = document.activeElement && document.activeElement.closest("[data-row]");   // a row's own button before the page's
    const meant = (b) => b.dataset.key === e.key && visible(b) && !b.disabled;
    const target = (row && all("[data-key]", row).find(meant)) || all("[data-key]").find(meant);
    if (target) { e.preventDefault(); press(target); } else if (e.key === "/" && palette) { e.preventDefault(); open("commands"); }
  });

  // ---- tips of the shift bars: for hover and for focus ----
  const tip = one("#tip");
  function show(e) {
    const bar = e.target.closest && e.target.closest("[data-tip]");
    tip.hidden = !bar;
    if (!bar) return;
    tip.textContent = bar.dataset.tip;
    const box = bar.getBoundingClientRect();
    tip.style.left = Math.max(8, Math.min(box.left, innerWidth - tip.offsetWidth - 8)) + "px";
    tip.style.top = (box.top > tip.offsetHeight + 12 ? box.top - tip.offsetHeight - 6 : box.bottom + 6) + "px";
  }
  if (tip) {
    document.addEventListener("pointerover", show);
    document.addEventListener("focusin", show);
    document.addEventListener("keydown", (e) => { if (e.key === "Escape") tip.hidden = true; });
  }

  ticks();
  listen();
})();
