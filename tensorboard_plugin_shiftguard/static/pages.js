/* Pages that are shown in place of data: loading, no data, an error. */

import { button, code, el, fill } from "./dom.js";
import { count } from "./format.js";
import { copyText } from "./host.js";

const SNIPPET = `import keras_shiftguard as sg

guard = sg.ShiftGuard(log_dir="logs/run1")
model.fit(train, validation_data=val, callbacks=[guard])

# then, in a shell: tensorboard --logdir logs`;

/** A button that copies a text, and then confirms this in its label. */
export function copyButton(label, text, attributes) {
  const node = button(
    label,
    async () => {
      const done = await copyText(typeof text === "function" ? text() : text);
      node.textContent = done ? "Copied" : "Press Ctrl+C to copy";
      setTimeout(() => (node.textContent = label), 1600);
    },
    { class: "plain", ...attributes },
  );
  node.setAttribute("aria-live", "polite");
  return node;
}

/** Placeholders of the size of the later content, so that the page does not jump. */
function skeleton() {
  return el(
    "div",
    { class: "skeleton", role: "status" },
    el("p", { class: "unseen" }, "Reading the logs."),
    [7, 26, 12].map((height) => {
      const block = el("div", { "aria-hidden": "true" });
      block.style.height = `${height}rem`;
      return block;
    }),
  );
}

export function createPages({ retry }) {
  const node = el("div", { class: "page" }, skeleton());
  const banner = el("div", { class: "banner", role: "alert", hidden: true });

  return {
    node,
    banner,
    clear() {
      banner.hidden = true;
      node.hidden = true;
      fill(node);
    },
    empty(others) {
      banner.hidden = true;
      node.hidden = false;
      if (node.querySelector("[data-testid=empty]")) return;
      const looked = others
        ? `Looked in ${count(others, "run")}: none of them has data of ShiftGuard.`
        : "Looked in the log directory: there are no runs in it yet.";
      fill(
        node,
        el(
          "section",
          { class: "panel message", "data-testid": "empty", "aria-labelledby": "empty-title" },
          el("h1", { id: "empty-title" }, "No shift has been recorded here yet"),
          el(
            "p",
            null,
            "This tab shows whether validation, target and training data differ, and since ",
            "when. The callback writes it while a model is trained:",
          ),
          code(SNIPPET, { "aria-label": "How to write data for this tab" }),
          el(
            "p",
            { class: "actions" },
            copyButton("Copy", SNIPPET),
            button("Look again", retry, { class: "plain", "data-testid": "retry" }),
          ),
          el("p", { class: "quiet" }, looked, " It looks again by itself every ten seconds."),
        ),
      );
    },
    failed(error) {
      banner.hidden = true;
      node.hidden = false;
      fill(
        node,
        el(
          "section",
          {
            class: "panel message",
            role: "alert",
            "data-testid": "error",
            "aria-labelledby": "error-title",
          },
          el("h1", { id: "error-title" }, "The data could not be read"),
          el("p", null, error?.message ?? String(error)),
          error?.route &&
            el(
              "p",
              { class: "quiet" },
              `Asked for: ${error.route}${error.status ? ` (HTTP ${error.status})` : ""}`,
            ),
          el(
            "p",
            { class: "actions" },
            button("Retry", retry, { class: "main", "data-testid": "retry" }),
          ),
        ),
      );
    },
    disconnected(error) {
      const what = error.offline ? "Disconnected" : "Not up to date";
      fill(
        banner,
        el("span", null, `${what}: ${error.message} `, "What is shown is the last that was read."),
        button("Retry", retry, { class: "plain", "data-testid": "retry" }),
      );
      banner.hidden = false;
    },
  };
}
