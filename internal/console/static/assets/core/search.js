// The search field of the list of endpoints: free words and filters by prefix.

/**
 * @typedef {{q: string, states: string[], groups: string[], labels: string[]}} Search
 */

const STATES = ["online", "offline", "never"];

/**
 * Reads "state:online group:shop label:site=ulm name": what has no known prefix is text to look for.
 * @param {string} text
 * @returns {Search}
 */
export function parseSearch(text) {
  const found = { q: "", states: [], groups: [], labels: [] };
  const words = [];
  for (const [, quoted, word] of text.matchAll(/(?:"([^"]*)"|(\S+))/g)) {
    const filter = quoted === undefined && /^(state|group|label):(.+)$/.exec(word);
    if (!filter) words.push(quoted ?? word);
    else if (filter[1] === "state") found.states.push(...filter[2].split(",").filter((s) => STATES.includes(s)));
    else if (filter[1] === "group") found.groups.push(filter[2]);
    else found.labels.push(filter[2]);
  }
  found.q = words.join(" ");
  return found;
}

/**
 * @param {string} text of the search field
 * @param {string} state that is switched on or off in it
 * @returns {string}
 */
export function toggleState(text, state) {
  const { states } = parseSearch(text);
  const kept = states.includes(state) ? states.filter((s) => s !== state) : [...states, state];
  const rest = text.replace(/(^|\s)state:\S+/g, " ").replace(/\s+/g, " ").trim();
  return [kept.length ? `state:${kept.join(",")}` : "", rest].filter(Boolean).join(" ");
}

/**
 * @param {Search} search
 * @returns {URLSearchParams} as the API takes it
 */
export function searchParams({ q, states, groups, labels }) {
  const params = new URLSearchParams();
  if (q) params.set("q", q);
  if (states.length) params.set("state", states.join(","));
  groups.forEach((g) => params.append("group", g));
  labels.forEach((l) => params.append("label", l));
  return params;
}
