/* The list of events: findings, preprocessing, actions with their reasons. */

import { badge } from "./icons.js";
import { button, el, fill, html } from "./dom.js";
import { epoch, streamName } from "./format.js";

const KINDS = {
  finding: ["alarm", "found"],
  preprocessing: ["mismatch", "preprocessing"],
  action: ["action", "action"],
  note: ["note", "note"],
};
const MAX_EVENTS_AT_FIRST = 30; // shown at first; the rest on demand

export function createLog({ state }) {
  const list = el("ol", { class: "events", reversed: true });
  const more = button("Show all", showAll, { class: "plain" });
  const node = html`<section class="log" aria-label="What happened, latest first" data-testid="events">
    ${list}${more}
  </section>`;
  let all = false;
  let model = null;
  let drawn = "";

  function line(event) {
    const [kind, word] = KINDS[event.kind] ?? KINDS.note;
    const about = event.against
      ? `${streamName(event.stream)} against ${streamName(event.against)}`
      : event.stream
        ? streamName(event.stream)
        : "";
    const when = { class: "plain when", title: "Show this epoch" };
    // Many texts end with their reason already.
    const reason = event.reason && !event.text.includes(event.reason);
    return html`<li class=${event.kind}>
      ${button(epoch(event.step), () => choose(event), when)}
      ${badge(kind, word)}
      <span class="eventtext">
        <span>${event.text}</span>
        ${reason && html`<span class="quiet"> Reason: ${event.reason}</span>`}
        ${about && html`<span class="quiet about">${about}</span>`}
      </span>
    </li>`;
  }

  function showAll() {
    all = true;
    draw();
  }

  function choose(event) {
    const changes = { epoch: event.step };
    if (event.feature && model.overview.index.has(event.feature)) changes.feature = event.feature;
    state.set(changes);
  }

  function draw() {
    const events = [...model.overview.events].sort((a, b) => b.step - a.step);
    fill(list, events.slice(0, all ? 500 : MAX_EVENTS_AT_FIRST).map(line));
    more.hidden = all || events.length <= MAX_EVENTS_AT_FIRST;
  }

  return {
    node,
    update(next, changed) {
      model = next;
      if (!model.overview) {
        drawn = "";
        return;
      }
      if (!changed.has("data")) return;
      const key = JSON.stringify([model.selected[0].id, model.overview.events]);
      if (key === drawn) return;
      drawn = key;
      all = false;
      draw();
    },
  };
}
