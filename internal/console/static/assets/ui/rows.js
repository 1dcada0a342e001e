// Moving through rows by the arrow keys.

/**
 * Moves the focus to the next or previous row; for the keydown of what holds the rows.
 * @param {KeyboardEvent} e
 * @param {string} selector of a row, which can have the focus
 */
export function moveFocus(e, selector) {
  if (!["ArrowDown", "ArrowUp", "Home", "End"].includes(e.key) || /^(INPUT|SELECT|TEXTAREA)$/.test(e.target.tagName)) return;
  const rows = [...e.currentTarget.querySelectorAll(selector)];
  const at = rows.findIndex((r) => r === e.target || r.contains(e.target));
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: rows.length - 1 }[e.key];
  if (!rows[to]) return;
  e.preventDefault();
  rows[to].focus();
}
