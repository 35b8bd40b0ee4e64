"use strict";
// Sliders beside fields of numbers: one follows the other. Small values have more room than large ones: the value is the
// square of the slider's place.
(() => {
  const field = (slider) => document.getElementById(slider.dataset.of);
  const most = (slider) => Number(slider.dataset.most);
  const shown = (value) => (value >= 10 ? Math.round(value) : Number(value.toPrecision(2)));
  function follow(slider) {
    const text = field(slider)?.value ?? "", value = Number(text);
    if (text === "" || !Number.isFinite(value)) return;
    slider.value = 1000 * Math.sqrt(Math.min(1, Math.max(0, value / most(slider))));
    slider.setAttribute("aria-valuetext", text);
  }
  const all = () => document.querySelectorAll("input[type=range][data-of]");
  const place = () => all().forEach(follow);
  document.addEventListener("input", (ev) => {
    if (ev.target.matches("input[type=range][data-of]")) {
      const to = field(ev.target), value = shown(most(ev.target) * (ev.target.value / 1000) ** 2);
      to.value = value;
      ev.target.setAttribute("aria-valuetext", String(value));
      return;
    }
    all().forEach((slider) => { if (slider.dataset.of === ev.target.id) follow(slider); });
  });
  document.addEventListener("reset", () => setTimeout(place));
  document.addEventListener("tracegen:fresh", place);
  place();
})();
