/* One feature in full: distributions, epochs, meaning, numbers.
 *
 * What the server knows of a feature is fetched once; moving through the epochs
 * happens in memory.
 */

import { api } from "./api.js";
import { badge, featureKind, runMark } from "./icons.js";
import { createControls } from "./detail_controls.js";
import { button, el, fill, foldedTable, say, table } from "./dom.js";
import { layStreams, overlayOf, scoresOf, shownPair } from "./distribution.js";
import { asCsv, asSvg, fileName, saveFile } from "./exports.js";
import { effect, epoch, interval, percent, streamName } from "./format.js";
import { binName, createHistogram, differences } from "./histogram.js";
import { createLines } from "./lines.js";
import { copyButton } from "./pages.js";
import { createPlayer } from "./player.js";
import { createRidge } from "./ridge.js";
import { explain, findingOf } from "./words.js";

const MOST_KEPT = 16; // answers kept in memory

export function createDetail({ state, failed }) {
  const answers = new Map();
  let model = null;
  let feature = null; // what the server said of the chosen one
  let data = null; // the same, laid out for drawing
  let index = 0; // of the step that is shown
  let wanted = "";
  let problem = null;
  let aborter = new AbortController();

  const toStep = (at) => {
    const steps = data?.stepNumbers ?? feature?.steps ?? [];
    state.set({ epoch: at >= steps.length - 1 ? null : steps[at] });
  };
  const histogram = createHistogram();
  const ridge = createRidge({ choose: toStep });
  const player = createPlayer({ change: toStep });
  const controls = createControls({ state });
  const trend = createLines({ height: 140, choose: (step) => toStep(nearest(feature?.steps ?? [], step)) });
  const title = el("h2", { id: "detail-title" });
  const head = el("p", { class: "detailhead" });
  const note = el("p", { class: "quiet", role: "status" });
  const means = el("div", { class: "means" });
  const runs = el("ul", { class: "keys" });
  const bins = foldedTable("Numbers of this epoch", binTable);
  const epochs = foldedTable("Effect of each epoch", epochTable);
  const drawn = el("div", { class: "drawn" }, controls.node, histogram.node, player.node, el("h3", null, "Over the epochs"), ridge.node);
  const save = [
    copyButton("Copy JSON", () => JSON.stringify(asJson(), null, 2), { "data-testid": "copy-json" }),
    button("CSV", () => data && saveFile(fileName([model.feature], "csv"), "text/csv", asCsv(data)), { class: "plain", "data-testid": "download-csv", "aria-label": "Download as CSV" }),
    button("SVG", () => data && saveFile(fileName([model.feature, `epoch-${data.stepNumbers[index] + 1}`], "svg"), "image/svg+xml", asSvg(histogram.svg, `${model.feature}, ${epoch(data.stepNumbers[index])}`)), { class: "plain", "data-testid": "download-svg", "aria-label": "Download as SVG" }),
  ];
  const node = el(
    "section",
    { class: "panel detail", "aria-labelledby": "detail-title", "data-testid": "detail" },
    el("div", { class: "bar" }, title, el("span", { class: "grow" }), save),
    head,
    note,
    means,
    drawn,
    el("h3", null, "Effect size"),
    runs,
    trend.node,
    bins.node,
    epochs.node,
  );

  async function ask(run, name) {
    const overview = model.overviews.get(run);
    const key = JSON.stringify([run, name, overview?.updated, overview?.looks]);
    if (!answers.has(key)) {
      const { signal } = aborter;
      const answer = api.feature(run, name, { signal });
      answers.set(key, answer);
      answer.catch(() => answers.delete(key));
      if (answers.size > MOST_KEPT) answers.delete(answers.keys().next().value);
    }
    return answers.get(key);
  }

  async function load() {
    const now = (wanted = JSON.stringify([model.selected.map((run) => run.id), model.feature, model.state.overlay, model.overview.updated, model.overview.looks]));
    const late = () => wanted !== now;
    const [focus, ...rest] = model.selected;
    const has = (run) => model.overviews.get(run.id)?.index.has(model.feature);
    try {
      problem = null;
      const first = has(focus) ? await ask(focus.id, model.feature) : null;
      if (late()) return;
      feature = first;
      lay();
      // The others join when they are there.
      const others = rest.filter(has);
      const more = await Promise.all(others.map((run) => ask(run.id, model.feature).catch(() => null)));
      const over = await overlay();
      if (late()) return;
      lay(new Map(others.map((run, i) => [run.id, more[i]])), over);
    } catch (error) {
      if (late() || error?.name === "AbortError") return;
      failed(error, "feature");
      problem = error.message;
      feature = null;
      lay();
    }
  }

  async function overlay() {
    const id = model.state.overlay;
    const run = model.runs.find((one) => one.id === id);
    if (!run || !feature || id === model.selected[0]?.id) return null;
    const other = await ask(id, model.feature).catch(() => null);
    return other ? overlayOf(feature, other, shownPair(model.overview), run.name) : { missing: run.name };
  }

  let more = new Map();
  let over = null;

  /** Puts what was fetched into the charts. */
  function lay(others = new Map(), second = null) {
    [more, over] = [others, second];
    const pair = shownPair(model.overview);
    const streams = layStreams(feature, pair, model.state.hiddenStreams, over?.steps ? over : null);
    data = streams && { name: model.feature, streams, edges: feature.edges, classes: feature.classes, stepNumbers: feature.steps, measure: model.state.measure, log: model.state.log };
    drawn.hidden = !data;
    index = stepIndex();
    player.update(feature?.steps ?? [], index);
    controls.update(model, feature, pair, data, over);
    if (data) {
      histogram.draw(data, index);
      const own = streams.find((stream) => stream.role === "current");
      ridge.draw({ stream: streamName(own?.name ?? ""), steps: own?.steps ?? [], edges: feature.edges, classes: feature.classes, stepNumbers: feature.steps }, index);
    }
    say(note, problem ?? noteInWords());
    drawTrend(pair);
    words();
    bins.update();
    epochs.update();
  }

  function noteInWords() {
    if (!feature) return model.overview.index.has(model.feature) ? "Reading." : "Absent in this run.";
    if (!data) return "This is one score for the whole; there is no distribution to draw.";
    return over?.missing ? `${over.missing} has no such feature.` : "";
  }

  function drawTrend(pair) {
    const known = model.selected.map((run, k) => {
      const one = k === 0 ? feature : more.get(run.id);
      const scores = scoresOf(one, pair);
      return { run, k, absent: !model.overviews.get(run.id)?.index.has(model.feature), steps: one?.steps ?? [], scores };
    });
    fill(runs, known.map(({ run, k, absent }) => el("li", null, runMark(k), el("span", { class: "name" }, run.name), absent && badge("absent"))));
    const series = known
      .filter(({ scores }) => scores)
      .map(({ k, steps, scores }) => ({
        run: k,
        points: steps.map((step, t) => [step, scores.effect[t]]),
        band: k === 0 ? steps.map((step, t) => [step, scores.lower[t], scores.upper[t]]) : null,
      }));
    const alarms = known[0]?.scores ? known[0].steps.filter((_, t) => known[0].scores.flags?.[t] & 1) : [];
    const threshold = model.overview.threshold ?? 0.1;
    trend.draw({
      series,
      threshold,
      include: [-threshold * 2, threshold * 2],
      marks: alarms.length ? [alarms[0]] : [],
      label: `Effect size of ${model.feature} over the epochs, with its 95 percent interval; ${alarms.length ? `shifted since epoch ${alarms[0] + 1}` : "never shifted"}. The numbers are in a table below.`,
    });
    trend.cursor(feature?.steps[index] ?? null);
  }

  function words() {
    const { overview } = model;
    const i = overview.index.get(model.feature);
    const record = i === undefined ? null : overview.features[i];
    const { means: what, todo } = explain(model.feature, record, findingOf(overview, model.feature), shownPair(overview), overview.threshold ?? 0.1);
    say(title, model.feature ?? "");
    const bounds = record ? interval(record.lower, record.upper) : "";
    fill(
      head,
      badge(featureKind(record)),
      record && el("strong", null, effect(record.effect)),
      bounds && el("span", { class: "quiet" }, `95 % interval ${bounds}`),
      record?.since && el("span", { class: "quiet" }, `since epoch ${record.since}`),
    );
    fill(means, el("h3", null, "What this means"), what.map((text) => el("p", null, text)), todo.length > 0 && [el("h3", null, "What to do"), todo.map((text) => el("p", null, text))]);
  }

  function stepIndex() {
    const steps = feature?.steps ?? [];
    if (model.state.epoch === null) return Math.max(0, steps.length - 1);
    return Math.max(0, steps.findLastIndex((step) => step <= model.state.epoch));
  }

  function binTable() {
    if (!data) return null;
    const shift = differences(data, index);
    const whole = (shift ?? []).reduce((sum, value) => sum + Math.abs(value), 0);
    const count = data.classes ? data.classes.length : data.edges.length - 1;
    return table(
      `Shares of ${model.feature} at ${epoch(data.stepNumbers[index])}`,
      [data.classes ? "Class" : "Bin", ...data.streams.map((stream) => streamName(stream.name)), "Difference", "Part of it"],
      Array.from({ length: count }, (_, i) => [
        binName(data, i),
        ...data.streams.map((stream) => percent(stream.steps[stream.fixed ?? index]?.[i] ?? null)),
        shift ? percent(shift[i]) : "unknown",
        shift && whole > 0 ? percent(Math.abs(shift[i]) / whole) : "none",
      ]),
    );
  }

  function epochTable() {
    const scores = scoresOf(feature, shownPair(model.overview));
    if (!scores) return null;
    return table(
      `Effect size of ${model.feature}`,
      ["Epoch", "Effect", "95 % interval", "State"],
      feature.steps.map((step, t) => [step + 1, effect(scores.effect[t]), interval(scores.lower[t], scores.upper[t]) || "unknown", scores.flags?.[t] & 1 ? "shifted" : scores.flags?.[t] & 2 ? "expected" : "no alarm"]),
    );
  }

  function asJson() {
    const record = model.overview.features[model.overview.index.get(model.feature)] ?? null;
    const streams = data && Object.fromEntries(data.streams.map((stream) => [stream.name, stream.steps[stream.fixed ?? index] ?? null]));
    return { run: model.selected[0].id, feature: model.feature, compare: shownPair(model.overview), epoch: (feature?.steps[index] ?? 0) + 1, latest: record, finding: findingOf(model.overview, model.feature), edges: feature?.edges, classes: feature?.classes, shares: streams };
  }

  return {
    node,
    update(next, changed) {
      model = next;
      node.hidden = !model.overview || model.feature === null;
      if (node.hidden) return;
      if (["data", "others", "feature", "runs", "pair", "overlay", "rows"].some((key) => changed.has(key))) {
        const now = JSON.stringify([model.selected.map((run) => run.id), model.feature, model.state.overlay, model.overview.updated, model.overview.looks]);
        if (now !== wanted) {
          const [run, name] = wanted ? [JSON.parse(wanted)[0][0], JSON.parse(wanted)[1]] : [];
          // Something else is chosen: the old distribution must not stand under its name.
          if (run !== model.selected[0].id || name !== model.feature) {
            aborter.abort();
            aborter = new AbortController();
            feature = null;
            more = new Map();
            words();
          }
          load();
        } else if (feature && (changed.has("data") || changed.has("pair"))) lay(more, over);
      }
      if (["measure", "log", "hiddenStreams"].some((key) => changed.has(key)) && feature) lay(more, over);
      else if (changed.has("epoch") && feature) {
        index = stepIndex();
        player.update(feature.steps, index);
        if (data) {
          histogram.step(index);
          ridge.step(index);
        }
        trend.cursor(feature.steps[index]);
        bins.update();
      }
    },
  };
}

function nearest(steps, value) {
  return steps.reduce((best, step, t) => (Math.abs(step - value) < Math.abs(steps[best] - value) ? t : best), 0);
}
