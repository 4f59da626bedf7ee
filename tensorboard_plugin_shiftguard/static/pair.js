/* The choice of the two streams that the heatmap and the distributions compare. */

import { el, fill, visible } from "./dom.js";
import { count, streamName } from "./format.js";
import { pairKey } from "./rows.js";

export function createPair({ state }) {
  const choice = el("select", {
    id: "shift-pair",
    "data-testid": "pair",
    onchange: () => state.set({ pair: choice.value }),
  });
  const node = el("label", { for: "shift-pair", class: "inline" }, "Compare", choice);
  let listed = "";

  return {
    node,
    update({ overview: { pairs, pair } }) {
      node.hidden = !pairs.length;
      choice.disabled = pairs.length < 2;
      const key = JSON.stringify([pairs, pair]);
      if (key === listed) return;
      listed = key;
      fill(
        choice,
        pairs.map((one) => option(one, pair)),
      );
    },
  };
}

function option(pair, chosen) {
  const key = pairKey(pair);
  const alarms = pair.alarms ? ` (${count(pair.alarms, "finding")})` : "";
  const text = `${streamName(pair.stream)} against ${streamName(pair.against)}${alarms}`;
  return el("option", { value: key, selected: key === chosen }, visible(text));
}
