/* The text about a feature: state, meaning, what to do. */

import { shownPair } from "./distribution.js";
import { el, fill, say, visible } from "./dom.js";
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
    const quiet = (text) => text && el("span", { class: "quiet" }, text);
    say(title, record?.label ?? feature ?? "");
    title.setAttribute("title", visible(feature ?? ""));
    fill(
      head,
      badge(featureKind(record)),
      record && el("strong", null, effect(record.effect)),
      quiet(bounds && `95 % interval ${bounds}`),
      quiet(record && sinceInWords(record)),
    );
    const paragraphs = (heading, texts) =>
      texts.length > 0 && [el("h3", null, heading), texts.map((text) => el("p", null, text))];
    fill(body, paragraphs("What this means", said.means), paragraphs("What to do", said.todo));
  }

  return { title, head, body, update };
}
