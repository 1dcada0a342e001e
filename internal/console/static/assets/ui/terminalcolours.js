// Colours of terminals, from the page's style sheet.

/** @returns {object} a theme of xterm.js that fits the page's */
export function colours() {
  const style = getComputedStyle(document.documentElement);
  const of = (name) => style.getPropertyValue(name).trim();
  return {
    background: of("--term-back"), foreground: of("--term-text"), cursor: of("--term-text"), cursorAccent: of("--term-back"), selectionBackground: of("--term-select"),
    scrollbarSliderBackground: of("--term-select"),
  };
}
