// Links into the console: routes in the fragment, some with a secret that must not stay in the address bar.

/**
 * @typedef {{page: "signin"|"session"|"endpoints"|"endpoint"|"sessions"|"account", id?: string, tab?: string, token?: string}} Route
 */

export const TABS = ["general", "terminal", "files", "processes", "events"];

/**
 * @param {string} fragment with or without "#"
 * @returns {Route} the list of endpoints for whatever is not a route
 */
export function parseRoute(fragment) {
  const [page, ...rest] = fragment.replace(/^#?\/?/, "").split("/").map(decode);
  switch (page) {
    case "signin":
      return { page, token: rest[0] };
    case "session":
      return /^ses_[0-9a-z]{13}$/.test(rest[0] ?? "") ? { page, id: rest[0], token: rest[1] } : { page: "endpoints" };
    case "endpoints":
      return rest[0] ? { page: "endpoint", id: rest[0], tab: TABS.includes(rest[1]) ? rest[1] : "general" } : { page: "endpoints" };
    case "sessions":
    case "account":
      return { page };
    default:
      return { page: "endpoints" };
  }
}

/**
 * @param {Route} route
 * @returns {string} the fragment without its secret
 */
export function fragmentOf({ page, id, tab }) {
  switch (page) {
    case "endpoint":
      return `#/endpoints/${encodeURIComponent(id)}/${tab ?? "general"}`;
    case "session":
      return `#/session/${id}`;
    default:
      return `#/${page}`;
  }
}

function decode(piece) {
  try {
    return decodeURIComponent(piece);
  } catch {
    return piece;
  }
}
