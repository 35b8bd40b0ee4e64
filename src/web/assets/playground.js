"use strict";
// Compiles as one types: the text goes to the server, what came of it comes back and takes the place of what was there.
const text = one("#source"), editor = one(".editor"), play = one("#play");
const part = (name, at = document) => one(`[data-part="${name}"]`, at);
const bytes = new TextEncoder(), utf8 = new TextDecoder();
/** The position in the text of a byte of it as UTF-8. */
const position = (at) => utf8.decode(bytes.encode(text.value).slice(0, at)).length;
let sequence = 0, waiting = 0, asked = null, index = "";

// Until the answer is there, lines that did not change keep their colours.
function paint() {
  const pre = part("paint"), now = text.value.split("\n"), old = all(".l", pre);
  const said = old.map((line) => line.textContent.replace(/\n$/, ""));
  let head = 0, tail = 0;
  while (head < now.length && head < said.length && now[head] === said[head]) head++;
  while (tail < now.length - head && tail < said.length - head && now[now.length - 1 - tail] === said[said.length - 1 - tail]) tail++;
  old.slice(head, old.length - tail).forEach((line) => line.remove());
  const before = old[old.length - tail] ?? null;
  for (const line of now.slice(head, now.length - tail)) {
    const span = document.createElement("span");
    span.className = "l";
    span.textContent = line + "\n";
    pre.insertBefore(span, before);
  }
}

function say(words) {
  const state = part("state");
  state.replaceChildren(Object.assign(document.createElement("span"), { className: "tag err", textContent: words }));
}

async function check() {
  clearTimeout(waiting);
  asked?.abort();
  asked = new AbortController();
  const mine = ++sequence, query = new URLSearchParams(new FormData(play));
  query.delete("source");
  if (index) query.set("index", index);
  try {
    const answer = await fetch("/playground/check?" + query, { method: "POST", body: text.value, signal: asked.signal });
    if (mine !== sequence) return;
    if (answer.status === 503) { waiting = setTimeout(check, 1000); return say("busy, trying again"); }
    if (answer.status === 413) return say("longer than 1 MiB: not checked");
    if (!answer.ok) return say(`not checked: ${answer.status}`);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (mine === sequence) show(page);
  } catch (error) {
    if (error.name !== "AbortError") say("not checked: the server does not answer");
  }
}

function show(page) {
  for (const name of ["state", "lines", "paint"]) part(name).replaceWith(part(name, page));
  const keep = one('[data-last="plan"]', page) !== null;
  const last = one(".lst", part("report"));
  const report = part("report", page);
  if (keep && last) {
    const at = last.scrollTop;
    last.classList.add("stale");
    last.setAttribute("aria-label", "Plan listing of the last version that compiled");
    one('[data-last="plan"]', report).textContent = "Below is the plan of the last version that compiled.";
    report.append(last);
    last.scrollTop = at;
  }
  part("report").replaceWith(report);
  if (keep && one("table", part("sample"))) {
    const sample = part("sample");
    sample.classList.add("stale");
    if (!one(".stale-note", sample)) one("header p", sample).insertAdjacentHTML("afterend", '<span class="tag warn stale-note">of the last version that compiled</span>');
  } else part("sample").replaceWith(part("sample", page));
}

function change(start, end, words) {
  text.focus();
  text.setSelectionRange(start, end);
  // the one way that can be undone
  if (!document.execCommand("insertText", false, words)) { text.setRangeText(words, start, end, "end"); text.dispatchEvent(new Event("input")); }
}

editor.classList.add("live");
text.addEventListener("input", () => {
  paint();
  index = "";
  clearTimeout(waiting);
  waiting = setTimeout(check, 120);
});
// Tab indents, unless Escape was pressed before it: the keyboard must find its way out.
let leaving = false;
text.addEventListener("keydown", (ev) => {
  if (ev.key === "Tab" && !ev.shiftKey && !leaving) { ev.preventDefault(); change(text.selectionStart, text.selectionEnd, "  "); }
  leaving = ev.key === "Escape";
});
document.addEventListener("click", (ev) => {
  const at = ev.target.closest("[data-from], button[name=apply], button[name=index]");
  if (!at) return;
  ev.preventDefault();
  if (at.name === "index") { index = at.value; check(); } else if (at.name === "apply") {
    const [start, end, ...words] = at.value.split(" ");
    change(position(start), position(end), words.join(" "));
  } else {
    text.focus();
    text.setSelectionRange(position(at.dataset.from), position(at.dataset.to));
    const line = text.value.slice(0, text.selectionStart).split("\n").length - 1;
    editor.scrollTo({ top: line * 20 - editor.clientHeight / 3 });
  }
});
play.addEventListener("submit", (ev) => { ev.preventDefault(); check(); });
one("[data-go]")?.addEventListener("change", (ev) => ev.target.form.submit());
// A browser that comes back to the page keeps what was typed.
if (text.value !== text.defaultValue) { paint(); check(); }
