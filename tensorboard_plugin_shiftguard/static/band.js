/* The band at the top of the tab: what is wrong, since when, what it costs, what to do. */

import { toDo } from "./answer.js";
import { api } from "./api.js";
import { factsOf } from "./band_facts.js";
import { FAMILIES, KINDS } from "./causes.js";
import { button, el, fill, say } from "./dom.js";
import { ago, count, epoch, pairInWords, streamName } from "./format.js";
import { STATES, badge, icon } from "./icons.js";

const MAX_STORIES = 64; // stories of earlier epochs
const PAUSE = 120; // milliseconds before the story of an earlier epoch is requested

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
  const more = el("div", { class: "more" });
  const why = el(
    "details",
    { class: "why", "data-testid": "why" },
    el("summary", null, "Why?"),
    more,
  );
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
    why,
    problems,
  );
  const stories = new Map(); // key of a run and a step -> story
  let model = null;
  let drawn = "";
  let timer = 0;

  /** The story at the chosen epoch; null while the story is being requested. */
  function storyNow() {
    const { overview, step, state: chosen } = model;
    if (chosen.epoch === null || step >= (overview.steps.at(-1) ?? -1)) return overview.story;
    const key = JSON.stringify([model.selected[0].id, overview.updated, step]);
    const known = stories.get(key);
    if (known === undefined) {
      clearTimeout(timer);
      timer = setTimeout(() => ask(key, model.selected[0].id, step), PAUSE);
    }
    return known ?? null;
  }

  async function ask(key, run, step) {
    try {
      const { story } = await api.story(run, step);
      stories.set(key, story);
      if (stories.size > MAX_STORIES) stories.delete(stories.keys().next().value);
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
      for (const part of [mark, because, facts, wait, todo, more, problems, past]) fill(part);
      why.hidden = true;
      return;
    }
    const story = storyNow();
    if (!story) return;
    const { report, collecting } = overview.state ?? {};
    const then = model.state.epoch !== null && model.step < overview.steps.at(-1);
    const key = JSON.stringify([story, then && model.step, overview.problems, collecting, report]);
    if (key === drawn) return;
    drawn = key;
    node.dataset.kind = story.kind;
    fill(mark, badge(story.kind, STATES[story.kind]));
    say(what, story.what);
    say(because, story.why[0] ?? "");
    fill(facts, factsOf(story, overview, model.column));
    fill(wait, then ? null : waiting(collecting));
    fill(past, then && pastNote());
    fill(todo, step(story));
    const reasons = reasonsOf(story, then ? [] : (report?.notes ?? []));
    why.hidden = !reasons.length;
    fill(
      more,
      reasons.map((text) => el("p", null, text)),
    );
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
    const pair = overview?.story?.pair ?? overview?.pair;
    say(about, pair ? pairInWords(pair) : "");
  }

  return { node, update, tick };
}

const keptInWords = ({ kept, looks }) => `${kept} of ${count(looks, "point")} kept`;

/** What to do: a sentence, and the line to paste if there is one; null without any advice. */
function step(story) {
  return story.todo || story.code ? toDo(story.todo, story.code) : null;
}

function reasonsOf(story, notes) {
  const [kind, family] = story.about ?? [];
  const means = story.about && (KINDS[kind]?.means ?? FAMILIES[family]?.means);
  const cause = means && (KINDS[kind] ? means : `The cause that the measurements point to: ${means}`);
  const unpriced =
    kind === "preprocessing" && story.kind === "act" && !Number.isFinite(story.cost)
      ? "What it costs: sg.explain_gap(model, labelled_data) measures it."
      : "";
  return [...story.why.slice(1), cause, unpriced, ...notes].filter(Boolean);
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
