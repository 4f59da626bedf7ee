/* Downloads of the shown data, as CSV or SVG. */

import { colour } from "./chart.js";
import { svg } from "./dom.js";
import { number, streamName } from "./format.js";
import { SMALLEST, binName, lookOf } from "./histogram.js";
import { linear } from "./scales.js";
import { classEdges, cumulative, densities, keepSpan, stepPath, usedSpan } from "./shapes.js";

/** Downloads a text as a file. Nothing is sent over the network. */
export function saveFile(name, type, text) {
  const address = URL.createObjectURL(new Blob([text], { type }));
  const link = document.createElement("a");
  link.setAttribute("download", name);
  link.setAttribute("href", address);
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(address), 10000);
}

/** Returns a file name of ASCII letters, digits, - and _, from parts such as a feature's name. */
export function fileName(parts, ending) {
  const plain = parts.map((part) =>
    String(part)
      .replace(/[^A-Za-z0-9]+/g, "-")
      .replace(/^-+|-+$/g, ""),
  );
  return `${plain.filter(Boolean).join("_").slice(0, 100) || "shift"}.${ending}`;
}

// Spreadsheets execute a cell that begins like a formula, so such a cell gets an apostrophe.
const cell = (value) => {
  if (typeof value === "number") return String(value);
  const text = String(value ?? "");
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
};

/** Returns CSV with the shares of each drawn stream at each epoch, one line for each bin. */
export function asCsv(data) {
  const lines = [["feature", "epoch", "stream", "bin", "lower", "upper", "share"]];
  data.stepNumbers.forEach((step, t) => {
    for (const stream of data.streams) {
      if (stream.fixed !== undefined) continue;
      (stream.steps[t] ?? []).forEach((share, i) => {
        const ends = data.classes ? ["", ""] : [data.edges[i], data.edges[i + 1]];
        lines.push([
          data.name,
          step + 1,
          stream.name,
          data.classes ? binName(data, i) : i,
          ...ends,
          share,
        ]);
      });
    }
  });
  return lines.map((line) => line.map(cell).join(",")).join("\r\n") + "\r\n";
}

const [WIDTH, HEIGHT, EDGE, LINE] = [720, 300, 60, 18]; // pixels

/** Returns the distributions at step `at` as an SVG drawing, the text of a file. */
export function asSvg({ streams, edges, classes, measure, log }, at, title) {
  const bins = edges ?? classEdges(classes.length);
  const shares = streams.map(({ steps, fixed }) => steps[fixed ?? at]);
  const span = classes ? [0, classes.length] : usedSpan(bins, shares);
  const drawn = (one) => (measure === "cumulative" ? cumulative(one) : densities(bins, one));
  const heights = shares.map((one) => one && drawn(one));
  const top = Math.max(1e-9, ...heights.flatMap((list) => list ?? []));
  const bottom = HEIGHT - EDGE;
  const x = linear(span, [EDGE, WIDTH - EDGE]);
  const low = log ? top * SMALLEST : 0;
  const value = (height) => (log ? Math.log10(Math.max(height, low)) : height);
  const scale = linear([value(low), value(top)], [bottom, EDGE + LINE * streams.length]);
  const y = (height) => scale(value(height));
  const text = (words, left, down, anchor, fill = colour("text")) =>
    svg("text", { x: left, y: down, fill, "text-anchor": anchor }, words);
  const parts = streams.map((stream, k) => {
    const { stroke, width, dash } = lookOf(stream);
    const ink = colour(stroke);
    const fill = stream.filled ? ink : "none";
    const line = { fill, "fill-opacity": 0.4, stroke: ink, "stroke-width": width };
    const inside = heights[k] && keepSpan(bins, heights[k], span);
    const path = inside && stepPath(inside.edges, inside.heights, x, y, bottom);
    return [
      path && svg("path", { ...line, "stroke-dasharray": dash?.join(" "), d: path }),
      text(streamName(stream.name), EDGE, EDGE + LINE * k, "start", ink),
    ];
  });
  const ends = classes ? [classes[0], classes.at(-1)] : span.map((value) => number(value));
  const box = { width: WIDTH, height: HEIGHT };
  const node = svg(
    "svg",
    { ...box, viewBox: `0 0 ${WIDTH} ${HEIGHT}`, "font-family": "sans-serif", "font-size": 13 },
    svg("title", null, title),
    svg("rect", { width: "100%", height: "100%", fill: colour("surface") }),
    text(title, EDGE, LINE + 6, "start"),
    parts,
    svg("path", { d: `M${EDGE} ${bottom}H${WIDTH - EDGE}`, stroke: colour("strong-line") }),
    text(number(low), EDGE - 6, bottom, "end"),
    text(number(top), EDGE - 6, y(top) + 4, "end"),
    text(ends[0], EDGE, bottom + LINE, "start"),
    text(ends[1], WIDTH - EDGE, bottom + LINE, "end"),
  );
  return new XMLSerializer().serializeToString(node);
}
