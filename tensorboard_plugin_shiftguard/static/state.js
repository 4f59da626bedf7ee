/* What the reader has chosen, kept over a reload.
 *
 * What a link should carry (runs, pair, feature, epoch) is in the address, and in
 * sessionStorage for when the address is not ours to write. How someone likes to
 * look at things is in localStorage; the position is not, since tomorrow other
 * runs may stand at the same address.
 */

import { readAddress, watchAddress, writeAddress } from "./host.js";

export const MOST_RUNS = 4;
const KEY = "shiftguard";
const SHARED = ["runs", "pair", "feature", "epoch"]; // in a link
const LIKED = ["pins", "sort", "live", "measure", "log", "hiddenStreams"]; // kept for good
const KEPT = [...SHARED, "onlyShifted", "overlay"]; // kept until the window is closed

const DEFAULTS = {
  runs: [], // ids, the one that is drawn first
  pair: null, // "validation/train"; null: what the server finds most telling
  feature: null, // null: the most severe
  epoch: null, // step; null: the latest, and follow it
  pins: [], // feature names
  query: "",
  sort: "severity", // "severity", "change" or "name"
  onlyShifted: false,
  live: false,
  measure: "density", // or "cumulative"
  log: false,
  hiddenStreams: [],
  overlay: null, // id of a second run in the histogram
};

function fromAddress() {
  const found = readAddress();
  const state = {};
  try {
    if (found.runs) state.runs = JSON.parse(found.runs).map(String).slice(0, MOST_RUNS);
  } catch {
    // A link that was cut: the rest of it may still be of use.
  }
  if (found.pair) state.pair = found.pair;
  if (found.feature) state.feature = found.feature;
  if (/^\d+$/.test(found.epoch ?? "")) state.epoch = Math.max(0, Number(found.epoch) - 1);
  return state;
}

/** What a storage holds of `keys`, as far as it has the form it should have. */
function fromStorage(storage, keys) {
  try {
    const kept = JSON.parse(storage().getItem(KEY) ?? "{}");
    const fits = ([key, value]) =>
      keys.includes(key) && Array.isArray(value) === Array.isArray(DEFAULTS[key]);
    return Object.fromEntries(Object.entries(kept).filter(fits));
  } catch {
    return {};
  }
}

function toStorage(storage, keys, state) {
  try {
    storage().setItem(
      KEY,
      JSON.stringify(Object.fromEntries(keys.map((key) => [key, state[key]]))),
    );
  } catch {
    // Private windows may refuse; the address still keeps the position.
  }
}

// Asking for a storage may already be refused.
const forGood = () => window.localStorage;
const forNow = () => window.sessionStorage;

/** The one place where choices live: `get()`, `set(changes)`, `listen(f)`. */
export function createState() {
  const linked = fromAddress();
  // A link is a whole position: it is not mixed with the last one from here.
  const kept = fromStorage(forNow, KEPT);
  if (Object.keys(linked).length) for (const key of SHARED) delete kept[key];
  let state = { ...DEFAULTS, ...fromStorage(forGood, LIKED), ...kept, ...linked };
  const listeners = new Set();
  let timer = 0;

  const write = () => {
    clearTimeout(timer);
    timer = 0;
    writeAddress({
      runs: state.runs.length ? JSON.stringify(state.runs) : null,
      pair: state.pair,
      feature: state.feature,
      epoch: state.epoch === null ? null : state.epoch + 1,
    });
    toStorage(forGood, LIKED, state);
    toStorage(forNow, KEPT, state);
  };
  const save = () => {
    clearTimeout(timer);
    timer = setTimeout(write, 200);
  };
  // Likings changed right before the page goes are kept as well.
  window.addEventListener("pagehide", () => timer && write());

  const set = (changes) => {
    const changed = Object.keys(changes).filter(
      (key) => JSON.stringify(changes[key]) !== JSON.stringify(state[key]),
    );
    if (!changed.length) return;
    state = { ...state, ...changes };
    save();
    for (const listener of listeners) listener(new Set(changed));
  };

  watchAddress(() => {
    const found = fromAddress();
    if (Object.keys(found).length) set(found);
  });
  return { get: () => state, set, save, listen: (listener) => listeners.add(listener) };
}
