/**
 * The words that a JSON schema fixes (`const`, `enum`), wherever it does. An answer in which a secret equal to one of them
 * were masked would not fit its schema, and readers throw such an answer away.
 */
export function literalsOf(schema: unknown): ReadonlySet<string> {
  const found = new Set<string>();
  collect(schema, found);
  return found;
}

function collect(schema: unknown, found: Set<string>): void {
  if (typeof schema !== 'object' || schema === null) return;
  const { const: word, enum: words } = schema as { const?: unknown; enum?: unknown };
  for (const each of [word, ...(Array.isArray(words) ? words : [])]) if (typeof each === 'string') found.add(each);
  for (const inner of Object.values(schema)) collect(inner, found);
}
