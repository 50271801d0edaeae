import type { TSchema } from '@sinclair/typebox';

/** What a key holds. */
export type ValueKind = 'integer' | 'boolean' | 'choice' | 'text' | 'list';

/** A value, or what is wrong with it. */
export type Read = { readonly value: unknown } | { readonly wrong: string };

/** Whole numbers as people write them. Leading zeros are octal to some readers and decimal to others: refused. */
const INTEGER = /^(?:0|-?[1-9]\d{0,15})$/;
// oxlint-disable-next-line no-control-regex -- the characters are the point
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/;

/** What the schema of a key holds. Throws for a schema the loader cannot read, which is a bug in schemas/. */
export function kindOf(schema: TSchema): ValueKind {
  if (schema['anyOf'] !== undefined) return 'choice';
  switch (schema['type']) {
    case 'integer':
    case 'boolean':
      return schema['type'];
    case 'string':
      return 'text';
    case 'array':
      return 'list';
    default:
      throw new Error(`the configuration cannot hold a ${String(schema['type'])}`);
  }
}

/** The words a choice accepts. */
export function choicesOf(schema: TSchema): readonly string[] {
  return (schema['anyOf'] as readonly TSchema[]).map((option) => String(option['const']));
}

/** The schema of a list's items. */
export function itemOf(schema: TSchema): TSchema {
  return schema['items'] as TSchema;
}

/** One sentence part: what would be right for this key. */
export function rightFor(schema: TSchema): string {
  switch (kindOf(schema)) {
    case 'integer':
      return `a whole number from ${schema['minimum']} to ${schema['maximum']} (${schema['unit']})`;
    case 'boolean':
      return 'true or false, without quotes';
    case 'choice':
      return `one of ${choicesOf(schema).join(', ')}`;
    case 'text':
      return `text of ${schema['minLength'] ?? 0} to ${schema['maxLength']} characters`;
    case 'list':
      return `a list of at most ${schema['maxItems']} entries, each ${rightFor(itemOf(schema))}`;
  }
}

/** Checks a typed value: type, range, length. Never converts. Answers what is wrong, or undefined. */
export function checkValue(schema: TSchema, value: unknown): string | undefined {
  switch (kindOf(schema)) {
    case 'integer':
      return checkInteger(schema, value);
    case 'boolean':
      return typeof value === 'boolean' ? undefined : 'not true or false';
    case 'choice':
      return typeof value === 'string' && choicesOf(schema).includes(value) ? undefined : 'not one of the choices';
    case 'text':
      return checkText(schema, value);
    case 'list':
      return checkList(schema, value);
  }
}

function checkInteger(schema: TSchema, value: unknown): string | undefined {
  if (typeof value !== 'number' || !Number.isSafeInteger(value)) return 'not a whole number';
  if (value > Number(schema['maximum'])) return `${value} is above the hard top`;
  if (value < Number(schema['minimum'])) return `${value} is below the lowest value`;
  return undefined;
}

function checkText(schema: TSchema, value: unknown): string | undefined {
  if (typeof value !== 'string') return 'not text';
  if (value.length > Number(schema['maxLength'])) return 'too long';
  if (value.length < Number(schema['minLength'] ?? 0)) return 'empty';
  // A NUL ends a path early in C, a newline forges a log line or a second entry.
  if (CONTROL.test(value) || !value.isWellFormed()) return 'holds control characters';
  return undefined;
}

function checkList(schema: TSchema, value: unknown): string | undefined {
  if (!Array.isArray(value)) return 'not a list';
  if (value.length > Number(schema['maxItems'])) return 'has too many entries';
  const item = itemOf(schema);
  const faults = value.flatMap((entry, index) => {
    const wrong = checkValue(item, entry);
    return wrong === undefined ? [] : [`entry ${index + 1} is ${wrong}`];
  });
  return faults.length === 0 ? undefined : faults.join('; ');
}

/** Reads a bare word: an environment variable, or a plain scalar of the file. Empty text is a value, not "unset". */
export function readWord(schema: TSchema, word: string): Read {
  switch (kindOf(schema)) {
    case 'integer':
      return INTEGER.test(word) ? { value: Number(word) } : { wrong: word === '' ? 'empty' : 'not a whole number' };
    case 'boolean':
      return word === 'true' || word === 'false'
        ? { value: word === 'true' }
        : { wrong: word === '' ? 'empty' : 'not true or false' };
    case 'choice':
    case 'text':
      return { value: word };
    case 'list':
      return readList(word);
  }
}

/** Entries are separated by a comma and optional spaces. Empty text is the empty list: for an allow list, nothing. */
function readList(word: string): Read {
  if (word === '') return { value: [] };
  const entries = word.split(',').map((entry) => entry.trim());
  // Splitting '' or 'a,' yields an empty entry that a matcher might take for "everything".
  if (entries.includes('')) return { wrong: 'has an empty entry' };
  return { value: entries };
}
