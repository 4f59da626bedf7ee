/* The epoch slider: keys, a button that plays, and the epoch in words. */

import { button, el, say } from "./dom.js";
import { isShown } from "./host.js";

const WHOLE = 12000; // milliseconds that all epochs together take
const STILL = 1500; // milliseconds for each, where motion is unwelcome

export function createPlayer({ change }) {
  const slider = el("input", {
    type: "range",
    min: 0,
    step: 1,
    "aria-label": "Epoch",
    "data-testid": "slider",
  });
  const play = button("Play", toggle, {
    class: "plain play",
    "data-testid": "play",
    "aria-label": "Play the epochs",
  });
  const text = el("output", { class: "epoch" });
  const back = button("\u2039", () => move(-1), {
    class: "plain step",
    "aria-label": "One epoch back",
  });
  const on = button("\u203a", () => move(1), { class: "plain step", "aria-label": "One epoch on" });
  const node = el("div", { class: "player" }, play, back, slider, on, text);
  const calm = window.matchMedia("(prefers-reduced-motion: reduce)");
  let steps = [];
  let timer = 0;

  slider.addEventListener("input", () => {
    stop();
    change(Number(slider.value));
  });

  function move(by) {
    stop();
    change(Math.max(0, Math.min(steps.length - 1, Number(slider.value) + by)));
  }

  function stop() {
    clearTimeout(timer);
    timer = 0;
    play.textContent = "Play";
    play.setAttribute("aria-label", "Play the epochs");
  }

  function toggle() {
    if (timer) return stop();
    if (steps.length < 2) return;
    play.textContent = "Pause";
    play.setAttribute("aria-label", "Pause");
    const each = calm.matches ? STILL : Math.max(40, Math.min(700, WHOLE / steps.length));
    const next = () => {
      const at = Number(slider.value);
      if (at >= steps.length - 1 || !node.isConnected) return stop();
      timer = setTimeout(next, each);
      if (isShown()) change(at + 1);
    };
    // From the end it begins anew.
    if (Number(slider.value) >= steps.length - 1) change(0);
    timer = setTimeout(next, each);
  }

  return {
    node,
    update(numbers, index) {
      steps = numbers;
      slider.max = Math.max(0, steps.length - 1);
      slider.value = index;
      slider.disabled = play.disabled = steps.length < 2;
      back.disabled = index <= 0;
      on.disabled = index >= steps.length - 1;
      const last = steps.at(-1);
      const words = steps.length ? `Epoch ${steps[index] + 1} of ${last + 1}` : "";
      say(text, words);
      slider.setAttribute("aria-valuetext", words);
    },
  };
}
