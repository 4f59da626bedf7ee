/* A line chart: a few series over the epochs, a band, a threshold, a cursor. */

import { el, fill, svg, visible } from "./dom.js";
import { number } from "./format.js";
import { RUN_DASHES } from "./icons.js";
import { extent, linear, ticks } from "./scales.js";
import { linePath } from "./shapes.js";

const [TOP, RIGHT, BOTTOM, LEFT] = [8, 10, 22, 44];

/** Calls `draw(width)` whenever the width of `node` has changed; returns a function that draws. */
export function onWidth(node, draw) {
  let last = 0;
  new ResizeObserver(() => {
    const width = Math.floor(node.clientWidth);
    if (width && Math.abs(width - last) >= 1) draw((last = width));
  }).observe(node);
  return () => draw(Math.floor(node.clientWidth) || last);
}

/** Lines and numbers of a vertical axis. */
export function yAxis(
  y,
  [low, high],
  width,
  { left = LEFT, right = RIGHT, most = 4, words = number } = {},
) {
  return ticks(low, high, most).map((value) => [
    svg("line", { class: "grid", x1: left, x2: width - right, y1: y(value), y2: y(value) }),
    svg(
      "text",
      { class: "tick", x: left - 6, y: y(value) + 4, "text-anchor": "end" },
      words(value),
    ),
  ]);
}

/** Numbers of a horizontal axis of epochs. */
export function epochAxis(x, [low, high], bottom) {
  const whole = ticks(low + 1, high + 1, 6).filter(Number.isInteger);
  return (whole.length ? whole : [low + 1]).map((value) =>
    svg(
      "text",
      { class: "tick", x: x(value - 1), y: bottom + 15, "text-anchor": "middle" },
      String(value),
    ),
  );
}

/**
 * A line chart, drawn by `chart.draw({series, label, include, floor, threshold, marks})`. A series
 * is `{points: [[step, value]], band: [[step, low, high]], run, style}`. A click calls
 * `choose(step)`; the step may lie between two epochs.
 */
export function createLines({ height = 150, choose = null } = {}) {
  const node = svg("svg", { class: "chart lines", role: "img", height });
  const holder = el("div", { class: "chartbox" }, node);
  holder.style.minHeight = `${height}px`;
  let data = null;
  let x = null;
  let cursor = null;
  let at = null;

  const redraw = onWidth(holder, (width) => data && width && paint(width));

  function paint(width) {
    node.setAttribute("width", width);
    node.setAttribute("viewBox", `0 0 ${width} ${height}`);
    const all = data.series.flatMap((one) => one.points);
    const steps = extent(all.map(([step]) => step));
    const span = data.series.length && steps[0] !== steps[1] ? steps : [steps[0], steps[0] + 1];
    const values = [
      ...all.map(([, value]) => value),
      ...data.series.flatMap((one) => (one.band ?? []).flatMap(([, a, b]) => [a, b])),
    ];
    const [low, high] = extent(values, data.include ?? []);
    const room = (high - low) * 0.06;
    const range = [
      data.floor !== undefined && low >= data.floor ? Math.min(low, data.floor) : low - room,
      high + room,
    ];
    x = linear(span, [LEFT, width - RIGHT]);
    const y = linear(range, [height - BOTTOM, TOP]);
    const t = data.threshold;
    cursor = svg("line", { class: "cursor", y1: TOP, y2: height - BOTTOM });
    fill(
      node,
      t &&
        svg("rect", {
          class: "calmband",
          x: LEFT,
          width: Math.max(0, width - RIGHT - LEFT),
          y: y(Math.min(t, range[1])),
          height: Math.max(0, y(Math.max(-t, range[0])) - y(Math.min(t, range[1]))),
        }),
      yAxis(y, range, width),
      epochAxis(x, span, height - BOTTOM),
      (data.marks ?? []).map((step) =>
        svg("path", { class: "mark", d: `M${x(step)} ${height - BOTTOM - 9}l4 4-4 4-4-4Z` }),
      ),
      data.series.map(
        ({ band, run }) =>
          band && svg("path", { class: `band run${run ?? 0}`, d: bandPath(band, x, y) }),
      ),
      [...data.series].reverse().map(({ points, run, style }) =>
        svg("path", {
          class: `line ${style ?? `run${run ?? 0}`}`,
          d: linePath(points, x, y),
          "stroke-dasharray": RUN_DASHES[run ?? 0],
        }),
      ),
      cursor,
    );
    node.setAttribute("aria-label", visible(data.label));
    show(at);
  }

  function show(step) {
    at = step;
    if (!cursor || !x) return;
    cursor.setAttribute("visibility", step === null ? "hidden" : "visible");
    if (step === null) return;
    cursor.setAttribute("x1", x(step));
    cursor.setAttribute("x2", x(step));
  }

  if (choose) {
    node.classList.add("clickable");
    node.addEventListener(
      "click",
      (event) => x && choose(x.invert(event.clientX - node.getBoundingClientRect().left)),
    );
  }

  return {
    node: holder,
    svg: node,
    cursor: show,
    draw(next) {
      data = next;
      redraw();
    },
  };
}

/** The path of a band: a closed area for each stretch without gaps. */
function bandPath(band, x, y) {
  let path = "";
  let stretch = [];
  const close = () => {
    if (stretch.length > 1) {
      const there = stretch.map(([s, , high]) => `${x(s).toFixed(1)} ${y(high).toFixed(1)}`);
      const back = [...stretch]
        .reverse()
        .map(([s, low]) => `${x(s).toFixed(1)} ${y(low).toFixed(1)}`);
      path += `M${[...there, ...back].join("L")}Z`;
    }
    stretch = [];
  };
  for (const point of band) {
    if (point.every((value) => value !== null && Number.isFinite(value))) stretch.push(point);
    else close();
  }
  close();
  return path;
}
