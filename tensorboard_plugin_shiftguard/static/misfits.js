/* Bars that show how far the input is from the model's statistics, if it is read in each convention.
 *
 * A convention is a scale, an offset and an order of the channels. A shorter bar is a better fit.
 */

import { el, shorten, table } from "./dom.js";
import { number } from "./format.js";
import { badge } from "./icons.js";

const MAX_CONVENTIONS = 12;

/** Candidates of a diagnosis as a table with bars; null if there are none. */
export function misfits(candidates) {
  const known = (candidates ?? [])
    .filter((one) => Number.isFinite(one?.misfit))
    .sort((a, b) => a.misfit - b.misfit)
    .slice(0, MAX_CONVENTIONS);
  if (!known.length) return null;
  // Candidates that were ruled out early may have a large misfit. The scale ignores them, except
  // the convention that is fed.
  const near = known.filter((one) => !one.rough || one.fed);
  const most = Math.max(...(near.length ? near : known).map((one) => one.misfit)) || 1;
  return el(
    "div",
    { class: "misfits" },
    table(
      "Misfit of each convention to the model's batch normalisation (lower is better)",
      ["Convention", "Misfit", "Remarks"],
      known.map((one) => [
        el("span", { title: one.name }, nameOf(one)),
        el(
          "span",
          { class: "bar-cell" },
          bar(one, most),
          el("span", { class: "bar-number" }, number(one.misfit)),
        ),
        el(
          "span",
          { class: "marks" },
          // Chosen is the most probable one, which need not have the smallest misfit.
          one.best && badge("best", one === known[0] ? "best fit" : "most probable"),
          one.fed && badge(one.best ? "steady" : "mismatch", "as fed"),
          one.rough && el("span", { class: "quiet" }, "ruled out"),
        ),
      ]),
    ),
  );
}

function nameOf({ name, mode, swap }) {
  const text = shorten(name ?? mode ?? "not named", 70);
  return swap && !text.includes("swap") ? `${text}, red and blue swapped` : text;
}

function bar({ misfit, best, fed }, most) {
  const beyond = misfit > most;
  const kind = best ? " best" : fed ? " fed" : beyond ? " beyond" : "";
  const node = el("span", { class: `bar-fill${kind}` });
  node.style.width = `${Math.min(100, Math.max(1, (misfit / most) * 100))}%`;
  return el("span", { class: "bar-room", "aria-hidden": "true" }, node);
}
