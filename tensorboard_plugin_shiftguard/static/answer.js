/* Elements of the band and of the parts below it: figures, advice, a question with its answer. */

import { code, el } from "./dom.js";
import { STATES, badge, icon } from "./icons.js";
import { copyButton } from "./pages.js";

/** A figure with its meaning under it. */
export function fact(value, note, testid) {
  return el(
    "div",
    { "data-testid": testid },
    el("dt", null, value),
    el("dd", { class: "quiet" }, note),
  );
}

/** What to do, and a line of Python for it, if there is one. */
export function toDo(text, line) {
  return [
    el("p", null, el("strong", null, "To do: "), text ?? ""),
    line &&
      el(
        "div",
        { class: "advice" },
        code(line, { "aria-label": "Line of Python" }),
        copyButton("Copy", line),
      ),
  ];
}

/** A box with the sentence `lead`, a question and its answer, in the color of the answer's kind. */
export function answerBox(question, { kind, lead, word, what, facts, todo, code: line }) {
  return el(
    "div",
    { class: "headband answer", "data-kind": kind },
    el("p", { class: "statemark" }, badge(kind, STATES[kind])),
    el("p", { class: "lead" }, lead),
    el("h3", null, question),
    el("p", { class: "word" }, icon(kind, 16), el("strong", null, word)),
    el("p", null, what),
    el(
      "dl",
      { class: "facts" },
      facts.map(([value, note]) => fact(value, note)),
    ),
    el("div", { class: "todo" }, toDo(todo, line)),
  );
}
