/* Drawing the heatmap: only the rows in view, in one canvas. */

import { shorten } from "./dom.js";
import { featureKind } from "./icons.js";

export const ROW = 22; // pixels
export const HEAD = 40; // the line of epochs and the line of events
const WIDEST_CELL = 72;
const GAP = 8; // between names and cells, and right of the cells

/** Returns the layout for a canvas of this width. */
export function layout(width, columns, longestName) {
  const names = Math.round(
    Math.min(Math.max(longestName + 34, 80), width * (width < 480 ? 0.34 : 0.4)),
  );
  const room = Math.max(20, width - names - 2 * GAP);
  const cell = Math.min(WIDEST_CELL, room / Math.max(1, columns));
  // Where there are more epochs than pixels, the strongest of a few is drawn.
  const group = cell < 2 ? Math.ceil(2 / cell) : 1;
  const left = names + GAP;
  return {
    names,
    left,
    cell,
    group,
    columns,
    width,
    x: (t) => left + t * cell,
    column: (x) => (x < left ? -1 : Math.min(columns - 1, Math.floor((x - left) / cell))),
  };
}

/** Colours of the page, for the canvas. */
export function palette() {
  const style = getComputedStyle(document.documentElement);
  const read = (name) => style.getPropertyValue(`--${name}`).trim();
  return Object.fromEntries(
    [
      "text",
      "muted",
      "line",
      "surface",
      "alarm",
      "expected",
      "action",
      "mismatch",
      "focus",
      "accent",
    ].map((name) => [name, read(name)]),
  );
}

const FONT = "12px Roboto, 'Helvetica Neue', Arial, sans-serif";

/** Width of the longest name, which decides on the room for names. */
export function longestName(context, rows) {
  context.font = FONT;
  let longest = 0;
  for (const { name } of rows.slice(0, 300)) {
    longest = Math.max(longest, context.measureText(shorten(name, 40)).width);
  }
  return longest;
}

function shape(context, kind, x, y, size) {
  const r = size / 2;
  context.beginPath();
  if (kind === "alarm" || kind === "finding") {
    context.moveTo(x, y - r);
    context.lineTo(x + r, y + r);
    context.lineTo(x - r, y + r);
    context.closePath();
  } else if (kind === "action" || kind === "expected") {
    context.moveTo(x, y - r);
    context.lineTo(x + r, y);
    context.lineTo(x, y + r);
    context.lineTo(x - r, y);
    context.closePath();
  } else if (kind === "preprocessing") context.rect(x - r, y - r, size, size);
  else context.arc(x, y, r * 0.8, 0, 7);
}

function drawName(context, theme, place, row, top, chosen) {
  const middle = top + ROW / 2;
  const kind = featureKind(row.record);
  if (kind === "alarm" || kind === "expected") {
    shape(context, kind, 10, middle, 9);
    if (kind === "alarm") {
      context.fillStyle = theme.alarm;
      context.fill();
    } else {
      context.strokeStyle = theme.expected;
      context.stroke();
    }
  }
  context.fillStyle = kind === "alarm" || chosen ? theme.text : theme.muted;
  context.font = chosen ? `600 ${FONT}` : FONT;
  context.fillText(fitted(context, row.name, place.names - 24), 22, middle + 4);
}

/** Shortens a name to the room there is, in its middle: the end tells more. */
function fitted(context, name, room) {
  const text = shorten(name, 80);
  if (context.measureText(text).width <= room) return text;
  let [least, most] = [1, text.length];
  const cut = (n) =>
    `${text.slice(0, Math.ceil(n / 2))}\u2026${text.slice(text.length - Math.floor(n / 2))}`;
  while (most - least > 1) {
    const middle = (least + most) >> 1;
    if (context.measureText(cut(middle)).width <= room) least = middle;
    else most = middle;
  }
  return cut(least);
}

function strongest(overview, i, from, to) {
  let value = NaN;
  let flag = 0;
  for (let t = from; t < to; t++) {
    const effect = overview.effect(i, t);
    flag |= overview.flag(i, t);
    if (!(Math.abs(effect) <= Math.abs(value))) value = Number.isNaN(effect) ? value : effect;
  }
  return [value, flag];
}

