// Order of tables.

const collator = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });

/**
 * @template T
 * @param {T[]} rows
 * @param {keyof T} key texts sort as people do ("file2" before "file10"), everything else as numbers
 * @param {boolean} down the greatest first
 * @returns {T[]} a sorted copy; equal rows keep their order
 */
export function sorted(rows, key, down) {
  const sign = down ? -1 : 1;
  return rows.toSorted((a, b) => sign * compare(a[key], b[key]));
}

// Below 0 if a comes first.
function compare(a, b) {
  if (typeof a === "string" && typeof b === "string") return collator.compare(a, b);
  return (a ?? 0) < (b ?? 0) ? -1 : (a ?? 0) > (b ?? 0) ? 1 : 0;
}
