/* Pages that are shown in place of data: loading, no data, an error. */

import { button, code, el, fill, html } from "./dom.js";
import { count } from "./format.js";
import { copyText } from "./host.js";

const SNIPPET = `import keras_shiftguard as sg

guard = sg.ShiftGuard(log_dir="logs/run1")
model.fit(train, validation_data=val, callbacks=[guard])

# then, in a shell: tensorboard --logdir logs`;

const PURPOSE =
  "This tab shows whether validation, target and training data differ, and since when. The " +
  "callback writes it while a model is trained:";

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

/** A line of Python, with a button that copies it. */
export function lineToPaste(line, label) {
  return html`<div class="advice">
    ${code(line, { "aria-label": label })}${copyButton("Copy", line)}
  </div>`;
}

/** Placeholders of the size of the later content, so that the page does not jump. */
function skeleton() {
  const block = (height) => html`<div aria-hidden="true" style=${`height: ${height}rem`}></div>`;
  return html`<div class="skeleton" role="status">
    <p class="unseen">Reading the logs.</p>${[7, 26, 12].map(block)}
  </div>`;
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
        html`<section class="panel message" data-testid="empty" aria-labelledby="empty-title">
          <h1 id="empty-title">No shift has been recorded here yet</h1>
          <p>${PURPOSE}</p>
          ${code(SNIPPET, { "aria-label": "How to write data for this tab" })}
          <p class="actions">
            ${copyButton("Copy", SNIPPET)}
            ${button("Look again", retry, { class: "plain", "data-testid": "retry" })}
          </p>
          <p class="quiet">${looked} It looks again by itself every ten seconds.</p>
        </section>`,
      );
    },
    failed(error) {
      banner.hidden = true;
      node.hidden = false;
      const status = error?.status ? ` (HTTP ${error.status})` : "";
      fill(
        node,
        html`<section
          class="panel message" role="alert" data-testid="error" aria-labelledby="error-title"
        >
          <h1 id="error-title">The data could not be read</h1>
          <p>${error?.message ?? String(error)}</p>
          ${error?.route && html`<p class="quiet">Asked for: ${error.route}${status}</p>`}
          <p class="actions">${button("Retry", retry, { class: "main", "data-testid": "retry" })}</p>
        </section>`,
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