function drawCells(context, theme, place, overview, row, top, colours) {
  const gap = place.cell > 6 ? 1 : 0;
  for (let t = 0; t < place.columns; t += place.group) {
    const end = Math.min(place.columns, t + place.group);
    const [value, flag] = strongest(overview, row.i, t, end);
    const [a, b] = [Math.round(place.x(t)), Math.round(place.x(end))];
    const width = Math.max(1, b - a - gap);
    if (Number.isNaN(value)) {
      context.fillStyle = theme.line;
      context.fillRect(a + width / 2 - 1, top + ROW / 2 - 1, 2, 2);
      continue;
    }
    context.fillStyle = colours(value);
    context.fillRect(a, top, width, ROW - 1);
    if (!(flag & 1)) continue;
    context.fillStyle = theme.alarm;
    if (width < 10) {
      context.fillRect(a, top + ROW - 4, width, 3);
      continue;
    }
    shape(context, "alarm", a + width / 2, top + ROW / 2, 8);
    context.fillStyle = theme.surface;
    context.strokeStyle = theme.text;
    context.lineWidth = 1;
    context.fill();
    context.stroke();
  }
}

function drawHead(context, theme, place, overview, marks) {
  context.fillStyle = theme.surface;
  context.fillRect(0, 0, place.width, HEAD);
  context.font = FONT;
  context.fillStyle = theme.muted;
  context.fillText("epoch", 22, 14);
  const apart = Math.max(1, Math.ceil(34 / place.cell));
  const rounded = [1, 2, 5, 10, 20, 25, 50, 100, 200, 250].find((n) => n >= apart) ?? apart;
  context.textAlign = "center";
  overview.steps.forEach((step, t) => {
    const number = step + 1;
    const first = t === 0 && rounded > 2;
    if (first || number % rounded === 0)
      context.fillText(String(number), place.x(t) + place.cell / 2, 14);
  });
  context.textAlign = "left";
  for (const [t, events] of marks) {
    const kind =
      ["preprocessing", "action", "finding", "note"].find((k) =>
        events.some((e) => e.kind === k),
      ) ?? "note";
    context.fillStyle =
      { preprocessing: theme.mismatch, action: theme.action, finding: theme.alarm }[kind] ??
      theme.muted;
    shape(
      context,
      kind,
      place.x(t) + place.cell / 2,
      28,
      Math.max(7, Math.min(10, place.cell + 4)),
    );
    context.fill();
  }
}

/** Draws the parts that do not follow the pointer: `chosen` is the row of the chosen feature. */
export function drawRows(context, view) {
  const { place, overview, rows, marks, scroll, height, colours, chosen } = view;
  const theme = palette();
  context.clearRect(0, 0, place.width, height);
  const first = Math.max(0, Math.floor(scroll / ROW));
  const last = Math.min(rows.length, Math.ceil((scroll + height - HEAD) / ROW));
  for (let r = first; r < last; r++) {
    const top = HEAD + r * ROW - scroll;
    drawName(context, theme, place, rows[r], top, r === chosen);
    if (rows[r].i >= 0) drawCells(context, theme, place, overview, rows[r], top, colours);
  }
  drawHead(context, theme, place, overview, marks);
}

/** Draws frames around the chosen cell and the cell at the pointer; each `{row, t}` or null. */
export function drawFrames(context, { place, scroll, height, chosen, cursor }) {
  const theme = palette();
  const frame = (cell, colour) => {
    const head = cell.row < 0;
    const x = Math.floor(place.x(cell.t)) - 1;
    const y = head ? HEAD - 21 : HEAD + cell.row * ROW - scroll - 1;
    context.save();
    context.beginPath();
    // A row that is scrolled out of view gets no frame.
    context.rect(0, head ? 0 : HEAD - 2, place.width, height);
    context.clip();
    context.strokeStyle = colour;
    context.lineWidth = 2;
    context.strokeRect(x, y, Math.max(4, Math.ceil(place.cell) + 1), ROW + 1);
    context.restore();
  };
  const x = Math.round(place.x(chosen.t) + place.cell / 2);
  context.fillStyle = theme.focus;
  context.globalAlpha = 0.35;
  context.fillRect(x, HEAD, 1, height - HEAD);
  context.globalAlpha = 1;
  if (chosen.row >= 0) frame(chosen, theme.text);
  if (cursor) frame(cursor, theme.focus);
}
