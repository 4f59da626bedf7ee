/* The head of a feature's view: its state, and what the report says about it. */

import { el, fill, html, say, visible } from "./dom.js";
import { effect, interval, sinceInWords } from "./format.js";
import { badge, featureKind } from "./icons.js";
import { pairKey } from "./rows.js";

const ALONG =
  "It has the same cause as a stronger finding, so it is not reported a second time. " +
  "Repair that one first.";

/** The finding about a feature in the pair that is shown, if there is one. */
export function findingOf(overview, name) {
  const fits = (finding) =>
    finding?.feature === name && (!overview.pair || pairKey(finding) === overview.pair);
  return (overview?.state?.report?.findings ?? []).find(fits) ?? null;
}

export function createMeaning() {
  const title = el("h2", { id: "detail-title", class: "name" });
  const head = el("p", { class: "detailhead" });
  const body = el("div", { class: "means" });

  function update({ overview, feature }) {
    const record = overview.features[overview.index.get(feature)] ?? null;
    const finding = findingOf(overview, feature);
    const bounds = record ? interval(record.lower, record.upper) : "";
    const quiet = (text) => text && html`<span class="quiet">${text}</span>`;
    say(title, record?.label ?? feature ?? "");
    title.setAttribute("title", visible(feature ?? ""));
    const kind = featureKind(record);
    fill(
      head,
      badge(kind),
      record && html`<strong>${effect(record.effect)}</strong>`,
      quiet(bounds && `95 % interval ${bounds}`),
      quiet(record && sinceInWords(record)),
    );
    const said = [finding?.explanation, finding?.cost_words && `Cost: ${finding.cost_words}.`];
    if (!finding && ["along", "differs"].includes(kind)) said.push(ALONG);
    fill(body, said.filter(Boolean).map((text) => html`<p>${text}</p>`));
  }

  return { title, head, body, update };
}
