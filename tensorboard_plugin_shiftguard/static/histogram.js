/* The large histogram: reference filled, current outlined, on shared bins.
 *
 * The axes fit all epochs together, so that the slider moves the distribution and not
 * the axes. A step of the slider only sets a few paths.
 */

import { el, fill, say, shorten, svg, visible } from "./dom.js";
import { number, percent, streamName } from "./format.js";
import { onWidth, yAxis } from "./lines.js";
import { linear, ticks } from "./scales.js";
import { classEdges, cumulative, densities, keepSpan, stepPath, usedSpan } from "./shapes.js";

const [TOP, RIGHT, LEFT] = [10, 10, 48];
const PLOT = 190; // pixels, of the distributions
const STRIP = 58; // pixels, of the differences of the bins
const FOOT = 34;
// The smallest share on a logarithmic axis. An axis of densities begins at this share in the
// narrowest bin.
const SMALLEST = 1e-4;

export function createHistogram() {
  const height = TOP + PLOT + FOOT + STRIP + 8;
  const node = svg("svg", { class: "chart", role: "img", height, "data-testid": "histogram" });
  const holder = el("div", { class: "chartbox" }, node);
  holder.style.minHeight = `${height}px`;
  const hint = el("p", { class: "quiet binread", "aria-live": "off" });
  let data = null;
  let parts = null;
  let index = 0;

  const redraw = onWidth(holder, (width) => data && width && paint(width));

  /** The heights to draw for a stream's shares: densities or cumulative shares. */
  function heights(shares) {
    if (!shares) return null;
    return data.measure === "cumulative" ? cumulative(shares) : densities(data.edges, shares);
  }

  function range() {
    if (data.measure === "cumulative") return data.log ? [SMALLEST, 1] : [0, 1];
    let top = 1e-9;
    let width = Infinity;
    for (let i = 0; i < data.edges.length - 1; i++)
      width = Math.min(width, data.edges[i + 1] - data.edges[i] || Infinity);
    for (const { steps } of data.streams) {
      for (const shares of steps)
        for (const value of heights(shares) ?? []) if (value > top) top = value;
    }
    return data.log ? [SMALLEST / width, top * 1.3] : [0, top * 1.05];
  }

  function paint(width) {
    node.setAttribute("width", width);
    node.setAttribute("viewBox", `0 0 ${width} ${height}`);
    const { edges, classes } = data;
    const span = classes
      ? [0, classes.length]
      : usedSpan(
          edges,
          data.streams.flatMap((stream) => stream.steps),
        );
    const x = linear(span, [LEFT, width - RIGHT]);
    const values = range();
    const bottom = TOP + PLOT;
    const straight = linear(data.log ? values.map(Math.log10) : values, [bottom, TOP]);
    const y = data.log ? (value) => straight(Math.log10(Math.max(value, values[0]))) : straight;
    const zero = bottom + FOOT + STRIP / 2;
    const paths = data.streams.map((stream) =>
      svg("path", { class: `${stream.filled ? "area" : "outline"} ${stream.style}` }),
    );
    const [more, less] = [svg("path", { class: "more" }), svg("path", { class: "less" })];
    const powers = data.log
      ? powerTicks(values, y, width)
      : yAxis(y, values, width, { left: LEFT });
    fill(
      node,
      powers,
      svg("line", { class: "axis", x1: LEFT, x2: width - RIGHT, y1: bottom, y2: bottom }),
      classes
        ? classTicks(classes, x, bottom)
        : ticks(span[0], span[1], width < 380 ? 4 : 7).map((value) =>
            svg(
              "text",
              { class: "tick", x: x(value), y: bottom + 15, "text-anchor": "middle" },
              number(value),
            ),
          ),
      paths,
      svg(
        "text",
        { class: "tick title", x: LEFT, y: bottom + FOOT - 4 },
        "more or less than the reference",
      ),
      svg("line", { class: "axis", x1: LEFT, x2: width - RIGHT, y1: zero, y2: zero }),
      more,
      less,
    );
    parts = { x, y, span, bottom, zero, paths, more, less };
    show(index);
  }

  function show(at) {
    index = at;
    if (!parts || !data) return;
    const { x, y, span, bottom, zero } = parts;
    data.streams.forEach((stream, i) => {
      const drawn = heights(stream.steps[stream.fixed ?? at] ?? null);
      if (!drawn) return parts.paths[i].setAttribute("d", "");
      const inside = keepSpan(data.edges, drawn, span);
      parts.paths[i].setAttribute(
        "d",
        stepPath(
          inside.edges,
          inside.heights,
          x,
          y,
          stream.filled || data.measure === "density" ? bottom : null,
        ),
      );
    });
    const shift = differences(data, at);
    const reach = Math.max(0.01, data.reach, ...(shift ?? []).map(Math.abs));
    const bar = linear([0, reach], [0, STRIP / 2 - 2]);
    const bars = (sign) =>
      (shift ?? [])
        .map((value, i) => {
          const [a, b] = [
            x(Math.max(span[0], data.edges[i])),
            x(Math.min(span[1], data.edges[i + 1])),
          ];
          if (value * sign <= 0 || !(b > a)) return "";
          const [left, rise] = [a + 0.5, -sign * bar(Math.abs(value))];
          const wide = Math.max(0.5, b - a - 1);
          return `M${left.toFixed(1)} ${zero}v${rise.toFixed(1)}h${wide.toFixed(1)}V${zero}Z`;
        })
        .join("");
    parts.more.setAttribute("d", bars(1));
    parts.less.setAttribute("d", bars(-1));
    node.setAttribute("data-step", data.stepNumbers[at] ?? "");
    node.setAttribute("aria-label", visible(inWords(data, at, shift)));
    say(hint, moved(shift));
  }

  node.addEventListener("pointermove", (event) => {
    if (!parts) return;
    const value = parts.x.invert(event.clientX - node.getBoundingClientRect().left);
    const i = data.edges.findIndex((edge, k) => edge <= value && value < data.edges[k + 1]);
    const share = ({ name, steps, fixed }) =>
      `${streamName(name)} ${percent(steps[fixed ?? index]?.[i])}`;
    if (i < 0) say(hint, moved(differences(data, index)));
    else say(hint, `${binName(data, i)}: ${data.streams.map(share).join(", ")}`);
  });
  node.addEventListener("pointerleave", () => data && say(hint, moved(differences(data, index))));

  return {
    node: el("div", null, holder, hint),
    svg: node,
    step: show,
    draw(next, at) {
      data = { ...next, edges: next.edges ?? classEdges(next.classes.length) };
      // The largest difference of all epochs, so that the bars below keep their scale as well.
      data.reach = Math.max(
        0,
        ...next.stepNumbers.map((_, t) =>
          Math.max(0, ...(differences(data, t) ?? [0]).map(Math.abs)),
        ),
      );
      index = at;
      redraw();
    },
  };
}

