/* The request of a view: of several requests, only the answer to the latest one counts. */

/** A text that changes when a run has new data, or when another run is shown. */
const versionOf = ({ run, overview }) => JSON.stringify([run.id, overview.updated, overview.looks]);

/**
 * Calls `found(answer)` with the answer to the latest request. `load(model, ask)` requests with
 * `ask(id, options)` what is new for the shown run, and returns whether anything is.
 */
export function createRequest(found, failed) {
  let wanted = "";
  let aborter = new AbortController();

  async function request(id, ask) {
    const version = wanted;
    aborter.abort();
    aborter = new AbortController();
    try {
      const answer = await ask(id, { signal: aborter.signal });
      if (version === wanted) found(answer);
    } catch (error) {
      if (error?.name !== "AbortError" && version === wanted) failed(error);
    }
  }

  return {
    load(model, ask) {
      const version = versionOf(model);
      if (version === wanted) return false;
      wanted = version;
      request(model.run.id, ask);
      return true;
    },
    forget: () => (wanted = ""),
  };
}
