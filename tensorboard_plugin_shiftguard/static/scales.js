/* Scales: conversion of numbers to positions and colours. */

/** A straight line from `domain` to `range`. */
export function linear([a, b], [from, to]) {
  const factor = b === a ? 0 : (to - from) / (b - a);
  const scale = (x) => from + (x - a) * factor;
  scale.invert = (y) => (factor === 0 ? a : a + (y - from) / factor);
  return scale;
}

/** About `most` round numbers within `[a, b]`. */
export function ticks(a, b, most = 5) {
  if (!(b > a) || !Number.isFinite(b - a)) return Number.isFinite(a) ? [a] : [];
  const rough = (b - a) / Math.max(1, most);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((m) => m * power >= rough * 0.999);
  const found = [];
  for (let i = Math.ceil(a / step - 1e-9); i * step <= b + step * 1e-9; i++) {
    found.push(Number((i * step).toPrecision(12)));
    if (found.length > 50) break;
  }
  return found;
}

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

// Blue for negative and orange for positive effects, which differ in every kind of colour
// vision. Lightness shows the size. Effects below the threshold have the colour of the page.
const LIGHT = { low: ["#d3e4f3", "#08468b"], high: ["#fbdcb8", "#a33b03"], calm: "#f1f3f4" };
const DARK = { low: ["#2c4a66", "#9fd0ff"], high: ["#5c4026", "#ffb765"], calm: "#3a3d41" };

/**
 * Colours of effect sizes. From the threshold to `largest` the colour deepens
 * with the square root, so that small effects can still be told from none.
 */
export function effectColours(dark, threshold, largest) {
  const theme = dark ? DARK : LIGHT;
  const ramp = (ends) => Array.from({ length: 33 }, (_, i) => mix(ends[0], ends[1], i / 32));
  const [low, high] = [ramp(theme.low), ramp(theme.high)];
  const top = Math.max(largest, threshold * 2);
  const colour = (value) => {
    const size = Math.abs(value);
    if (size < threshold) return theme.calm;
    const place = Math.sqrt((Math.min(size, top) - threshold) / (top - threshold));
    return (value < 0 ? low : high)[Math.round(place * 32)];
  };
  colour.top = top;
  colour.calm = theme.calm;
  return colour;
}

function mix(a, b, share) {
  const part = (text, i) => parseInt(text.slice(1 + 2 * i, 3 + 2 * i), 16);
  return (
    "#" +
    [0, 1, 2]
      .map((i) => Math.round(part(a, i) + (part(b, i) - part(a, i)) * share))
      .map((v) => v.toString(16).padStart(2, "0"))
      .join("")
  );
}
