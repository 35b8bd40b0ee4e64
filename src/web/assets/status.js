"use strict";
// The answer to a form stands at the page's own address, so that the page can follow what happens.
if (location.pathname !== "/status" || location.search.includes("applied")) history.replaceState(null, "", "/status");
// The other unit, without leaving the page.
document.addEventListener("click", (ev) => {
  const link = ev.target.closest("nav.seg a");
  if (!link || ev.button || ev.ctrlKey || ev.metaKey || ev.shiftKey) return;
  ev.preventDefault();
  history.replaceState(null, "", link.href);
  document.dispatchEvent(new Event("tracegen:refresh"));
});
