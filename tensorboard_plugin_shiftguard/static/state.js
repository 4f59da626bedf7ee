/* The state of the page: the choices of the user. They survive a reload.
 *
 * The position (run, pair, feature, epoch, open parts) is in the URL of TensorBoard, so that a link
 * contains it. All choices are also in sessionStorage, because the URL lacks the position while
 * another tab of TensorBoard is shown.
 */

import { readAddress, watchAddress, writeAddress } from "./host.js";

const KEY = "shiftguard";
const SHARED = ["run", "pair", "feature", "epoch", "open"]; // the position, in a link

const DEFAULTS = {
  run: null, // id; null: the newest
  pair: null, // "validation/train"; null: the pair that the server chooses
  feature: null, // null: the most severe
  epoch: null, // step; null: the latest, also after new data
  open: [], // parts below the heatmap that are unfolded
  unfolded: [], // causes whose features are listed
  curve: "accuracy", // or "loss"
  live: true, // whether new data are drawn as they come
};

function fromAddress() {
  const { run, runs, open, pair, feature, epoch } = readAddress();
  const state = {};
  if (run) state.run = run;
  try {
    // Links of version 0.1 contain a list.
    if (runs) state.run ??= String(JSON.parse(runs)[0] ?? "") || null;
  } catch {
    // The link was cut; its other parts may still be valid.
  }
  if (open) state.open = open.split(",");
  if (pair) state.pair = pair;
  if (feature) state.feature = feature;
  if (/^\d+$/.test(epoch ?? "")) state.epoch = Math.max(0, Number(epoch) - 1);
  return state;
}

/** Reads the storage, if it may be read; values of a wrong form are left out. */
function fromStorage() {
  try {
    const kept = JSON.parse(window.sessionStorage.getItem(KEY) ?? "{}");
    const fits = ([key, value]) =>
      key in DEFAULTS && Array.isArray(value) === Array.isArray(DEFAULTS[key]);
    return Object.fromEntries(Object.entries(kept).filter(fits));
  } catch {
    return {};
  }
}

/** The store of all choices: `get()`, `set(changes)`, `listen(f)`. */
export function createState() {
  const linked = fromAddress();
  // A link holds a whole position, which is not mixed with the position in sessionStorage.
  const kept = fromStorage();
  if (Object.keys(linked).length) for (const key of SHARED) delete kept[key];
  let state = { ...DEFAULTS, ...kept, ...linked };
  const listeners = new Set();
  let timer = 0;

  const write = () => {
    clearTimeout(timer);
    timer = 0;
    const { run, pair, feature, epoch, open } = state;
    const number = epoch === null ? null : epoch + 1;
    writeAddress({ run, pair, feature, epoch: number, open: open.join(",") || null });
    try {
      window.sessionStorage.setItem(KEY, JSON.stringify(state));
    } catch {
      // Private windows may refuse the storage; the URL still keeps the position.
    }
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
