/* The first requests, which run while the views are still being loaded. */

import { createReader } from "./reader.js";
import { createState } from "./state.js";

/** Starts the first requests. The promise `read` tells whether their data have arrived. */
export function begin() {
  const state = createState();
  const reader = createReader({ state });
  return { state, reader, read: first(state, reader).catch(() => false) };
}

/** Reads the list of runs and the overview of the shown run; returns whether both arrived. */
async function first(state, reader) {
  await reader.readRuns(() => false, false);
  const [focus] = reader.selected();
  if (!focus) return false;
  return Boolean(await reader.readRun(focus.id, state.get().pair));
}
