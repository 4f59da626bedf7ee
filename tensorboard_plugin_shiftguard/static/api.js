/* Asking the server, at addresses relative to the page and no others.
 *
 * TensorBoard reads its logs behind the page, so that what is not there yet looks
 * like what is absent, and it may be restarted at any time: a question is asked
 * again, more and more slowly, before it counts as failed. An answer that came too
 * late to be of use is not handed on.
 */

const PAUSES = [400, 1000, 2000]; // milliseconds before asking again
const PATIENCE = 20000; // milliseconds for one answer

/** What went wrong, in words. `offline` if nobody answered at all. */
export class ApiError extends Error {
  constructor(message, { status = 0, route = "" } = {}) {
    super(message);
    this.status = status;
    this.route = route;
  }

  get offline() {
    return this.status === 0;
  }
}

const wait = (milliseconds, signal) =>
  new Promise((resolve, reject) => {
    const stop = () => (clearTimeout(timer), reject(new DOMException("aborted", "AbortError")));
    const timer = setTimeout(
      () => (signal?.removeEventListener("abort", stop), resolve()),
      milliseconds,
    );
    signal?.addEventListener("abort", stop, { once: true });
  });

async function once(address, route, signal) {
  const own = new AbortController();
  const stop = () => own.abort();
  if (signal?.aborted) own.abort();
  signal?.addEventListener("abort", stop, { once: true });
  const timer = setTimeout(stop, PATIENCE);
  try {
    const response = await fetch(address, { signal: own.signal, cache: "no-store" });
    const body = await response.json().catch(() => null);
    if (response.ok && body !== null) return body;
    const reason = body?.error ?? `The answer could not be read (HTTP ${response.status}).`;
    throw new ApiError(String(reason), { status: response.status, route });
  } catch (error) {
    if (error instanceof ApiError || signal?.aborted) throw error;
    throw new ApiError("TensorBoard does not answer.", { route });
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", stop);
  }
}

/** Whether the same question may be answered in a moment. */
const passing = (error, patient) =>
  error instanceof ApiError &&
  (error.offline || error.status >= 502 || (patient && error.status === 404));

async function ask(route, query, { signal, patient = false, tries = PAUSES.length } = {}) {
  const words = new URLSearchParams();
  for (const [key, value] of query)
    if (value !== undefined && value !== null) words.append(key, value);
  const text = words.toString();
  const address = `./${route}${text ? "?" + text : ""}`;
  for (let attempt = 0; ; attempt++) {
    try {
      return await once(address, route, signal);
    } catch (error) {
      if (attempt >= tries || !passing(error, patient)) throw error;
      await wait(PAUSES[attempt] * (0.75 + Math.random() / 2), signal);
    }
  }
}

export const api = {
  runs: (options) => ask("runs", [], options),
  overview: (run, pair, options) =>
    ask(
      "overview",
      [
        ["run", run],
        ["pair", pair],
      ],
      { patient: true, ...options },
    ),
  cards: (run, pair, names, options) =>
    ask("cards", [["run", run], ["pair", pair], ...names.map((name) => ["name", name])], options),
  feature: (run, name, options) =>
    ask(
      "feature",
      [
        ["run", run],
        ["name", name],
      ],
      options,
    ),
  adaptation: (run, options) => ask("adaptation", [["run", run]], options),
  gap: (run, options) => ask("gap", [["run", run]], options),
};

/** Numbers of a base64 text: `Int16Array` in hundredths, or `Uint8Array`. */
export function unpack(text, bytesEach) {
  const raw = atob(text ?? "");
  if (bytesEach === 1) {
    const bytes = new Uint8Array(raw.length);
    for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
    return bytes;
  }
  const words = new Int16Array(raw.length >> 1);
  for (let i = 0; i < words.length; i++) {
    words[i] = raw.charCodeAt(2 * i) | (raw.charCodeAt(2 * i + 1) << 8);
  }
  return words;
}
