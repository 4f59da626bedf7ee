/* Images of each stream at the chosen epoch, which `ShiftGuard(log_samples=...)` writes. */

import { api, pictureAddress } from "./api.js";
import { shownPair } from "./distribution.js";
import { button, el, fill, html } from "./dom.js";
import { listed, number, streamName } from "./format.js";
import { createRequest } from "./requests.js";

const SIDE = 64; // pixels of the largest picture

export function createPictures({ state, failed }) {
  const choice = el("div", { class: "segments", role: "group", "aria-label": "Epoch" });
  const note = el("p", { class: "quiet" });
  const body = el("div", { class: "pictures" });
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
    const last = epochs.at(-1)?.epoch;
    const latest = model.state.epoch === null;
    const epoch = latest ? last : model.step + 1;
    const found = epochs.find((one) => one.epoch === epoch);
    const pair = shownPair(model.overview);
    const key = JSON.stringify([run, epochs, epoch, pair]);
    if (key === drawn) return;
    drawn = key;
    fill(
      choice,
      epochs.map((one) =>
        button(
          `epoch ${one.epoch}`,
          () => state.set({ epoch: one.epoch === last ? null : one.epoch - 1 }),
          { "aria-pressed": String(one === found) },
        ),
      ),
    );
    const kept = listed(epochs.map((one) => String(one.epoch)));
    fill(
      note,
      found
        ? "Images of your data: check whom they show before you share them."
        : `There are no pictures of epoch ${epoch}: the guard keeps those of its last epochs, ${kept}.`,
    );
    const places = [pair?.stream, pair?.against];
    const place = ({ stream }) => places.indexOf(stream) + 1 || places.length + 1;
    fill(
      body,
      streamsOf(found?.rows ?? [])
        .sort((a, b) => place(a) - place(b))
        .map((one) => drawStream(run, epoch, one)),
    );
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
      if (run !== model.selected[0].id) epochs = [];
      run = model.selected[0].id;
      const any = (...keys) => keys.some((key) => changed.has(key));
      const isNew = any("data", "run") && request.load(model, api.pictures);
      if (!isNew && any("data", "run", "epoch", "pair")) draw();
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

/** The rows by stream and input: `{stream, input, several, fed, corrected, unusual}`. */
function streamsOf(rows) {
  const found = new Map();
  const several = new Set(rows.map((row) => row.input)).size > 1;
  for (const row of rows) {
    const key = JSON.stringify([row.stream, row.input]);
    if (!found.has(key)) found.set(key, { stream: row.stream ?? "", input: row.input, several });
    if (row.what) found.get(key)[row.what] = row;
  }
  return [...found.values()];
}

function drawStream(run, epoch, { stream, input, several, fed, corrected, unusual }) {
  const name = streamName(stream);
  const of = several ? `${name}, input ${input}` : name;
  const address = (row, one) => pictureAddress(run, epoch, row.place, one.place);
  const image = (row, one, alt) =>
    el("img", { src: address(row, one), alt, loading: "lazy", width: SIDE, height: SIDE });
  const figures = (row, kind, other = null) =>
    row.pictures.map((one, k) => {
      const said = captionOf(one);
      const alt = `${of}, ${kind} ${k + 1}${said ? `, ${said}` : ""}`;
      const second = other?.pictures.find(({ place }) => place === one.place);
      return html`<li><figure>
        <div class=${second ? "twice" : null}>
          ${image(row, one, second ? `${alt}, as fed` : alt)}
          ${second && image(other, second, `${alt}, corrected`)}
        </div>
        ${said && html`<figcaption>${said}</figcaption>`}
      </figure></li>`;
    });
  const part = (title, items) => html`<h4>${title}</h4><ul class="picturelist">${items}</ul>`;
  const beside = "as fed, and beside it corrected, as the model sees it";
  const correctedToo = corrected ? ", corrected" : "";
  const shown = corrected ? beside : "as the model sees them";
  const strange = `the most unusual${correctedToo}, the farthest first`;
  return html`<article aria-label=${of} data-stream=${stream}>
    <h3>${of}</h3>
    ${fed?.pictures.length > 0 && part(shown, figures(fed, "image", corrected))}
    ${unusual?.pictures.length > 0 && part(strange, figures(unusual, "unusual image"))}
  </article>`;
}

/** The class of an image, and how unusual it is. */
function captionOf({ label, distance }) {
  return [
    label !== null && `class ${label}`,
    distance !== null && `${number(distance, 2)} deviations away`,
  ]
    .filter(Boolean)
    .join(", ");
}
