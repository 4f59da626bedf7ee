/* Scales of the small drawings: conversion of numbers to positions. */

/** Linear scale that maps `[a, b]` to `[from, to]`. */
export function linear([a, b], [from, to]) {
  const factor = b === a ? 0 : (to - from) / (b - a);
  return (x) => from + (x - a) * factor;
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
