/* What stands beside the titles of folded parts. */

import { count } from "./format.js";

/** What was measured, in a few words; null if nothing was. */
export function featuresInWords({ overview, total }) {
  if (!total) return null;
  const found = overview.features.filter((one) => one.alarm).length;
  const along = overview.features.filter((one) => one.along).length;
  const also = along ? `, ${count(along, "feature")} that ${along === 1 ? "goes" : "go"} along` : "";
  return `${count(total, "feature")}: ${found ? count(found, "finding") : "no finding"}${also}`;
}

/** How much happened; null if nothing did. */
export const eventsInWords = ({ overview }) =>
  overview?.events.length ? count(overview.events.length, "event") : null;
