import type { TObject, TSchema } from '@sinclair/typebox';

/** One key of the configuration. */
export interface ConfigKey {
  /** Dotted path in the file: `policy.scope.allow`. */
  readonly path: string;
  /** Its environment variable: `SALLYPORT_POLICY_SCOPE_ALLOW`. */
  readonly variable: string;
  readonly schema: TSchema;
  /** A running gateway cannot change it. */
  readonly restart: boolean;
}

/** One thing that is wrong with the configuration. No text of it repeats a value that could be a secret. */
export interface ConfigFault {
  /** Dotted path; empty when the fault belongs to no key. */
  readonly key: string;
  /** Where it was written: `file:line`, or the name of the environment variable. */
  readonly from: string;
  readonly wrong: string;
  readonly right: string;
}

/** A value and where it was written. */
export interface PlacedValue {
  readonly value: unknown;
  readonly where: string;
}

/** What one source (file or environment) says: by dotted path, with the faults found on the way. */
export interface Layer {
  readonly values: ReadonlyMap<string, PlacedValue>;
  readonly faults: readonly ConfigFault[];
}

/** The environment variable of a dotted path. */
export function variableOf(path: string): string {
  return `SALLYPORT_${path.replaceAll('.', '_').replace(/[A-Z]/g, '_$&').toUpperCase()}`;
}

/** Every key of a schema, in its order. Throws when two keys would share an environment variable. */
export function configKeys(schema: TObject): readonly ConfigKey[] {
  const keys = walk(schema, '');
  const seen = new Map<string, string>();
  for (const { path, variable } of keys) {
    const other = seen.get(variable);
    if (other !== undefined) throw new Error(`${path} and ${other} share the environment variable ${variable}`);
    seen.set(variable, path);
  }
  return keys;
}

/** The schema as an object schema when it is a section. */
export function asSection(schema: TSchema): TObject | undefined {
  return schema['type'] === 'object' ? (schema as TObject) : undefined;
}

function walk(schema: TObject, prefix: string): ConfigKey[] {
  return Object.entries(schema.properties).flatMap(([name, child]) => {
    const path = `${prefix}${name}`;
    const inner = asSection(child);
    if (inner !== undefined) return walk(inner, `${path}.`);
    return [{ path, variable: variableOf(path), schema: child, restart: child['restart'] === true }];
  });
}

/** The candidate that is at most three edits away, for "did you mean". */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  const scored = candidates.map((candidate) => ({ candidate, edits: distance(word, candidate) }));
  const best = scored.reduce<(typeof scored)[number] | undefined>(
    (least, next) => (least === undefined || next.edits < least.edits ? next : least),
    undefined,
  );
  return best !== undefined && best.edits <= 3 && best.edits < word.length ? best.candidate : undefined;
}

/** Levenshtein distance, over at most 128 characters of each. */
function distance(left: string, right: string): number {
  const a = left.slice(0, 128);
  const b = right.slice(0, 128);
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let row = 1; row <= a.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= b.length; column += 1) {
      const replaced = (previous[column - 1] ?? 0) + (a[row - 1] === b[column - 1] ? 0 : 1);
      current.push(Math.min(replaced, (previous[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1));
    }
    previous = current;
  }
  return previous[b.length] ?? 0;
}
