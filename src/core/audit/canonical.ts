/**
 * JSON in the one form of RFC 8785: names in the order of their UTF-16 units, no space, numbers as ECMAScript writes them.
 * Of plain data; an absent property is left out. Others can compute the hashes of the audit from its records by the same rules.
 */
export function canonicalText(value: unknown): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  if (Array.isArray(value)) return `[${value.map(canonicalText).join(',')}]`;
  return `{${canonicalMembers(value).join(',')}}`;
}

/** The members of an object as they follow each other in its canonical form, without those of one name. */
export function canonicalMembers(value: object, without?: string): readonly string[] {
  const record = value as Readonly<Record<string, unknown>>;
  const members: string[] = [];
  // Of their UTF-16 units: the order that RFC 8785 asks for.
  for (const name of Object.keys(record).toSorted()) {
    if (record[name] === undefined || name === without) continue;
    members.push(`${JSON.stringify(name)}:${canonicalText(record[name])}`);
  }
  return members;
}
