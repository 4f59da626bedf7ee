/* The list of runs, each with its state beside its name; the most urgent come first. */

import { fill, html, say, visible } from "./dom.js";
import { ago } from "./format.js";
import { icon } from "./icons.js";

const MAX_RUNS = 100;
const SEARCHED = 8; // a longer list has a search field
const URGENCY = ["act", "look", "corrected", "waiting", "fine"]; // the first comes first

export function createRuns(state) {
  const search = html`<input
    type="search" placeholder="Search runs" aria-label="Search runs" autocomplete="off" oninput=${draw}
  />`;
  const list = html`<ul class="runlist"></ul>`;
  const note = html`<p class="quiet" role="status"></p>`;
  const node = html`<nav class="runs" aria-labelledby="runs-title" data-testid="run-picker">
    <h2 id="runs-title">Runs</h2>${search}${list}${note}
  </nav>`;
  const items = new Map(); // id of a run -> its entry, which keeps the focus
  let model = null;

  function item(run) {
    const { id, name, kind = "waiting", short = "", updated } = run;
    if (!items.has(id)) {
      const choose = () => state.set({ run: id });
      const button = html`<button type="button" class="run" data-run=${id} onclick=${choose}></button>`;
      items.set(id, { node: html`<li>${button}</li>`, button, drawn: "" });
    }
    const entry = items.get(id);
    entry.button.setAttribute("aria-current", String(id === model.run?.id));
    entry.button.title = visible(`${name}, ${ago(updated)}`);
    const key = JSON.stringify([name, kind, short]);
    if (key === entry.drawn) return entry.node;
    entry.drawn = key;
    entry.button.dataset.kind = kind ?? "waiting";
    const word = kind === "act" || kind === "look" ? `${kind}: ` : "";
    fill(
      entry.button,
      html`<span class="runname name">${name}</span>`,
      html`<span class="short">${icon(kind ?? "waiting", 10)} ${word}${short}</span>`,
    );
    return entry.node;
  }

  function draw() {
    const wanted = search.value.trim().toLowerCase();
    const place = ({ kind }) => URGENCY.indexOf(kind ?? "waiting");
    const found = model.runs
      .filter((run) => run.name.toLowerCase().includes(wanted))
      .sort((a, b) => place(a) - place(b)); // runs of one state stay in the order of their names
    const nodes = found.slice(0, MAX_RUNS).map(item);
    const focused = document.activeElement;
    if (nodes.length !== list.children.length || nodes.some((one, i) => one !== list.children[i]))
      fill(list, nodes);
    if (list.contains(focused)) focused.focus();
    const hidden = found.length - nodes.length;
    const more = hidden > 0 ? `${hidden} more: search for them. ` : "";
    say(note, more + (model.more ? `${model.more} more runs are not listed.` : ""));
  }

  return {
    node,
    update(next, changed) {
      model = next;
      if (!["run", "data", "times"].some((key) => changed.has(key))) return;
      search.hidden = model.runs.length <= SEARCHED;
      draw();
    },
  };
}
