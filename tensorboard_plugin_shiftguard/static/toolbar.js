/* The toolbar: the filter and the order of the features. */

import { html, say } from "./dom.js";
import { count } from "./format.js";

const SORTS = [
  ["severity", "most severe first"],
  ["change", "latest change first"],
  ["name", "by name"],
];

export function createToolbar({ state }) {
  const search = html`<input
    type="search" id="shift-search" data-testid="search" aria-describedby="shift-found"
    placeholder="Search: a part, or /pattern/" autocomplete="off" spellcheck="false"
  />`;
  const choose = () => state.set({ sort: sort.value });
  const sort = html`<select id="shift-sort" data-testid="sort" onchange=${choose}>
    ${SORTS.map(([value, text]) => html`<option value=${value}>${text}</option>`)}
  </select>`;
  const toggle = () => state.set({ onlyShifted: only.checked });
  const only = html`<input type="checkbox" data-testid="only-shifted" onchange=${toggle} />`;
  const found = html`<span class="quiet" id="shift-found" role="status"></span>`;
  const node = html`<div class="toolbar" role="search" aria-label="Features">
    <label class="wide" for="shift-search"><span class="over">Features</span>${search}</label>
    <label for="shift-sort"><span class="over">Order</span>${sort}</label>
    <label class="check">${only}only what differs</label>
    ${found}
  </div>`;
  let timer = 0;
  search.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      timer = 0;
      state.set({ query: search.value });
    }, 120);
  });

  return {
    node,
    update(model) {
      const { overview, rows, total, problem } = model;
      if (!overview) return;
      // A text that the user has just typed is not in the state yet, and must stay.
      const typing = timer || document.activeElement === search;
      if (!typing && search.value !== model.state.query) search.value = model.state.query;
      sort.value = model.state.sort;
      only.checked = model.state.onlyShifted;
      search.setAttribute("aria-invalid", problem ? "true" : "false");
      const omitted = overview.omitted ? `; ${overview.omitted} more measured, less severe` : "";
      const text =
        rows.length === total
          ? count(total, "feature")
          : `${rows.length} of ${count(total, "feature")}`;
      say(found, problem ?? text + omitted);
    },
  };
}
