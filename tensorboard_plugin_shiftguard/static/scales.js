/* Scales: conversion of numbers to positions, and the round numbers of an axis. */

/** Linear scale that maps `[a, b]` to `[from, to]`. */
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

