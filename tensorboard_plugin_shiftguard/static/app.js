/* The page as a whole: it requests data, stores them, and notifies the views.
 *
 * A notification names what changed: "data" (a new overview), "run" (another run), "gap" (the
 * accuracy gap), "times" (when the data were read), or keys of the state.
 */

import { html } from "./dom.js";
import { isShown, watchReload, watchShown } from "./host.js";
import { createPages } from "./pages.js";
import { fingerprint } from "./reader.js";
import { createScreen } from "./screen.js";

const POLL = 10000; // milliseconds

class App {
  constructor(body, { state, reader, read }) {
    this.state = state;
    this.reader = reader;
    this.early = read;
    this.asked = 0; // counts requests, so that late answers are dropped
    this.stale = false; // whether a request was skipped while the page was hidden
    this.pages = createPages({ retry: () => this.refresh("asked") });
    this.build(body);
    this.state.listen((changed) => this.changed(changed));
    watchReload(() => this.refresh("reload"));
    watchShown(() => this.shown());
    setInterval(() => this.tick(), POLL);
  }

  build(body) {
    const failed = (error) => error?.offline && this.pages.disconnected(error);
    const shared = { state: this.state, failed, refresh: (why) => this.refresh(why) };
    const { band, glossary, content, views } = createScreen(shared, {
      explain: () => this.explain(),
      showGap: (gap) => this.showGap(gap),
    });
    Object.assign(this, { band, glossary, content, views });
    const { banner, node } = this.pages;
    body.replaceChildren(html`<main class="shiftguard">${banner}${node}${this.content}</main>`);
  }

  /** Redraws after a gap appeared or disappeared; without features, unfolds the part of the gap. */
  showGap(gap) {
    const { open } = this.state.get();
    if (gap.table() && !this.model().overview?.features.length && !open.includes("gap"))
      this.state.set({ open: ["gap", ...open] });
    this.draw(new Set(["gap"]));
  }

  /** Unfolds the glossary and scrolls to it. */
  explain() {
    const { open } = this.state.get();
    if (!open.includes("glossary")) this.state.set({ open: [...open, "glossary"] });
    this.glossary.node.scrollIntoView({ block: "start" });
    this.glossary.node.querySelector("summary").focus({ preventScroll: true });
  }

  tick() {
    if (!isShown()) return;
    if (this.state.get().live || !this.reader.known.runs.length) this.refresh("poll");
    else this.band.tick(this.model());
  }

  shown() {
    this.state.save(); // the URL lacks the position while another tab of TensorBoard is shown
    if (!this.stale) return;
    this.stale = false;
    this.refresh("shown");
  }

  /** Requests all data that may have changed. */
  async refresh(why) {
    if (why !== "start" && !isShown()) {
      this.stale = true;
      return;
    }
    const asked = ++this.asked;
    const late = () => asked !== this.asked;
    const { known } = this.reader;
    try {
      // At the start, runs and overview may have been read while this page was loaded.
      const there = why === "start" && (await this.early);
      if (!there) await this.reader.readRuns(late, why !== "poll");
      if (late()) return;
      const run = this.reader.selected();
      if (!run) {
        this.content.hidden = true;
        this.pages.empty(known.others);
        return;
      }
      const before = fingerprint(known.overviews.get(run.id));
      const glance = why === "poll" || there;
      await this.reader.readRun(run.id, this.state.get().pair, glance);
      if (late()) return;
      const same = !this.content.hidden && before === fingerprint(known.overviews.get(run.id));
      this.pages.clear();
      this.content.hidden = false;
      this.draw(new Set(same ? ["times"] : ["run", "data"]));
    } catch (error) {
      if (error?.name === "AbortError" || late()) return;
      // The page shows every error; only unexpected ones also go to the console.
      if (error?.status === undefined) console.error(error);
      this.failed(error);
    }
  }

  failed(error) {
    const known = this.reader.known.overviews.size > 0 && error.status !== undefined;
    if (known) this.pages.disconnected(error);
    else this.pages.failed(error);
    this.content.hidden = !known;
    if (known) this.draw(new Set(["run", "data"]));
  }

  changed(changed) {
    if (changed.has("live") && this.state.get().live) this.refresh("asked");
    if (changed.has("run") || changed.has("pair")) {
      const { overview } = this.model();
      if (!overview || overview.pair !== (this.state.get().pair ?? overview.pair))
        this.refresh("chosen");
      // Data of the new choice that have arrived already are shown at once.
      if (overview) changed = new Set([...changed, "data"]);
    }
    this.draw(changed);
  }

  /** Returns all that the views draw. */
  model() {
    const state = this.state.get();
    const { known } = this.reader;
    const run = this.reader.selected();
    const overview = known.overviews.get(run?.id) ?? null;
    const { steps = [], features = [], index } = overview ?? {};
    const { epoch } = state;
    const chosen = epoch === null ? steps.length - 1 : steps.findLastIndex((step) => step <= epoch);
    const column = Math.max(0, chosen);
    const step = steps[column] ?? overview?.state?.step ?? 0;
    // A feature that this run lacks is shown as absent if another run that was read has it.
    const all = [...known.overviews.values()];
    const isKnown = all.some((one) => one.index.has(state.feature));
    const feature = isKnown ? state.feature : (features[0]?.name ?? null);
    const label = features[index?.get(feature)]?.label ?? feature;
    return { ...known, state, run, overview, feature, label, column, step };
  }

  draw(changed) {
    const model = this.model();
    const unread = model.failures.has(model.run?.id);
    this.content.classList.toggle("loading", !model.overview && !unread);
    this.content.classList.toggle("unread", unread);
    // A diagnosis may arrive before the first comparison.
    this.content.classList.toggle("bare", !model.overview?.features.length);
    for (const view of this.views) this.tell(view, model, changed);
  }

  /** Updates a view; an error in one view does not stop the others. */
  tell(view, model, changed) {
    try {
      view.update(model, changed);
    } catch (error) {
      console.error(error);
      this.pages.disconnected({ message: `A part could not be drawn: ${error.message}.` });
    }
  }
}

/** Builds the page in `body`; `early` holds the state, the reader, and the promise of its data. */
export async function start(body, early) {
  await new App(body, early).refresh("start");
}
