/* The screen: runs at the left; band, curves and heatmap; and the folded parts below. */

import { adaptationInWords, createAdaptation } from "./adaptation.js";
import { createBand } from "./band.js";
import { createCurves } from "./curves.js";
import { createDetail } from "./detail.js";
import { eventsInWords, featuresInWords } from "./digests.js";
import { html } from "./dom.js";
import { createFeatures } from "./features.js";
import { createFold } from "./folds.js";
import { createGap, gapInWords } from "./gap.js";
import { createGlossary } from "./glossary.js";
import { createHeatmap } from "./heatmap.js";
import { createLabels, labelsInWords } from "./labels.js";
import { createLog } from "./log.js";
import { createPictures, picturesInWords } from "./pictures.js";
import { createPreprocessing, preprocessingInWords } from "./preprocessing.js";
import { createRuns } from "./runs.js";
import { createToolbar } from "./toolbar.js";

// The changes that a part is notified of when it is unfolded, so that it draws everything.
const ALL = ["run", "data", "others", "rows", "feature", "epoch", "pair", "overlay"];

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
  const fold = (key, title, digest, ...views) =>
    createFold({ key, title, digest, views, state, all: ALL });
  const features = sideBySide(createFeatures(shared), createDetail(shared));
  const glossary = fold("glossary", "Glossary", () => "", createGlossary());
  const folds = [
    fold("gap", "Accuracy gap", () => gapInWords(gap.table()), gap),
    fold("pictures", "Pictures of the data", picturesInWords, createPictures(shared)),
    fold("distributions", "Distributions", featuresInWords, createToolbar(shared), features),
    fold("preprocessing", "Preprocessing", preprocessingInWords, createPreprocessing(shared)),
    fold("labels", "Labels", labelsInWords, createLabels(shared)),
    fold("adaptation", "Adaptation", adaptationInWords, createAdaptation(shared)),
    fold("log", "What happened", eventsInWords, createLog(shared)),
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

/** Combines two views into one view. */
function sideBySide(...views) {
  return {
    node: html`<div class="pair">${views.map((view) => view.node)}</div>`,
    update(model, changed) {
      for (const view of views) view.update(model, changed);
    },
  };
}
