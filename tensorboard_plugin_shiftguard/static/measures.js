/* The measures to draw, from what Keras logged, and what they were with the repair of a fault. */

/**
 * The measures to draw, `{key, title, train, validation, repaired, accuracy}`: accuracy, or else
 * the first measure that is not the loss; then the loss.
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
      repaired: series[`val_${name} repaired`] ?? [],
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
