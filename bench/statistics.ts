/** The middle of some measurements, and how far they lie apart. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** Throws when there is nothing to sum up, or when a measurement is no number. */
export function spread(values: readonly number[]): Spread {
  if (values.length === 0 || !values.every(Number.isFinite)) throw new Error(`no measurements: ${values.join(' ')}`);
  const sorted = values.toSorted((a, b) => a - b);
  const at = (index: number) => sorted[index] ?? Number.NaN;
  const middle = (sorted.length - 1) / 2;
  return { median: (at(Math.floor(middle)) + at(Math.ceil(middle))) / 2, min: at(0), max: at(sorted.length - 1) };
}

/** The median alone. */
export function median(values: readonly number[]): number {
  return spread(values).median;
}

/** The value that so large a share of them does not exceed. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
}

/** Ratios round by round: both sides of a round saw the same weather. */
export function ratios(measured: readonly number[], against: readonly number[]): Spread {
  return spread(measured.map((value, round) => value / (against[round] ?? Number.NaN)));
}

/** `1.30 x (1.21–1.44)`. */
export function ratioText({ median, min, max }: Spread): string {
  return `${digits(median)} x (${digits(min)}–${digits(max)})`;
}

/** The median with its extremes in a unit. */
export function spreadText(values: readonly number[], unit: string): string {
  const { median, min, max } = spread(values);
  return `${digits(median)} ${unit} (${digits(min)}–${digits(max)})`;
}

function digits(value: number): string {
  if (Math.abs(value) >= 100) return value.toFixed(0);
  return Math.abs(value) >= 10 ? value.toFixed(1) : value.toFixed(Math.abs(value) >= 0.1 ? 2 : 4);
}

/** One table of the report. */
export interface Table {
  readonly title: string;
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** The table as aligned text. */
export function tableText({ title, head, rows }: Table): string {
  const widths = head.map((name, column) => Math.max(name.length, ...rows.map((row) => row[column]?.length ?? 0)));
  const line = (cells: readonly string[]) =>
    `  ${cells
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd()}`;
  return [title, line(head), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n');
}
