"use strict";
// The list of traces: filters that apply at once, the brush over the durations, keys, and rows that hold still while one is
// about to be chosen.
(() => {
  const find = (sel, at = document) => at.querySelector(sel), every = (sel, at = document) => [...at.querySelectorAll(sel)];
  const form = find("#filters");

  // ---- filters: what is empty or the default stays out of the address
  form.addEventListener("formdata", (ev) => {
    for (const [name, value] of [...ev.formData]) if (!value || (name === "range" && value === "15m")) ev.formData.delete(name);
  });
  document.addEventListener("change", (ev) => { if (ev.target.form === form && ev.target.matches("select, [type=radio]")) apply(); });
  function apply() {
    try { sessionStorage.setItem("focus", document.activeElement.id); } catch { /* storage is off: the focus starts anew */ }
    form.requestSubmit();
  }
  try {
    const id = sessionStorage.getItem("focus");
    sessionStorage.removeItem("focus");
    if (id) document.getElementById(id)?.focus({ preventScroll: true });
  } catch { /* as above */ }

  // ---- loading shows when it takes long
  let slow = 0;
  const loading = (on) => {
    clearTimeout(slow);
    find("[data-loading]").hidden = !on;
    panel().hidden = on;
  };
  const soon = () => { clearTimeout(slow); slow = setTimeout(() => loading(true), 200); };
  form.addEventListener("submit", soon);
  document.addEventListener("click", (ev) => {
    const link = ev.target.closest("main a[href^='/?'], main a[href='/']");
    if (link && !ev.defaultPrevented && ev.button === 0 && !(ev.ctrlKey || ev.metaKey || ev.shiftKey)) soon();
  });
  window.addEventListener("pageshow", () => loading(false));

  // ---- rows hold still while the pointer moves over them or the focus is in them
  const panel = () => find("[data-refresh='content'], [data-held]");
  const paused = () => find("[data-live]").getAttribute("aria-pressed") === "false";
  let release = 0;
  function hold(ms) {
    const el = panel();
    el.removeAttribute("data-refresh");
    el.dataset.held = "";
    clearTimeout(release);
    release = setTimeout(() => {
      if (el.querySelector("tbody :focus-visible, .grip:focus-visible")) return hold(ms);
      delete el.dataset.held;
      el.dataset.refresh = "content";
    }, ms);
  }
  document.addEventListener("pointermove", (ev) => { if (ev.target.closest?.("[data-list] tbody, .chart")) hold(3000); });
  document.addEventListener("focusin", (ev) => { if (ev.target.closest?.("[data-list] tbody, .chart")) hold(3000); });

  // ---- what came in the meantime waits in a bar
  let asked = 0, waiting = null;
  async function count() {
    if (Date.now() - asked < 1000 || new URLSearchParams(location.search).has("until")) return;
    asked = Date.now();
    const response = await fetch(location.href, { cache: "no-store" }).catch(() => null);
    if (!response?.ok) return;
    const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
    const here = new Set(every("[data-list] tbody tr").map((r) => r.dataset.key)), there = every("[data-list] tbody tr", fresh);
    const n = there.filter((r) => !here.has(r.dataset.key)).length, bar = find(".fresh");
    if (!bar || !(paused() || find("[data-held]"))) return;
    waiting = fresh;
    bar.hidden = n === 0;
    bar.textContent = `${n}${n === there.length ? " or more" : ""} new trace${n === 1 ? "" : "s"}, show ${n === 1 ? "it" : "them"}`;
  }
  document.addEventListener("tracegen:waiting", count);
  document.addEventListener("tracegen:fresh", () => {
    if (find("[data-held]")) count();
    else if (find(".fresh")) find(".fresh").hidden = true;
  });
  document.addEventListener("click", (ev) => {
    if (!ev.target.closest(".fresh") || !waiting) return;
    const now = find("[data-refresh='content']", waiting);
    panel().replaceChildren(...[...now.childNodes].map((node) => document.importNode(node, true)));
    find("[data-list] .op a")?.focus();
  });

  // ---- keys
  document.addEventListener("keydown", (ev) => {
    if (ev.target.matches("input, select, textarea") || ev.ctrlKey || ev.metaKey || ev.altKey) return;
    if (ev.key !== "j" && ev.key !== "k") return;
    const links = every("[data-list] .op a"), at = links.indexOf(document.activeElement.closest("tr")?.querySelector(".op a"));
    links[Math.max(0, Math.min(links.length - 1, at + (ev.key === "j" ? 1 : -1)))]?.focus();
  });

  // ---- the brush: log10 of ns along the chart
  const scale = (chart) => [Number(chart.dataset.low), Number(chart.dataset.high)];
  const grips = (chart) => ["min", "max"].map((name) => Number(find(`[data-grip=${name}]`, chart).dataset.value));
  const milliseconds = (log) => String(Number((10 ** log / 1e6).toPrecision(3)));
  function draw(chart, values) {
    const [low, high] = scale(chart), part = (v) => ((v - low) / (high - low)) * 100;
    const [from, to] = values.map((v) => Math.max(low, Math.min(high, v)));
    ["min", "max"].forEach((name, i) => {
      const grip = find(`[data-grip=${name}]`, chart), value = [from, to][i];
      grip.dataset.value = value;
      grip.setAttribute("aria-valuenow", value.toFixed(3));
      grip.setAttribute("aria-valuetext", milliseconds(value) + " ms");
      grip.parentNode.setAttribute("x", part(value) + "%");
    });
    const brush = find(".brush", chart);
    brush.setAttribute("x", part(from) + "%");
    brush.setAttribute("width", part(to) - part(from) + "%");
    form.elements.min.value = from <= low ? "" : milliseconds(from);
    form.elements.max.value = to >= high ? "" : milliseconds(to);
  }
  let drag = null;
  document.addEventListener("pointerdown", (ev) => {
    const chart = ev.target.closest?.("[data-brush]");
    if (!chart || ev.button !== 0) return;
    ev.preventDefault();
    const box = chart.getBoundingClientRect(), [low, high] = scale(chart);
    const at = (x) => low + ((x - box.left) / box.width) * (high - low), values = grips(chart);
    const near = (v) => Math.abs(at(ev.clientX) - v) * (box.width / (high - low)) < 8;
    // the other end stays where it is: that of the grip, or where the drag begins
    const still = near(values[1]) ? values[0] : near(values[0]) ? values[1] : at(ev.clientX);
    drag = { chart, at, still, from: ev.clientX, moved: false };
    chart.setPointerCapture(ev.pointerId);
  });
  document.addEventListener("pointermove", (ev) => {
    if (!drag || (!drag.moved && Math.abs(ev.clientX - drag.from) < 4)) return;
    drag.moved = true;
    hold(3000);
    draw(drag.chart, [drag.still, drag.at(ev.clientX)].sort((a, b) => a - b));
  });
  document.addEventListener("pointerup", () => {
    const done = drag?.moved;
    drag = null;
    if (done) apply();
  });
  document.addEventListener("pointercancel", () => { drag = null; });
  const clear = () => { form.elements.min.value = form.elements.max.value = ""; apply(); };
  document.addEventListener("dblclick", (ev) => { if (ev.target.closest?.("[data-brush][data-brushed]")) clear(); });

  let later = 0;
  document.addEventListener("keydown", (ev) => {
    const grip = ev.target.closest?.("[data-grip]");
    if (!grip) return;
    const chart = grip.closest("[data-brush]"), [low, high] = scale(chart), i = grip.dataset.grip === "min" ? 0 : 1, values = grips(chart);
    const to = {
      ArrowLeft: values[i] - 1 / 16, ArrowDown: values[i] - 1 / 16, ArrowRight: values[i] + 1 / 16, ArrowUp: values[i] + 1 / 16,
      PageDown: values[i] - 0.5, PageUp: values[i] + 0.5, Home: low, End: high,
    }[ev.key];
    if (ev.key === "Escape") clear();
    else if (ev.key === "Enter") { clearTimeout(later); apply(); }
    else if (to !== undefined) {
      ev.preventDefault();
      values[i] = i === 0 ? Math.min(to, values[1]) : Math.max(to, values[0]);
      draw(chart, values);
      clearTimeout(later);
      later = setTimeout(apply, 800);
    }
  });
})();
