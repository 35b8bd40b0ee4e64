"use strict";
// Keeps a page up to date: [data-refresh] elements follow what a fresh fetch of the page says. Loaded before a page's own
// script; `tracegen:fresh` fires on document after a change, `tracegen:waiting` (detail: traces) where the page is paused.
(() => {
  const panels = (doc) => [...doc.querySelectorAll("[data-refresh]")];
  const paused = () => document.querySelector("[data-live]")?.getAttribute("aria-pressed") === "false";
  // What the server last said of an element's attributes: what a script has set since then stays.
  const served = new WeakMap();
  const attributes = (el) => new Map([...el.attributes].map((a) => [a.name, a.value]));
  const remember = (el) => { served.set(el, attributes(el)); for (const child of el.children) remember(child); };
  panels(document).forEach(remember);

  function follow(el, fresh) {
    const before = served.get(el) ?? attributes(el), now = attributes(fresh);
    for (const [name, value] of now) if (before.get(name) !== value) el.setAttribute(name, value);
    for (const name of before.keys()) if (!now.has(name)) el.removeAttribute(name);
    served.set(el, now);
    if (!el.matches("textarea, select")) children(el, fresh);
  }
  const key = (node) => node.nodeType === 1 ? node.id || node.dataset?.key || "" : "";
  // Same place or same key, same node: focus, scroll, selection and open details are left as they are.
  function children(el, fresh) {
    const known = new Map([...el.children].filter(key).map((c) => [key(c), c]));
    const stay = new Set([...fresh.children].map(key).filter(Boolean));
    let at = el.firstChild;
    const drop = () => { const gone = at; at = at.nextSibling; gone.remove(); };
    for (const node of [...fresh.childNodes]) {
      let same = known.get(key(node));
      if (same?.nodeName !== node.nodeName) same = at?.nodeName === node.nodeName && key(at) === key(node) ? at : null;
      if (!same) {
        const made = document.importNode(node, true);
        if (made.nodeType === 1) remember(made);
        el.insertBefore(made, at);
        continue;
      }
      if (same !== at) while (at && at !== same && !stay.has(key(at))) drop();
      if (same === at) at = at.nextSibling; else el.insertBefore(same, at);
      if (node.nodeType === 1) follow(same, node);
      else if (same.nodeValue !== node.nodeValue) same.nodeValue = node.nodeValue;
    }
    while (at) drop();
  }

  // A panel with a field that was edited, or is being, is left alone.
  const edited = (field) => {
    if (field.matches("[type=radio], [type=checkbox]")) return field.checked !== field.defaultChecked;
    if (field.matches("[type=range]")) return false; // it follows the field beside it
    if (field.matches("select")) return field.selectedIndex !== Math.max(0, [...field.options].findIndex((o) => o.defaultSelected));
    return field === document.activeElement || field.value !== field.defaultValue;
  };
  const inUse = (panel) => [...panel.querySelectorAll("input, select, textarea")].some(edited);

  let busy = false, again = false, last = 0;
  async function refresh(which) {
    // a page that is not there would only be not there again
    if (document.querySelector("[data-still]")) return;
    if (busy) { again = true; return; }
    busy = true;
    try {
      const response = await fetch(location.href, { headers: { accept: "text/html" }, cache: "no-store" });
      if (response.status === 401) { location.reload(); return; }
      const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
      const by = new Map(panels(fresh).map((p) => [p.dataset.refresh, p]));
      for (const panel of panels(document)) {
        const now = by.get(panel.dataset.refresh);
        if (now && which(panel) && !inUse(panel)) follow(panel, now);
      }
      document.dispatchEvent(new CustomEvent("tracegen:fresh"));
    } catch { /* the server is away: the event source notices and says so */ } finally {
      busy = false;
      last = Date.now();
      if (again) { again = false; soon(); }
    }
  }
  const everything = () => true, header = (panel) => panel.closest("header.top") !== null;
  let timer = 0;
  function soon() {
    timer ||= setTimeout(() => { timer = 0; if (paused() && !asked) return; asked = false; refresh(everything); }, Math.max(0, last + 1000 - Date.now()));
  }
  // a page's script changed the URL: also where the page is paused
  let asked = false;
  document.addEventListener("tracegen:refresh", () => { asked = busy; refresh(everything); });

  let source, condition, seen;
  function listen() {
    source = new EventSource("/api/events");
    source.addEventListener("status", (ev) => {
      const { rate, traces, spans, ...now } = JSON.parse(ev.data);
      const figures = { rate: rate >= 99.95 ? rate.toFixed(0) : rate >= 9.995 ? rate.toFixed(1) : rate.toFixed(2), traces, spans };
      for (const el of document.querySelectorAll("[data-figure]")) {
        const figure = figures[el.dataset.figure];
        if (figure !== undefined) el.textContent = typeof figure === "number" ? figure.toLocaleString("en") : figure;
      }
      document.documentElement.removeAttribute("data-offline");
      const text = JSON.stringify(now);
      if (condition !== undefined && condition !== text) refresh(paused() ? header : everything);
      condition = text;
      document.dispatchEvent(new CustomEvent("tracegen:status", { detail: { rate, traces, spans, ...now } }));
    });
    source.addEventListener("traces", (ev) => {
      const { traces } = JSON.parse(ev.data);
      if (paused()) document.dispatchEvent(new CustomEvent("tracegen:waiting", { detail: { traces, since: seen ?? traces } }));
      else { seen = traces; soon(); }
    });
    source.onerror = () => {
      // after a refusal the browser does not try again by itself
      if (source.readyState === EventSource.CLOSED) setTimeout(() => { if (source.readyState === EventSource.CLOSED) listen(); }, 5000);
      document.documentElement.setAttribute("data-offline", "");
      condition = "";
    };
  }
  // A page that nobody sees holds no connection: a browser has six for a server.
  document.addEventListener("visibilitychange", () => {
    source?.close();
    if (document.hidden) return;
    if (!paused()) soon();
    listen();
  });
  document.addEventListener("click", (ev) => { if (ev.target.closest("[data-live]")) setTimeout(() => { if (!paused()) soon(); }); });
  window.addEventListener("pagehide", () => source?.close());
  window.addEventListener("pageshow", (ev) => { if (ev.persisted) { soon(); listen(); } });
  if (!document.hidden) listen();
})();
