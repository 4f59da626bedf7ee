/* Downloads of the shown data, as CSV or PNG. */

import { colour } from "./chart.js";
import { binName } from "./histogram.js";

/** Downloads content as a file. Nothing is sent over the network. */
export function saveFile(name, type, content) {
  const address = URL.createObjectURL(new Blob([content], { type }));
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

/** Returns what a canvas shows, on the background of the page, as a PNG file. */
export function asPng(canvas) {
  const copy = new OffscreenCanvas(canvas.width, canvas.height);
  const context = copy.getContext("2d");
  context.fillStyle = colour("surface");
  context.fillRect(0, 0, copy.width, copy.height);
  context.drawImage(canvas, 0, 0);
  return copy.convertToBlob({ type: "image/png" });
}
