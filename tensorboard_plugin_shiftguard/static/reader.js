/* Store of the runs and the overview of the shown one, which it requests from the server. */

import { api } from "./api.js";
import { pairKey, readOverview } from "./rows.js";

const OLD = 60000; // milliseconds after which an overview is read again in any case
const EMPTY_TRIES = [600, 1200, 2400]; // milliseconds before an empty list is requested again

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
const readable = ({ id }) => id.replace(/\/shiftguard$/, "").replace(/^shiftguard$/, ".");

export function createReader({ state }) {
  const overviews = new Map(); // id of a run -> its overview
  const failures = new Map(); // id of a run -> error message
  const read = new Map(); // id of a run -> `markOf` and time when its overview was read
  let usual = null; // id of the run that is shown while the user has chosen none
  const known = { runs: [], more: 0, others: 0, overviews, failures };

  /** Requests the list of runs. If `patient`, requests an empty list a few times again. */
  async function readRuns(late, patient) {
    let answer = await api.runs();
    // The list lacks runs that TensorBoard has not read yet.
    for (const time of patient ? EMPTY_TRIES : []) {
      if (answer.runs?.length || late()) break;
      await pause(time);
      answer = await api.runs();
    }
    if (late()) return;
    known.runs = (answer.runs ?? []).map((run) => ({ ...run, name: readable(run) }));
    known.more = answer.more ?? 0;
    known.others = answer.other_runs ?? 0;
  }

  /** The chosen run, or else the newest; null without runs. */
  function selected() {
    const byId = new Map(known.runs.map((run) => [run.id, run]));
    // The newest run is chosen only once: the page must not switch between two fits that write at
    // the same time, nor to a fit that begins while the user looks at another one.
    if (!byId.has(usual)) {
      const newest = (a, b) => (b.updated ?? 0) - (a.updated ?? 0);
      usual = [...known.runs].sort(newest)[0]?.id ?? null;
    }
    return byId.get(state.get().run) ?? byId.get(usual) ?? null;
  }

  /** Requests an overview for a pair; the index of the same pair may differ between runs. */
  async function ask(id, pair) {
    const place = (pairs) => (pairs ?? []).findIndex((one) => pairKey(one) === pair);
    const guess = pair ? place(overviews.get(id)?.pairs) : -1;
    const found = readOverview(await api.overview(id, guess < 0 ? null : guess, { tries: 2 }));
    const index = place(found.pairs);
    if (!pair || index < 0 || found.pair === pair) return found;
    return readOverview(await api.overview(id, index));
  }

  /** Whether the overview that was read of a run is still up to date. */
  function unchanged(id, pair) {
    const { mark, time } = read.get(id) ?? {};
    const old = performance.now() - time > OLD;
    const other = pair && overviews.get(id)?.pair !== pair;
    return mark !== undefined && mark === markOf(id) && !old && !other && overviews.has(id);
  }

  /** A key from the entry of a run in `/runs`; it changes with every comparison. */
  function markOf(id) {
    const run = known.runs.find((one) => one.id === id);
    const { updated, looks, last_step: last, kind, short } = run ?? {};
    return updated ? JSON.stringify([updated, looks, last, kind, short]) : undefined;
  }

  /** Reads the overview of a run, for `pair` if the run has this pair. */
  async function readRun(id, pair, glance = false) {
    if (glance && unchanged(id, pair)) return;
    try {
      const mark = markOf(id);
      overviews.set(id, await ask(id, pair));
      read.set(id, { mark, time: performance.now() });
      failures.delete(id);
    } catch (error) {
      // Without a response, the old data stay; the page says that they are old.
      if (!error.offline && error.name !== "AbortError") {
        overviews.delete(id);
        failures.set(id, error.message);
      }
      throw error;
    }
  }

  /** The first requests, which run while the views are loaded; returns whether both arrived. */
  async function begin() {
    await readRuns(() => false, false);
    const run = selected();
    if (run) await readRun(run.id, state.get().pair);
    return Boolean(run);
  }

  return { known, selected, readRuns, readRun, begin };
}

/** A key that changes when an overview gets new data, another pair or a new problem. */
export const fingerprint = (one) =>
  one ? JSON.stringify([one.updated, one.looks, one.pair, one.problems.length]) : "";
