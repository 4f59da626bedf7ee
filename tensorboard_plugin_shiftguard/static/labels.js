/* The class shares of the two streams that are compared; the largest change comes first. */

import { api } from "./api.js";
import { shownPair } from "./distribution.js";
import { el, fill, html, table } from "./dom.js";
import { epoch, percent, streamName } from "./format.js";
import { createRequest } from "./requests.js";

const LABELS = "labels";
const MAX_CLASSES_SHOWN = 20;

export function createLabels({ failed }) {
  const node = el("div", { class: "labels", "data-testid": "labels" });
  let model = null;
  let feature = null;
  const request = createRequest((answer) => {
    feature = answer;
    draw();
  }, failed);

  function draw() {
    const pair = shownPair(model.overview);
    if (!feature?.classes || !pair) return fill(node);
    const t = Math.max(
      0,
      feature.steps.findLastIndex((step) => step <= model.step),
    );
    const here = feature.streams[pair.stream]?.[t];
    const there = feature.streams[pair.against]?.[t];
    if (!here || !there) return fill(node, el("p", { class: "quiet" }, "Nothing was counted."));
    const most = Math.max(...here, ...there) || 1;
    const order = feature.classes
      .map((name, i) => [name, there[i], here[i]])
      .filter(([, a, b]) => a || b)
      .sort((a, b) => Math.abs(b[2] - b[1]) - Math.abs(a[2] - a[1]));
    const shown = order.slice(0, MAX_CLASSES_SHOWN);
    const cut = shown.length < order.length ? `, the ${MAX_CLASSES_SHOWN} that changed most` : "";
    return fill(
      node,
      table(
        `Shares of the classes at ${epoch(feature.steps[t])}${cut}`,
        ["Class", streamName(pair.against), streamName(pair.stream), "Change"],
        shown.map(([name, before, now]) => [
          name,
          bar(before, most, "reference"),
          bar(now, most, "current"),
          change(now - before),
        ]),
      ),
    );
  }

  return {
    node,
    update(next, changed) {
      model = next;
      if (!model.overview?.index.has(LABELS)) return;
      const ask = (id, options) => api.feature(id, LABELS, options);
      const any = (...keys) => keys.some((key) => changed.has(key));
      const isNew = any("data", "run") && request.load(model, ask);
      if (!isNew && any("data", "run", "epoch", "pair")) draw();
    },
  };
}

/** The state of the labels in a few words; null if the run has none. */
export function labelsInWords({ overview }) {
  const record = overview?.features[overview.index.get(LABELS)];
  if (!record) return null;
  if (record.alarm) return "the class shares differ";
  return record.found ? "the class shares differ, within tolerance" : "class shares as expected";
}

function bar(share, most, style) {
  const width = `width: ${Math.max(0.5, (share / most) * 100)}%`;
  return html`<span class="bar-cell">
    <span class="bar-room" aria-hidden="true">
      <span class=${`bar-fill ${style}`} style=${width}></span>
    </span>
    <span class="bar-number">${percent(share)}</span>
  </span>`;
}

const change = (share) => `${share < 0 ? "\u2212" : "+"}${Math.abs(100 * share).toFixed(1)}`;
