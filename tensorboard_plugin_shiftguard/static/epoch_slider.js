/* The epoch slider: arrow keys, two buttons, and the epoch in words. */

import { button, el, html, say } from "./dom.js";

export function createEpochSlider({ change }) {
  const slider = html`<input type="range" min="0" step="1" aria-label="Epoch" data-testid="slider" />`;
  const text = el("output", { class: "epoch" });
  const stepper = (sign, by, label) =>
    button(sign, () => move(by), { class: "plain step", "aria-label": label });
  const back = stepper("\u2039", -1, "One epoch back");
  const on = stepper("\u203a", 1, "One epoch on");
  const node = html`<div class="epoch-slider">${back}${slider}${on}${text}</div>`;
  let steps = [];

  slider.addEventListener("input", () => change(Number(slider.value)));

  function move(by) {
    change(Math.max(0, Math.min(steps.length - 1, Number(slider.value) + by)));
  }

  return {
    node,
    update(numbers, index) {
      steps = numbers;
      slider.max = Math.max(0, steps.length - 1);
      slider.value = index;
      slider.disabled = steps.length < 2;
      back.disabled = index <= 0;
      on.disabled = index >= steps.length - 1;
      const last = steps.at(-1);
      const words = steps.length ? `Epoch ${steps[index] + 1} of ${last + 1}` : "";
      say(text, words);
      slider.setAttribute("aria-valuetext", words);
    },
  };
}
