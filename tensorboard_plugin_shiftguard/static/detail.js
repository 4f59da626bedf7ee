/* The view of one feature: its distributions, effects, meaning and numbers.
 *
 * The data of a feature are fetched once; changing the epoch needs no request.
 */

import { api } from "./api.js";
import { createControls } from "./detail_controls.js";
import { layStreams, overlayOf, shownPair } from "./distribution.js";
import { button, el, foldedTable, html, say } from "./dom.js";
import { asCsv, asPng, fileName, saveFile } from "./exports.js";
import { epoch } from "./format.js";
import { createHistogram } from "./histogram.js";
import { createMeaning } from "./meaning.js";
import { asJson, binTable, epochTable } from "./numbers.js";
import { copyButton } from "./pages.js";
import { createEpochSlider } from "./epoch_slider.js";
import { fingerprint } from "./reader.js";
import { createTrend } from "./trend.js";

const COARSE =
  "These values lie closer together than the bins that they were counted in: " +
  "trust the means more than the picture.";
const MAX_COARSE_BINS = 3; // too few to tell two distributions apart
const VISIBLE = 0.005; // share of a stream above which a bin counts as used
const MAX_ANSWERS_KEPT = 16; // answers kept in memory
const ASKS = ["rows", "feature", "run", "pair", "overlay"]; // changes that may need a request
const REDRAWS = ["measure", "log", "hiddenStreams"];

