/* The list of features: state, effect, since when, and the means of the two streams. */

import { button, el, fill, html, say, shorten, visible } from "./dom.js";
import { bounds, effect, number, sinceInWords } from "./format.js";
import { badge, featureKind } from "./icons.js";

const MAX_AT_FIRST = 60; // features shown at first; the rest on demand
const MAX_PINS = 50;

export function createFeatures({ state }) {
  const none = el("p", { class: "quiet", role: "status" });
  const list = el("ul", { class: "cardlist" });
  const more = button("Show all", showAll, { class: "plain" });
  const node = html`<section class="cards" aria-label="Features" data-testid="cards">
    ${none}${list}${more}
  </section>`;
  let all = false;
  let model = null;

  function showAll() {
    all = true;
    draw();
  }

  function pin(name) {
    const { pins } = state.get();
    const others = pins.filter((one) => one !== name);
    state.set({ pins: pins.includes(name) ? others : [name, ...pins].slice(0, MAX_PINS) });
  }

  function card({ name, record }) {
    const label = record.label ?? name;
    const choose = { class: "cardname name", title: name, "data-part": "name" };
    const isPinned = model.state.pins.includes(name);
    const star = {
      class: "pin",
      "aria-label": visible(`Pin ${label}`),
      "aria-pressed": String(isPinned),
      title: isPinned ? "Pinned: always first" : "Pin: always first",
      "data-part": "pin",
    };
    const kind = featureKind(record);
    return html`<li class="card" data-testid="card" data-feature=${name} data-kind=${kind}>
      <div class="cardhead">
        ${button(shorten(label, 80), () => state.set({ feature: name }), choose)}
        ${button("", () => pin(name), star)}
      </div>
      <div class="cardstate">
        ${badge(kind)}<span class="size">${effect(record.effect)}</span>
        <span class="quiet" title="95 % interval">${bounds(record.lower, record.upper)}</span>
        <span class="quiet">${sinceInWords(record)}</span>
      </div>
      <p class="means quiet">${meansInWords(record)}</p>
    </li>`;
  }

  function draw() {
    const { rows } = model;
    const focus = list.contains(document.activeElement) ? document.activeElement : null;
    const held = focus && [focus.closest(".card").dataset.feature, focus.dataset.part];
    fill(list, rows.slice(0, all ? rows.length : MAX_AT_FIRST).map(card));
    more.hidden = all || rows.length <= MAX_AT_FIRST;
    mark();
    if (!held) return;
    const [name, part] = held;
    const same = [...list.children].find((one) => one.dataset.feature === name);
    same?.querySelector(`[data-part=${part}]`).focus({ preventScroll: true });
  }

  /** Marks the chosen feature. */
  function mark() {
    for (const one of list.children) {
      const isChosen = one.dataset.feature === model.feature;
      one.classList.toggle("chosen", isChosen);
      one.querySelector(".cardname").setAttribute("aria-current", String(isChosen));
    }
  }

  return {
    node,
    update(next, changed) {
      model = next;
      const { overview, rows } = model;
      if (!overview) return;
      if (changed.has("run")) all = false;
      if (changed.has("rows")) draw();
      else if (changed.has("feature")) mark();
      else return;
      const { onlyShifted, query } = model.state;
      const why = onlyShifted && !query ? "No feature differs." : "No feature fits the search.";
      const blank = "Nothing has been compared yet: that is done when an epoch has ended.";
      say(none, rows.length ? "" : overview.features.length ? why : blank);
      none.hidden = rows.length > 0;
    },
  };
}

function meansInWords({ current, reference, kind }) {
  const [now, spread] = current ?? [];
  const [before, spreadBefore] = reference ?? [];
  if (kind === "classes") return "frequencies of classes";
  if (kind === "score") return "one score for the whole";
  if (![now, before].every((value) => value !== null && Number.isFinite(value))) return "mean not known";
  const change = (from, to) => `${number(from)} \u2192 ${number(to)}`;
  return `mean ${change(before, now)}, std ${change(spreadBefore, spread)}`;
}
