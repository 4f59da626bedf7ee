/* The horizontal axis of epochs that the accuracy chart and the heatmap share.
 *
 * An epoch is as wide as every other, whether it was compared or not. A comparison holds until the
 * next one, so its column may be several epochs wide.
 */

const NAMES = 0.27; // share of the width for names
const MAX_NAME_WIDTH = 250; // pixels
const COSTS = 104; // pixels for the numbers at the right
const NARROW = 560; // pixels; below this width, names and numbers get other widths
const APART = 48; // pixels between the numbers of two epochs, at least

/**
 * The layout of a chart `width` pixels wide: names at the left, a column for each of `steps`,
 * numbers at the right. `others` are steps that the axis must hold as well, such as those of the
 * accuracy, which may begin before the first comparison.
 */
export function axisOf(width, steps, others = []) {
  const narrow = width < NARROW;
  const left = Math.round(narrow ? width * 0.36 : Math.min(MAX_NAME_WIDTH, width * NAMES));
  const right = narrow ? 58 : COSTS;
  const room = Math.max(20, width - left - right);
  const ends = [steps[0], steps.at(-1), ...others].filter(Number.isFinite);
  const [first, last] = ends.length ? [Math.min(...ends), Math.max(...ends)] : [0, 0];
  const columns = steps.length;
  const epoch = room / (last - first + 1);
  const at = (step) => left + (step - first) * epoch; // where an epoch begins
  const cell = room / Math.max(1, columns);
  // If a column is narrower than two pixels, `group` columns are drawn as one cell, which shows
  // the most severe state of these epochs.
  const group = cell < 2 ? Math.ceil(2 / cell) : 1;
  return {
    width,
    columns,
    left,
    right,
    first,
    last,
    end: left + room,
    cell,
    group,
    x: (t) => at(t < columns ? steps[t] : last + 1),
    middle: (t) => at(steps[t] + 0.5),
    /** The column at a position; that of the first comparison also before it. */
    column(x) {
      if (x < left || x > left + room) return -1;
      const step = first + Math.floor((x - left) / epoch);
      return Math.max(0, steps.findLastIndex((one) => one <= step));
    },
    /** The numbers of the axis, `[epoch, position]`, so few that they do not touch. */
    ticks() {
      const least = Math.max(1, Math.ceil(APART / epoch));
      const power = 10 ** Math.floor(Math.log10(least));
      const every = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= least);
      const found = [[first + 1, at(first + 0.5)]];
      for (let n = every * Math.ceil((first + 2) / every); n <= last + 1; n += every)
        if (n >= first + 1 + least) found.push([n, at(n - 0.5)]);
      return found;
    },
  };
}
