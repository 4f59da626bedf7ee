/* Images of each stream at the chosen epoch, which `ShiftGuard(log_samples=...)` writes. */

import { api, pictureAddress } from "./api.js";
import { shownPair } from "./distribution.js";
import { button, fill, html } from "./dom.js";
import { listed, number, streamName } from "./format.js";
import { createRequest } from "./requests.js";

const SIDE = 64; // pixels of the largest picture

/** The looks that have pictures: `{last, epoch, found}`; `found` is undefined without any. */
export function looksOf({ state, step }, epochs) {
  const last = epochs.at(-1)?.epoch;
  const epoch = state.epoch === null ? last : step + 1;
  return { last, epoch, found: epochs.find((one) => one.epoch === epoch) };
}

/** A picture of a row. */
export const imageOf = (run, epoch, row, one, alt) => html`<img
  src=${pictureAddress(run, epoch, row.place, one.place)} alt=${alt} loading="lazy"
  width=${SIDE} height=${SIDE}
/>`;

export function createPictures({ state, failed }) {
  const choice = html`<div class="segments" role="group" aria-label="Epoch"></div>`;
  const note = html`<p class="quiet"></p>`;
  const body = html`<div class="pictures"></div>`;
  const node = html`<section aria-label="Pictures of the data" data-testid="pictures">
    <div class="bar">${choice}${note}</div>${body}
  </section>`;
  let model = null;
  let run = null; // the run that `epochs` belongs to
  let epochs = [];
  let drawn = "";
  const request = createRequest((answer) => {
    epochs = answer.epochs ?? [];
    draw();
  }, failed);

  function draw() {
    const { last, epoch, found } = looksOf(model, epochs);
    const pair = shownPair(model.overview);
    const key = JSON.stringify([run, epochs, epoch, pair]);
    if (key === drawn) return;
    drawn = key;
    const choose = (one) => state.set({ epoch: one.epoch === last ? null : one.epoch - 1 });
    const option = (one) =>
      button(`epoch ${one.epoch}`, () => choose(one), { "aria-pressed": String(one === found) });
    fill(choice, epochs.map(option));
    const kept = listed(epochs.map((one) => String(one.epoch)));
    fill(
      note,
      found
        ? "Images of your data: check whom they show before you share them."
        : `There are no pictures of epoch ${epoch}: the guard keeps those of its last epochs, ${kept}.`,
    );
    const places = [pair?.stream, pair?.against];
    const place = ({ stream }) => places.indexOf(stream) + 1 || places.length + 1;
    const streams = streamsOf(found?.rows ?? []).sort((a, b) => place(a) - place(b));
    fill(body, streams.map((one) => drawStream(run, epoch, one)));
  }

  return {
    node,
    update(next, changed) {
      model = next;
      if (!model.overview) {
        drawn = "";
        request.forget();
        return;
      }
      if (run !== model.run.id) epochs = [];
      run = model.run.id;
      if (!request.load(model, api.pictures)) draw();
    },
  };
}

/** Which epochs have pictures; null if no epoch has any. */
export function picturesInWords({ overview }) {
  const epochs = overview?.pictures ?? [];
  if (!epochs.length) return null;
  const [first, last] = [epochs[0], epochs.at(-1)];
  return first === last ? `images of epoch ${first}` : `images of epochs ${first} to ${last}`;
}

/** The rows by stream and input: `{of, stream, fed, corrected, repaired, unusual}`. */
function streamsOf(rows) {
  const found = new Map();
  const several = new Set(rows.map((row) => row.input)).size > 1;
  for (const row of rows) {
    const key = JSON.stringify([row.stream, row.input]);
    const name = streamName(row.stream ?? "");
    const of = several ? `${name}, input ${row.input}` : name;
    if (!found.has(key)) found.set(key, { of, stream: row.stream ?? "" });
    if (row.what) found.get(key)[row.what] = row;
  }
  return [...found.values()];
}

function drawStream(run, epoch, { of, stream, fed, corrected, repaired, unusual }) {
  const image = (row, one, alt) => imageOf(run, epoch, row, one, alt);
  const changed = repaired ?? corrected;
  const did = repaired ? "with the repair" : "corrected";
  const figures = (row, kind, other = null) =>
    row.pictures.map((one, k) => {
      const said = captionOf(one);
      const alt = `${of}, ${kind} ${k + 1}${said && `, ${said}`}`;
      const second = other?.pictures.find(({ place }) => place === one.place);
      return html`<li><figure>
        <div class=${second ? "twice" : null}>
          ${image(row, one, second ? `${alt}, as fed` : alt)}
          ${second && image(other, second, `${alt}, ${did}`)}
        </div>
        ${said && html`<figcaption>${said}</figcaption>`}
      </figure></li>`;
    });
  const part = (title, row, ...rest) =>
    row?.pictures.length > 0 &&
    html`<h4>${title}</h4><ul class="picturelist">${figures(row, ...rest)}</ul>`;
  const beside = `as fed, and beside it ${did}${repaired ? "" : ", as the model sees it"}`;
  const strange = `the most unusual${corrected ? ", corrected" : ""}, the farthest first`;
  return html`<article aria-label=${of} data-stream=${stream}>
    <h3>${of}</h3>
    ${part(changed ? beside : "as the model sees them", fed, "image", changed)}
    ${part(strange, unusual, "unusual image")}
  </article>`;
}

/** The class of an image, and how unusual it is. */
function captionOf({ label, distance }) {
  const far = distance !== null && `${number(distance, 2)} deviations away`;
  return [label !== null && `class ${label}`, far].filter(Boolean).join(", ");
}
