/* The Shift tab. TensorBoard imports this module once and calls `render()`.
 *
 * TensorBoard ignores the returned promise, so an error that this file does not catch
 * would leave a blank page.
 */

const STYLES = ["vendor/uPlot.css", "shiftguard.css", "views.css"];

/** Loads the style sheets; if this fails, the page is shown without them. */
function addStyles() {
  const loaded = (name) =>
    new Promise((resolve) => {
      const link = document.createElement("link");
      link.rel = "stylesheet";
      link.onload = link.onerror = resolve;
      link.setAttribute("href", String(new URL(`./${name}`, import.meta.url)));
      document.head.append(link);
      setTimeout(resolve, 3000);
    });
  return Promise.all(STYLES.map(loaded));
}

function showFailure(error) {
  const make = (tag, properties) => Object.assign(document.createElement(tag), properties);
  const said = `The Shift tab could not be drawn: ${error?.message ?? error}`;
  const text = make("p", { role: "alert", textContent: said });
  const retry = () => window.location.reload();
  const again = make("button", { type: "button", textContent: "Retry", onclick: retry });
  [text.dataset.testid, again.dataset.testid] = ["error", "retry"];
  const main = make("main", { className: "failure" });
  main.append(text, again);
  document.body.replaceChildren(main);
}

export async function render() {
  try {
    document.documentElement.lang = "en";
    document.title = "Shift";
    const host = await import("./host.js");
    host.watchTheme((dark) => {
      const root = document.documentElement;
      root.dataset.theme = dark ? "dark" : "light";
      // Without this color, the frame is white until the style sheet has loaded.
      root.style.background = dark ? "#26282b" : "#f8f9fa";
      window.dispatchEvent(new Event("shiftguard-theme"));
    });
    // The data take longest, so they are requested before the views are loaded.
    const [{ createState }, { createReader }] = await Promise.all([
      import("./state.js"),
      import("./reader.js"),
    ]);
    const state = createState();
    const reader = createReader({ state });
    const read = reader.begin().catch(() => false);
    const [{ start }] = await Promise.all([import("./app.js"), addStyles()]);
    await start(document.body, { state, reader, read });
  } catch (error) {
    console.error(error);
    showFailure(error);
  }
}
