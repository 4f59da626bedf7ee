/* Bars that show how far the input is from the model's statistics, if it is read in each convention.
 *
 * A convention is a scale, an offset and an order of the channels. A shorter bar is a better fit; the
 * convention that is chosen is the most probable one, which need not have the smallest misfit.
 */

import { html, shorten, table } from "./dom.js";
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
  const row = (one) => [
    html`<span title=${one.name}>${nameOf(one)}</span>`,
    html`<span class="bar-cell">
      ${bar(one, most)}<span class="bar-number">${number(one.misfit)}</span>
    </span>`,
    html`<span class="marks">
      ${one.best && badge("best", one === known[0] ? "best fit" : "most probable")}
      ${one.fed && badge(one.best ? "steady" : "mismatch", "as fed")}
      ${one.rough && html`<span class="quiet">ruled out</span>`}
    </span>`,
  ];
  const title = "Misfit of each convention to the model's batch normalisation (lower is better)";
  const head = ["Convention", "Misfit", "Remarks"];
  return html`<div class="misfits">${table(title, head, known.map(row))}</div>`;
}

function nameOf({ name, mode, swap }) {
  const text = shorten(name ?? mode ?? "not named", 70);
  return swap && !text.includes("swap") ? `${text}, red and blue swapped` : text;
}

function bar({ misfit, best, fed }, most) {
  const beyond = misfit > most;
  const kind = best ? " best" : fed ? " fed" : beyond ? " beyond" : "";
  const width = `width: ${Math.min(100, Math.max(1, (misfit / most) * 100))}%`;
  return html`<span class="bar-room" aria-hidden="true">
    <span class=${`bar-fill${kind}`} style=${width}></span>
  </span>`;
}
