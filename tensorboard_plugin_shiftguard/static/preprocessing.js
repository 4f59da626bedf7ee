/* The convention of pixels that the model expects, the one it is fed, and the line of Python that
 * repairs the input.
 */

import { fill, html, table } from "./dom.js";
import { count, number, streamName } from "./format.js";
import { badge, icon } from "./icons.js";
import { lineToPaste } from "./pages.js";

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

/** Groups equal diagnoses, so that each is shown once; those without images are left out. */
function grouped(diagnosis) {
  const groups = new Map();
  for (const [stream, whole] of Object.entries(diagnosis ?? {})) {
    const inputs = Object.entries(whole?.by_input ?? {});
    for (const [input, one] of inputs.length ? inputs : [[null, whole]]) {
      const isJudged = one && (one.status !== "unknown" || one.num_samples || one.value_range);
      if (!isJudged) continue;
      const key = JSON.stringify([input, one.status, one.expected, one.observed, one.advice]);
      if (!groups.has(key)) groups.set(key, { streams: [], input, diagnosis: one });
      groups.get(key).streams.push(stream);
    }
  }
  return [...groups.values()];
}

export function createPreprocessing() {
  const node = html`<section
    class="preprocessing" data-testid="preprocessing"
    aria-label="Preprocessing: what the model expects, and what it is fed"
  ></section>`;
  let drawn = "";

  return {
    node,
    update({ overview, run }) {
      const { diagnosis = null, corrected } = overview?.state ?? {};
      const key = JSON.stringify([run?.id, diagnosis, corrected]);
      if (key === drawn) return;
      drawn = key;
      fill(node, grouped(diagnosis).map((group) => one(group, corrected ?? {})));
    },
  };
}

/** The state of the preprocessing in a few words; null if no image was judged. */
export function preprocessingInWords({ overview }) {
  const groups = grouped(overview?.state?.diagnosis);
  if (!groups.length) return null;
  const corrected = overview.state.corrected ?? {};
  const wrong = groups.filter((group) => group.diagnosis.status === "mismatch");
  const isOpen = wrong.some(({ streams }) => streams.some((name) => !corrected[name]));
  if (wrong.length) return isOpen ? "not as the model expects" : "corrected inside fit";
  if (groups.some((group) => group.diagnosis.status === "unknown"))
    return "what the model expects is not known";
  const mode = MODES[groups[0].diagnosis.expected?.mode];
  return mode ? `as expected: ${mode}` : "as expected";
}

function one({ streams, input, diagnosis }, corrected) {
  const { status, advice, evidence, hints, architecture } = diagnosis;
  const { num_samples: samples, value_range: seen } = diagnosis;
  const since = Math.min(...streams.map((name) => corrected[name] ?? Infinity));
  const isWrong = status === "mismatch";
  const isRepaired = isWrong && Number.isFinite(since);
  const state = isRepaired ? ["corrected", `corrected since epoch ${since}`] : STATES[status];
  const where = streams.map(streamName).join(" and ") + (input ? `, input ${input}` : "");
  const list = (heading, items) =>
    items?.length > 0 &&
    html`<h3>${heading}</h3>
      <ul class="plainlist">${items.slice(0, 12).map((one) => html`<li>${one}</li>`)}</ul>`;
  const known = [
    architecture && `recognised as ${architecture}`,
    samples && count(samples, "image"),
    seen?.every(Number.isFinite) && `values from ${number(seen[0])} to ${number(seen[1])}`,
  ];
  const title = isWrong ? "The line that repairs it" : "What would help";
  const help = isWrong ? lineToPaste(advice, "Line of Python") : html`<p>${advice}</p>`;
  return html`<article class="diagnosis">
    <p class="detailhead">
      ${badge(...(state ?? STATES.unknown))}<strong>${where}</strong>
      <span class="quiet">${known.filter(Boolean).join(", ")}</span>
    </p>
    ${conventions(diagnosis)}
    ${isRepaired && html`<h3>What the guard does</h3><p>${LEFT_AS_IT_IS}</p>`}
    ${advice && !isRepaired && [html`<h3>${title}</h3>`, help]}
    ${list("Why", evidence)}
    ${list("Also worth a look", hints?.map(({ sentence }) => [icon("note"), " ", sentence]))}
  </article>`;
}

/** A table of the expected and the fed mode and channel order. */
function conventions({ expected, observed }) {
  const mode = (one) => MODES[one?.mode] ?? one?.mode ?? "not known";
  const row = (name, one) => [name, mode(one), order(one?.channel_order)];
  const rows = [row("expected", expected), row("fed", observed)];
  return table("Conventions", ["Convention", "Values", "Channels"], rows);
}

/** The channels in the order of the tensor, each as a colored letter. */
function order(channels) {
  if (!["rgb", "bgr"].includes(channels)) return channels === "gray" ? "gray" : "not known";
  const letters = [...channels].map((one) => html`<span class=${one}>${one.toUpperCase()}</span>`);
  return html`<span class="channels">${letters}</span>`;
}
