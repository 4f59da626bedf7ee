/* The page as a whole: asks for data, keeps what it has, tells the views.
 *
 * The views never ask when; they are told what changed: "data" (a new overview),
 * "rows" (other features listed), or the keys of the state.
 */

import { api } from "./api.js";
import { createAdaptation } from "./adaptation.js";
import { createCards } from "./cards.js";
import { createDetail } from "./detail.js";
import { el } from "./dom.js";
import { createHeatmap } from "./heatmap.js";
import { isShown, watchReload, watchShown } from "./host.js";
import { createLog } from "./log.js";
import { createPages } from "./pages.js";
import { createPreprocessing } from "./preprocessing.js";
import { listRows, readOverview } from "./rows.js";
import { MOST_RUNS, createState } from "./state.js";
import { createToolbar } from "./toolbar.js";
import { createVerdict } from "./verdict.js";

const POLL = 10000; // milliseconds
const EMPTY_TRIES = [600, 1200, 2400]; // while TensorBoard reads its logs

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
const readable = (run) => run.name.replace(/\/shiftguard$/, "").replace(/^shiftguard$/, ".");

class App {
  constructor(body) {
    this.state = createState();
    this.runs = [];
    this.overviews = new Map();
    this.failures = new Map();
    this.turn = 0; // counts what was drawn, so that views can tell old from new
    this.asked = 0; // counts questions, so that late answers are dropped
    this.stale = false;
    this.listing = null;
    this.pages = createPages({ retry: () => this.refresh("asked") });
    const failed = (error, route) => this.failedPart(error, route);
    const shared = { state: this.state, failed, refresh: (why) => this.refresh(why) };
    this.views = {
      verdict: createVerdict(shared),
      preprocessing: createPreprocessing(shared),
      toolbar: createToolbar(shared),
      heatmap: createHeatmap(shared),
      detail: createDetail(shared),
      cards: createCards(shared),
      adaptation: createAdaptation(shared),
      log: createLog(shared),
    };
    const { verdict, preprocessing, toolbar, heatmap, detail, cards, adaptation, log } = this.views;
    this.content = el(
      "div",
      { class: "content" },
      verdict.node,
      preprocessing.node,
      el("div", { class: "explore" }, toolbar.node, el("div", { class: "pair" }, heatmap.node, detail.node), cards.node),
      adaptation.node,
      log.node,
    );
    this.main = el("main", { class: "shiftguard" }, this.pages.banner, this.pages.node, this.content);
    body.replaceChildren(this.main);
    this.state.listen((changed) => this.changed(changed));
    watchReload(() => this.refresh("reload"));
    watchShown(() => this.shown());
    setInterval(() => this.tick(), POLL);
  }

  tick() {
    if (!isShown()) return;
    if (this.state.get().live || !this.runs.length) this.refresh("poll");
    else this.views.verdict.tick(this.model());
  }

  shown() {
    if (this.stale) {
      this.stale = false;
      this.refresh("shown");
    }
    this.state.save();
  }

  /** Asks for everything that may have changed. */
  async refresh(why) {
    if (why !== "start" && !isShown()) {
      this.stale = true;
      return;
    }
    const asked = ++this.asked;
    const late = () => asked !== this.asked;
    try {
      const answer = await this.listRuns(why, late);
      if (late()) return;
      this.runs = (answer.runs ?? []).map((run) => ({ ...run, name: readable(run) }));
      this.moreRuns = answer.more ?? 0;
      if (!this.runs.length) return this.pages.empty(answer.other_runs ?? 0), this.showContent(false);
      this.pages.clear();
      this.showContent(true);
      await this.readRuns(late, why);
    } catch (error) {
      if (error?.name === "AbortError" || late()) return;
      this.failedAll(error);
    }
  }

  async listRuns(why, late) {
    let answer = await api.runs();
    // What has not been read yet looks the same as what is not there.
    for (const time of why === "poll" ? [] : EMPTY_TRIES) {
      if (answer.runs?.length || late()) break;
      await pause(time);
      answer = await api.runs();
    }
    return answer;
  }

  /** The chosen runs that there are; else the latest ones. */
  selected() {
    const known = new Map(this.runs.map((run) => [run.id, run]));
    const chosen = this.state.get().runs.map((id) => known.get(id)).filter(Boolean);
    if (chosen.length) return chosen;
    const latest = [...this.runs].sort((a, b) => (b.updated ?? 0) - (a.updated ?? 0)).slice(0, MOST_RUNS);
    return latest.sort((a, b) => this.runs.indexOf(a) - this.runs.indexOf(b));
  }

