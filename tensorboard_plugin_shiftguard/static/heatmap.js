/* The heatmap: what differs at each epoch, grouped by cause. The color of a cell shows the cost or,
 * where no cost is known, the effect size.
 *
 * The heatmap is a canvas, since a thousand features by hundreds of epochs are too many
 * for elements. A text above it describes the cell at the pointer or the keyboard cursor, and
 * a table shows the first rows.
 */

import { axisOf } from "./axis.js";
import { fill, foldedTable, html, say, visible } from "./dom.js";
import { count, pairInWords } from "./format.js";
import { cellOf, costsOf, groupRows } from "./groups.js";
import { HEAD, ROW, drawFrames, drawRows } from "./heatmap_draw.js";
import { alikeInWords, cellInWords, drawLegend, heatmapInWords, heatmapTable } from "./heatmap_words.js";
import { pairKey } from "./rows.js";

const TITLE = "What differs between the streams, epoch by epoch";
// Training is measured before it is augmented, so the cells do not show the augmentation.
const BEFORE = `${TITLE}, before augmentation`;

export function createHeatmap({ state }) {
  const canvas = html`<canvas role="img"></canvas>`;
  const spacer = html`<div class="heat-rows">${canvas}</div>`;
  const scroller = html`<div
    class="heat-scroll axisroom" data-testid="heatmap" tabindex="0"
    role="application" aria-roledescription="heatmap" aria-describedby="heat-keys"
  >${spacer}</div>`;
  const readout = html`<p class="readout" aria-live="polite" data-testid="readout"></p>`;
  const title = html`<h2 id="heat-title">${TITLE}</h2>`;
  const legend = html`<div class="legend"></div>`;
  const alike = html`<p class="quiet" data-testid="alike"></p>`;
  const pair = html`<select
    id="shift-pair" data-testid="pair" onchange=${() => state.set({ pair: pair.value })}
  ></select>`;
  const pairs = html`<label for="shift-pair" class="inline">Compare ${pair}</label>`;
  const list = foldedTable("The heatmap as a table", () => model?.overview && heatmapTable(model));
  const keys =
    "Click a name, or press Space, to unfold its features. Click a cell, or use the arrow keys " +
    "and Enter, to choose an epoch.";
  const node = html`<section class="heat" aria-labelledby="heat-title">
    <div class="head">${title}${pairs}</div>
    ${legend}${alike}${readout}${scroller}
    <p id="heat-keys" class="quiet keys">${keys}</p>
    ${list.node}
  </section>`;
  const context = canvas.getContext("2d");
  let model = null;
  let axis = null; // where the columns lie
  let rows = []; // causes, and the features of unfolded ones
  let cursor = null; // the cell under the pointer or the keyboard cursor
  let others = []; // steps that the axis must hold for the curves
  let frame = 0;
  let prepared = 0; // counts the versions of the data
  let drawn = ""; // key of what `still` shows
  const still = html`<canvas></canvas>`; // the rows, without the frames

  const redraw = () => {
    if (!frame) frame = requestAnimationFrame(paint);
  };

  function chosen() {
    const holds = ({ members }) => members.some((one) => one.name === model.feature);
    // The row of the feature itself, if its cause is unfolded.
    const own = rows.findIndex((row) => row.inside && row.key === model.feature);
    return { row: own >= 0 ? own : rows.findIndex(holds), t: model.column };
  }

  function paint() {
    frame = 0;
    const width = scroller.clientWidth;
    if (!model?.overview || !width) return;
    const { overview } = model;
    const total = HEAD + rows.length * ROW;
    spacer.style.height = `${total}px`;
    const height = Math.min(total, scroller.clientHeight);
    const density = window.devicePixelRatio || 1;
    const [wide, tall] = [Math.round(width * density), Math.round(height * density)];
    for (const one of [canvas, still]) {
      if (one.width === wide && one.height === tall) continue;
      one.width = wide;
      one.height = tall;
      drawn = "";
    }
    canvas.style.height = `${height}px`;
    axis = axisOf(width, overview.steps, others);
    const scroll = scroller.scrollTop;
    const { row, t } = chosen();
    // The rows are drawn again only if `key` changes. The pointer moves only the frames.
    const key = JSON.stringify([prepared, others, scroll, width, height, density, row, t]);
    if (key !== drawn) {
      drawn = key;
      const rowsContext = still.getContext("2d");
      rowsContext.setTransform(density, 0, 0, density, 0, 0);
      const costs = costsOf(overview, rows, t);
      const view = { axis, overview, rows, scroll, height, costs, column: t, chosen: row };
      drawRows(rowsContext, view);
    }
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, wide, tall);
    context.drawImage(still, 0, 0);
    context.setTransform(density, 0, 0, density, 0, 0);
    drawFrames(context, { axis, scroll, height, chosen: { row, t }, cursor });
  }

  /** Prepares the rows, the titles and the legend. */
  function prepare() {
    const { overview } = model;
    prepared++;
    rows = groupRows(overview, model.state.unfolded);
    say(title, overview.state?.adapts ? BEFORE : TITLE);
    say(alike, alikeInWords(overview));
    alike.hidden = !alike.textContent;
    drawLegend(legend, overview);
    const size = `${count(rows.length, "row")} by ${count(overview.steps.length, "epoch")}`;
    scroller.setAttribute("aria-label", `Heatmap of ${size}`);
  }

  /** The choice of the two streams that are compared. */
  function listPairs(overview) {
    const text = (one) =>
      pairInWords(pairKey(one)) + (one.alarms ? ` (${count(one.alarms, "finding")})` : "");
    const option = (one) => html`<option value=${pairKey(one)}>${text(one)}</option>`;
    const drawn = JSON.stringify(overview.pairs);
    if (pair.dataset.drawn !== drawn) fill(pair, overview.pairs.map(option));
    pair.dataset.drawn = drawn;
    pair.value = overview.pair;
    pair.disabled = overview.pairs.length < 2;
    pairs.hidden = !overview.pairs.length;
  }

  const tell = (cell) => say(readout, cellInWords(model, rows, cell));

  /** The cell at the pointer; on a name, the cell of the chosen epoch. */
  function at(event) {
    if (!axis) return null;
    const box = scroller.getBoundingClientRect();
    const t = axis.column(event.clientX - box.left);
    const y = event.clientY - box.top;
    const row = Math.floor((y - HEAD + scroller.scrollTop) / ROW);
    if (row >= rows.length || y < HEAD) return null;
    return { row, t: t < 0 ? model.column : t, name: t < 0 };
  }

  function choose({ row, t, name }) {
    if (name && rows[row]?.folds) {
      unfold(rows[row]);
      return;
    }
    const { steps } = model.overview;
    const changes = name ? {} : { epoch: t >= steps.length - 1 ? null : steps[t] };
    state.set({ ...changes, feature: cellOf(model.overview, rows[row], t).member.name });
  }

  /** Unfolds the features of a cause, or folds them; the row of a feature folds its cause. */
  function unfold({ group, folds, inside }) {
    if (!folds && !inside) return;
    const { unfolded } = state.get();
    const open = unfolded.includes(group);
    state.set({ unfolded: open ? unfolded.filter((one) => one !== group) : [...unfolded, group] });
  }

  function reveal(row) {
    if (row < 0) return;
    const [top, room] = [row * ROW, scroller.clientHeight - HEAD];
    if (top < scroller.scrollTop) scroller.scrollTop = top;
    else if (top + ROW > scroller.scrollTop + room) scroller.scrollTop = top + ROW - room;
  }

  function press(event) {
    if (!model?.overview?.steps.length || event.altKey || event.metaKey) return;
    const [many, columns] = [rows.length, model.overview.steps.length];
    const page = Math.max(1, Math.floor((scroller.clientHeight - HEAD) / ROW) - 1);
    const moves = {
      ArrowLeft: [0, -1],
      ArrowRight: [0, 1],
      ArrowUp: [-1, 0],
      ArrowDown: [1, 0],
      PageUp: [-page, 0],
      PageDown: [page, 0],
      Home: event.ctrlKey ? [-many, 0] : [0, -columns],
      End: event.ctrlKey ? [many, 0] : [0, columns],
    };
    const now = cursor ?? chosen();
    if (moves[event.key]) {
      const [down, right] = moves[event.key];
      const row = Math.max(0, Math.min(many - 1, now.row + down));
      cursor = { row, t: Math.max(0, Math.min(columns - 1, now.t + right)) };
      reveal(row);
      tell(cursor);
      redraw();
    } else if (event.key === "Enter") choose(now);
    else if (event.key === " ") unfold(rows[now.row] ?? {});
    else return;
    event.preventDefault();
  }

  function forget() {
    cursor = null;
    if (model?.overview) tell(chosen());
    redraw();
  }

  scroller.addEventListener("scroll", redraw, { passive: true });
  scroller.addEventListener("keydown", press);
  scroller.addEventListener("pointermove", (event) => {
    if (!model?.overview) return;
    const cell = at(event);
    if (cell?.row === cursor?.row && cell?.t === cursor?.t) return;
    cursor = cell;
    tell(cell ?? chosen());
    redraw();
  });
  scroller.addEventListener("pointerleave", forget);
  scroller.addEventListener("blur", forget);
  scroller.addEventListener("click", (event) => {
    const cell = model?.overview && at(event);
    if (cell) choose(cell);
  });
  new ResizeObserver(redraw).observe(scroller);
  window.addEventListener("shiftguard-theme", () => {
    if (model?.overview) prepare();
    redraw();
  });

  return {
    node,
    /** Makes room on the axis for the steps of the curves. */
    spans(steps) {
      others = steps;
      redraw();
    },
    update(next, changed) {
      model = next;
      const { overview } = model;
      if (!overview) return;
      node.hidden = !overview.features.length;
      if (changed.has("data") || changed.has("run") || changed.has("unfolded")) {
        if (!changed.has("unfolded")) cursor = null;
        listPairs(overview);
        prepare();
      } else if (!changed.has("feature") && !changed.has("epoch")) return;
      if (changed.has("feature") && !cursor) reveal(chosen().row);
      tell(cursor ?? chosen());
      canvas.setAttribute("aria-label", visible(heatmapInWords(overview, rows, model.column)));
      list.update();
      redraw();
    },
  };
}
