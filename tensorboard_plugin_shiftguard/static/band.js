/* The band at the top of the tab: what is wrong, since when, what it costs, what to do. */

import { api } from "./api.js";
import { button, fill, html, say } from "./dom.js";
import { ago, count, epoch, pairInWords } from "./format.js";
import { STATES, badge, icon } from "./icons.js";
import { lineToPaste } from "./pages.js";
import { createTriplet } from "./triplet.js";

const MAX_VERDICTS = 64; // verdicts of earlier epochs
const PAUSE = 120; // milliseconds before the verdict of an earlier epoch is requested
const DRAWN_BY = ["run", "data", "epoch", "times", "live"];

export function createBand({ state, refresh, failed, explain }) {
  const mark = html`<span class="statemark"></span>`;
  const what = html`<h1 id="shift-title" aria-live="polite"></h1>`;
  const because = html`<p class="because" data-testid="foremost"></p>`;
  const facts = html`<dl class="facts"></dl>`;
  const todo = html`<div class="todo" data-testid="todo"></div>`;
  const updated = html`<span></span>`;
  const about = html`<span data-testid="about"></span>`;
  const past = html`<span class="past" data-testid="past"></span>`;
  const onOrOff = html`<span>off</span>`;
  const live = html`<button
    type="button" class="switch" role="switch" aria-checked="false" data-testid="live"
    title="Look for new data every 10 seconds while this tab is shown"
    onclick=${() => state.set({ live: !state.get().live })}
  >${icon("steady", 10)}Live: ${onOrOff}</button>`;
  const notes = html`<ul class="plainlist quiet notes" data-testid="notes"></ul>`;
  const problems = html`<div class="problems"></div>`;
  const triplet = createTriplet({ failed });
  const glossary = { class: "plain", "data-testid": "to-glossary" };
  const node = html`<section class="headband" aria-labelledby="shift-title" data-testid="verdict">
    <div class="bandhead">
      ${mark}${past}<span class="grow"></span><span class="quiet meta">${about}${updated}</span>
      ${button("Refresh", () => refresh("asked"), { class: "plain" })}
      ${live}${button("Glossary", explain, glossary)}
    </div>
    ${what}${because}${facts}${triplet.node}${todo}${notes}${problems}
  </section>`;
  const verdicts = new Map(); // key of a run and a step -> verdict
  let model = null;
  let drawn = "";
  let timer = 0;

  /** The verdict at the chosen epoch; null while it is being requested. */
  function verdictNow() {
    const { overview, step, run, state: chosen } = model;
    if (chosen.epoch === null || step >= (overview.steps.at(-1) ?? -1)) return overview.verdict;
    const key = JSON.stringify([run.id, overview.updated, step]);
    const known = verdicts.get(key);
    if (known === undefined) {
      clearTimeout(timer);
      timer = setTimeout(() => ask(key, run.id, step), PAUSE);
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
    const { overview, run } = model;
    if (!overview) {
      const text = model.failures.get(run?.id) ?? "Reading this run.";
      if (drawn === text) return;
      drawn = text;
      node.dataset.kind = "waiting";
      say(what, text);
      for (const part of [mark, because, facts, todo, notes, problems, past]) fill(part);
      return;
    }
    const verdict = verdictNow();
    if (!verdict) return;
    const then = model.state.epoch !== null && model.step < overview.steps.at(-1);
    const key = JSON.stringify([run.id, verdict, then && model.step, overview.problems]);
    if (key === drawn) return;
    drawn = key;
    const { kind, since, step, cost_words: cost, is_code: isCode } = verdict;
    node.dataset.kind = kind;
    fill(mark, badge(kind, STATES[kind]));
    say(what, verdict.cause);
    say(because, [verdict.detail, verdict.adaptation].filter(Boolean).join(" "));
    fill(
      facts,
      cost && fact(cost, "what it costs", "cost"),
      since && fact(`since epoch ${since}`, "when it was found", "since"),
    );
    fill(past, then && pastNote());
    fill(
      todo,
      step && html`<p>${kind !== "fine" && html`<strong>To do: </strong>`}${isCode ? "" : step}</p>`,
      isCode && step && lineToPaste(step, "Line of Python"),
    );
    fill(notes, verdict.notes.map((text) => html`<li>${text}</li>`));
    const problem = (text) => html`<span class="problem">${icon("note")}${text}</span>`;
    fill(problems, overview.problems.slice(0, 5).map(problem));
  }

  function pastNote() {
    const latest = { class: "plain", "data-testid": "now" };
    return [
      `as known at ${epoch(model.step)}`,
      button("Latest", () => state.set({ epoch: null }), latest),
    ];
  }

  function update(next, changed) {
    model = next;
    if (!DRAWN_BY.some((key) => changed.has(key))) return;
    live.setAttribute("aria-checked", String(model.state.live));
    say(onOrOff, model.state.live ? "on" : "off");
    draw();
    triplet.update(model);
    tick(model);
  }

  function tick({ overview, run }) {
    const last = overview?.state?.step ?? overview?.steps.at(-1);
    const { kept, looks } = overview ?? {};
    const some = kept < looks ? `, ${kept} of ${count(looks, "point")} kept` : "";
    const when = last === undefined ? "" : `epoch ${last + 1}${some}, `;
    say(updated, run ? `${when}${ago(overview?.updated ?? run.updated ?? null)}` : "");
    const pair = overview?.verdict?.pair ?? overview?.pair;
    say(about, pair ? pairInWords(pair) : "");
  }

  return { node, update, tick };
}

/** A figure with its meaning under it. */
const fact = (value, note, testid) =>
  html`<div data-testid=${testid}><dt>${value}</dt><dd class="quiet">${note}</dd></div>`;
