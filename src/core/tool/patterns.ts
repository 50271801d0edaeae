/** Which tools are loaded: names, or patterns in which `*` stands for any run of characters. Nothing else is special. */
export interface Selection {
  readonly include: readonly string[];
  readonly exclude: readonly string[];
}

/** Whether a name is included and not excluded; exclusion wins, and an empty include list selects nothing. */
export function isSelected(name: string, selection: Selection): boolean {
  const matches = (pattern: string): boolean => matchesPattern(pattern, name);
  return selection.include.some(matches) && !selection.exclude.some(matches);
}

/** Patterns of a selection that match none of the names: a typing error in an exclude list would leave a tool on. */
export function unusedPatterns(selection: Selection, names: readonly string[]): string[] {
  const patterns = [...selection.include, ...selection.exclude];
  return patterns.filter((pattern) => !names.some((name) => matchesPattern(pattern, name)));
}

function matchesPattern(pattern: string, name: string): boolean {
  const [head = '', ...rest] = pattern.split('*');
  if (rest.length === 0) return pattern === name;
  if (!name.startsWith(head)) return false;
  const tail = rest.pop() ?? '';
  let at = head.length;
  for (const part of rest) {
    const found = name.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return name.length - at >= tail.length && name.endsWith(tail);
}
