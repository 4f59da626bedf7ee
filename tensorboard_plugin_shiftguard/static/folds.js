/* The parts below the heatmap, folded until the user unfolds them. */

import { el, html, say } from "./dom.js";

/**
 * A part with a title that unfolds `views`. The views are updated only while the part is
 * unfolded. When the part is unfolded, they are updated as if everything had changed.
 *
 * Args: `digest(model)` returns the text beside the title; null hides the part.
 */
export function createFold({ key, title, views, digest, state, all }) {
  const said = el("span", { class: "quiet digest" });
  const node = html`<details class="fold" data-testid=${`fold-${key}`}>
    <summary><h2>${title}</h2>${said}</summary>
    <div class="foldbody">${views.map((view) => view.node)}</div>
  </details>`;
  let model = null;
  let stale = true;

  node.addEventListener("toggle", () => {
    const { open } = state.get();
    if (node.open !== open.includes(key))
      state.set({ open: node.open ? [...open, key] : open.filter((one) => one !== key) });
    if (node.open) refresh();
  });

  function refresh() {
    if (!model || !stale) return;
    stale = false;
    for (const view of views) view.update(model, new Set(all));
  }

  return {
    node,
    update(next, changed) {
      model = next;
      const text = digest(model);
      node.hidden = text === null;
      say(said, text ?? "");
      const wanted = model.state.open.includes(key);
      if (node.open !== wanted) node.open = wanted;
      if (!node.open || node.hidden) {
        stale = true;
        return;
      }
      if (stale) refresh();
      else for (const view of views) view.update(model, changed);
    },
  };
}