/** The name of a bin in the table and on hovering: a class, or both ends of the bin. */
export function binName({ edges, classes }, i) {
  return classes ? classes[i] : `${number(edges[i])} to ${number(edges[i + 1])}`;
}

/** Share of each bin now minus its share in the reference; null if either stream is missing. */
export function differences({ streams }, at) {
  const current = streams.find((stream) => stream.role === "current");
  const reference = streams.find((stream) => stream.role === "reference");
  const [a, b] = [current?.steps[current.fixed ?? at], reference?.steps[reference.fixed ?? at]];
  return a && b ? a.map((share, i) => share - b[i]) : null;
}

function inWords(data, at, shift) {
  const names = data.streams.map((stream) => streamName(stream.name)).join(", ");
  const what = `Distribution of ${data.name}, ${names}, at epoch ${data.stepNumbers[at] + 1}`;
  if (!shift) return `${what}; there is nothing to compare it with at this epoch.`;
  const most = shift.reduce(
    (best, value, i) => (Math.abs(value) > Math.abs(shift[best]) ? i : best),
    0,
  );
  return (
    `${what}. ${moved(shift)} The largest difference is at ${binName(data, most)}: ` +
    `${percent(shift[most])}. The numbers are in a table below.`
  );
}

/** A sentence with the total variation distance: half the sum of all absolute differences. */
function moved(shift) {
  if (!shift) return "There is nothing to compare with at this epoch.";
  const share = shift.reduce((sum, value) => sum + Math.abs(value), 0) / 2;
  return `${percent(share)} of the samples lie elsewhere than in the reference.`;
}

function powerTicks([low, high], y, width) {
  const found = [];
  for (let power = Math.ceil(Math.log10(low)); 10 ** power <= high; power++) {
    const place = y(10 ** power);
    found.push(
      svg("line", { class: "grid", x1: LEFT, x2: width - RIGHT, y1: place, y2: place }),
      svg(
        "text",
        { class: "tick", x: LEFT - 6, y: place + 4, "text-anchor": "end" },
        number(10 ** power),
      ),
    );
  }
  return found;
}

function classTicks(classes, x, bottom) {
  const room = x(1) - x(0);
  const every = Math.max(1, Math.ceil(26 / room));
  const length = Math.max(2, Math.floor((room * every) / 6.5));
  return classes.map((name, i) =>
    i % every
      ? null
      : svg(
          "text",
          { class: "tick", x: x(i + 0.5), y: bottom + 15, "text-anchor": "middle" },
          shorten(name, length),
        ),
  );
}
