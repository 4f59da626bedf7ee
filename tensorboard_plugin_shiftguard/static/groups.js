/* The rows of the heatmap, which are features grouped by cause, and the content of its cells. */

import { FLAGS } from "./rows.js";

// Levels of a cell. UNCLEAR: the cost may be 0, and may be above the tolerance.
export const [NOTHING, TOLERATED, EXPECTED, ALONG, UNCLEAR, FOUND] = [0, 1, 2, 3, 4, 5];

const STATES = {
  [FOUND]: "not measured",
  [UNCLEAR]: "unclear",
  [ALONG]: "follows",
  [EXPECTED]: "expected",
  [TOLERATED]: "tolerated",
};
const ALIKE = "alike"; // key of the row of all features that never differed

/**
 * Groups features by cause, in the order of the features. A group has `members`, `{name, i, record}`;
 * if the group is unfolded, a row for each member follows. `group` is the key of the cause, in
 * groups and in the rows of members. Groups that never differed become one row, the last.
 */
export function groupRows(overview, unfolded) {
  const rows = overview.features.map((record, i) => ({ name: record.name, i, record }));
  const groups = new Map();
  for (const row of rows) {
    const key = row.record.cause ?? row.name;
    if (!groups.has(key)) groups.set(key, []);
    groups.get(key).push(row);
  }
  const isAlike = (members) => !members.some((one) => everDiffers(overview, one));
  const alike = [...groups].filter(([, members]) => isAlike(members));
  if (alike.length > 1) {
    for (const [key] of alike) groups.delete(key);
    groups.set(ALIKE, alike.flatMap(([, members]) => members));
  }
  const found = [];
  for (const [key, members] of groups) {
    const cause = overview.causes[key] ?? null;
    const folds = members.length > 1;
    const open = folds && unfolded.includes(key);
    const main = members.find(({ name }) => cause?.main && name.endsWith(`/${cause.main}`)) ?? null;
    const all = groups.size === 1 ? `all ${members.length} are alike` : "";
    const same = key === ALIKE ? all || `${members.length} others are alike` : null;
    found.push({ key, group: key, cause, members, main, folds, open, inside: false, alike: same });
    if (!open) continue;
    for (const one of members) {
      const own = { key: one.name, group: key, members: [one], main: one, inside: true };
      found.push({ ...own, cause: null, folds: false, open: false, alike: null });
    }
  }
  return found;
}

/** Whether a feature was reported at any epoch. */
function everDiffers({ steps, flag }, { i }) {
  return steps.some((_, t) => flag(i, t) & (FLAGS.alarm | FLAGS.reported | FLAGS.expected));
}

/** The cell of a row at column `t`, from its strongest member: `{level, effect, cost, member}`. */
export function cellOf(overview, { members }, t) {
  let best = { level: -1, effect: NaN, cost: null, member: members[0] };
  for (const member of members) {
    const effect = overview.effect(member.i, t);
    if (Number.isNaN(effect)) continue;
    const cost = overview.costs[member.name]?.[t] ?? null;
    // The log holds the interval of the latest epoch only, so it is used for every epoch.
    const most = (cost ?? 0) + (overview.doubts.get(member.name) ?? 0);
    const level = levelOf(overview.flag(member.i, t), most, overview.tolerance);
    const stronger =
      level > best.level ||
      (level === best.level &&
        (cost ?? -1) >= (best.cost ?? -1) &&
        Math.abs(effect) > Math.abs(best.effect));
    if (stronger) best = { level, effect, cost, member };
  }
  return best;
}

function levelOf(flag, most, tolerance) {
  if (flag & FLAGS.alarm) return flag & FLAGS.reported ? FOUND : ALONG;
  if (flag & FLAGS.expected) return EXPECTED;
  if (!(flag & FLAGS.reported)) return NOTHING;
  return most > tolerance ? UNCLEAR : TOLERATED;
}

/** The strongest cell of a row in columns `from` to `to - 1`, which are drawn as one. */
export function strongestOf(overview, row, from, to) {
  let best = cellOf(overview, row, from);
  for (let t = from + 1; t < to; t++) {
    const cell = cellOf(overview, row, t);
    if (cell.level > best.level) best = cell;
  }
  return best;
}

/** The name of a row at column `t`: "Darker" if the stream is darker, else "Brightness". */
export function titleOf(overview, row, t) {
  const { cause, members, main, alike } = row;
  if (alike) return alike;
  if (!cause) return members[0].record.label ?? members[0].name;
  const at = main ? cellOf(overview, { members: [main] }, t) : null;
  if (!at || at.level <= NOTHING || !cause.lower) return cause.name;
  return at.effect < 0 ? cause.lower : cause.higher;
}

/** The text right of each row at column `t`: its state, or a cost, shown once if rows share it. */
export function costsOf(overview, rows, t) {
  const told = new Set();
  return rows.map((row) => {
    const { level, cost } = cellOf(overview, row, t);
    if (level !== FOUND || cost === null)
      return { text: row.inside && level === ALONG ? "" : (STATES[level] ?? ""), strong: false };
    if (told.has(cost) && !row.inside) return { text: "in the above", strong: false };
    told.add(cost);
    return { text: isAccuracy(overview.metric) ? points(cost) : `${points(cost)} %`, strong: true };
  });
}

/** The unit of costs: points of accuracy, or a part of the loss if no classes are predicted. */
export const ofAccuracy = (metric) => (isAccuracy(metric) ? "points of accuracy" : "% of the loss");
export const isAccuracy = (metric) => !metric || metric === "accuracy";

/** A share of accuracy as points, with a minus sign if it is negative. */
export function points(share) {
  // `toFixed` alone would make 10.3 of 0.1035.
  const text = (Math.round(Math.abs(share) * 1000) / 10).toFixed(1);
  return `${share < 0 && Number(text) ? "\u2212" : ""}${text}`;
}
