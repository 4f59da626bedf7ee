/* The heatmap: features by epochs, coloured by effect size.
 *
 * A canvas, since a thousand features by hundreds of epochs are no elements. What
 * the pointer or the keys are on is told in words below it, and the strongest
 * rows are there as a table.
 */

import { el, fill, foldedTable, say, svg, table, visible } from "./dom.js";
import { count, effect, epoch } from "./format.js";
import { HEAD, ROW, draw, layout, longestName } from "./heatmap_draw.js";
import { badge, featureKind, icon } from "./icons.js";
import { effectColours } from "./scales.js";

const MOST_IN_TABLE = 100;

export function createHeatmap({ state }) {
  const canvas = el("canvas", { role: "img" });
  const spacer = el("div", { class: "heat-rows" }, canvas);
  const scroller = el(
    "div",
    {
      class: "heat-scroll",
      tabindex: 0,
      role: "application",
      "aria-roledescription": "heatmap",
      "aria-describedby": "heat-keys",
      "data-testid": "heatmap",
    },
    spacer,
  );
  const readout = el("p", { class: "readout", "aria-live": "polite", "data-testid": "readout" });
  const legend = el("div", { class: "legend" });
  const list = foldedTable("The heatmap as a table", asTable);
  const node = el(
    "section",
    { class: "panel heat", "aria-labelledby": "heat-title" },
    el("h2", { id: "heat-title" }, "Effect of each feature, epoch by epoch"),
    legend,
    scroller,
    readout,
    el("p", { id: "heat-keys", class: "quiet keys" }, "Click, or use the arrow keys and Enter, to choose a feature and an epoch."),
    list.node,
  );
  const context = canvas.getContext("2d");
  let model = null;
  let place = null;
  let marks = new Map();
  let colours = null;
  let cursor = null; // the cell under the pointer or the keys
  let frame = 0;

  const redraw = () => {
    if (!frame) frame = requestAnimationFrame(paint);
  };

  function chosen() {
    const row = model.rows.findIndex((one) => one.name === model.feature);
    return { row, t: model.column };
  }

  function paint() {
    frame = 0;
    const width = scroller.clientWidth;
    if (!model?.overview || !width) return;
    const columns = model.overview.steps.length;
    const total = HEAD + model.rows.length * ROW;
    const height = Math.min(total, scroller.clientHeight);
    spacer.style.height = `${total}px`;
    const density = window.devicePixelRatio || 1;
    if (canvas.width !== Math.round(width * density) || canvas.height !== Math.round(height * density)) {
      canvas.width = Math.round(width * density);
      canvas.height = Math.round(height * density);
      canvas.style.height = `${height}px`;
    }
    context.setTransform(density, 0, 0, density, 0, 0);
    place = layout(width, columns, model.longest);
    draw(context, { place, overview: model.overview, rows: model.rows, marks, scroll: scroller.scrollTop, height, colours, cursor, chosen: chosen() });
  }

  function prepare() {
    const { overview, rows } = model;
    model.longest = longestName(context, rows);
    marks = new Map();
    for (const event of overview.events) {
      const t = overview.steps.indexOf(event.step);
      if (t >= 0) marks.set(t, [...(marks.get(t) ?? []), event]);
    }
    let largest = 0.5;
    for (const { i } of rows) {
      if (i < 0) continue;
      for (let t = 0; t < overview.steps.length; t++) {
        const size = Math.abs(overview.effect(i, t));
        if (size > largest) largest = size;
      }
    }
    const threshold = overview.threshold ?? 0.1;
    colours = effectColours(document.documentElement.dataset.theme === "dark", threshold, Math.min(largest, 3));
    drawLegend(legend, colours, threshold, largest);
    canvas.setAttribute("aria-label", visible(summary(overview, rows)));
    scroller.setAttribute("aria-label", visible(`Heatmap of ${count(rows.length, "feature")} by ${count(overview.steps.length, "epoch")}`));
  }

  function tell(cell) {
    if (!model?.overview) return;
    say(readout, cell ? inWords(model, cell, marks) : "");
  }

  function at(event) {
    if (!place) return null;
    const box = scroller.getBoundingClientRect();
    const t = place.column(event.clientX - box.left);
    const y = event.clientY - box.top;
    const row = y < HEAD ? -1 : Math.floor((y - HEAD + scroller.scrollTop) / ROW);
    if (row >= model.rows.length || y < 0) return null;
    return { row, t: t < 0 ? (row < 0 ? 0 : model.column) : t, name: t < 0 };
  }

  function choose(cell) {
    if (!cell) return;
    const { steps } = model.overview;
    const changes = { epoch: cell.t >= steps.length - 1 ? null : steps[cell.t] };
    if (cell.name) delete changes.epoch;
    if (cell.row >= 0) changes.feature = model.rows[cell.row].name;
    state.set(changes);
  }

  function move(event) {
    if (!model?.overview || event.altKey || event.metaKey) return;
    const now = cursor ?? { ...chosen() };
    const [rows, columns] = [model.rows.length, model.overview.steps.length];
    const page = Math.max(1, Math.floor((scroller.clientHeight - HEAD) / ROW) - 1);
    const moves = {
      ArrowLeft: [0, -1],
      ArrowRight: [0, 1],
      ArrowUp: [-1, 0],
      ArrowDown: [1, 0],
      PageUp: [-page, 0],
      PageDown: [page, 0],
      Home: event.ctrlKey ? [-rows, 0] : [0, -columns],
      End: event.ctrlKey ? [rows, 0] : [0, columns],
    };
    if (event.key === "Enter" || event.key === " ") choose(now);
    else if (moves[event.key]) {
      const [down, right] = moves[event.key];
      const top = marks.size ? -1 : 0;
      cursor = {
        row: Math.max(top, Math.min(rows - 1, now.row + down)),
        t: Math.max(0, Math.min(columns - 1, now.t + right)),
      };
      reveal(cursor.row);
      tell(cursor);
      redraw();
    } else return;
    event.preventDefault();
  }

  function reveal(row) {
    if (row < 0) return;
    const top = row * ROW;
    const room = scroller.clientHeight - HEAD;
    if (top < scroller.scrollTop) scroller.scrollTop = top;
    else if (top + ROW > scroller.scrollTop + room) scroller.scrollTop = top + ROW - room;
  }

  function asTable() {
    if (!model?.overview) return null;
    const { overview, rows } = model;
    const shown = rows.slice(0, MOST_IN_TABLE);
    const cut = rows.length > shown.length ? ` (the first ${shown.length} of ${rows.length})` : "";
    return table(
      `Effect sizes, in standard deviations between samples${cut}`,
      ["Feature", "State", `At ${epoch(model.step)}`, "Latest", "Strongest", "Shifted since"],
      shown.map((row) => {
        const { record, i } = row;
        const [top, when] = peak(overview, i);
        return [
          row.name,
          badge(featureKind(record)),
          effect(i < 0 ? null : overview.effect(i, model.column)),
          effect(record?.effect),
          when === null ? "unknown" : `${effect(top)} (${epoch(when)})`,
          record?.since ? `epoch ${record.since}` : "never",
        ];
      }),
    );
  }

  scroller.addEventListener("scroll", redraw, { passive: true });
  scroller.addEventListener("keydown", move);
  scroller.addEventListener("pointermove", (event) => {
    const cell = at(event);
    if (cell?.row === cursor?.row && cell?.t === cursor?.t) return;
    cursor = cell;
    tell(cell ?? chosen());
    redraw();
  });
  scroller.addEventListener("pointerleave", () => {
    cursor = null;
    if (model?.overview) tell(chosen());
    redraw();
  });
  scroller.addEventListener("click", (event) => {
    if (model?.overview) choose(at(event));
  });
  scroller.addEventListener("blur", () => {
    cursor = null;
    redraw();
  });
  new ResizeObserver(redraw).observe(scroller);
  window.addEventListener("shiftguard-theme", () => {
    if (model?.overview) prepare();
    redraw();
  });

  return {
    node,
    update(next, changed) {
      model = next;
      if (!model.overview) return;
      if (changed.has("rows") || changed.has("data")) prepare();
      if (changed.has("feature") && !cursor) reveal(chosen().row);
      tell(cursor ?? chosen());
      list.update();
      redraw();
    },
  };
}

