/* The card of a feature: state, effect, effect over the epochs, two distributions. */

import { button, el, fill, html, shorten, svg, visible } from "./dom.js";
import { bounds, effect, number, sinceInWords } from "./format.js";
import { RUN_DASHES, badge, featureKind } from "./icons.js";
import { extent, linear } from "./scales.js";
import { classEdges, densities, keepSpan, linePath, stepPath, usedSpan } from "./shapes.js";

const [WIDTH, HEIGHT] = [120, 40];
const MAX_POINTS = 120;

/** Returns the latest effect and means of a feature as a text for screen readers. */
function spoken(row) {
  const { record } = row;
  const [now, before] = [record.current?.[0], record.reference?.[0]];
  const means =
    Number.isFinite(now) && now !== null && before !== null
      ? `, mean ${number(before)} to ${number(now)}`
      : "";
  return `effect ${effect(record.effect)}${means}`;
}

/** Effect over the epochs, one line for each chosen run that has the feature. */
function sparkline(row, model) {
  const lines = [];
  model.selected.forEach((run, k) => {
    const overview = model.overviews.get(run.id);
    const i = overview?.index.get(row.name);
    // For a run without this pair, the server returns another pair, which is not drawn.
    if (i === undefined || overview.pair !== model.overview.pair) return;
    const every = Math.ceil(overview.steps.length / MAX_POINTS);
    const points = [];
    overview.steps.forEach((step, t) => {
      if (t % every && t !== overview.steps.length - 1) return;
      points.push([step, overview.effect(i, t)]);
    });
    lines.push({ k, points });
  });
  const threshold = model.overview.threshold ?? 0.1;
  const all = lines.flatMap((line) => line.points);
  const reach = Math.max(
    threshold * 4,
    ...all.map(([, value]) => (Number.isNaN(value) ? 0 : Math.abs(value))),
  );
  const x = linear(extent(all.map(([step]) => step)), [2, WIDTH - 2]);
  const y = linear([-reach, reach], [HEIGHT - 2, 2]);
  const ends = [all[0], all.at(-1)].map((point) => effect(point?.[1]));
  const line = ({ k, points }) => {
    const look = { class: `line run${k}`, "stroke-dasharray": RUN_DASHES[k] };
    return svg("path", { ...look, d: linePath(points, x, y) });
  };
  const tall = { y: y(threshold), height: y(-threshold) - y(threshold) };
  return drawing(
    `Effect over the epochs, from ${ends[0]} to ${ends[1]}`,
    svg("rect", { class: "calmband", x: 0, width: WIDTH, ...tall }),
    lines.reverse().map(line),
  );
}

/** A drawing as wide as its place in the card. */
function drawing(label, ...children) {
  const box = { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none" };
  return svg("svg", { ...box, role: "img", "aria-label": label }, ...children);
}

/** A small histogram: the reference filled, the current stream outlined, on the same bins. */
function miniHistogram(found) {
  if (!found) return drawing("No distribution");
  const edges = found.edges ?? classEdges(found.classes?.length ?? 0);
  const lists = [found.reference, found.current];
  const heights = lists.map((shares) => (shares ? densities(edges, shares) : null));
  const span = found.edges ? usedSpan(edges, lists) : [edges[0], edges.at(-1)];
  const top = Math.max(1e-9, ...heights.flatMap((list) => list ?? []));
  const x = linear(span, [1, WIDTH - 1]);
  const y = linear([0, top], [HEIGHT - 1, 3]);
  const looks = ["area reference", "outline current"];
  const steps = heights.map((list, k) => {
    const inside = list && keepSpan(edges, list, span);
    const d = inside && stepPath(inside.edges, inside.heights, x, y, HEIGHT - 1);
    return d && svg("path", { class: looks[k], d });
  });
  return drawing("Distribution: reference filled, current outlined", steps);
}

export function createCard(name, label, { choose, pin }) {
  const title = button(shorten(label, 80), () => choose(name), {
    class: "cardname name",
    title: name,
  });
  const state = el("span");
  const star = button("", () => pin(name), { class: "pin" });
  const size = el("span", { class: "size" });
  const range = el("span", { class: "quiet" });
  const since = el("span", { class: "quiet" });
  const means = el("p", { class: "means quiet" });
  const course = el("div", { class: "course" });
  const shape = el("div", { class: "shape" });
  const hidden = el("span", { class: "unseen" });
  const node = html`<article class="card" data-testid="card" data-feature=${name}>
    <div class="cardhead">${title}${star}</div>
    <div class="cardstate">${state}${size}${range}${since}${hidden}</div>
    <div class="carddraw">${course}${shape}</div>
    ${means}
  </article>`;
  const item = html`<li class="slot">${node}</li>`;
  let drawn = null;
  let distribution;

  return {
    item,
    name,
    update(row, model) {
      const pinned = model.state.pins.includes(name);
      node.setAttribute("data-kind", featureKind(row.record));
      node.classList.toggle("chosen", model.feature === name);
      title.setAttribute("aria-current", model.feature === name ? "true" : "false");
      star.setAttribute("aria-pressed", String(pinned));
      star.setAttribute("aria-label", visible(`Pin ${label}`));
      star.title = pinned ? "Pinned: always first" : "Pin: always first";
      if (drawn === model.turn) return;
      drawn = model.turn;
      const { record } = row;
      fill(state, badge(featureKind(record)));
      fill(size, effect(record.effect));
      fill(range, bounds(record.lower, record.upper));
      range.title = "95 % interval";
      fill(since, sinceInWords(record));
      fill(hidden, spoken(row));
      fill(course, sparkline(row, model));
      fill(means, meansInWords(record));
    },
    draw(found) {
      if (found === distribution && shape.firstChild) return;
      distribution = found;
      fill(
        shape,
        found === undefined ? null : miniHistogram(found),
        found === null && el("span", { class: "quiet none" }, "no distribution"),
      );
    },
  };
}

function meansInWords({ current, reference, kind }) {
  const [now, spread] = current ?? [];
  const [before, spreadBefore] = reference ?? [];
  if (
    kind !== "number" ||
    !Number.isFinite(now) ||
    !Number.isFinite(before) ||
    now === null ||
    before === null
  ) {
    return kind === "classes"
      ? "frequencies of classes"
      : kind === "score"
        ? "one score for the whole"
        : "mean not known";
  }
  const change = (from, to) => `${number(from)} \u2192 ${number(to)}`;
  return `mean ${change(before, now)}, std ${change(spreadBefore, spread)}`;
}
