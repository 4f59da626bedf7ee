/* Downloads of the shown data, as CSV or SVG. */

import { binName } from "./histogram.js";

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

const STYLE = [
  "fill",
  "stroke",
  "stroke-width",
  "stroke-dasharray",
  "fill-opacity",
  "stroke-opacity",
  "opacity",
  "font-family",
  "font-size",
  "font-weight",
];

/** Returns an SVG drawing as the text of a file, with the colors of the page written into it. */
export function asSvg(node, title) {
  const copy = node.cloneNode(true);
  const originals = [node, ...node.querySelectorAll("*")];
  [copy, ...copy.querySelectorAll("*")].forEach((part, i) => {
    const style = getComputedStyle(originals[i]);
    for (const name of STYLE) part.setAttribute(name, style.getPropertyValue(name));
    part.removeAttribute("class");
  });
  copy.removeAttribute("data-testid");
  const name = document.createElementNS("http://www.w3.org/2000/svg", "title");
  name.append(title);
  const paper = document.createElementNS("http://www.w3.org/2000/svg", "rect");
  paper.setAttribute("width", "100%");
  paper.setAttribute("height", "100%");
  paper.setAttribute(
    "fill",
    getComputedStyle(document.documentElement).getPropertyValue("--surface").trim(),
  );
  copy.prepend(name, paper);
  return new XMLSerializer().serializeToString(copy);
}
