/* The band at the top of the tab: what is wrong, since when, what it costs, what to do. */

import { api } from "./api.js";
import { button, el, fill, html, say } from "./dom.js";
import { ago, count, epoch, pairInWords, streamName } from "./format.js";
import { STATES, badge, icon } from "./icons.js";
import { lineToPaste } from "./pages.js";

const MAX_VERDICTS = 64; // verdicts of earlier epochs
const PAUSE = 120; // milliseconds before the verdict of an earlier epoch is requested

export function createBand({ state, refresh, failed, explain }) {
  const mark = el("span", { class: "statemark" });
  const what = el("h1", { id: "shift-title", "aria-live": "polite" });
  const because = el("p", { class: "because", "data-testid": "foremost" });
  const facts = el("dl", { class: "facts" });
  const todo = el("div", { class: "todo", "data-testid": "todo" });
  const updated = el("span", null);
  const about = el("span", { "data-testid": "about" });
  const past = el("span", { class: "past", "data-testid": "past" });
  const onOrOff = el("span", null, "off");
  const live = button([icon("steady", 10), "Live: ", onOrOff], () => state.set({ live: !state.get().live }), {
    class: "switch",
    role: "switch",
    "aria-checked": "false",
    "data-testid": "live",
    title: "Look for new data every 10 seconds while this tab is shown",
  });
  const notes = el("ul", { class: "plainlist quiet notes", "data-testid": "notes" });
  const problems = el("div", { class: "problems" });
  const wait = el("div", { class: "facts collecting" });
  const node = el(
    "section",
    { class: "headband", "aria-labelledby": "shift-title", "data-testid": "verdict" },
    el(
      "div",
      { class: "bandhead" },
      mark,
      past,
      el("span", { class: "grow" }),
      el("span", { class: "quiet meta" }, about, updated),
      button("Refresh", () => refresh("asked"), { class: "plain" }),
      live,
      button("Glossary", explain, { class: "plain", "data-testid": "to-glossary" }),
    ),
    what,
    because,
    facts,
    wait,
    todo,
    notes,
    problems,
  );
  const verdicts = new Map(); // key of a run and a step -> verdict
  let model = null;
  let drawn = "";
  let timer = 0;

  /** The verdict at the chosen epoch; null while it is being requested. */
  function verdictNow() {
    const { overview, step, state: chosen } = model;
    if (chosen.epoch === null || step >= (overview.steps.at(-1) ?? -1)) return overview.verdict;
    const key = JSON.stringify([model.selected[0].id, overview.updated, step]);
    const known = verdicts.get(key);
    if (known === undefined) {
      clearTimeout(timer);
      timer = setTimeout(() => ask(key, model.selected[0].id, step), PAUSE);
    }
    return known ?? null;
  }

  async function ask(key, run, step) {
    try {
      const { verdict } = await api.verdict(run, step);
      verdicts.set(key, verdict);
      if (verdicts.size > MAX_VERDICTS) verdicts.delete(verdicts.keys().next().value);
      draw();
    } catch (error) {
      failed(error);
    }
  }

  function draw() {
    const { overview } = model;
    const error = model.failures.get(model.selected[0]?.id);
    if (!overview) {
      const text = error ?? "Reading this run.";
      if (drawn === text) return;
      drawn = text;
      node.dataset.kind = "waiting";
      say(what, text);
      for (const part of [mark, because, facts, wait, todo, notes, problems, past]) fill(part);
      return;
    }
    const verdict = verdictNow();
    if (!verdict) return;
    const { collecting } = overview.state ?? {};
    const then = model.state.epoch !== null && model.step < overview.steps.at(-1);
    const key = JSON.stringify([verdict, then && model.step, overview.problems, collecting]);
    if (key === drawn) return;
    drawn = key;
    node.dataset.kind = verdict.kind;
    fill(mark, badge(verdict.kind, STATES[verdict.kind]));
    say(what, verdict.cause);
    say(because, [verdict.detail, verdict.adaptation].filter(Boolean).join(" "));
    fill(
      facts,
      verdict.cost_words && fact(verdict.cost_words, "what it costs", "cost"),
      verdict.since && fact(`since epoch ${verdict.since}`, "when it was found", "since"),
    );
    fill(wait, then ? null : waiting(collecting));
    fill(past, then && pastNote());
    fill(todo, toDo(verdict));
    fill(notes, verdict.notes.map((text) => html`<li>${text}</li>`));
    fill(
      problems,
      overview.problems
        .slice(0, 5)
        .map((text) => el("span", { class: "problem" }, icon("note"), text)),
    );
  }

  function pastNote() {
    return [
      `as known at ${epoch(model.step)}`,
      button("Latest", () => state.set({ epoch: null }), { class: "plain", "data-testid": "now" }),
    ];
  }

  function update(next, changed) {
    model = next;
    if (
      changed &&
      !["run", "data", "epoch", "times", "live", "others"].some((k) => changed.has(k))
    )
      return;
    live.setAttribute("aria-checked", String(model.state.live));
    say(onOrOff, model.state.live ? "on" : "off");
    draw();
    tick(model);
  }

  function tick(next) {
    const { overview, selected } = next;
    const time = overview?.updated ?? selected[0]?.updated ?? null;
    const last = overview?.state?.step ?? overview?.steps.at(-1);
    const kept = overview && overview.kept < overview.looks ? `, ${keptInWords(overview)}` : "";
    const when = last === undefined ? "" : `epoch ${last + 1}${kept}, `;
    say(updated, selected.length ? `${when}${ago(time)}` : "");
    const pair = overview?.verdict?.pair ?? overview?.pair;
    say(about, pair ? pairInWords(pair) : "");
  }

  return { node, update, tick };
}

const keptInWords = ({ kept, looks }) => `${kept} of ${count(looks, "point")} kept`;

/** A figure with its meaning under it. */
const fact = (value, note, testid) =>
  html`<div data-testid=${testid}><dt>${value}</dt><dd class="quiet">${note}</dd></div>`;

/** What to do: a sentence, or a line to paste. */
function toDo({ step, is_code: isCode }) {
  return step && [
    html`<p><strong>To do: </strong>${isCode ? "" : step}</p>`,
    isCode && lineToPaste(step, "Line of Python"),
  ];
}

/** The streams that are still too small to judge: "collecting target: 40 of 200 samples". */
function waiting(collecting) {
  return Object.entries(collecting ?? {}).map(([stream, [n, of]]) =>
    el(
      "span",
      { class: "collecting-bar" },
      el("progress", { value: n, max: of, "aria-label": `Samples of ${streamName(stream)}` }),
      `collecting ${streamName(stream)}: ${n} of ${of} samples`,
    ),
  );
}
