/* Requests to the server. All addresses are relative to the page.
 *
 * TensorBoard reads its logs while the page is shown, so data that are not read yet
 * look like missing data. TensorBoard may also be restarted at any time. Therefore a
 * failed request is retried with growing pauses. A response that arrives too late is
 * dropped.
 */

const PAUSES = [400, 1000, 2000]; // milliseconds before each retry
const PATIENCE = 20000; // milliseconds after which a request without a response has failed

/** An error with a sentence for the user. `offline`: the server did not answer. */
export class ApiError extends Error {
  constructor(message, { status = 0, route = "" } = {}) {
    super(message);
    Object.assign(this, { status, route, offline: status === 0 });
  }
}

const wait = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

async function once(address, route, signal) {
  const late = AbortSignal.timeout(PATIENCE);
  try {
    const either = signal ? AbortSignal.any([signal, late]) : late;
    const response = await fetch(address, { signal: either, cache: "no-store" });
    const body = await response.json().catch(() => null);
    if (response.ok && body !== null) return body;
    const reason = body?.error ?? `The answer could not be read (HTTP ${response.status}).`;
    throw new ApiError(String(reason), { status: response.status, route });
  } catch (error) {
    if (error instanceof ApiError || signal?.aborted) throw error;
    throw new ApiError("TensorBoard does not answer.", { route });
  }
}

/** Whether a retry of the same request may succeed. */
const passing = (error, patient) =>
  error instanceof ApiError &&
  (error.offline || error.status >= 502 || (patient && error.status === 404));

async function ask(route, query, { signal, patient = false, tries = PAUSES.length } = {}) {
  const words = new URLSearchParams();
  for (const [key, value] of Object.entries(query))
    if (value !== undefined && value !== null) words.append(key, value);
  const text = words.toString();
  const address = `./${route}${text ? "?" + text : ""}`;
  for (let attempt = 0; ; attempt++) {
    try {
      return await once(address, route, signal);
    } catch (error) {
      if (attempt >= tries || !passing(error, patient)) throw error;
      await wait(PAUSES[attempt] * (0.75 + Math.random() / 2));
      signal?.throwIfAborted();
    }
  }
}

export const api = {
  runs: (options) => ask("runs", {}, options),
  overview: (run, pair, options) => ask("overview", { run, pair }, { patient: true, ...options }),
  feature: (run, name, options) => ask("feature", { run, name }, options),
  verdict: (run, step, options) => ask("verdict", { run, step }, options),
  curves: (run, options) => ask("curves", { run }, options),
  adaptation: (run, options) => ask("adaptation", { run }, options),
  gap: (run, options) => ask("gap", { run }, options),
  pictures: (run, options) => ask("pictures", { run }, options),
};

/** The address of one picture of the data, for an image element. */
export function pictureAddress(run, epoch, row, number) {
  return `./picture?${new URLSearchParams({ run, epoch, row, number })}`;
}

/** Unpacks the numbers in a base64 text: `Uint8Array` for one byte each, else `Int16Array`. */
export function unpack(text, bytesEach) {
  const bytes = Uint8Array.from(atob(text ?? ""), (letter) => letter.charCodeAt(0));
  return bytesEach === 1 ? bytes : new Int16Array(bytes.buffer, 0, bytes.length >> 1);
}
