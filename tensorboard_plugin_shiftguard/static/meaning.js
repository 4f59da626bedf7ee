/* The text about a feature: state, meaning, what to do. */

import { shownPair } from "./distribution.js";
import { el, fill, html, say, visible } from "./dom.js";
import { effect, interval, sinceInWords } from "./format.js";
import { badge, featureKind } from "./icons.js";
import { explain, findingOf } from "./words.js";

export function createMeaning() {
  const title = el("h2", { id: "detail-title", class: "name" });
  const head = el("p", { class: "detailhead" });
  const body = el("div", { class: "means" });

  function update({ overview, feature }) {
    const record = overview.features[overview.index.get(feature)] ?? null;
    const finding = findingOf(overview, feature);
    const threshold = overview.threshold ?? 0.1;
    const said = explain(record, finding, shownPair(overview), threshold);
    const bounds = record ? interval(record.lower, record.upper) : "";
    const quiet = (text) => text && html`<span class="quiet">${text}</span>`;
    say(title, record?.label ?? feature ?? "");
    title.setAttribute("title", visible(feature ?? ""));
    fill(
      head,
      badge(featureKind(record)),
      record && html`<strong>${effect(record.effect)}</strong>`,
      quiet(bounds && `95 % interval ${bounds}`),
      quiet(record && sinceInWords(record)),
    );
    const paragraphs = (heading, texts) =>
      texts.length > 0 && html`<h3>${heading}</h3>${texts.map((text) => html`<p>${text}</p>`)}`;
    fill(body, paragraphs("What this means", said.means), paragraphs("What to do", said.todo));
  }

  return { title, head, body, update };
}
