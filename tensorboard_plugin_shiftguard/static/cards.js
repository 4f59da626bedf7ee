/* The list of features as cards; the page contains only the cards in view or close to it. */

import { api } from "./api.js";
import { createCard } from "./card.js";
import { el, say } from "./dom.js";

const NARROWEST = 17; // rem, the least width of a card
const TALLEST = 9.5; // rem, the height of a card and the gap below it
const GAP = 0.75; // rem
const AROUND = 1; // rows of cards that are kept above and below the view
const MAX_NAMES_ASKED = 32; // names in one request
const MAX_CARDS = 60;

export function createCards({ state, failed }) {
  const list = el("ul", { class: "cardlist" });
  const scroller = el(
    "div",
    { class: "card-scroll", tabindex: 0, role: "group", "aria-label": "Cards" },
    list,
  );
  const none = el("p", { class: "quiet", role: "status" });
  const node = el(
    "section",
    { class: "cards", "aria-label": "Features", "data-testid": "cards" },
    none,
    scroller,
  );
  const cards = new Map(); // name -> card in the page
  let distributions = new Map(); // name -> answer of /cards
  let source = "";
  let waiting = new Set();
  let timer = 0;
  let aborter = new AbortController();
  let model = null;
  let frame = 0;

  const actions = {
    choose: (name) => state.set({ feature: name }),
    pin: (name) => {
      const { pins } = state.get();
      state.set({
        pins: pins.includes(name)
          ? pins.filter((one) => one !== name)
          : [name, ...pins].slice(0, 50),
      });
    },
  };

  // Cards that come into view request their distributions, many in one request.
  const seen = new IntersectionObserver(
    (entries) => {
      for (const { isIntersecting, target } of entries) {
        const name = target.firstChild.dataset.feature;
        if (isIntersecting && !distributions.has(name) && model?.overview?.index.has(name))
          waiting.add(name);
      }
      if (waiting.size && !timer) timer = setTimeout(ask, 40);
    },
    { root: scroller, rootMargin: "120px" },
  );

  async function ask() {
    timer = 0;
    const names = [...waiting].filter((name) => cards.has(name));
    waiting = new Set();
    const { signal } = aborter;
    const { id } = model.selected[0];
    for (let i = 0; i < names.length; i += MAX_NAMES_ASKED) {
      const part = names.slice(i, i + MAX_NAMES_ASKED);
      try {
        const answer = await api.cards(id, model.overview.pairIndex, part, { signal });
        if (signal.aborted) return;
        for (const name of part) {
          distributions.set(name, answer.cards?.[name] ?? null);
          cards.get(name)?.draw(distributions.get(name));
        }
      } catch (error) {
        if (signal.aborted) return;
        failed(error, "cards");
        for (const name of part) cards.get(name)?.draw(null);
      }
    }
  }

  function grid() {
    const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
    const width = list.clientWidth;
    const columns = Math.max(1, Math.floor((width + GAP * rem) / ((NARROWEST + GAP) * rem)));
    const each = (width - (columns - 1) * GAP * rem) / columns;
    return {
      columns,
      each,
      stepX: each + GAP * rem,
      stepY: TALLEST * rem,
      height: (TALLEST - GAP) * rem,
    };
  }

  function paint() {
    frame = 0;
    if (!model?.overview || !scroller.clientWidth) return;
    const { rows } = model;
    const { columns, each, stepX, stepY, height } = grid();
    list.style.height = `${Math.ceil(rows.length / columns) * stepY}px`;
    const first = Math.max(0, Math.floor(scroller.scrollTop / stepY) - AROUND) * columns;
    const beyond =
      (Math.ceil((scroller.scrollTop + scroller.clientHeight) / stepY) + AROUND) * columns;
    const last = Math.min(rows.length, beyond, first + MAX_CARDS);
    const wanted = new Set(rows.slice(first, last).map((row) => row.name));
    for (const [name, card] of cards) {
      // A card with the focus stays; otherwise the keyboard focus would be lost.
      if (wanted.has(name) || card.item.contains(document.activeElement)) continue;
      seen.unobserve(card.item);
      card.item.remove();
      cards.delete(name);
    }
    let before = null;
    for (let i = first; i < last; i++) {
      const row = rows[i];
      let card = cards.get(row.name);
      if (!card) {
        card = createCard(row.name, row.record.label ?? row.name, actions);
        cards.set(row.name, card);
      }
      const { item } = card;
      const [x, y] = [(i % columns) * stepX, Math.floor(i / columns) * stepY];
      item.style.transform = `translate(${Math.round(x)}px, ${Math.round(y)}px)`;
      item.style.width = `${each}px`;
      item.style.height = `${height}px`;
      item.setAttribute("aria-setsize", rows.length);
      item.setAttribute("aria-posinset", i + 1);
      card.update(row, model);
      card.draw(distributions.get(row.name));
      const next = before ? before.nextSibling : list.firstChild;
      if (next !== item) {
        list.insertBefore(item, next);
        seen.observe(item);
      }
      before = item;
    }
  }

  const redraw = () => {
    if (!frame) frame = requestAnimationFrame(paint);
  };
  scroller.addEventListener("scroll", redraw, { passive: true });
  new ResizeObserver(redraw).observe(scroller);

  return {
    node,
    update(next, changed) {
      model = next;
      const { overview, rows } = model;
      if (!overview || !["rows", "feature"].some((key) => changed.has(key))) return;
      const now = JSON.stringify([model.selected[0]?.id, overview.pair]);
      if (now !== source || changed.has("data")) {
        aborter.abort();
        aborter = new AbortController();
        // Another run or pair clears the drawings. Otherwise they stay until new data arrive.
        if (now !== source) scroller.scrollTop = 0;
        if (now !== source) for (const card of cards.values()) card.draw(undefined);
        source = now;
        distributions = new Map();
        for (const card of cards.values()) {
          seen.unobserve(card.item);
          seen.observe(card.item);
        }
      }
      const why =
        model.state.onlyShifted && !model.state.query
          ? "No feature differs."
          : "No feature fits the search.";
      say(
        none,
        rows.length
          ? ""
          : overview.features.length
            ? why
            : "Nothing has been compared yet: that is done when an epoch has ended.",
      );
      none.hidden = rows.length > 0;
      redraw();
    },
  };
}