/** The largest effect of a feature and the step it was at. */
function peak(overview, i) {
  let [best, when] = [0, null];
  for (let t = 0; i >= 0 && t < overview.steps.length; t++) {
    const value = overview.effect(i, t);
    if (Math.abs(value) >= Math.abs(best)) [best, when] = [value, overview.steps[t]];
  }
  return [best, when];
}

function inWords({ overview, rows }, { row, t }, marks) {
  if (t < 0 || t >= overview.steps.length) return "";
  const when = epoch(overview.steps[t]);
  if (row < 0) {
    const events = marks.get(t) ?? [];
    if (!rows.length || !events.length) return `${when}: nothing happened`;
    return `${when}: ` + events.slice(0, 3).map((event) => event.text).join(" ");
  }
  const { name, i, elsewhere } = rows[row];
  if (i < 0) return `${name}: absent in this run, present in ${elsewhere}`;
  const value = overview.effect(i, t);
  const flag = overview.flag(i, t);
  const state = flag & 1 ? ", shifted" : flag & 2 ? ", expected" : flag & 4 ? ", negligible" : "";
  return Number.isNaN(value) ? `${name}, ${when}: not measured` : `${name}, ${when}: effect ${effect(value)}${state}`;
}

function summary(overview, rows) {
  const alarms = rows.filter((row) => row.record?.alarm);
  const named = alarms.slice(0, 5).map((row) => `${row.name} ${effect(row.record.effect)}`);
  const what = alarms.length
    ? `${count(alarms.length, "feature")} shifted at the latest epoch: ${named.join(", ")}${alarms.length > 5 ? " and more" : ""}`
    : "no feature shifted at the latest epoch";
  return `Heatmap of effect sizes, ${count(rows.length, "feature")} by ${count(overview.steps.length, "epoch")}; ${what}. The same as a table is below.`;
}

