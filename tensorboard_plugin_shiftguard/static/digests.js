/* Short texts beside the titles of folded parts. */

import { count } from "./format.js";

/** The numbers of features and findings, as text; null without features. */
export function featuresInWords({ overview, total }) {
  if (!total) return null;
  const found = overview.features.filter((one) => one.alarm).length;
  const along = overview.features.filter((one) => one.along).length;
  const also = along ? `, ${count(along, "feature")} that ${along === 1 ? "goes" : "go"} along` : "";
  return `${count(total, "feature")}: ${found ? count(found, "finding") : "no finding"}${also}`;
}

/** The number of events, as text; null without events. */
export const eventsInWords = ({ overview }) =>
  overview?.events.length ? count(overview.events.length, "event") : null;
