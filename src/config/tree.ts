/** A nested object out of dotted paths. */
export function nest(entries: readonly (readonly [string, unknown])[]): Record<string, unknown> {
  const root: Record<string, unknown> = {};
  for (const [path, value] of entries) {
    const segments = path.split('.');
    const last = segments.pop() ?? path;
    let at = root;
    for (const segment of segments) {
      at[segment] ??= {};
      at = at[segment] as Record<string, unknown>;
    }
    at[last] = value;
  }
  return root;
}

/** The value at a dotted path; undefined when there is none. */
export function valueAt(root: unknown, path: string): unknown {
  return path.split('.').reduce<unknown>((at, segment) => (at as Record<string, unknown> | undefined)?.[segment], root);
}

/** Freezes an object and everything below it. */
export function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    Object.values(value).forEach(deepFreeze);
    Object.freeze(value);
  }
  return value;
}
