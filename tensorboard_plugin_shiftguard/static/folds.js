/* The parts below the heatmap, folded until the user unfolds them. */

import { html, say } from "./dom.js";

// The changes that a part is notified of when it is unfolded, so that it draws everything.
const ALL = new Set(["run", "data", "feature", "epoch", "pair"]);

/**
 * A part with a title that unfolds a view, which is updated only while it is unfolded.
 * `digest(model)` returns the text beside the title; null hides the part.
 */
export function createFold({ key, title, view, digest, state }) {
  const said = html`<span class="quiet digest"></span>`;
  const node = html`<details class="fold" data-testid=${`fold-${key}`}>
    <summary><h2>${title}</h2>${said}</summary>
    <div class="foldbody">${view.node}</div>
  </details>`;
  let model = null;
  let stale = true; // whether the view has missed a change

  node.addEventListener("toggle", () => {
    const { open } = state.get();
    if (node.open !== open.includes(key))
      state.set({ open: node.open ? [...open, key] : open.filter((one) => one !== key) });
    if (node.open) refresh(ALL);
  });

  function refresh(changed) {
    if (model) view.update(model, stale ? ALL : changed);
    stale = false;
  }

  return {
    node,
    update(next, changed) {
      model = next;
      const text = digest(model);
      node.hidden = text === null;
      say(said, text ?? "");
      node.open = model.state.open.includes(key);
      if (node.open && !node.hidden) refresh(changed);
      else stale = true;
    },
  };
}
