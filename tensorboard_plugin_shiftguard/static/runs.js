/* The list of runs, each with its state beside its name; the most urgent come first. */

import { button, el, fill, say, visible } from "./dom.js";
import { ago } from "./format.js";
import { icon } from "./icons.js";

const MAX_RUNS = 100;
const SEARCHED = 8; // a longer list has a search field
const URGENCY = ["act", "look", "corrected", "waiting", "fine"]; // the first comes first

export function createRuns(state) {
  const search = el("input", {
    type: "search",
    placeholder: "Search runs",
    "aria-label": "Search runs",
    autocomplete: "off",
  });
  const list = el("ul", { class: "runlist" });
  const note = el("p", { class: "quiet", role: "status" });
  const node = el(
    "nav",
    { class: "runs", "aria-labelledby": "runs-title", "data-testid": "run-picker" },
    el("h2", { id: "runs-title" }, "Runs"),
    search,
    list,
    note,
  );
  const items = new Map();
  let model = null;
  search.addEventListener("input", draw);

  function item(run) {
    if (!items.has(run.id)) items.set(run.id, createItem(run.id, state));
    return items.get(run.id);
  }

  function draw() {
    const wanted = search.value.trim().toLowerCase();
    const place = ({ kind }) => URGENCY.indexOf(kind ?? "waiting");
    const found = model.runs
      .filter((run) => run.name.toLowerCase().includes(wanted))
      .sort((a, b) => place(a) - place(b)); // runs of one state stay in the order of their names
    const shown = found.slice(0, MAX_RUNS);
    const nodes = shown.map((run) => {
      const one = item(run);
      one.update(run, run.id === model.selected[0]?.id);
      return one.node;
    });
    // Unchanged nodes stay, so that the focus stays.
    const same =
      nodes.length === list.children.length && nodes.every((n, i) => n === list.children[i]);
    const focused = document.activeElement;
    if (!same) fill(list, nodes);
    if (list.contains(focused)) focused.focus();
    const hidden = found.length - shown.length;
    say(
      note,
      [
        hidden > 0 ? `${hidden} more: search for them.` : "",
        model.more ? `${model.more} more runs are not listed.` : "",
      ]
        .join(" ")
        .trim(),
    );
  }

  function update(next, changed) {
    model = next;
    if (changed && !["run", "data", "others", "times"].some((key) => changed.has(key))) return;
    search.hidden = model.runs.length <= SEARCHED;
    draw();
  }

  return { node, update };
}

function createItem(id, state) {
  const name = el("span", { class: "runname name" });
  const short = el("span", { class: "short" });
  const choose = button([name, short], () => state.set({ run: id }), { class: "run" });
  choose.dataset.run = id;
  const node = el("li", null, choose);
  let drawn = "";

  function update(run, current) {
    choose.setAttribute("aria-current", current ? "true" : "false");
    choose.setAttribute("title", visible(`${run.name}, ${ago(run.updated)}`));
    const key = JSON.stringify([run.name, run.kind, run.short]);
    if (key === drawn) return;
    drawn = key;
    choose.dataset.kind = run.kind ?? "waiting";
    say(name, run.name);
    const word = run.kind === "act" || run.kind === "look" ? `${run.kind}: ` : "";
    fill(short, icon(run.kind ?? "waiting", 10), ` ${word}${run.short ?? ""}`);
  }

  return { node, update };
}
