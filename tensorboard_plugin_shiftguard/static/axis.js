/* The horizontal axis of epochs that the accuracy chart and the heatmap share. */

const NAMES = 0.27; // share of the width for names
const MAX_NAME_WIDTH = 250; // pixels
const COSTS = 104; // pixels for the numbers at the right
const NARROW = 560; // pixels; below this width, names and numbers get other widths

/**
 * The layout of a chart `width` pixels wide: names at the left, one column for each epoch,
 * numbers at the right. `cell` is the width of a column.
 */
export function axisOf(width, columns) {
  const narrow = width < NARROW;
  const left = Math.round(narrow ? width * 0.36 : Math.min(MAX_NAME_WIDTH, width * NAMES));
  const right = narrow ? 58 : COSTS;
  const room = Math.max(20, width - left - right);
  const cell = room / Math.max(1, columns);
  // If a column is narrower than two pixels, `group` epochs are drawn as one cell, which shows
  // the most severe state of these epochs.
  const group = cell < 2 ? Math.ceil(2 / cell) : 1;
  return {
    width,
    columns,
    left,
    right,
    end: left + room,
    cell,
    group,
    x: (t) => left + t * cell,
    middle: (t) => left + (t + 0.5) * cell,
    column: (x) =>
      x < left || x > left + room ? -1 : Math.min(columns - 1, Math.floor((x - left) / cell)),
  };
}

/**
 * The tick interval in epochs, so large that the numbers at the ticks do not touch. `cell` is the
 * width of an epoch in pixels.
 */
export function apart(cell) {
  const least = Math.max(1, Math.ceil(34 / cell));
  return [1, 2, 5, 10, 20, 25, 50, 100, 200, 250].find((n) => n >= least) ?? least;
}