export function createDetail({ state, failed }) {
  const kept = new Map(); // key of a request -> promise of the answer
  let model = null;
  let answers = new Map(); // id of a run -> data of the feature in it
  let feature = null; // data of the feature in the first run
  let data = null; // `feature`, laid out for drawing
  let index = 0; // of the step that is shown
  let wanted = ""; // key of the answers that are requested or shown
  let about = ""; // run and feature that `wanted` is about
  let problem = null;
  let saves = []; // buttons that need a distribution
  let aborter = new AbortController();

  // The steps of the slider. They stay while another feature is being fetched.
  let steps = [];

  const toStep = (at) => {
    if (!steps.length) return;
    state.set({ epoch: at >= steps.length - 1 ? null : steps[at] });
  };
  const meaning = createMeaning();
  const controls = createControls({ state });
  const histogram = createHistogram();
  const slider = createEpochSlider({ change: toStep });
  const trend = createTrend({ choose: toStep });
  const bins = foldedTable("Numbers of this epoch", () => binTable(data, index));
  const epochs = foldedTable(
    "Effect of each epoch",
    () => feature && epochTable(feature, model.label, model.overview),
  );
  const note = el("p", { class: "quiet", role: "status" });
  const drawn = el("div", { class: "drawn" }, controls.node, histogram.node);
  const node = html`<section
    class="panel detail" aria-labelledby="detail-title" data-testid="detail"
  >
    <div class="bar">${meaning.title}<span class="grow"></span>${takeAlong()}</div>
    ${meaning.head}${meaning.body}${note}${drawn}
    ${slider.node}${trend.node}${bins.node}${epochs.node}
  </section>`;

  function takeAlong() {
    const files = (label, testid, save) =>
      button(label, () => data && save(), {
        class: "plain",
        "data-testid": testid,
        "aria-label": `Download as ${label}`,
        title: `Download as ${label}`,
      });
    const when = () => epoch(data.stepNumbers[index]);
    const csv = () => saveFile(fileName([model.feature], "csv"), "text/csv", asCsv(data));
    const png = async () => {
      const drawing = await asPng(histogram.node.querySelector("canvas"));
      saveFile(fileName([model.feature, when()], "png"), "image/png", drawing);
    };
    const json = () => asJson(model, feature, data, index);
    return [
      copyButton("Copy JSON", json, { "data-testid": "copy-json" }),
      ...(saves = [files("CSV", "download-csv", csv), files("PNG", "download-png", png)]),
    ];
  }

  function ask(id) {
    const key = fingerprint(model.overviews, [{ id }]) + JSON.stringify([id, model.feature]);
    if (!kept.has(key)) {
      const answer = api.feature(id, model.feature, { signal: aborter.signal });
      kept.set(key, answer);
      answer.catch(() => kept.delete(key));
      if (kept.size > MAX_ANSWERS_KEPT) kept.delete(kept.keys().next().value);
    }
    return kept.get(key);
  }

  /** Fetches the feature of the chosen run first, then that of the run that is drawn over it. */
  async function load(now) {
    const late = () => wanted !== now;
    const { selected, overviews, state: chosen } = model;
    const has = ({ id }) => overviews.get(id)?.index.has(model.feature);
    const [focus, ...others] = selected;
    problem = null;
    try {
      const first = has(focus) ? await ask(focus.id) : null;
      if (late()) return;
      feature = first;
      answers.set(focus.id, first);
      lay();
      const second = model.runs.find(({ id }) => id === chosen.overlay && id !== focus.id);
      const rest = [...others.filter(has), ...(second ? [second] : [])];
      const found = await Promise.all(rest.map(({ id }) => ask(id).catch(() => null)));
      if (late()) return;
      answers = new Map([[focus.id, first], ...rest.map(({ id }, i) => [id, found[i]])]);
      if (rest.length) lay();
    } catch (error) {
      if (late() || error?.name === "AbortError") return;
      failed(error);
      problem = error.message;
      feature = null;
      lay();
    }
  }

  /** Draws the fetched data. */
  function lay() {
    const pair = shownPair(model.overview);
    const { overlay, hiddenStreams, log } = model.state;
    // Classes have no order, so their shares have no cumulative sum.
    const measure = feature?.classes ? "density" : model.state.measure;
    const second = model.runs.find(({ id }) => id === overlay && id !== model.selected[0].id);
    const laid =
      second && feature ? overlayOf(feature, answers.get(overlay), pair, second.name) : null;
    const streams = layStreams(feature, pair, hiddenStreams, laid);
    const { edges, classes, steps: stepNumbers } = feature ?? {};
    data = streams && { name: model.label, streams, edges, classes, stepNumbers, measure, log };
    if (feature) steps = feature.steps;
    index = stepIndex();
    node.classList.remove("reading");
    for (const save of saves) save.disabled = !data;
    drawn.hidden = !data && Boolean(feature ?? problem);
    slider.update(stepNumbers ?? [], index);
    controls.update(model, feature, pair, data);
    if (data) histogram.draw(data, index);
    const missing = second && answers.has(overlay) && !laid;
    say(note, problem ?? (missing ? `${second.name} has no distribution of this.` : inWords()));
    trend.draw(model, answers, pair);
    trend.cursor(index);
    meaning.update(model);
    bins.update();
    epochs.update();
  }

  function inWords() {
    if (feature?.problems?.length) return feature.problems.slice(0, 3).join(" ");
    if (data) return tooCoarse() ? COARSE : "";
    if (feature) return "This is one score for the whole: there is no distribution to draw.";
    return model.overview.index.has(model.feature) ? "Reading." : "Absent in this run.";
  }

  /** Whether there are too few bins to show a shift. */
  function tooCoarse() {
    const { features, index: rows } = model.overview;
    if (!data.edges || !features[rows.get(model.feature)]?.alarm) return false;
    const drawn = data.streams.filter(({ role }) => role === "current" || role === "reference");
    const used = drawn.flatMap(({ steps, fixed }) =>
      (steps[fixed ?? index] ?? []).flatMap((share, i) => (share > VISIBLE ? [i] : [])),
    );
    return used.length > 0 && new Set(used).size <= MAX_COARSE_BINS;
  }

  function stepIndex() {
    const steps = feature?.steps ?? [];
    if (model.state.epoch === null) return Math.max(0, steps.length - 1);
    return Math.max(
      0,
      steps.findLastIndex((step) => step <= model.state.epoch),
    );
  }

  function step() {
    index = stepIndex();
    slider.update(feature.steps, index);
    if (data) histogram.step(index);
    trend.cursor(index);
    bins.update();
  }

  /** Requests the chosen feature if it has not been fetched. */
  function renew() {
    const { selected, overviews, state: chosen } = model;
    const now = JSON.stringify([fingerprint(overviews, selected), model.feature, chosen.overlay]);
    if (now === wanted) return false;
    wanted = now;
    const subject = JSON.stringify([selected[0].id, model.feature]);
    if (subject !== about) {
      // The old distribution must not be shown under the new name.
      about = subject;
      aborter.abort();
      aborter = new AbortController();
      feature = null;
      answers = new Map();
      node.classList.add("reading");
      meaning.update(model);
    }
    load(now);
    return true;
  }

  return {
    node,
    update(next, changed) {
      model = next;
      const any = (keys) => keys.some((key) => changed.has(key));
      node.hidden = !model.overview || model.feature === null;
      if (node.hidden || (any(ASKS) && renew())) return;
      if (!feature) return;
      if (any(REDRAWS) || changed.has("data")) lay();
      else if (changed.has("epoch")) step();
    },
  };
}
