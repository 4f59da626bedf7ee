/* Controls of the distribution chart, and its legend. */

import { button, el, fill, svg } from "./dom.js";
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
  return svg(
    "svg",
    { class: "runmark", viewBox: "0 0 24 12", width: 24, height: 12, "aria-hidden": "true" },
    stream.filled
      ? svg("path", { ...line, fill: ink, "fill-opacity": 0.4, d: "M1 11V3H23V11Z" })
      : svg("path", { ...line, d: "M1 6H23" }),
  );
}

export function createControls({ state }) {
  const measures = MEASURES.map(([value, text]) =>
    button(text, () => state.set({ measure: value }), { "data-measure": value }),
  );
  const log = button("Log scale", () => state.set({ log: !state.get().log }), {
    class: "plain",
    "aria-pressed": "false",
  });
  const second = el("select", {
    id: "shift-overlay",
    "data-testid": "overlay-run",
    onchange: () => state.set({ overlay: second.value || null }),
  });
  const streams = el("span", { class: "streams" });
  const key = el("ul", { class: "keys" });
  const node = el(
    "div",
    { class: "controls" },
    el(
      "div",
      { class: "bar" },
      el("div", { class: "segments", role: "group", "aria-label": "Measure" }, measures),
      log,
      el("label", { for: "shift-overlay", class: "inline" }, "Second run", second),
      streams,
    ),
    key,
  );
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
      const now = JSON.stringify([
        runs.map((run) => run.id),
        otherStreams(feature, pair),
        model.state.overlay,
      ]);
      if (now !== listed) {
        listed = now;
        fill(
          second,
          el("option", { value: "" }, "none"),
          runs.map((run) =>
            el("option", { value: run.id, selected: run.id === model.state.overlay }, run.name),
          ),
        );
        second.disabled = !runs.length;
        const others = otherStreams(feature, pair);
        fill(
          streams,
          others.map((name) => {
            const box = el("input", {
              type: "checkbox",
              checked: !model.state.hiddenStreams.includes(name),
              onchange: () => toggle(name),
            });
            return el("label", { class: "check" }, box, streamName(name));
          }),
        );
      }
      fill(
        key,
        (data?.streams ?? []).map((stream) =>
          el(
            "li",
            null,
            swatch(stream),
            el("span", { class: "name" }, streamName(stream.name)),
            stream.role === "reference" && el("span", { class: "quiet" }, "(reference)"),
          ),
        ),
      );
    },
  };
}
