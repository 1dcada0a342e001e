// Dark and light: as the system says, unless the technician has chosen.
import { Emitter } from "../core/emitter.js";

const KEY = "signalbox.theme";
const dark = matchMedia("(prefers-color-scheme: dark)");

/** Event "change" when the theme in use has changed. */
export const theme = new Emitter();

/** @returns {"dark"|"light"} the theme in use */
export const current = () => localStorage.getItem(KEY) ?? (dark.matches ? "dark" : "light");

/** Applies the theme, and follows the system from now on. */
export function startTheme() {
  apply();
  dark.addEventListener("change", apply);
}

/** Chooses the other theme; the system's own is followed again once it is the chosen one. */
export function toggleTheme() {
  const next = current() === "dark" ? "light" : "dark";
  if ((next === "dark") === dark.matches) localStorage.removeItem(KEY);
  else localStorage.setItem(KEY, next);
  apply();
}

function apply() {
  document.documentElement.dataset.theme = current();
  theme.emit("change");
}
