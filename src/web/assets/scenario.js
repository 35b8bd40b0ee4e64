"use strict";
// Source and plan: lines and instructions that made each other light up together; a pinned one stays in the address.
const source = one(".code.src"), listing = one(".code.lst");
const lists = [source, listing].filter(Boolean);
const lines = (g) => (g === undefined ? [] : lists.flatMap((list) => all(`li[data-g="${g}"]`, list)));

function light(cls, li) {
  const hits = lines(li?.dataset.g);
  lists.flatMap((list) => all("li." + cls, list)).forEach((old) => { if (!hits.includes(old)) old.classList.remove(cls); });
  hits.forEach((hit) => hit.classList.add(cls));
  return hits;
}
function reveal(li) {
  const list = li.parentNode, top = li.offsetTop;
  const seen = top > list.scrollTop && top + li.offsetHeight < list.scrollTop + list.clientHeight;
  if (!seen) list.scrollTo({ top: top - list.clientHeight / 3 });
}
function pin(li, address = true) {
  const hits = light("pin", li);
  for (const list of lists) {
    const first = hits.find((hit) => hit.parentNode === list);
    if (first && list !== li.parentNode) reveal(first);
    all("li[aria-current]", list).forEach((old) => old.removeAttribute("aria-current"));
  }
  li.setAttribute("aria-current", "true");
  const line = li.parentNode === source ? li : hits.find((hit) => hit.parentNode === source);
  if (address && line) history.replaceState(null, "", "#" + line.id);
}
function unpin() {
  light("pin", null);
  lists.forEach((list) => all("li[aria-current]", list).forEach((old) => old.removeAttribute("aria-current")));
  history.replaceState(null, "", location.pathname + location.search);
}
function pinned() {
  const li = source && one(/^#L\d+$/.test(location.hash) ? location.hash : "#none", source);
  if (li?.dataset.g) { pin(li, false); reveal(li); }
}

// One line of each list is in the tab order; arrows go on from there.
function focus(list, li) {
  all("li[tabindex]", list).forEach((old) => { old.tabIndex = -1; });
  li.tabIndex = 0;
  li.focus({ preventScroll: true });
  reveal(li);
}
for (const list of lists) {
  const own = all("li[data-g]", list);
  list.addEventListener("click", (ev) => {
    const li = ev.target.closest("li[data-g]");
    if (li && getSelection().isCollapsed) { if (li.getAttribute("aria-current")) unpin(); else pin(li); }
  });
  for (const type of ["mouseover", "focusin"]) list.addEventListener(type, (ev) => light("on", ev.target.closest("li")));
  list.addEventListener("mouseleave", () => light("on", null));
  list.addEventListener("keydown", (ev) => {
    const at = own.indexOf(document.activeElement);
    const next = { ArrowDown: at + 1, ArrowUp: at < 0 ? 0 : at - 1, Home: 0, End: own.length - 1 }[ev.key];
    if (next !== undefined) { ev.preventDefault(); focus(list, own[Math.max(0, Math.min(own.length - 1, next))]); }
    else if ((ev.key === "Enter" || ev.key === " ") && own[at]) { ev.preventDefault(); pin(own[at]); }
    else if (ev.key === "Escape") unpin();
    else if ((ev.key === "ArrowRight" || ev.key === "ArrowLeft") && own[at]) {
      const other = lines(own[at].dataset.g).find((li) => li.parentNode !== list);
      if (other) { ev.preventDefault(); focus(other.parentNode, other); }
    }
  });
}
addEventListener("hashchange", pinned);
pinned();
// The file may have more scenarios: begin where this one does.
const begins = source && one("li[data-g]", source);
if (begins && !location.hash && begins.offsetTop > source.clientHeight) reveal(begins);
one("[data-go]")?.addEventListener("change", (ev) => ev.target.form.submit());
// Files that were changed are shown anew; the address keeps what is pinned.
const version = () => one("[data-version]").dataset.version;
const shown = version();
document.addEventListener("tracegen:fresh", () => { if (version() !== shown) location.reload(); });
