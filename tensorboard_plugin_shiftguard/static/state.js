/* The state of the page: the choices of the user. All but the search text survive a reload.
 *
 * The position (run, pair, feature, epoch, open parts) is in the URL of TensorBoard, so that a link
 * contains it. It is also in sessionStorage, because the URL lacks it while another tab of
 * TensorBoard is shown. Preferences are in localStorage, but the position is not: TensorBoard may
 * later show other runs at the same host and port.
 */

import { readAddress, watchAddress, writeAddress } from "./host.js";

const KEY = "shiftguard";
const SHARED = ["run", "pair", "feature", "epoch", "open"]; // the position, in a link
const LIKED = ["pins", "sort", "measure", "log", "hiddenStreams", "curve"]; // preferences
const KEPT = [...SHARED, "onlyShifted", "overlay", "unfolded", "live"]; // until the browser tab is closed

const DEFAULTS = {
  run: null, // id; null: the newest
  pair: null, // "validation/train"; null: the pair that the server chooses
  feature: null, // null: the most severe
  epoch: null, // step; null: the latest, also after new data
  open: [], // parts below the heatmap that are unfolded
  unfolded: [], // causes whose features are listed
  curve: "accuracy", // or "loss"
  pins: [], // feature names
  query: "",
  sort: "severity", // "severity", "change" or "name"
  onlyShifted: false,
  live: true, // whether new data are drawn as they come; off only until the browser tab is closed
  measure: "density", // or "cumulative"
  log: false,
  hiddenStreams: [],
  overlay: null, // id of a second run in the histogram
};

function fromAddress() {
  const found = readAddress();
  const state = {};
  if (found.run) state.run = found.run;
  try {
    // Links of version 0.1 contain a list.
    if (found.runs) state.run ??= String(JSON.parse(found.runs)[0] ?? "") || null;
  } catch {
    // The link was cut; its other parts may still be valid.
  }
  if (found.open) state.open = found.open.split(",");
  if (found.pair) state.pair = found.pair;
  if (found.feature) state.feature = found.feature;
  if (/^\d+$/.test(found.epoch ?? "")) state.epoch = Math.max(0, Number(found.epoch) - 1);
  return state;
}

/** Reads `keys` from a storage; values of a wrong form are left out. */
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
    // Private windows may refuse the storage; the URL still keeps the position.
  }
}

// Even access to a storage may be refused.
const forGood = () => window.localStorage;
const forNow = () => window.sessionStorage;

/** The store of all choices: `get()`, `set(changes)`, `listen(f)`. */
export function createState() {
  const linked = fromAddress();
  // A link holds a whole position, which is not mixed with the position in sessionStorage.
  const kept = fromStorage(forNow, KEPT);
  if (Object.keys(linked).length) for (const key of SHARED) delete kept[key];
  let state = { ...DEFAULTS, ...fromStorage(forGood, LIKED), ...kept, ...linked };
  const listeners = new Set();
  let timer = 0;

  const write = () => {
    clearTimeout(timer);
    timer = 0;
    writeAddress({
      run: state.run,
      pair: state.pair,
      feature: state.feature,
      epoch: state.epoch === null ? null : state.epoch + 1,
      open: state.open.join(",") || null,
    });
    toStorage(forGood, LIKED, state);
    toStorage(forNow, KEPT, state);
  };
  const save = () => {
    clearTimeout(timer);
    timer = setTimeout(write, 200);
  };
  // Saves choices that were changed right before the page is closed.
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
