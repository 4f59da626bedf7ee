/* Access to the TensorBoard page: its theme, its address bar, its reload button.
 *
 * TensorBoard documents none of these interfaces, so every function of this file may
 * fail, and the tab must still work. Without a theme, the tab follows the system;
 * without an address bar, its position is in sessionStorage only.
 */

const PLUGIN = "shiftguard";

function attempt(action, otherwise) {
  try {
    return action();
  } catch {
    return otherwise;
  }
}

/** Calls `changed(dark)` now and whenever TensorBoard turns light or dark. */
export function watchTheme(changed) {
  const system = window.matchMedia("(prefers-color-scheme: dark)");
  const { parent } = window;
  const outside = attempt(() => (parent === window ? null : parent.document.body), null);
  const dark = () => (outside ? outside.classList.contains("dark-mode") : system.matches);
  const tell = () => changed(dark());
  attempt(() => {
    const watched = { attributes: true, attributeFilter: ["class"] };
    if (outside) new MutationObserver(tell).observe(outside, watched);
    else system.addEventListener("change", tell);
  });
  tell();
}

const parts = () => window.parent.location.hash.replace(/^#/, "").split("&").filter(Boolean);
const ours = (part) => part.startsWith(`p.${PLUGIN}.`);

/** Reads the keys of this tab from the address: `p.shiftguard.<key>=<value>`. */
export function readAddress() {
  const found = {};
  attempt(() => {
    for (const part of parts().filter(ours)) {
      const [key, value = ""] = part.slice(PLUGIN.length + 3).split("=");
      attempt(() => (found[key] = decodeURIComponent(value)));
    }
  });
  return found;
}

/** Writes the keys to the address, but only while TensorBoard shows this tab. */
export function writeAddress(values) {
  attempt(() => {
    const kept = parts().filter((part) => !ours(part));
    if (!kept.includes(PLUGIN)) return;
    const added = Object.entries(values)
      .filter(([, value]) => value !== null && value !== undefined && value !== "")
      .map(([key, value]) => `p.${PLUGIN}.${key}=${encodeURIComponent(value)}`);
    const hash = "#" + [...kept, ...added].join("&");
    const { history, location } = window.parent;
    if (location.hash !== hash) history.replaceState(history.state, "", hash);
  });
}

/** Calls `changed()` when other code changed the address. */
export function watchAddress(changed) {
  attempt(() => window.parent.addEventListener("hashchange", changed));
  window.addEventListener("pagehide", () =>
    attempt(() => window.parent.removeEventListener("hashchange", changed)),
  );
}

/** Calls `reloaded()` when TensorBoard reloads its data, by hand or automatically. */
export function watchReload(reloaded) {
  attempt(() => {
    if (window.parent === window) return;
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = (event) =>
      attempt(() => {
        const { type, id, isReply } = JSON.parse(event.data);
        if (isReply) return;
        // The host waits for a reply to each of its messages.
        port1.postMessage(JSON.stringify({ type, id, payload: null, error: null, isReply: true }));
        if (type === "experimental.DataReloaded") reloaded();
      });
    window.parent.postMessage("experimental.bootstrap", "*", [port2]);
  });
}

/** Whether the user can see this page: TensorBoard hides all tabs except the chosen one. */
export function isShown() {
  if (document.visibilityState === "hidden") return false;
  return attempt(() => {
    const frame = window.frameElement;
    if (!frame) return true;
    const style = window.parent.getComputedStyle(frame);
    return style.visibility !== "hidden" && frame.clientHeight > 0;
  }, document.documentElement.clientHeight > 0);
}

/** Calls `shown()` whenever the page may have come into view. */
export function watchShown(shown) {
  const tell = () => isShown() && shown();
  document.addEventListener("visibilitychange", tell);
  attempt(() => new ResizeObserver(tell).observe(document.documentElement));
  window.addEventListener("resize", tell);
}

/** Copies a text; without access to the clipboard, copies it from a hidden text area. */
export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = document.createElement("textarea");
    area.value = text;
    area.setAttribute("class", "unseen");
    document.body.append(area);
    area.select();
    const done = attempt(() => document.execCommand("copy"), false);
    area.remove();
    return done;
  }
}
