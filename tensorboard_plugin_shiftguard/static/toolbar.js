/* The toolbar: the filter and the order of the features. */

import { el, say } from "./dom.js";
import { count } from "./format.js";

const SORTS = [
  ["severity", "most severe first"],
  ["change", "latest change first"],
  ["name", "by name"],
];

export function createToolbar({ state }) {
  const search = el("input", {
    type: "search",
    id: "shift-search",
    placeholder: "Search: a part, or /pattern/",
    autocomplete: "off",
    spellcheck: "false",
    "data-testid": "search",
    "aria-describedby": "shift-found",
  });
  const sort = el(
    "select",
    { id: "shift-sort", "data-testid": "sort", onchange: () => state.set({ sort: sort.value }) },
    SORTS.map(([value, text]) => el("option", { value }, text)),
  );
  const only = el("input", {
    type: "checkbox",
    "data-testid": "only-shifted",
    onchange: () => state.set({ onlyShifted: only.checked }),
  });
  const found = el("span", { class: "quiet", id: "shift-found", role: "status" });
  const node = el(
    "div",
    { class: "toolbar", role: "search", "aria-label": "Features" },
    el(
      "label",
      { class: "wide", for: "shift-search" },
      el("span", { class: "over" }, "Features"),
      search,
    ),
    el("label", { for: "shift-sort" }, el("span", { class: "over" }, "Order"), sort),
    el("label", { class: "check" }, only, "only what differs"),
    found,
  );
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
