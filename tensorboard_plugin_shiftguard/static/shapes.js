/* Distributions as heights over bins. */

/** Share of each bin per unit of width; 0 for bins of no width. */
export function densities(edges, shares) {
  return shares.map((share, i) => {
    const width = edges[i + 1] - edges[i];
    return width > 0 && share > 0 ? share / width : 0;
  });
}

/** Cumulative share at the end of each bin. */
export function cumulative(shares) {
  let sum = 0;
  return shares.map((share) => (sum += Math.max(0, share)));
}

/** Bins of width one, for classes. */
export const classEdges = (count) => Array.from({ length: count + 1 }, (_, i) => i);

/**
 * The span of edges outside of which every share is below a thousandth, so that a
 * single outlier does not flatten the chart.
 */
export function usedSpan(edges, lists) {
  let [low, high] = [Infinity, -Infinity];
  for (const shares of lists) {
    if (!shares) continue;
    shares.forEach((share, i) => {
      if (share < 0.001) return;
      if (edges[i] < low) low = edges[i];
      if (edges[i + 1] > high) high = edges[i + 1];
    });
  }
  return low < high ? [low, high] : [edges[0], edges[edges.length - 1]];
}