function drawLegend(node, colours, threshold, largest) {
  const top = colours.top;
  const strip = (sign) =>
    el(
      "span",
      { class: "ramp" },
      Array.from({ length: 8 }, (_, i) => {
        const share = ((sign < 0 ? 8 - i : i + 1) / 8) ** 2;
        const swatch = el("span");
        swatch.style.background = colours(sign * (threshold + share * (top - threshold)));
        return swatch;
      }),
    );
  const calm = el("span", { class: "calm" }, `\u00b1${threshold}`);
  calm.style.background = colours.calm;
  const end = (largest > top ? "\u2265 " : "") + top.toFixed(1);
  fill(
    node,
    el("span", { class: "scale" }, el("span", null, `less \u2212${end.replace("\u2265 ", "")}`), strip(-1), calm, strip(1), el("span", null, `+${end.replace("\u2265 ", "")} more`)),
    el("span", { class: "key" }, `within \u00b1${threshold}: negligible`),
    el("span", { class: "key" }, icon("alarm"), "shifted"),
    el("span", { class: "key" }, icon("action"), "action"),
    el("span", { class: "key" }, icon("mismatch"), "preprocessing"),
    el("span", { class: "key" }, svg("svg", { class: "icon", viewBox: "0 0 12 12", width: 12, height: 12, "aria-hidden": "true" }, svg("circle", { class: "fillline", cx: 6, cy: 6, r: 1.5 })), "not measured"),
  );
}
