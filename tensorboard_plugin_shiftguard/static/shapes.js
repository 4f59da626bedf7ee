/* Distributions and lines as SVG paths. */

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

/** The path of steps over the bins. With `base`, it is closed down to `base`, as a filled area. */
export function stepPath(edges, heights, x, y, base = null) {
  const place = (value) => Math.round(value * 100) / 100;
  let path = "";
  let last = null;
  for (let i = 0; i < heights.length; i++) {
    if (!(edges[i + 1] > edges[i])) continue;
    const top = place(y(heights[i]));
    if (last === null)
      path =
        base === null
          ? `M${place(x(edges[i]))} ${top}`
          : `M${place(x(edges[i]))} ${place(base)}V${top}`;
    else if (top !== last) path += `V${top}`;
    path += `H${place(x(edges[i + 1]))}`;
    last = top;
  }
  return base !== null && last !== null ? `${path}V${place(base)}Z` : path;
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

/** The bins that overlap a span. */
export function keepSpan(edges, heights, [low, high]) {
  const first = Math.max(
    0,
    edges.findIndex((edge, i) => edges[i + 1] > low),
  );
  let last = heights.length;
  while (last > first + 1 && edges[last - 1] >= high) last--;
  return { edges: edges.slice(first, last + 1), heights: heights.slice(first, last) };
}

/** The path of a line through points, with gaps at unknown values. */
export function linePath(points, x, y) {
  let path = "";
  let open = false;
  for (const [a, b] of points) {
    if (b === null || !Number.isFinite(b)) {
      open = false;
      continue;
    }
    path += `${open ? "L" : "M"}${Math.round(x(a) * 100) / 100} ${Math.round(y(b) * 100) / 100}`;
    // A point between two gaps is a line of length 0, which round caps make visible.
    if (!open) path += "h0.01";
    open = true;
  }
  return path;
}
