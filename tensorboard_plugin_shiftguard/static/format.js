/* Formats of numbers, times and names. */

const MINUS = "\u2212";

/** A number as a short text: 0.00012 as 1.2e-4, 1234.5 as 1,235. */
export function number(value, digits = 3) {
  if (!Number.isFinite(value)) return "unknown";
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e6))
    return minus(value.toExponential(Math.max(0, digits - 2)).replace(/\.0+e/, "e"));
  if (size >= 1000) return minus(Math.round(value).toLocaleString("en"));
  return minus(String(Number(value.toPrecision(digits))));
}

/** An effect size with its sign and two digits, as in the sentences of the log. */
export function effect(value) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "unknown";
  const text = number(Number(Math.abs(value).toFixed(2)), 2);
  return (value < 0 && text !== "0" ? MINUS : "+") + text;
}

/** An interval as "+0.10 to +0.20"; an empty text if there is none. */
export const interval = (lower, upper) =>
  [lower, upper].every(Number.isFinite) ? `${effect(lower)} to ${effect(upper)}` : "";

/** A share between 0 and 1 in percent: 0.123 as "12.3 %"; "none" if it is not known. */
export function percent(share, digits = 1) {
  if (share === null || share === undefined || !Number.isFinite(share)) return "none";
  const points = share * 100;
  if (points !== 0 && Math.abs(points) < 0.1) return `${points < 0 ? MINUS : ""}< 0.1 %`;
  return minus(points.toFixed(digits)) + " %";
}

/** A time in seconds since 1970 as a text such as "5 min ago". */
export function ago(seconds, now = Date.now() / 1000) {
  if (!Number.isFinite(seconds) || seconds === null) return "at an unknown time";
  const past = Math.max(0, now - seconds);
  if (past < 10) return "just now";
  if (past < 90) return `${Math.round(past)} s ago`;
  if (past < 5400) return `${Math.round(past / 60)} min ago`;
  if (past < 129600) return `${Math.round(past / 3600)} h ago`;
  return `${Math.round(past / 86400)} days ago`;
}

/** The date and the time of day, for a time in seconds since 1970. */
export function date(seconds) {
  const form = { dateStyle: "medium", timeStyle: "short" };
  return new Date(1000 * seconds).toLocaleString("en-GB", form);
}

/** A number with its noun: "1 run", "2 runs". */
export function count(n, one, many = one + "s") {
  return `${n.toLocaleString("en")} ${n === 1 ? one : many}`;
}

/** Words as a list in a sentence. */
export function listed(words) {
  return words.length > 1 ? `${words.slice(0, -1).join(", ")} and ${words.at(-1)}` : words.join("");
}

/** The name of a stream in a sentence. */
export const streamName = (stream) => (stream === "train" ? "training" : stream);

/** A pair "validation/train" in words. */
export function pairInWords(pair) {
  const at = pair.indexOf("/");
  return `${streamName(pair.slice(0, at))} against ${streamName(pair.slice(at + 1))}`;
}

/** A step as "epoch 1": epochs are counted from 1 on the screen and from 0 in the log. */
export const epoch = (step) => `epoch ${step + 1}`;

/** The epochs in which a feature differs or differed; "" if no difference was found. */
export function sinceInWords({ alarm, found, since, until }) {
  if (!since) return "";
  if (until) return since < until ? `in epochs ${since} to ${until} only` : `in epoch ${until} only`;
  return alarm || found ? `since epoch ${since}` : `an alarm in epoch ${since}, none now`;
}

const minus = (text) => (text.startsWith("-") ? MINUS + text.slice(1) : text);
