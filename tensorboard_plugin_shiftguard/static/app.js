/* The page as a whole: it requests data, stores them, and notifies the views.
 *
 * A notification names what changed: "data" (a new overview), "others" (the overview
 * of the second run), "rows" (the list of features), "gap" (the accuracy gap), "times" (when the
 * data were read), or keys of the state.
 */

import { html } from "./dom.js";
import { isShown, watchReload, watchShown } from "./host.js";
import { createPages } from "./pages.js";
import { fingerprint } from "./reader.js";
import { listRows } from "./rows.js";
import { createScreen } from "./screen.js";

const POLL = 10000; // milliseconds
// A change of any of these keys changes the list of features or its order.
const LISTED_BY = ["query", "sort", "onlyShifted", "pins", "run", "pair", "data"];

class App {
  constructor(body, early) {
    this.state = early.state;
    this.reader = early.reader;
    this.early = early.read;
    this.turn = 0; // counts the lists of features, so that views notice a new list
    this.asked = 0; // counts requests, so that late answers are dropped
    this.stale = false; // whether a request was skipped while the page was hidden
    this.listing = { rows: [], total: 0 };
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
    if (gap.table() && !this.listing.total && !open.includes("gap"))
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
    try {
      // At the start, runs and overview may have been read while this page was loaded.
      const there = why === "start" && (await this.early);
      if (!there) await this.reader.readRuns(late, why !== "poll");
      if (late()) return;
      const { runs, others } = this.reader.known;
      if (!runs.length) {
        this.content.hidden = true;
        this.pages.empty(others);
        return;
      }
      await this.readOverviews(late, why === "poll" || there);
      if (!late()) this.pages.clear();
    } catch (error) {
      if (error?.name === "AbortError" || late()) return;
      // The page shows every error; only unexpected ones also go to the console.
      if (error?.status === undefined) console.error(error);
      this.failed(error);
    }
  }

  /** Requests the chosen run's overview, then that of the second run; draws each on arrival. */
  async readOverviews(late, glance) {
    const { known } = this.reader;
    const [focus, ...others] = this.reader.selected();
    const { pair } = this.state.get();
    const before = fingerprint(known.overviews, [focus]);
    const first = await this.reader.readRun(focus.id, pair, glance);
    if (late()) return;
    if (this.content.hidden) {
      this.pages.clear();
      this.content.hidden = false;
      this.draw(new Set(["run", "data"]));
    } else
      this.draw(
        new Set(before === fingerprint(known.overviews, [focus]) ? ["times"] : ["run", "data"]),
      );
    if (!others.length) return;
    const older = fingerprint(known.overviews, others);
    await Promise.all(
      others.map((run) => this.reader.readRun(run.id, first?.pair ?? pair, glance)),
    );
    if (!late() && older !== fingerprint(known.overviews, others)) this.draw(new Set(["others"]));
    else if (!late()) this.draw(new Set(["times"]));
  }

  failed(error) {
    if (this.reader.known.overviews.size && error.status !== undefined)
      this.pages.disconnected(error);
    else {
      this.content.hidden = true;
      this.pages.failed(error);
    }
  }

  changed(changed) {
    if (changed.has("live") && this.state.get().live) this.refresh("asked");
    if (["run", "pair", "overlay"].some((key) => changed.has(key))) {
      const { overviews } = this.reader.known;
      const [focus, ...others] = this.reader.selected().map((run) => overviews.get(run.id));
      const pair = this.state.get().pair ?? focus?.pair;
      const there = focus && [focus, ...others].every((one) => one?.pair === pair);
      if (!there) this.refresh("chosen");
      // Data of the new choice that have arrived already are shown at once.
      changed = new Set([...changed, ...(focus ? ["data"] : [])]);
    }
    this.draw(changed);
  }

  /** Returns all that the views draw. */
  model() {
    const state = this.state.get();
    const { known } = this.reader;
    const selected = this.reader.selected();
    const overview = known.overviews.get(selected[0]?.id) ?? null;
    const steps = overview?.steps ?? [];
    const { epoch } = state;
    const chosen = epoch === null ? steps.length - 1 : steps.findLastIndex((step) => step <= epoch);
    const column = Math.max(0, chosen);
    const feature = this.feature(overview, state.feature);
    const step = steps[column] ?? overview?.state?.step ?? 0;
    const label = overview?.features[overview.index.get(feature)]?.label ?? feature;
    return {
      state,
      selected,
      overview,
      feature,
      label,
      column,
      step,
      turn: this.turn,
      ...known,
      ...this.listing,
    };
  }

  /** The chosen feature `name` if any run has this feature; else the most severe feature. */
  feature(overview, name) {
    if (!overview) return null;
    const overviews = [...this.reader.known.overviews.values()];
    const known = name !== null && overviews.some((one) => one.index.has(name));
    return known ? name : (overview.features[0]?.name ?? null);
  }

  draw(changed) {
    if (LISTED_BY.some((key) => changed.has(key))) {
      const { overviews } = this.reader.known;
      const [focus] = this.reader.selected();
      this.listing = listRows(overviews.get(focus?.id) ?? null, this.state.get());
      changed = new Set([...changed, "rows"]);
      this.turn++;
    }
    const model = this.model();
    const unread = model.failures.has(model.selected[0]?.id);
    this.content.classList.toggle("loading", !model.overview && !unread);
    this.content.classList.toggle("unread", unread);
    // A diagnosis may arrive before the first comparison.
    this.content.classList.toggle("bare", !model.total);
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

/** Builds the page in `body`; `early` is the result of `begin` in `early.js`. */
export async function start(body, early) {
  await new App(body, early).refresh("start");
}
