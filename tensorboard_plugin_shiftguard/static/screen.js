/* The screen: runs at the left; band, curves and heatmap; and the folded parts below. */

import { adaptationInWords, createAdaptation } from "./adaptation.js";
import { createBand } from "./band.js";
import { createCurves } from "./curves.js";
import { createDetail } from "./detail.js";
import { html } from "./dom.js";
import { createFold } from "./folds.js";
import { count } from "./format.js";
import { createGap, gapInWords } from "./gap.js";
import { createGlossary } from "./glossary.js";
import { createHeatmap } from "./heatmap.js";
import { createPictures, picturesInWords } from "./pictures.js";
import { createPreprocessing, preprocessingInWords } from "./preprocessing.js";
import { createRuns } from "./runs.js";

/**
 * Builds all views. `shared` holds the arguments that most of them take. `explain` opens the
 * glossary, and `showGap` is called when an accuracy gap appears or disappears.
 */
export function createScreen(shared, { explain, showGap }) {
  const { state } = shared;
  const band = createBand({ ...shared, explain });
  const runs = createRuns(state);
  const heatmap = createHeatmap(shared);
  const curves = createCurves({ ...shared, spans: heatmap.spans });
  const gap = createGap({ ...shared, found: () => showGap(gap) });
  const fold = (key, title, digest, view) => createFold({ key, title, digest, view, state });
  const glossary = fold("glossary", "Glossary", () => "", createGlossary());
  const folds = [
    fold("gap", "Accuracy gap", () => gapInWords(gap.table()), gap),
    fold("pictures", "Pictures of the data", picturesInWords, createPictures(shared)),
    fold("distributions", "Distributions", featuresInWords, createDetail(shared)),
    fold("preprocessing", "Preprocessing", preprocessingInWords, createPreprocessing()),
    fold("adaptation", "Adaptation", adaptationInWords, createAdaptation(shared)),
    glossary,
  ];
  const column = html`<div class="column">
    ${band.node}
    <div class="panel screen">${curves.node}${heatmap.node}${curves.numbers}</div>
    <div class="panel folds">${folds.map((one) => one.node)}</div>
  </div>`;
  const content = html`<div class="content" hidden>${runs.node}${column}</div>`;
  return { band, glossary, content, views: [band, runs, curves, heatmap, gap, ...folds] };
}

/** The numbers of features and findings, as text; null without features. */
function featuresInWords({ overview }) {
  const features = overview?.features ?? [];
  if (!features.length) return null;
  const found = features.filter((one) => one.alarm).length;
  const along = features.filter((one) => one.along).length;
  const also = along ? `, ${count(along, "feature")} that follow${along === 1 ? "s" : ""}` : "";
  const more = overview.omitted ? `; ${overview.omitted} more measured, less severe` : "";
  const findings = found ? count(found, "finding") : "no finding";
  return `${count(features.length, "feature")}: ${findings}${also}${more}`;
}
