/* Ranges of values on one axis: the range that a convention makes of 0 to 255, and the data's. */

import { fill, svg } from "./dom.js";
import { number } from "./format.js";
import { extent, linear, ticks } from "./scales.js";

const ROW = 20;
const [TOP, RIGHT, LEFT] = [6, 64, 92];

/** A bar for a convention, or one for each channel if they differ; then one for the data's range. */
export function rangesOf(name, convention, seen = null) {
  const rows = [];
  const { scale, offset, channel_order: order } = convention ?? {};
  if (Array.isArray(scale) && Array.isArray(offset)) {
    const channels = scale
      .map((factor, i) => {
        const ends = [offset[i], 255 * factor + offset[i]].sort((a, b) => a - b);
        return { low: ends[0], high: ends[1] };
      })
      .filter(({ low, high }) => Number.isFinite(low) && Number.isFinite(high));
    const same = channels.every(
      ({ low, high }) => low === channels[0].low && high === channels[0].high,
    );
    const letters = ["rgb", "bgr"].includes(order)
      ? [...order.toUpperCase()]
      : channels.map((_, i) => String(i));
    if (same && channels.length) rows.push({ name, style: name, ...channels[0] });
    else
      channels.forEach((one, i) =>
        rows.push({ name: `${name}, ${letters[i] ?? i}`, style: name, ...one }),
      );
  }
  if (Array.isArray(seen) && seen.every(Number.isFinite)) {
    rows.push({ name: "seen", style: "seen", low: seen[0], high: seen[1] });
  }
  return rows;
}

/** Height of the drawing, which is known before its width is. */
export const rangesHeight = (rows) => TOP + rows.length * ROW + 24;

/** Draws rows of `{name, style, low, high}` into `node`. */
export function drawRanges(node, rows, width, status) {
  const height = rangesHeight(rows);
  node.setAttribute("width", width);
  node.setAttribute("height", height);
  node.setAttribute("viewBox", `0 0 ${width} ${height}`);
  const [low, high] = extent(
    rows.flatMap((row) => [row.low, row.high]),
    [0],
  );
  const x = linear([low, high], [LEFT, width - RIGHT]);
  const bottom = TOP + rows.length * ROW;
  fill(
    node,
    ticks(low, high, width < 420 ? 3 : 6).map((value) => [
      svg("line", { class: "grid", x1: x(value), x2: x(value), y1: TOP, y2: bottom }),
      svg(
        "text",
        { class: "tick", x: x(value), y: bottom + 15, "text-anchor": "middle" },
        number(value),
      ),
    ]),
    rows.map((row, i) => {
      const y = TOP + i * ROW;
      const [from, to] = [x(row.low), x(row.high)];
      return [
        svg("text", { class: "tick name", x: LEFT - 8, y: y + 14, "text-anchor": "end" }, row.name),
        svg("rect", {
          class: `range ${row.style} ${status}`,
          x: from,
          y: y + 4,
          width: Math.max(3, to - from),
          height: ROW - 8,
          rx: 2,
        }),
        svg(
          "text",
          { class: "tick", x: to + 6, y: y + 14 },
          `${number(row.low, 3)}..${number(row.high, 3)}`,
        ),
      ];
    }),
  );
}
