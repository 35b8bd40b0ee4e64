"use strict";
// One trace: the tree of spans, the panel beside it, the zoom, the search. What is looked at stands in the address, and the
// server draws it; this only saves the way of loading the whole page.
(() => {
  const find = (sel, at = document) => at.querySelector(sel), every = (sel, at = document) => [...at.querySelectorAll(sel)];
  const rows = () => every(".wf tbody tr"), level = (tr) => Number(tr.getAttribute("aria-level"));
  const selected = () => find(".wf tr[aria-selected=true]");
  const narrow = matchMedia("(max-width: 700px)");
  const address = (changes) => {
    const url = new URL(location.href);
    for (const [name, value] of Object.entries(changes)) if (value === "") url.searchParams.delete(name); else url.searchParams.set(name, value);
    return url;
  };
  const keep = (url) => history.replaceState(null, "", url);

  // ---- the tree
  const shut = new Set();
  function fold(tr, open) {
    if (!tr.hasAttribute("aria-expanded")) return;
    tr.setAttribute("aria-expanded", open);
    if (open) shut.delete(tr.dataset.key); else shut.add(tr.dataset.key);
  }
  function layout() {
    let closed = Infinity;
    for (const tr of rows()) {
      if (level(tr) <= closed) closed = Infinity;
      tr.hidden = closed !== Infinity;
      if (!tr.hidden && tr.getAttribute("aria-expanded") === "false") closed = level(tr);
    }
    // the row that is looked at may have gone with what was folded
    const shown = rows().filter((r) => !r.hidden);
    if (shown.length && !shown.some((r) => r.tabIndex === 0)) shown[0].tabIndex = 0;
  }
  const toggle = (tr, open) => { fold(tr, open); layout(); };
  function reveal(tr) {
    let above = level(tr);
    for (let r = tr; r && above > 1; r = r.previousElementSibling) if (level(r) < above) { above = level(r); fold(r, true); }
    layout();
  }

  // ---- the span that is looked at
  const panels = new Map();
  let wanted = "", wait = 0;
  function select(tr, { open = true, focus = true } = {}) {
    if (!tr) return;
    for (const r of rows()) { r.setAttribute("aria-selected", r === tr); r.tabIndex = r === tr ? 0 : -1; }
    if (focus) { tr.focus({ preventScroll: true }); tr.scrollIntoView({ block: "nearest" }); }
    keep(address({ span: tr.dataset.key }));
    panel(tr.dataset.key, open);
  }
  const shown = () => find("#span"), waiting = () => find("[data-wait]");
  async function panel(id, open) {
    wanted = id;
    clearTimeout(wait);
    const url = address({ span: id, part: "span" });
    if (!panels.has(id)) {
      wait = setTimeout(() => { shown().hidden = true; waiting().hidden = false; }, 200);
      const response = await fetch(url).catch(() => null);
      if (!response?.ok) { clearTimeout(wait); waiting().hidden = true; shown().hidden = false; return; }
      panels.set(id, await response.text());
    }
    if (wanted !== id) return;
    clearTimeout(wait);
    waiting().hidden = true;
    const fresh = new DOMParser().parseFromString(panels.get(id), "text/html").body.firstElementChild;
    // what was folded away in one panel stays so in the next
    const folded = new Map(every("details", shown()).map((d) => [d.firstElementChild.firstChild.data.trim(), d.open]));
    for (const d of every("details", fresh)) {
      const name = d.firstElementChild.firstChild.data.trim();
      if (folded.has(name) && name !== "Links") d.open = folded.get(name);
    }
    fresh.classList.toggle("open", open);
    shown().replaceWith(document.adoptNode(fresh));
    shown().hidden = false;
  }
  const close = () => { shown().classList.remove("open"); keep(address({ span: "" })); selected()?.focus({ preventScroll: true }); };

  // ---- another look: the server draws it, the parts that differ are put in
  let turn = 0;
  async function look(changes) {
    const url = address(changes), mine = ++turn;
    keep(url);
    const response = await fetch(url).catch(() => null);
    if (!response?.ok) return location.assign(url);
    const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
    if (mine !== turn) return;
    const at = document.activeElement.closest?.(".wf tr")?.dataset.key, grip = document.activeElement.dataset?.grip;
    for (const part of every("[data-part]")) {
      const now = find(`[data-part=${part.dataset.part}]`, fresh);
      if (now) part.replaceWith(document.adoptNode(now));
    }
    const hidden = (name) => find(`.tools [name=${name}][type=hidden]`);
    for (const name of ["from", "to"]) if (hidden(name)) hidden(name).value = url.searchParams.get(name) ?? "";
    for (const tr of rows()) if (shut.has(tr.dataset.key)) tr.setAttribute("aria-expanded", "false");
    layout();
    if (at) find(`.wf tr[data-key="${at}"]`)?.focus({ preventScroll: true });
    if (grip) find(`[data-mini] [data-grip=${grip}]`)?.focus({ preventScroll: true });
  }

  // ---- errors
  async function error(by) {
    const at = selected(), all = rows(), bad = all.filter((r) => r.matches(".bad"));
    const from = all.indexOf(at), next = by > 0 ? bad.find((r) => all.indexOf(r) > from) : bad.filter((r) => all.indexOf(r) < from).pop();
    if (!next && find("[data-more]")) return location.assign(address({ span: at.dataset.key, go: by > 0 ? "next" : "previous" }));
    const to = next ?? (by > 0 ? bad[0] : bad.at(-1));
    if (to) { reveal(to); select(to); }
  }

  document.addEventListener("click", (ev) => {
    if (ev.ctrlKey || ev.metaKey || ev.shiftKey || ev.button !== 0) return;
    const t = ev.target.closest("[data-fold],[data-error],[data-whole],[data-more],[data-close],[data-to-span],.tw,.wf tbody tr");
    if (!t) return;
    if (t.matches("[data-to-span]")) {
      const tr = find(`.wf tr[data-key="${t.dataset.toSpan}"]`);
      if (!tr) return;
      reveal(tr);
      select(tr);
    } else if (t.dataset.fold) { for (const tr of rows()) fold(tr, t.dataset.fold === "open"); layout(); }
    else if (t.dataset.error) error(t.dataset.error === "next" ? 1 : -1);
    else if (t.matches("[data-whole]")) look({ from: "", to: "" });
    else if (t.matches("[data-more]")) look({ rows: new URL(t.href).searchParams.get("rows") });
    else if (t.matches("[data-close]")) close();
    else if (t.matches(".tw")) toggle(t.closest("tr"), t.closest("tr").getAttribute("aria-expanded") === "false");
    else select(t);
    ev.preventDefault();
  });

  // ---- keys
  document.addEventListener("keydown", (ev) => {
    if (ev.ctrlKey || ev.metaKey || ev.altKey) return;
    const tr = ev.target.closest?.(".wf tbody tr"), grip = ev.target.closest?.("[data-mini] [data-grip]");
    if (tr) tree(ev, tr);
    else if (grip) slide(ev, grip);
    if (ev.target.matches("input, select, textarea")) return;
    if (ev.key === "e") error(1);
    if (ev.key === "E") error(-1);
    if (ev.key === "Escape") {
      if (narrow.matches && find(".side.open")) close();
      else if (find("[data-whole]")) look({ from: "", to: "" });
    }
  });
  function tree(ev, tr) {
    const all = rows().filter((r) => !r.hidden), at = all.indexOf(tr), open = tr.getAttribute("aria-expanded");
    const above = () => all.slice(0, at).reverse().find((r) => level(r) < level(tr));
    const go = {
      ArrowDown: () => select(all[at + 1], { open: false }), ArrowUp: () => select(all[at - 1], { open: false }),
      Home: () => select(all[0], { open: false }), End: () => select(all.at(-1), { open: false }),
      PageDown: () => select(all[Math.min(all.length - 1, at + 15)], { open: false }), PageUp: () => select(all[Math.max(0, at - 15)], { open: false }),
      ArrowRight: () => (open === "false" ? toggle(tr, true) : open && select(all[at + 1], { open: false })),
      ArrowLeft: () => (open === "true" ? toggle(tr, false) : select(above(), { open: false })),
      Enter: () => { select(tr); shown().focus({ preventScroll: true }); },
      " ": () => select(tr),
    }[ev.key];
    if (go) { ev.preventDefault(); go(); }
  }

  // ---- search
  let later = 0;
  find(".tools").addEventListener("submit", (ev) => { ev.preventDefault(); clearTimeout(later); first(); });
  find(".tools").addEventListener("input", (ev) => {
    if (ev.target.name !== "find") return;
    clearTimeout(later);
    later = setTimeout(() => look({ find: ev.target.value.trim() }), 250);
  });
  async function first() {
    await look({ find: find(".tools [name=find]").value.trim() });
    const found = rows().filter((r) => r.matches(".found")), at = rows().indexOf(selected());
    const to = found.find((r) => rows().indexOf(r) > at) ?? found[0];
    if (to) { reveal(to); select(to, { focus: false }); to.scrollIntoView({ block: "nearest" }); }
  }

  // ---- zoom: ns after the trace's start
  const mini = find("[data-mini]"), length = Number(mini.dataset.length);
  const ends = () => ["from", "to"].map((name) => Number(find(`[data-grip=${name}]`, mini).getAttribute("aria-valuenow")));
  const ms = (ns) => String(Number((ns / 1e6).toPrecision(6)));
  const words = (ns) => (ns >= 1e9 ? `${+(ns / 1e9).toFixed(3)} s` : ns >= 1e6 ? `${+(ns / 1e6).toFixed(3)} ms` : `${+(ns / 1e3).toFixed(3)} µs`);
  function draw(values) {
    const [from, to] = values;
    ["from", "to"].forEach((name, i) => {
      const grip = find(`[data-grip=${name}]`, mini);
      grip.setAttribute("aria-valuenow", Math.round(values[i]));
      grip.setAttribute("aria-valuetext", words(values[i]));
      grip.parentNode.setAttribute("x", (values[i] / length) * 100 + "%");
    });
    const brush = find(".brush", mini);
    brush.classList.add("on");
    brush.setAttribute("x", (from / length) * 100 + "%");
    brush.setAttribute("width", ((to - from) / length) * 100 + "%");
  }
  const apply = () => {
    const [from, to] = ends(), whole = to - from < length * 1e-5 || (from <= 0 && to >= length);
    look({ from: whole || from <= 0 ? "" : ms(from), to: whole || to >= length ? "" : ms(to) });
  };
  let drag = null;
  mini.addEventListener("pointerdown", (ev) => {
    if (ev.button !== 0) return;
    ev.preventDefault();
    const box = mini.getBoundingClientRect(), at = (x) => Math.max(0, Math.min(1, (x - box.left) / box.width)) * length;
    const [from, to] = ends(), near = (v) => Math.abs(at(ev.clientX) - v) * (box.width / length) < 8;
    drag = { at, still: near(to) ? from : near(from) ? to : at(ev.clientX), x: ev.clientX, moved: false };
    mini.setPointerCapture(ev.pointerId);
  });
  mini.addEventListener("pointermove", (ev) => {
    if (!drag || (!drag.moved && Math.abs(ev.clientX - drag.x) < 4)) return;
    drag.moved = true;
    draw([drag.still, drag.at(ev.clientX)].sort((a, b) => a - b));
  });
  mini.addEventListener("pointerup", () => { const done = drag?.moved; drag = null; if (done) apply(); });
  mini.addEventListener("pointercancel", () => { drag = null; });
  mini.addEventListener("dblclick", () => look({ from: "", to: "" }));
  let slid = 0;
  function slide(ev, grip) {
    const i = grip.dataset.grip === "from" ? 0 : 1, values = ends(), by = length / 50;
    const to = {
      ArrowLeft: values[i] - by, ArrowDown: values[i] - by, ArrowRight: values[i] + by, ArrowUp: values[i] + by,
      PageDown: values[i] - 5 * by, PageUp: values[i] + 5 * by, Home: i ? values[0] + by : 0, End: i ? length : values[1] - by,
    }[ev.key];
    if (to === undefined) return;
    ev.preventDefault();
    values[i] = i ? Math.min(length, Math.max(to, values[0] + by / 10)) : Math.max(0, Math.min(to, values[1] - by / 10));
    draw(values);
    clearTimeout(slid);
    slid = setTimeout(apply, 300);
  }

  // ---- the line under the pointer
  document.addEventListener("pointermove", (ev) => {
    const box = ev.target.closest?.(".wf-box");
    if (!box) return;
    const lane = find("th.lane svg", box).getBoundingClientRect(), cross = find(".cross", box);
    const part = (ev.clientX - lane.left) / lane.width, from = Number(box.dataset.from), to = Number(box.dataset.to);
    cross.classList.toggle("on", part >= 0 && part <= 1);
    cross.style.setProperty("--x", ev.clientX - box.getBoundingClientRect().left + "px");
    cross.dataset.t = words(from + part * (to - from));
  });

  // a link to a span far down leads to its row
  if (new URLSearchParams(location.search).has("span")) selected()?.scrollIntoView({ block: "nearest" });
})();
