/* The list of events: findings, preprocessing, actions with their reasons. */

import { icon } from "./icons.js";
import { button, el, fill } from "./dom.js";
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
  const more = button(
    "Show all",
    () => {
      all = true;
      draw();
    },
    { class: "plain" },
  );
  const node = el(
    "section",
    { class: "log", "aria-label": "What happened, latest first", "data-testid": "events" },
    list,
    more,
  );
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
    return el(
      "li",
      { class: event.kind },
      button(epoch(event.step), () => choose(event), {
        class: "plain when",
        title: "Show this epoch",
      }),
      el("span", { class: `badge ${kind}` }, icon(kind), el("span", null, word)),
      el(
        "span",
        { class: "eventtext" },
        el("span", null, event.text),
        // Many texts end with their reason already.
        event.reason &&
          !event.text.includes(event.reason) &&
          el("span", { class: "quiet" }, ` Reason: ${event.reason}`),
        about && el("span", { class: "quiet about" }, about),
      ),
    );
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
