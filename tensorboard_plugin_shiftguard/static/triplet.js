/* For the band: images of training, of validation, and of validation with the repair. */

import { api } from "./api.js";
import { shownPair } from "./distribution.js";
import { fill, html } from "./dom.js";
import { streamName } from "./format.js";
import { imageOf, looksOf } from "./pictures.js";
import { createRequest } from "./requests.js";

const FEW = 3; // pictures of each stream

export function createTriplet({ failed }) {
  const node = html`<div class="triplet" data-testid="triplet"></div>`;
  let model = null;
  let epochs = [];
  let drawn = "";
  const request = createRequest((answer) => {
    epochs = answer.epochs ?? [];
    draw();
  }, failed);

  function draw() {
    const { epoch, found } = looksOf(model, epochs);
    const { stream, against } = shownPair(model.overview) ?? {};
    const row = (of, what) => found?.rows.find((one) => one.stream === of && one.what === what);
    const repaired = row(stream, "repaired");
    const name = streamName(stream ?? "");
    const changed = repaired ?? row(stream, "corrected");
    const all = [
      [streamName(against ?? ""), row(against, "fed")],
      [name, row(stream, "fed")],
      [`${name} ${repaired ? "with the repair" : "corrected"}`, changed],
    ];
    const key = JSON.stringify([model.run.id, epoch, all]);
    if (key === drawn) return;
    drawn = key;
    const image = (of, one) => (each, k) =>
      imageOf(model.run.id, epoch, one, each, `${of}, image ${k + 1}`);
    const part = ([of, one]) => html`<figure>
      <div>${one.pictures.slice(0, FEW).map(image(of, one))}</div>
      <figcaption class="quiet">${of}</figcaption>
    </figure>`;
    fill(node, changed && all.filter(([, one]) => one).map(part));
  }

  return {
    node,
    update(next) {
      if (model?.run?.id !== next.run?.id) epochs = [];
      model = next;
      if (!model.overview) return request.forget();
      const isNew = model.overview.pictures.length > 0 && request.load(model, api.pictures);
      if (!isNew) draw();
    },
  };
}
