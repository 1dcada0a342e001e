// Numbers as people read them.

const SIZES = ["B", "KB", "MB", "GB", "TB", "PB"];

/**
 * @param {number} n bytes
 * @returns {string} "1.4 MB"; powers of 1,000, as disks and networks are sold
 */
export function bytes(n) {
  let unit = 0;
  for (; n >= 999.5 && unit < SIZES.length - 1; unit++) n /= 1000;
  return `${unit === 0 || n >= 99.5 ? Math.round(n) : n.toFixed(1)} ${SIZES[unit]}`;
}

/**
 * @param {number} perSecond bytes
 * @returns {string} "1.4 MB/s"
 */
export const rate = (perSecond) => `${bytes(perSecond)}/s`;

/**
 * @param {number} s seconds; below 0 counts as 0
 * @returns {string} "0:05", "12:00", "1:02:03"
 */
export function clock(s) {
  s = Math.max(0, Math.round(s));
  const two = (n) => String(n).padStart(2, "0");
  const [h, m] = [Math.floor(s / 3600), Math.floor(s / 60) % 60];
  return h ? `${h}:${two(m)}:${two(s % 60)}` : `${m}:${two(s % 60)}`;
}

const SPANS = [["year", 31536000], ["month", 2592000], ["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];

/**
 * @param {number} s seconds
 * @returns {string} the largest unit alone: "3 days"
 */
export function span(s) {
  const [name, size] = SPANS.find(([, size]) => s >= size) ?? ["second", 1];
  const n = Math.max(0, Math.floor(s / size));
  return `${n} ${name}${n === 1 ? "" : "s"}`;
}

/**
 * @param {string|undefined} at RFC 3339
 * @param {number} now milliseconds
 * @returns {string} "3 minutes ago", "now"; "" for what never was
 */
export function ago(at, now) {
  if (!at) return "";
  const s = (now - Date.parse(at)) / 1000;
  return s < 2 ? "now" : `${span(s)} ago`;
}

/**
 * @param {string|undefined} at RFC 3339
 * @returns {string} in the reader's own time zone and spelling
 */
export const when = (at) => (at ? new Date(at).toLocaleString() : "");
