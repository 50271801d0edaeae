import type { TObject, TSchema } from '@sinclair/typebox';
import { usageError } from './command.ts';

/** How the input of a tool is given on the command line. */
export interface GivenInput {
  /** The text of `--input`. */
  readonly json: string | undefined;
  readonly words: readonly string[];
  readonly schema: TObject | undefined;
}

/** The input of a tool, given either as JSON or in words. Throws `usageError` for both, or for what is neither. */
export function inputOf({ json, words, schema }: GivenInput): Record<string, unknown> {
  if (json === undefined) return inputFromWords(words, schema);
  if (words.length > 0) throw usageError('Give either --input or KEY=VALUE, not both.');
  return inputFromJson(json);
}

/**
 * The input of a tool out of `KEY=VALUE` words. A value becomes a number, a boolean or a list only where the tool's
 * schema says so and the text is exactly one; everything else stays text, and the gateway judges it.
 */
export function inputFromWords(words: readonly string[], schema: TObject | undefined): Record<string, unknown> {
  const input = new Map<string, unknown>();
  for (const word of words) {
    const at = word.indexOf('=');
    if (at < 1) throw usageError(`'${word}' is not KEY=VALUE.`);
    const key = word.slice(0, at);
    if (input.has(key)) throw usageError(`'${key}' is given twice.`);
    input.set(key, readValue(word.slice(at + 1), propertyOf(schema, key)));
  }
  return Object.fromEntries(input);
}

/** The input of a tool out of `--input`. Throws `usageError` unless it is a JSON object. */
export function inputFromJson(text: string): Record<string, unknown> {
  const parsed = parseJson(text);
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    throw usageError('--input takes a JSON object.');
  }
  return parsed as Record<string, unknown>;
}

function propertyOf(schema: TObject | undefined, key: string): TSchema | undefined {
  return schema !== undefined && Object.hasOwn(schema.properties, key) ? schema.properties[key] : undefined;
}

function readValue(text: string, schema: TSchema | undefined): unknown {
  switch (schema?.['type']) {
    case 'integer':
    case 'number':
      return /^-?\d{1,15}(\.\d{1,15})?$/.test(text) ? Number(text) : text;
    case 'boolean':
      return text === 'true' ? true : text === 'false' ? false : text;
    case 'array':
      if (text.startsWith('[')) return parseJson(text) ?? text;
      return text.split(',').map((item) => readValue(item, schema['items'] as TSchema | undefined));
    case 'object':
      return parseJson(text) ?? text;
    default:
      return text;
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined; // the caller says what was expected
  }
}
