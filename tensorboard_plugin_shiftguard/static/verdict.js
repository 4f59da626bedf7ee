/* The verdict: a text about the state of each chosen run. */

import { badge, icon, runMark } from "./icons.js";
import { button, el, fill, say } from "./dom.js";
import { ago, count, epoch, streamName } from "./format.js";
import { createPicker } from "./picker.js";

const MOST_NOTES = 3;

/** The kind of badge for the worst problem of a run. */
export function runKind(state) {
  if (!state) return "unknown";
  const found = Object.values(state.diagnosis ?? {}).map((d) => d?.status);
  if (found.includes("mismatch")) return "mismatch";
  if (state.report?.shifted) return "alarm";
  // A report may also say that nothing, or too little, was compared.
  if (/no shift/i.test(state.verdict?.shift ?? "")) return "steady";
  return Object.keys(state.collecting ?? {}).length ? "collecting" : "unknown";
}

/** The sentences about the state of a run. */
function sentences(overview) {
  const { verdict, diagnosis } = overview.state ?? {};
  const said = verdict ?? {};
  const wrong = Object.values(diagnosis ?? {}).some((one) => one?.status === "mismatch");
  // Problems come first; an unknown preprocessing is left out.
  const first = wrong ? [said.preprocessing, said.shift] : [said.shift, said.preprocessing];
  const found = [...first, said.adaptation].filter(Boolean);
  return found.length ? found.map(sentence) : ["Nothing has been judged yet."];
}

/** The worst finding of the pair in the verdict, without its cause. */
function foremost(state) {
  const { findings, shifted } = state?.report ?? {};
  if (!shifted) return "";
  const said = state.verdict?.shift;
  const named = ({ stream, against }) => said?.includes(`${stream} against ${against}`);
  const one = (findings ?? []).find((f) => named(f) && !f.expected && !f.negligible);
  return one?.explanation ? sentence(one.explanation.split(/\. (?=[A-Z])/)[0]) : "";
}

/** A sentence without the name of the tool, and with a full stop. */
function sentence(said) {
  const bare = said.trim().replace(/^ShiftGuard: /, "");
  const text = bare.slice(0, 1).toUpperCase() + bare.slice(1);
  return /[.!?]$/.test(text) ? text : `${text}.`;
}

/** The streams that are still too small to judge: "target: 40 of 200 samples". */
function collecting(state) {
  return Object.entries(state?.collecting ?? {}).map(([stream, [n, of]]) =>
    el(
      "span",
      { class: "collecting-bar" },
      el("progress", { value: n, max: of, "aria-label": `Samples of ${streamName(stream)}` }),
      `collecting ${streamName(stream)}: ${n} of ${of} samples`,
    ),
  );
}

export function createVerdict({ state, refresh }) {
  const picker = createPicker(state);
  const updated = el("span", { class: "quiet" });
  const live = button([icon("steady", 10), "Live"], () => state.set({ live: !state.get().live }), {
    class: "switch",
    role: "switch",
    "aria-checked": "false",
    "data-testid": "live",
    title: "Look for new data every 10 seconds while this tab is shown",
  });
  const again = button("Refresh", () => refresh("asked"), { class: "plain" });
  const list = el("ul", {
    class: "runs",
    "aria-live": "polite",
    "aria-relevant": "additions text",
  });
  const node = el(
    "section",
    { class: "verdict", "aria-labelledby": "shift-title", "data-testid": "verdict" },
    el(
      "div",
      { class: "bar" },
      el("h1", { id: "shift-title" }, "Shift"),
      picker.node,
      el("span", { class: "grow" }),
      updated,
      again,
      live,
    ),
    list,
  );
  const lines = new Map();

  function line(run) {
    if (!lines.has(run.id)) lines.set(run.id, createLine(state, run));
    return lines.get(run.id);
  }

  function update(model, changed) {
    if (changed && !["runs", "data", "others", "times", "live"].some((key) => changed.has(key)))
      return;
    picker.update(model);
    live.setAttribute("aria-checked", String(model.state.live));
    const wanted = model.selected.map((run, i) => {
      const item = line(run);
      item.update(run, i, model);
      return item.node;
    });
    // Unchanged nodes stay, so that screen readers do not read them again.
    const same =
      wanted.length === list.children.length && wanted.every((n, i) => n === list.children[i]);
    if (!same) list.replaceChildren(...wanted);
    tick(model);
  }

  function tick(model) {
    const time = model.overview?.updated ?? model.selected[0]?.updated ?? null;
    say(updated, model.selected.length ? `updated ${ago(time)}` : "");
  }

  return { node, update, tick };
}

function createLine(state, run) {
  const mark = el("span", { class: "mark" });
  const name = button(
    run.name,
    () => {
      const { runs } = state.get();
      state.set({ runs: [run.id, ...runs.filter((id) => id !== run.id)] });
    },
    { class: "runname name", title: "Show this run below" },
  );
  const kind = el("span", { class: "kind" });
  const text = el("span", { class: "sentences" });
  // Screen readers would read changing numbers at every update.
  const named = el("span", { class: "sentences", "aria-live": "off", "data-testid": "foremost" });
  const facts = el("span", { class: "quiet facts", "aria-live": "off" });
  const kept = el("span", { "data-testid": "kept" });
  const place = el("span");
  const wait = el("span");
  facts.append(place, kept, wait);
  const notes = el("span", { class: "notes quiet" });
  const problems = el("span", { class: "problems" });
  const node = el(
    "li",
    { "data-run": run.id },
    el("span", { class: "who" }, mark, name, kind),
    el("span", { class: "what" }, text, named, facts, notes, problems),
  );
  let drawn = null;
  let told = null;

  function update(run, i, model) {
    const overview = model.overviews.get(run.id);
    const error = model.failures.get(run.id);
    name.setAttribute("aria-current", i === 0 ? "true" : "false");
    fill(mark, runMark(i));
    const key = JSON.stringify([
      overview?.updated,
      overview?.looks,
      overview?.kept,
      error,
      overview?.problems,
    ]);
    if (key === drawn) return;
    drawn = key;
    if (!overview) {
      fill(kind, badge(error ? "absent" : "collecting", error ? "not read" : "loading"));
      fill(text, error ?? "Reading this run.");
      told = null;
      for (const part of [named, place, kept, wait, notes, problems]) fill(part);
      return;
    }
    fill(kind, badge(runKind(overview.state)));
    const all = sentences(overview);
    if (told !== all.join(" ")) {
      told = all.join(" ");
      fill(
        text,
        all.map((text) => el("span", null, text, " ")),
      );
    }
    say(named, foremost(overview.state));
    const last = overview.state?.step ?? overview.steps.at(-1);
    say(place, last === undefined ? "" : `${epoch(last)}`);
    say(kept, keptInWords(overview));
    fill(wait, collecting(overview.state));
    const said = overview.state?.report?.notes ?? [];
    fill(
      notes,
      said.slice(0, MOST_NOTES).map((note) => el("span", null, sentence(note))),
    );
    fill(
      problems,
      overview.problems
        .slice(0, 5)
        .map((problem) => el("span", { class: "problem" }, icon("note"), problem)),
    );
  }

  return { node, update };
}

function keptInWords({ kept, looks }) {
  if (!Number.isFinite(kept) || !Number.isFinite(looks)) return "";
  return kept >= looks
    ? `all ${count(looks, "point")} kept`
    : `${kept} of ${count(looks, "point")} kept`;
}
