/* The measures to draw, from what Keras logged, and the accuracy without the shift. */

import { isAccuracy } from "./groups.js";
import { FLAGS } from "./rows.js";

/**
 * The measures to draw, `{key, title, train, validation, accuracy}`: accuracy, or else the first
 * measure that is not the loss; then the loss.
 */
export function measuresOf(series) {
  const names = Object.keys(series);
  const pairs = names
    .filter((name) => !name.startsWith("val_") && (series[`val_${name}`] || isUsual(name)))
    .map((name) => ({
      key: name === "loss" ? "loss" : "accuracy",
      title: titleOf(name),
      train: series[name],
      validation: series[`val_${name}`] ?? null,
      accuracy: /acc/i.test(name),
    }));
  const best = pairs.find((one) => one.accuracy) ?? pairs.find((one) => one.key !== "loss");
  return [best, pairs.find((one) => one.key === "loss")].filter(Boolean);
}

const isUsual = (name) => name === "loss" || /acc/i.test(name);

function titleOf(name) {
  if (name === "loss") return "Loss";
  if (/^(sparse_|binary_)?(categorical_)?acc(uracy)?$/.test(name)) return "Accuracy";
  const words = name.replaceAll("_", " ");
  return words[0].toUpperCase() + words.slice(1);
}

/** Validation without the shift: the lost accuracy is added where the cost is known. */
export function withoutShift({ accuracy, validation }, { pair, costs, steps, index, flag, metric }) {
  if (!accuracy || !isAccuracy(metric) || !validation || !pair?.startsWith("validation/")) return [];
  const lost = new Map();
  for (const [name, line] of Object.entries(costs)) {
    const i = index.get(name);
    line.forEach((cost, t) => {
      const own = FLAGS.alarm | FLAGS.reported;
      const sure = (flag(i, t) & own) === own;
      if (sure && cost > (lost.get(steps[t]) ?? 0)) lost.set(steps[t], cost);
    });
  }
  return validation
    .filter(([step, value]) => value !== null && lost.has(step))
    .map(([step, value]) => [step, Math.min(1, value + lost.get(step))]);
}
