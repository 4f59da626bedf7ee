/* The distribution over the epochs: one ridge for each, the newest in front. */

import { el, fill, svg, visible } from "./dom.js";
import { count } from "./format.js";
import { onWidth } from "./lines.js";
import { linear } from "./scales.js";
import { classEdges, densities, keepSpan, stepPath, usedSpan } from "./shapes.js";

const HEIGHT = 210;
const MOST = 24; // ridges; of more epochs some are drawn, evenly spread
const [TOP, RIGHT, BOTTOM, LEFT] = [44, 10, 8, 48];

export function createRidge({ choose }) {
  const node = svg("svg", { class: "chart ridge clickable", role: "img", height: HEIGHT });
  const holder = el("div", { class: "chartbox" }, node);
  holder.style.minHeight = `${HEIGHT}px`;
  let data = null;
  let parts = null;
  let index = 0;

  const redraw = onWidth(holder, (width) => data && width && paint(width));

  function paint(width) {
    node.setAttribute("width", width);
    node.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
    const { edges, steps } = data;
    const known = steps.map((shares, t) => (shares ? t : -1)).filter((t) => t >= 0);
    const every = Math.max(1, (known.length - 1) / (MOST - 1));
    const drawn = [
      ...new Set(
        Array.from(
          { length: Math.min(MOST, known.length) },
          (_, i) => known[Math.round(i * every)],
        ),
      ),
    ];
    const span = data.classes ? [0, data.classes.length] : usedSpan(edges, steps);
    const x = linear(span, [LEFT, width - RIGHT]);
    const base = linear([0, Math.max(1, steps.length - 1)], [TOP, HEIGHT - BOTTOM]);
    let top = 1e-9;
    for (const t of known) top = Math.max(top, ...densities(edges, steps[t]));
    const rise = linear([0, top], [0, TOP - 4]);
    const path = (t) => {
      const inside = keepSpan(edges, densities(edges, steps[t]), span);
      return stepPath(inside.edges, inside.heights, x, (value) => base(t) - rise(value), base(t));
    };
    const front = svg("path", { class: "ridge now" });
    const label = svg("text", { class: "tick now", x: LEFT - 6, "text-anchor": "end" });
    fill(
      node,
      drawn.map((t, i) => {
        const one = svg("path", { class: "ridge", d: path(t) });
        // The newest has the most contrast.
        one.style.strokeOpacity = String(0.25 + (0.6 * (i + 1)) / drawn.length);
        return one;
      }),
      [drawn[0], drawn.at(-1)].map(
        (t) =>
          t !== undefined &&
          svg(
            "text",
            { class: "tick ends", x: LEFT - 6, y: base(t) + 1, "text-anchor": "end" },
            String(data.stepNumbers[t] + 1),
          ),
      ),
      front,
      label,
    );
    parts = { path, base, front, label, ends: [drawn[0], drawn.at(-1)] };
    node.setAttribute(
      "aria-label",
      visible(
        `Distribution of ${data.stream} over ${count(steps.length, "epoch")}, the newest in ` +
          "front. The effect of each epoch is in a table below.",
      ),
    );
    show(index);
  }

  function show(at) {
    index = at;
    if (!parts) return;
    const there = Boolean(data.steps[at]);
    parts.front.setAttribute("d", there ? parts.path(at) : "");
    parts.label.textContent = parts.ends.includes(at) ? "" : String(data.stepNumbers[at] + 1);
    parts.label.setAttribute("y", parts.base(at) + 1);
  }

  node.addEventListener("click", (event) => {
    if (!parts) return;
    const y = event.clientY - node.getBoundingClientRect().top;
    choose(Math.max(0, Math.min(data.steps.length - 1, Math.round(parts.base.invert(y)))));
  });

  return {
    node: holder,
    step: show,
    draw(next, at) {
      data = { ...next, edges: next.edges ?? classEdges(next.classes.length) };
      parts = null;
      index = at;
      redraw();
    },
  };
}
