/* Ranges of values on one axis: the range that a convention makes of 0 to 255, and the data's. */

/** A bar for a convention, or one for each channel if they differ; then one for the data's range. */
export function rangesOf(name, convention, seen = null) {
  const rows = [];
  const { scale, offset, channel_order: order } = convention ?? {};
  if (Array.isArray(scale) && Array.isArray(offset)) {
    const channels = scale
      .map((factor, i) => {
        const ends = [offset[i], 255 * factor + offset[i]].sort((a, b) => a - b);
        return { low: ends[0], high: ends[1] };
      })
      .filter(({ low, high }) => Number.isFinite(low) && Number.isFinite(high));
    const same = channels.every(
      ({ low, high }) => low === channels[0].low && high === channels[0].high,
    );
    const letters = ["rgb", "bgr"].includes(order)
      ? [...order.toUpperCase()]
      : channels.map((_, i) => String(i));
    if (same && channels.length) rows.push({ name, style: name, ...channels[0] });
    else
      channels.forEach((one, i) =>
        rows.push({ name: `${name}, ${letters[i] ?? i}`, style: name, ...one }),
      );
  }
  if (Array.isArray(seen) && seen.every(Number.isFinite)) {
    rows.push({ name: "seen", style: "seen", low: seen[0], high: seen[1] });
  }
  return rows;
}
