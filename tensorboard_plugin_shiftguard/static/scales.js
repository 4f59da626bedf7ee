/* The range of an axis. */

/** Smallest and largest finite number, with room if they are the same. */
export function extent(values, include = []) {
  let [low, high] = [Infinity, -Infinity];
  for (const list of [values, include]) {
    for (const value of list) {
      if (value === null || !Number.isFinite(value)) continue;
      if (value < low) low = value;
      if (value > high) high = value;
    }
  }
  if (low > high) return [0, 1];
  if (low === high) return [low - (Math.abs(low) || 1) * 0.5, high + (Math.abs(high) || 1) * 0.5];
  return [low, high];
}
