/* The convention of pixels that the model expects, the one it is fed, and the line of Python that
 * repairs the input.
 */

import { badge, icon } from "./icons.js";
import { el, fill, html, table } from "./dom.js";
import { count, number, streamName } from "./format.js";
import { misfits } from "./misfits.js";
import { lineToPaste } from "./pages.js";
import { rangesOf } from "./ranges.js";
import { extent } from "./scales.js";

const STATES = {
  mismatch: ["mismatch", "mismatch"],
  ok: ["steady", "as expected"],
  unknown: ["unknown", "not known"],
};
const MODES = {
  raw: "raw (0 to 255)",
  unit: "unit (0 to 1)",
  tf: "tf (\u22121 to 1)",
  torch: "torch (0 to 1, ImageNet mean and deviation)",
  caffe: "caffe (0 to 255 minus the ImageNet mean)",
  custom: "custom",
  unknown: "not known",
};

const LEFT_AS_IT_IS =
  "It corrects the input inside the training step. Leave your pipeline as it is: the line that " +
  "would correct it is not shown, since it would correct it twice.";

/** Whether the input was judged; tables and texts are not, because they have no pixels. */
function seen(one) {
  return one.status !== "unknown" || one.num_samples || one.value_range || one.candidates?.length;
}

/** Groups equal diagnoses, so that each is shown once for all its streams. */
function grouped(diagnosis) {
  const groups = new Map();
  const add = (stream, input, one) => {
    if (!one || typeof one !== "object" || !seen(one)) return;
    const key = JSON.stringify([input, one.status, one.expected, one.observed, one.advice]);
    if (groups.has(key)) groups.get(key).streams.push(stream);
    else groups.set(key, { streams: [stream], input, diagnosis: one });
  };
  for (const [stream, one] of Object.entries(diagnosis ?? {})) {
    const inputs = Object.entries(one?.by_input ?? {});
    if (inputs.length) for (const [input, part] of inputs) add(stream, input, part);
    else add(stream, null, one);
  }
  return [...groups.values()];
}

export function createPreprocessing() {
  const body = el("div", { class: "diagnoses" });
  const node = html`<section
    class="preprocessing" data-testid="preprocessing"
    aria-label="Preprocessing: what the model expects, and what it is fed"
  >${body}</section>`;
  let drawn = "";

  return {
    node,
    update(model, changed) {
      if (!changed.has("data")) return;
      const all = model.overview?.state?.diagnosis ?? null;
      const corrected = model.overview?.state?.corrected ?? {};
      const key = JSON.stringify([model.selected[0]?.id, all, corrected]);
      if (key === drawn) return;
      drawn = key;
      fill(
        body,
        grouped(all).map((group) => one(group, corrected)),
      );
    },
  };
}

/** The state of the preprocessing in a few words; null if no image was judged. */
export function preprocessingInWords({ overview }) {
  const groups = grouped(overview?.state?.diagnosis);
  if (!groups.length) return null;
  const corrected = overview.state.corrected ?? {};
  const wrong = groups.filter((group) => group.diagnosis.status === "mismatch");
  if (wrong.length) {
    const open = wrong.some(({ streams }) => streams.some((name) => !corrected[name]));
    return open ? "not as the model expects" : "corrected inside fit";
  }
  if (groups.some((group) => group.diagnosis.status === "unknown"))
    return "what the model expects is not known";
  const mode = MODES[groups[0].diagnosis.expected?.mode];
  return mode ? `as expected: ${mode}` : "as expected";
}

function one({ streams, input, diagnosis }, corrected) {
  const {
    status,
    expected,
    observed,
    advice,
    evidence,
    hints,
    architecture,
    candidates,
    num_samples: samples,
  } = diagnosis;
  const since = Math.min(...streams.map((name) => corrected[name] ?? Infinity));
  const isWrong = status === "mismatch";
  const repaired = isWrong && Number.isFinite(since);
  const [kind, word] = repaired
    ? ["corrected", `corrected since epoch ${since}`]
    : (STATES[status] ?? STATES.unknown);
  const where = streams.map(streamName).join(" and ") + (input ? `, input ${input}` : "");
  const weighed = misfits(candidates);
  const list = (heading, items) =>
    items?.length > 0 &&
    html`<h3>${heading}</h3>
      <ul class="plainlist">${items.slice(0, 12).map((one) => html`<li>${one}</li>`)}</ul>`;
  const known = [architecture && `recognised as ${architecture}`, samples && count(samples, "image")];
  return html`<article class="diagnosis">
    <p class="detailhead">
      ${badge(kind, word)}<strong>${where}</strong>
      <span class="quiet">${known.filter(Boolean).join(", ")}</span>
    </p>
    <div class="halves">
      <div>${conventions(expected, observed)}${ranges(diagnosis, where)}</div>
      ${weighed && html`<div>${weighed}</div>`}
    </div>
    ${repaired && html`<h3>What the guard does</h3><p>${LEFT_AS_IT_IS}</p>`}
    ${advice && !repaired && html`<h3>${isWrong ? "The line that repairs it" : "What would help"}</h3>`}
    ${advice && !repaired && (isWrong ? lineToPaste(advice, "Line of Python") : html`<p>${advice}</p>`)}
    ${list("Why", evidence)}
    ${list("Also worth a look", hints?.map(({ sentence }) => [icon("note"), " ", sentence]))}
  </article>`;
}

/** A table of the expected and the fed mode and channel order. */
function conventions(expected, observed) {
  const row = (name, convention) => [
    name,
    MODES[convention?.mode] ?? convention?.mode ?? "not known",
    order(convention?.channel_order),
  ];
  return table(
    "Conventions",
    ["Convention", "Values", "Channels"],
    [row("expected", expected), row("fed", observed)],
  );
}

/** The channels in the order of the tensor, each as a colored letter. */
function order(channels) {
  if (!["rgb", "bgr"].includes(channels)) return channels === "gray" ? "gray" : "not known";
  const letters = [...channels].map((one) => html`<span class=${one}>${one.toUpperCase()}</span>`);
  return html`<span class="channels">${letters}</span>`;
}

/** A bar from the smallest to the largest value, for each convention and for the data. */
function ranges({ status, expected, observed, value_range: seen }, where) {
  const rows = [...rangesOf("expected", expected), ...rangesOf("fed", observed, seen)];
  if (!rows.length) return null;
  const [low, high] = extent(rows.flatMap((row) => [row.low, row.high]), [0]);
  const share = (value) => `${(100 * (value - low)) / (high - low)}%`;
  const bar = (row) => {
    const part = el("span", { class: `range ${row.style} ${status}` });
    part.style.left = share(row.low);
    part.style.right = `calc(100% - ${share(row.high)})`;
    return el("span", { class: "range-room", "aria-hidden": "true" }, part);
  };
  return table(
    `Range of values in ${where}`,
    ["Values", `From ${number(low)} to ${number(high)}`, "Range"],
    rows.map((row) => [row.name, bar(row), `${number(row.low)} to ${number(row.high)}`]),
  );
}
