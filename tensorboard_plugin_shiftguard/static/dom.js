/* Creates the elements of the views; a text always becomes a text node.
 *
 * Names of runs, features and classes come from the log, which an attacker may have
 * written. So no name is parsed as markup, and control and bidirectional characters
 * are shown as escapes such as \u202e. Only the constant parts of a template are markup.
 */

import htm from "./vendor/htm.js";

const SVG = "http://www.w3.org/2000/svg";
// Control, zero-width and bidirectional characters, lone surrogates, and Unicode tag characters.
const HIDDEN =
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u115f\u1160\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\ufff9-\ufffb]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]|\udb40[\udc00-\udfff]/g;

/** Returns the text with all invisible characters as escapes. */
export function visible(text) {
  return String(text).replace(HIDDEN, (found) =>
    Array.from(
      { length: found.length },
      (_, i) => "\\u" + found.charCodeAt(i).toString(16).padStart(4, "0"),
    ).join(""),
  );
}

/** At most `length` characters of a text, with a mark where the text was cut. */
export function shorten(text, length) {
  const shown = visible(text);
  return shown.length <= length ? shown : shown.slice(0, Math.max(1, length - 1)) + "\u2026";
}

function make(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "class") node.setAttribute("class", value);
    // The values of these attributes are not escaped, because programs read them.
    else if (name === "data-feature" || name === "data-run" || name === "value")
      node.setAttribute(name, value);
    else node.setAttribute(name, value === true ? "" : visible(value));
  }
  put(node, children);
  return node;
}

function put(node, children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    node.append(child instanceof Node ? child : document.createTextNode(visible(child)));
  }
}

/** An HTML element: `el("p", {class: "note"}, "text", otherElement)`. */
export function el(tag, attributes, ...children) {
  return make(document.createElement(tag), attributes, children);
}

/** Elements in the notation of HTML: html`<p class="note">text ${otherElement}</p>`. */
export const html = htm.bind(function (...parts) {
  this[0] = 3; // to htm: make a new element each time
  return el(...parts);
});

/** An SVG element. */
export function svg(tag, attributes, ...children) {
  return make(document.createElementNS(SVG, tag), attributes, children);
}

/** A small drawing beside a word, which is hidden from screen readers. */
export function mark(...children) {
  const size = { viewBox: "0 0 24 12", width: 24, height: 12 };
  return svg("svg", { class: "runmark", ...size, "aria-hidden": "true" }, ...children);
}

/** Replaces the content of `node` with `children`. */
export function fill(node, ...children) {
  node.replaceChildren();
  put(node, children);
  return node;
}

/** Changes a text only if it differs, so that a screen reader does not read it twice. */
export function say(node, text) {
  const shown = visible(text);
  if (node.textContent !== shown) node.textContent = shown;
}

/** Lines of code; each line goes through `visible`. */
export function code(text, attributes) {
  const lines = String(text).split("\n").map(visible);
  const node = el("code", null);
  node.textContent = lines.join("\n");
  return el("pre", { tabindex: 0, role: "group", ...attributes }, node);
}

/** A table in a folded part, which is built only when the part is opened. */
export function foldedTable(title, build) {
  const holder = el("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": title });
  const node = el("details", { class: "folded" }, el("summary", null, title), holder);
  const show = () => node.open && fill(holder, build());
  node.addEventListener("toggle", show);
  return { node, update: show };
}

/** A table: `rows` of texts or elements under `head`; the first column names the row. */
export function table(caption, head, rows) {
  const cellOf = (cell, i) => (i ? html`<td>${cell}</td>` : html`<th scope="row">${cell}</th>`);
  const line = (cells) => html`<tr>${cells.map(cellOf)}</tr>`;
  return html`<table>
    <caption>${caption}</caption>
    <thead><tr>${head.map((cell) => html`<th scope="col">${cell}</th>`)}</tr></thead>
    <tbody>${rows.map(line)}</tbody>
  </table>`;
}

/** A button; a click calls `action`. */
export function button(label, action, attributes) {
  return el("button", { type: "button", onclick: action, ...attributes }, label);
}
