/* Controls of the distribution chart, and its legend. */

import { button, el, fill, html, mark, svg } from "./dom.js";
import { streamName } from "./format.js";
import { otherStreams } from "./distribution.js";
import { lookOf } from "./histogram.js";

const MEASURES = [
  ["density", "Density"],
  ["cumulative", "Cumulative"],
];

/** A small drawing of a stream's area or outline, for the legend. */
function swatch(stream) {
  const { stroke, width, dash } = lookOf(stream);
  const ink = `var(--${stroke})`;
  const line = { stroke: ink, "stroke-width": width, "stroke-dasharray": dash?.join(" ") };
  const area = { fill: ink, "fill-opacity": 0.4, d: "M1 11V3H23V11Z" };
  return mark(svg("path", { ...line, ...(stream.filled ? area : { d: "M1 6H23" }) }));
}

export function createControls({ state }) {
  const measures = MEASURES.map(([value, text]) =>
    button(text, () => state.set({ measure: value }), { "data-measure": value }),
  );
  const log = button("Log scale", () => state.set({ log: !state.get().log }), {
    class: "plain",
    "aria-pressed": "false",
  });
  const choose = () => state.set({ overlay: second.value || null });
  const second = html`<select id="shift-overlay" data-testid="overlay-run" onchange=${choose}></select>`;
  const streams = el("span", { class: "streams" });
  const key = el("ul", { class: "keys" });
  const node = html`<div class="controls">
    <div class="bar">
      <div class="segments" role="group" aria-label="Measure">${measures}</div>
      ${log}
      <label for="shift-overlay" class="inline">Second run${second}</label>
      ${streams}
    </div>
    ${key}
  </div>`;
  let listed = "";

  function toggle(name) {
    const { hiddenStreams } = state.get();
    state.set({
      hiddenStreams: hiddenStreams.includes(name)
        ? hiddenStreams.filter((one) => one !== name)
        : [...hiddenStreams, name],
    });
  }

  return {
    node,
    update(model, feature, pair, data) {
      for (const one of measures) {
        const { measure } = one.dataset;
        const chosen = feature?.classes ? "density" : model.state.measure;
        one.setAttribute("aria-pressed", String(measure === chosen));
        one.disabled = Boolean(feature?.classes) && measure !== "density";
      }
      log.setAttribute("aria-pressed", String(model.state.log));
      const runs = model.runs.filter((run) => run.id !== model.selected[0].id).slice(0, 200);
      const others = otherStreams(feature, pair);
      const { overlay } = model.state;
      const now = JSON.stringify([runs.map(({ id }) => id), others, overlay]);
      if (now !== listed) {
        listed = now;
        fill(
          second,
          html`<option value="">none</option>`,
          runs.map(({ id, name }) => el("option", { value: id, selected: id === overlay }, name)),
        );
        second.disabled = !runs.length;
        fill(
          streams,
          others.map((name) => {
            const shown = !model.state.hiddenStreams.includes(name);
            const box = html`<input type="checkbox" checked=${shown} onchange=${() => toggle(name)} />`;
            return html`<label class="check">${box}${streamName(name)}</label>`;
          }),
        );
      }
      fill(
        key,
        (data?.streams ?? []).map((stream) => {
          const what = stream.role === "reference" && html`<span class="quiet">(reference)</span>`;
          return html`<li>
            ${swatch(stream)}<span class="name">${streamName(stream.name)}</span>${what}
          </li>`;
        }),
      );
    },
  };
}
