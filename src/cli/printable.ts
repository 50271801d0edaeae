/** JSON that cannot steer the terminal it is printed on. */
export function printableJson(value: unknown): string {
  return printable(JSON.stringify(value, null, 2));
}

/** Banners are written by the target: control and format characters would let them repaint or reorder the screen. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, (character) =>
    character === '\n' ? '\n' : escapeUnits(character),
  );
}

/** A text for one line: a line end in a banner would otherwise begin a row that looks like ours. */
export function oneLine(text: string): string {
  return printable(text).replaceAll('\n', '\\n');
}

/**
 * As much of a line as fits into so many columns. Everything but ASCII counts as two columns: a line that wraps could
 * not be erased, and a table would be torn.
 */
export function fit(text: string, columns: number): string {
  let width = 0;
  let end = 0;
  // Where the cut goes when the rest does not fit: the marker takes three columns.
  let cut = 0;
  for (const character of text) {
    width += character <= '~' ? 1 : 2;
    if (width > columns) return `${text.slice(0, cut)}${'.'.repeat(Math.min(3, Math.max(0, columns)))}`;
    end += character.length;
    if (width <= columns - 3) cut = end;
  }
  return text;
}

/** Rows whose columns begin below each other; only the last column may hold what is not ASCII. */
export function alignColumns(rows: readonly (readonly string[])[]): readonly string[] {
  const widths = (rows[0] ?? []).map((_cell, at) => Math.max(...rows.map((row) => row[at]?.length ?? 0)));
  return rows.map((row) =>
    row.map((cell, at) => (at === row.length - 1 ? cell : cell.padEnd(widths[at] ?? 0))).join('  '),
  );
}

function escapeUnits(character: string): string {
  return character
    .split('')
    .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
    .join('');
}
