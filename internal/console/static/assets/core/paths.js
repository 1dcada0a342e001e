// Paths of an endpoint's files: Unix ("/home/ada") and Windows ("C:\Users\ada").

/** @param {string} path @returns {boolean} whether it is one of Windows */
export const isWindows = (path) => /^[A-Za-z]:[\\/]?/.test(path) || path.startsWith("\\\\");

const separator = (path) => (isWindows(path) ? "\\" : "/");

/**
 * @param {string} folder
 * @param {string} name
 * @returns {string}
 */
export function join(folder, name) {
  const s = separator(folder);
  return folder.endsWith(s) ? folder + name : folder + s + name;
}

/**
 * @param {string} path
 * @returns {{name: string, path: string}[]} from the root to the path itself
 */
export function crumbs(path) {
  const s = separator(path);
  const names = path.split(s).filter((n) => n !== "");
  const all = s === "/" ? [{ name: "/", path: "/" }] : [];
  for (const name of names) {
    const above = all.at(-1)?.path;
    all.push({ name, path: above === undefined ? (s === "/" ? `/${name}` : name + s) : join(above, name) });
  }
  return all;
}

/** @param {string} path @returns {string} the folder above; of a root the root itself */
export function parent(path) {
  const all = crumbs(path);
  return all.length > 1 ? all.at(-2).path : all[0].path;
}

/**
 * @param {string} name that somebody typed
 * @param {boolean} windows
 * @returns {string} why it cannot be the name of a file, or ""
 */
export function badName(name, windows) {
  if (name === "") return "A name is needed.";
  if (name === "." || name === "..") return `“${name}” stands for a folder.`;
  if (name.includes("/") || name.includes("\0") || (windows && /[\\:*?"<>|]/.test(name))) return "The name has a character that names cannot have.";
  return new TextEncoder().encode(name).length > 255 ? "The name is too long." : "";
}