  async readRuns(late, why) {
    const [focus, ...others] = this.selected();
    const pair = this.state.get().pair;
    const before = JSON.stringify([...this.overviews.values()].map((o) => [o.run, o.updated, o.looks, o.pair]));
    if (!this.overviews.has(focus.id)) this.draw(new Set(["runs"]));
    const first = await this.readRun(focus.id, pair);
    if (late()) return;
    if (!first) {
      this.draw(new Set(["runs", "data", "rows"]));
    } else {
      // The page is drawn with the first run; the others join it when they are there.
      const same = why === "poll" && this.known?.updated === first.updated && this.known?.looks === first.looks;
      this.known = first;
      if (!same || this.listing === null) this.draw(new Set(["runs", "data", "rows"]));
    }
    await Promise.all(others.map((run) => this.readRun(run.id, first?.pair ?? pair)));
    if (late()) return;
    const after = JSON.stringify([...this.overviews.values()].map((o) => [o.run, o.updated, o.looks, o.pair]));
    this.draw(before === after ? new Set(["runs"]) : new Set(["runs", "others", "rows"]));
  }

  async readRun(id, pair) {
    try {
      let raw;
      try {
        raw = await api.overview(id, pair, { tries: 2 });
      } catch (error) {
        // A run may lack the pair that is asked for; its verdict is there all the same.
        if (!pair || ![400, 404].includes(error.status)) throw error;
        raw = await api.overview(id, null);
      }
      const overview = readOverview(raw);
      this.overviews.set(id, overview);
      this.failures.delete(id);
      return overview;
    } catch (error) {
      if (error.offline && this.overviews.has(id)) throw error;
      this.failures.set(id, error.message);
      this.overviews.delete(id);
      if (error.offline || this.selected().length === 1) throw error;
      return null;
    }
  }

  showContent(on) {
    this.content.hidden = !on;
  }

  failedAll(error) {
    if (this.overviews.size) this.pages.disconnected(error);
    else {
      this.showContent(false);
      this.pages.failed(error);
    }
  }

  /** A part could not be read: the rest of the page stays as it is. */
  failedPart(error) {
    if (error?.offline && this.overviews.size) this.pages.disconnected(error);
  }

  changed(changed) {
    if (changed.has("live") && this.state.get().live) this.refresh("asked");
    if (changed.has("runs") || changed.has("pair")) {
      const missing = this.selected().some((run) => !this.overviews.has(run.id));
      const focus = this.overviews.get(this.selected()[0]?.id);
      if (missing || (this.state.get().pair && focus?.pair !== this.state.get().pair)) {
        this.refresh("chosen");
        return;
      }
      changed = new Set([...changed, "data", "rows"]);
    }
    this.draw(changed);
  }

  model() {
    const state = this.state.get();
    const selected = this.selected();
    const overview = this.overviews.get(selected[0]?.id) ?? null;
    const feature = this.feature(overview, state);
    const steps = overview?.steps ?? [];
    let column = state.epoch === null ? steps.length - 1 : steps.findLastIndex((step) => step <= state.epoch);
    if (column < 0) column = 0;
    return {
      state, selected, overview, feature, column,
      step: steps[column] ?? 0,
      runs: this.runs,
      moreRuns: this.moreRuns,
      overviews: this.overviews,
      failures: this.failures,
      turn: this.turn,
      ...(this.listing ?? { rows: [], total: 0 }),
    };
  }

  /** The chosen feature if there is one of that name; else the most severe. */
  feature(overview, { feature }) {
    if (!overview) return null;
    const known = feature !== null && [...this.overviews.values()].some((one) => one.index.has(feature));
    return known ? feature : (overview.features[0]?.name ?? null);
  }

  draw(changed) {
    const state = this.state.get();
    const selected = this.selected();
    const overview = this.overviews.get(selected[0]?.id) ?? null;
    if (["query", "sort", "onlyShifted", "pins", "runs", "pair", "data", "rows"].some((key) => changed.has(key))) {
      const others = selected.slice(1).map((run) => [run.name, this.overviews.get(run.id)]).filter(([, one]) => one);
      this.listing = listRows(overview, others, state);
      changed = new Set([...changed, "rows"]);
      this.turn++;
    }
    const model = this.model();
    this.content.classList.toggle("loading", !overview);
    for (const view of Object.values(this.views)) view.update(model, changed);
  }
}

/** Builds the page in `body` and asks for the first data. */
export async function start(body) {
  const app = new App(body);
  await app.refresh("start");
}
