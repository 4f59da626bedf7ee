/* Choice of up to four runs. TensorBoard does not tell a plugin its own choice. */

import { el, fill, say, visible } from "./dom.js";
import { ago } from "./format.js";
import { MOST_RUNS } from "./state.js";

const MOST_LISTED = 100;

export function createPicker(state) {
  const summary = el("summary", { class: "control" });
  const search = el("input", {
    type: "search",
    placeholder: "Search runs",
    "aria-label": "Search runs",
    autocomplete: "off",
  });
  const list = el("ul", { class: "choices" });
  const note = el("p", { class: "quiet", role: "status" });
  const node = el(
    "details",
    { class: "picker", "data-testid": "run-picker" },
    summary,
    el("div", { class: "popup", role: "group", "aria-label": "Runs to show" }, search, list, note),
  );
  let model = null;

  const close = (refocus) => {
    node.open = false;
    if (refocus) summary.focus();
  };
  node.addEventListener("keydown", (event) => event.key === "Escape" && node.open && close(true));
  document.addEventListener(
    "pointerdown",
    (event) => node.open && !node.contains(event.target) && close(false),
  );
  node.addEventListener("toggle", draw);
  search.addEventListener("input", draw);

  function choose(id, on) {
    const { runs } = state.get();
    if (on && runs.length < MOST_RUNS) state.set({ runs: [...runs, id] });
    else if (!on && runs.length > 1) state.set({ runs: runs.filter((run) => run !== id) });
  }

  function choice(run, chosen) {
    const on = chosen.includes(run.id);
    const full = !on && chosen.length >= MOST_RUNS;
    const last = on && chosen.length === 1;
    const box = el("input", {
      type: "checkbox",
      checked: on,
      disabled: full || last,
      onchange: () => choose(run.id, box.checked),
    });
    box.dataset.run = run.id;
    return el(
      "li",
      null,
      el(
        "label",
        null,
        box,
        el("span", { class: "name" }, run.name),
        el("span", { class: "quiet" }, ago(run.updated)),
      ),
    );
  }

  function draw() {
    if (!node.open || !model) return;
    const chosen = model.selected.map((run) => run.id);
    const wanted = search.value.trim().toLowerCase();
    const found = model.runs.filter((run) => run.name.toLowerCase().includes(wanted));
    const focused = list.contains(document.activeElement)
      ? document.activeElement.dataset.run
      : null;
    fill(
      list,
      found.slice(0, MOST_LISTED).map((run) => choice(run, chosen)),
    );
    for (const box of list.querySelectorAll("input"))
      if (focused !== null && box.dataset.run === focused) box.focus();
    const hidden = found.length - MOST_LISTED;
    say(
      note,
      [
        `${chosen.length} of ${MOST_RUNS} chosen.`,
        hidden > 0 ? `${hidden} more: search for them.` : "",
        model.more ? `${model.more} more runs are not listed.` : "",
      ]
        .join(" ")
        .trim(),
    );
  }

  function update(next) {
    model = next;
    const n = model.selected.length;
    search.hidden = model.runs.length <= 8;
    const text = `${n} of ${model.runs.length} ${model.runs.length === 1 ? "run" : "runs"}`;
    say(summary, text);
    summary.setAttribute("aria-label", visible(`Runs: ${text} shown`));
    draw();
  }

  return { node, update };
}
