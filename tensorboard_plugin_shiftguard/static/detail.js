/* The view of one feature: what the report says of it, and its distribution at the chosen epoch.
 *
 * The data of a feature are fetched once; changing the epoch needs no request.
 */

import { api } from "./api.js";
import { binTable, layStreams, shownPair } from "./distribution.js";
import { fill, foldedTable, html, say, shorten } from "./dom.js";
import { effect, interval, sinceInWords } from "./format.js";
import { createHistogram } from "./histogram.js";
import { badge, featureKind, stateOf } from "./icons.js";
import { createRequest } from "./requests.js";
import { pairKey } from "./rows.js";

const ALONG = "It has the same cause as a stronger finding: repair that one first.";
const ONE_SCORE = "This is one score for the whole: there is no distribution to draw.";
const NOTES = { absent: "Absent in this run.", score: ONE_SCORE }; // of features without any data

export function createDetail({ state, failed }) {
  const choice = html`<select
    id="shift-feature" data-testid="feature" onchange=${() => state.set({ feature: choice.value })}
  ></select>`;
  const head = html`<p class="detailhead"></p>`;
  const said = html`<div class="means"></div>`;
  const note = html`<p class="quiet" role="status"></p>`;
  const histogram = createHistogram();
  const bins = foldedTable("The distribution as a table", () => data && binTable(data, index));
  const node = html`<section class="detail" aria-label="One feature" data-testid="detail">
    <label class="inline" for="shift-feature">Feature ${choice}</label>
    ${head}${said}${note}${histogram.node}${bins.node}
  </section>`;
  let model = null;
  let feature = null; // the answer of the server
  let about = ""; // the run and the feature of the answer that is requested or shown
  let data = null; // `feature`, laid out for drawing
  let index = 0; // of the step that is shown
  let listed = "";
  const request = createRequest((answer) => {
    feature = answer;
    lay();
  }, failed);

  function lay() {
    data = layStreams(feature, shownPair(model.overview), model.label);
    index = Math.max(0, feature.steps.findLastIndex((step) => step <= model.step));
    histogram.node.hidden = !data;
    if (data) histogram.draw(data, index);
    say(note, feature.problems?.slice(0, 3).join(" ") || (data ? "" : ONE_SCORE));
    bins.update();
  }

  function list({ features }) {
    const key = JSON.stringify(features.map((one) => [one.name, featureKind(one)]));
    if (key !== listed) {
      listed = key;
      const text = (one) => `${shorten(one.label ?? one.name, 80)}: ${stateOf(featureKind(one))}`;
      fill(choice, features.map((one) => html`<option value=${one.name}>${text(one)}</option>`));
    }
    choice.value = model.feature;
  }

  /** What the report says of the feature in the pair that is shown. */
  function describe({ features, index: rows, state: known, pair }) {
    const record = features[rows.get(model.feature)] ?? null;
    const fits = (one) => one?.feature === model.feature && pairKey(one) === pair;
    const finding = (known?.report?.findings ?? []).find(fits) ?? null;
    const kind = featureKind(record);
    const bounds = record && interval(record.lower, record.upper);
    const quiet = (text) => text && html`<span class="quiet">${text}</span>`;
    fill(
      head,
      badge(kind),
      record && html`<span>effect size <strong>${effect(record.effect)}</strong></span>`,
      quiet(bounds && `95 % interval ${bounds}`),
      quiet(record && sinceInWords(record)),
    );
    const { explanation, cost_words: cost } = finding ?? {};
    const words = [explanation?.replace(/[^.]$/, "$&."), cost && `${cost[0].toUpperCase()}${cost.slice(1)}.`];
    if (!finding && ["along", "differs"].includes(kind)) words.push(ALONG);
    fill(said, words.filter(Boolean).map((text) => html`<p>${text}</p>`));
  }

  return {
    node,
    update(next, changed) {
      model = next;
      const { overview, run, feature: name } = model;
      node.hidden = !overview || name === null;
      if (node.hidden) return;
      list(overview);
      describe(overview);
      const kind = overview.features[overview.index.get(name)]?.kind ?? "absent";
      const now = JSON.stringify([run.id, name]);
      if (now !== about) {
        // The old distribution must not be shown under the new name.
        about = now;
        feature = data = null;
        histogram.node.hidden = true;
        say(note, NOTES[kind] ?? "Reading.");
        request.forget();
      }
      const ask = (id, options) => api.feature(id, name, options);
      if (!(kind in NOTES)) request.load(model, ask);
      if (feature && ["data", "epoch", "pair"].some((key) => changed.has(key))) lay();
    },
  };
}
