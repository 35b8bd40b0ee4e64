"use strict";
// What is shown stands in the URL; the server draws it. Links that only change the view keep the page, and the map lights
// up what a service is tied to.
(() => {
  const show = (url) => {
    history.replaceState(null, "", url);
    document.dispatchEvent(new Event("tracegen:refresh"));
  };
  // The view with other values of a form's fields; empty ones are left out.
  const view = (form) => {
    const query = new URLSearchParams(location.search);
    for (const field of form.querySelectorAll("select, [name=q]")) {
      query.delete(field.name);
      if (field.value) query.set(field.name, field.value);
    }
    return location.pathname + (query.size ? "?" + query : "");
  };

  document.addEventListener("click", (ev) => {
    const link = ev.target.closest("a[data-show]");
    if (!link || ev.button || ev.ctrlKey || ev.metaKey || ev.shiftKey) return;
    ev.preventDefault();
    show(link.href);
  });
  document.addEventListener("change", (ev) => {
    const form = ev.target.closest("form[data-choose]");
    if (form) show(view(form));
  });
  let timer = 0;
  document.addEventListener("input", (ev) => {
    const form = ev.target.closest("form[data-search]");
    clearTimeout(timer);
    if (form) timer = setTimeout(() => show(view(form)), 150);
  });
  document.addEventListener("submit", (ev) => {
    if (!ev.target.matches("[data-search]")) return;
    ev.preventDefault();
    show(view(ev.target));
  });

  function light(ev) {
    const map = document.querySelector(".map svg");
    const name = ev.target.closest?.(".map a[data-service]")?.dataset.service;
    map?.classList.toggle("lit", name !== undefined);
    for (const el of map?.querySelectorAll(".call, .label") ?? []) {
      el.classList.toggle("on", el.dataset.from === name || el.dataset.to === name);
    }
  }
  for (const type of ["mouseover", "focusin", "focusout"]) document.addEventListener(type, light);
})();
