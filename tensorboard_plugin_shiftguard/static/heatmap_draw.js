/* Drawing of the heatmap on a canvas; only the rows in view are drawn. */

import { shorten } from "./dom.js";
import { ALONG, FOUND, NOTHING, UNCLEAR, strongestOf, titleOf } from "./groups.js";

export const ROW = 28; // pixels
export const HEAD = 22; // pixels of the line of epochs

const FONT = "13px Roboto, 'Helvetica Neue', Arial, sans-serif";
const SMALL = "12px Roboto, 'Helvetica Neue', Arial, sans-serif";
const COSTS = [0.02, 0.04, 0.06]; // costs at which the second to fourth color begin

/** Colors of the page, for the canvas. */
function palette() {
  const style = getComputedStyle(document.documentElement);
  const read = (name) => style.getPropertyValue(`--${name}`).trim();
  const names =
    "text muted line surface act look corrected fine action focus quiet tolerated along unclear " +
    "h1 h2 h3 h4 unpriced";
  return Object.fromEntries(names.split(" ").map((name) => [name, read(name)]));
}

/** The color of a cell: by cost if it is known; gray within the tolerance. */
function colourOf(theme, { level, cost }) {
  if (level === FOUND && cost !== null)
    return theme[`h${1 + COSTS.filter((bound) => cost >= bound).length}`];
  const names = { [FOUND]: "unpriced", [UNCLEAR]: "unclear", [ALONG]: "along" };
  return theme[names[level] ?? (level === NOTHING ? "quiet" : "tolerated")];
}

function drawName(context, view, theme, row, top, chosen) {
  const { axis, overview, column } = view;
  const middle = top + ROW / 2;
  context.font = FONT;
  context.fillStyle = theme.muted;
  if (row.folds) context.fillText(row.open ? "\u25be" : "\u25b8", 3, middle + 4);
  const start = row.inside ? 34 : 18;
  const { level } = strongestOf(overview, row, column, column + 1);
  context.font = row.inside ? SMALL : chosen || level === FOUND ? `600 ${FONT}` : FONT;
  context.fillStyle = level >= ALONG || chosen ? theme.text : theme.muted;
  const text = fitted(context, titleOf(overview, row, column), axis.left - start - 14);
  context.fillText(text, start, middle + 4);
  if (!row.folds || row.alike) return;
  const end = start + context.measureText(text).width + 8;
  context.font = SMALL;
  context.fillStyle = theme.muted;
  const note = `${row.members.length} features`;
  if (end + context.measureText(note).width < axis.left - 6)
    context.fillText(note, end, middle + 4);
}

/** Cuts a name in its middle, so that it fits into `room` pixels and keeps its end. */
function fitted(context, name, room) {
  const text = shorten(name, 80);
  const cut = (n) => `${text.slice(0, Math.ceil(n / 2))}\u2026${text.slice(text.length - Math.floor(n / 2))}`;
  let [shown, n] = [text, text.length];
  while (n > 1 && context.measureText(shown).width > room) shown = cut(--n);
  return shown;
}

function drawCells(context, view, theme, row, top) {
  const { axis, overview } = view;
  const gap = axis.cell > 6 ? 2 : axis.cell > 3 ? 1 : 0;
  const inset = row.inside ? 5 : 3;
  if (row.alike) {
    context.fillStyle = theme.tolerated;
    context.fillRect(axis.x(0), top + ROW / 2 - 1, axis.end - axis.x(0) - gap, 2);
    return;
  }
  for (let t = 0; t < axis.columns; t += axis.group) {
    const end = Math.min(axis.columns, t + axis.group);
    const cell = strongestOf(overview, row, t, end);
    const [a, b] = [Math.round(axis.x(t)), Math.round(axis.x(end))];
    const width = Math.max(1, b - a - gap);
    if (cell.level < 0) {
      context.fillStyle = theme.line;
      context.fillRect(a + width / 2 - 1, top + ROW / 2 - 1, 2, 2);
      continue;
    }
    context.fillStyle = colourOf(theme, cell);
    context.beginPath();
    if (width > 8) context.roundRect(a, top + inset, width, ROW - 2 * inset, 3);
    else context.rect(a, top + inset, width, ROW - 2 * inset);
    context.fill();
  }
}

function drawCost(context, view, theme, r, top) {
  const { text, strong } = view.costs[r];
  context.textAlign = "right";
  context.font = strong ? `600 ${FONT}` : SMALL;
  context.fillStyle = strong ? theme.act : theme.muted;
  context.fillText(text, view.axis.width - 4, top + ROW / 2 + 4, view.axis.right - 10);
  context.textAlign = "left";
}

function drawHead(context, view, theme) {
  const { axis } = view;
  context.fillStyle = theme.surface;
  context.fillRect(0, 0, axis.width, HEAD);
  context.font = SMALL;
  context.fillStyle = theme.muted;
  context.fillText("epoch", 18, 13);
  context.textAlign = "right";
  context.fillText("points lost", axis.width - 4, 13);
  context.textAlign = "center";
  for (const [number, x] of axis.ticks()) context.fillText(String(number), x, 13);
  context.textAlign = "left";
}

/** Draws the parts that do not follow the pointer; `chosen` is the row of the chosen feature. */
export function drawRows(context, view) {
  const { axis, rows, scroll, height, chosen } = view;
  const theme = palette();
  context.clearRect(0, 0, axis.width, height);
  const first = Math.max(0, Math.floor(scroll / ROW));
  const last = Math.min(rows.length, Math.ceil((scroll + height - HEAD) / ROW));
  for (let r = first; r < last; r++) {
    const top = HEAD + r * ROW - scroll;
    drawName(context, view, theme, rows[r], top, r === chosen);
    drawCells(context, view, theme, rows[r], top);
    drawCost(context, view, theme, r, top);
  }
  drawHead(context, view, theme);
}

/** Draws frames around the cells `chosen` and `cursor`, each `{row, t}`; `cursor` may be null. */
export function drawFrames(context, { axis, scroll, height, chosen, cursor }) {
  const theme = palette();
  const frame = (cell, colour) => {
    const x = Math.floor(axis.x(cell.t)) - 1;
    const y = HEAD + cell.row * ROW - scroll + 1;
    context.save();
    context.beginPath();
    // A row that is scrolled out of view gets no frame.
    context.rect(0, HEAD - 2, axis.width, height);
    context.clip();
    context.strokeStyle = colour;
    context.lineWidth = 2;
    const width = Math.max(4, Math.ceil(axis.x(cell.t + 1) - axis.x(cell.t)));
    context.strokeRect(x, y, width, ROW - 2);
    context.restore();
  };
  const x = Math.round(axis.middle(chosen.t));
  context.fillStyle = theme.focus;
  context.globalAlpha = 0.3;
  context.fillRect(x, HEAD, 1, height - HEAD);
  context.globalAlpha = 1;
  if (chosen.row >= 0) frame(chosen, theme.text);
  if (cursor) frame(cursor, theme.focus);
}
