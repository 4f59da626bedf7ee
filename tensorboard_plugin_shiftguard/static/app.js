/* The page as a whole: it requests data, stores them, and notifies the views.
 *
 * A notification names what changed: "data" (a new overview), "others" (the overview
 * of the second run), "rows" (the list of features), "times", or keys of the state.
 */

import { adaptationInWords, createAdaptation } from "./adaptation.js";
import { createBand } from "./band.js";
import { createCards } from "./cards.js";
import { createCurves } from "./curves.js";
import { createDetail } from "./detail.js";
import { el } from "./dom.js";
import { createFold } from "./folds.js";
import { count } from "./format.js";
import { createGap, gapInWords } from "./gap.js";
import { createGlossary } from "./glossary.js";
import { createHeatmap } from "./heatmap.js";
import { isShown, watchReload, watchShown } from "./host.js";
import { createLabels, labelsInWords } from "./labels.js";
import { createLog } from "./log.js";
import { createPages } from "./pages.js";
import { createPreprocessing, preprocessingInWords } from "./preprocessing.js";
import { createReader, fingerprint } from "./reader.js";
import { listRows } from "./rows.js";
import { createRuns } from "./runs.js";
import { createState } from "./state.js";
import { createToolbar } from "./toolbar.js";

const POLL = 10000; // milliseconds
// A change of any of these keys changes the list of features or its order.
const LISTED_BY = ["query", "sort", "onlyShifted", "pins", "run", "pair", "data"];
// What a part is told when it is unfolded.
const ALL = ["run", "data", "others", "rows", "feature", "epoch", "pair", "overlay"];

class App {
  constructor(body) {
    this.state = createState();
    this.reader = createReader({ state: this.state });
    this.turn = 0; // counts lists, so that views can tell old from new
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
    const { state } = this;
    const shared = { state, failed, refresh: (why) => this.refresh(why) };
    this.band = createBand({ ...shared, explain: () => this.explain() });
    const runs = createRuns(state);
    const curves = createCurves(shared);
    const heatmap = createHeatmap(shared);
    const fold = (key, title, digest, ...views) =>
      createFold({ key, title, digest, views, state, all: ALL });
    const gap = createGap({ ...shared, found: () => this.showGap(gap) });
    const pair = el("div", { class: "pair" });
    const [detail, cards] = [createDetail(shared), createCards(shared)];
    pair.append(cards.node, detail.node);
    const both = {
      node: pair,
      update(model, changed) {
        cards.update(model, changed);
        detail.update(model, changed);
      },
    };
    this.glossary = fold("glossary", "Glossary", () => "", createGlossary());
    this.folds = [
      fold("gap", "Accuracy gap", () => gapInWords(gap.table()), gap),
      fold("distributions", "Distributions", featuresInWords, createToolbar(shared), both),
      fold("preprocessing", "Preprocessing", preprocessingInWords, createPreprocessing(shared)),
      fold("labels", "Labels", labelsInWords, createLabels(shared)),
      fold("adaptation", "Adaptation", adaptationInWords, createAdaptation(shared)),
      fold("log", "What happened", eventsInWords, createLog(shared)),
      this.glossary,
    ];
    this.views = [this.band, runs, curves, heatmap, gap, ...this.folds];
    const screen = el("div", { class: "panel screen" }, curves.node, heatmap.node, curves.numbers);
    const folded = el("div", { class: "panel folds" }, this.folds.map((one) => one.node));
    this.content = el(
      "div",
      { class: "content", hidden: true },
      runs.node,
      el("div", { class: "column" }, this.band.node, screen, folded),
    );
    const main = el(
      "main",
      { class: "shiftguard" },
      this.pages.banner,
      this.pages.node,
      this.content,
    );
    body.replaceChildren(main);
  }

  /** Shows that a run has an accuracy gap; where it has nothing else, unfolded. */
  showGap(gap) {
    const { open } = this.state.get();
    if (gap.table() && !this.listing.total && !open.includes("gap"))
      this.state.set({ open: ["gap", ...open] });
    this.draw(new Set(["gap"]));
  }

  /** Unfolds the glossary and moves there. */
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
    this.state.save(); // the address may have belonged to another tab
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
      await this.reader.readRuns(late, why !== "poll");
      if (late()) return;
      const { runs, others } = this.reader.known;
      if (!runs.length) {
        this.content.hidden = true;
        this.pages.empty(others);
        return;
      }
      await this.readOverviews(late, why === "poll");
      if (!late()) this.pages.clear();
    } catch (error) {
      if (error?.name === "AbortError" || late()) return;
      // The console gets unexpected errors only; the page shows all others.
      if (error?.status === undefined) console.error(error);
      this.failed(error);
    }
  }

  /** Draws the first run as soon as it has arrived, and the others later. */
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

  /** The chosen feature if any run has one of that name; else the most severe. */
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

  /** Runs a view; an error in it does not stop the others. */
  tell(view, model, changed) {
    try {
      view.update(model, changed);
    } catch (error) {
      console.error(error);
      this.pages.disconnected({ message: `A part could not be drawn: ${error.message}.` });
    }
  }
}

/** What was measured, in a few words; null if nothing was. */
function featuresInWords({ overview, total }) {
  if (!total) return null;
  const found = overview.features.filter((one) => one.alarm).length;
  const along = overview.features.filter((one) => one.along).length;
  const also = along ? `, ${count(along, "feature")} that ${along === 1 ? "goes" : "go"} along` : "";
  return `${count(total, "feature")}: ${found ? count(found, "finding") : "no finding"}${also}`;
}

const eventsInWords = ({ overview }) =>
  overview?.events.length ? count(overview.events.length, "event") : null;

/** Builds the page in `body` and asks for the first data. */
export async function start(body) {
  await new App(body).refresh("start");
}
