import type { TSchema } from '@sinclair/typebox';
import { Ajv2020, type ErrorObject } from 'ajv/dist/2020.js';
import { SallyportError } from '../errors.ts';

/** One thing that is wrong with an input: where (JSON Pointer) and what. */
export interface InputFault {
  readonly path: string;
  readonly message: string;
}

const MAX_VALUES = 20_000;
const MAX_DEPTH = 16;
const MAX_FAULTS = 50;

/**
 * Compiles a schema once. The returned function copies the value, fills defaults into the copy and returns it, or
 * throws ERR_INPUT_INVALID with `details.faults`. It never coerces and never removes: what does not fit is refused.
 */
export function createValidator(schema: TSchema, at = ''): (value: unknown) => Record<string, unknown> {
  const ajv = new Ajv2020({
    strict: true,
    allErrors: true,
    verbose: true,
    useDefaults: true,
    coerceTypes: false,
    removeAdditional: false,
    ownProperties: true,
    validateFormats: false,
  });
  const validate = ajv.compile(schema);
  return (value) => {
    // A body of a million tiny values or a million brackets must not cost seconds or the stack (CWE-400, CWE-674).
    const tooBig = sizeFault(value);
    if (tooBig !== undefined) throw inputInvalid([{ path: at, message: tooBig }]);
    const copy: unknown = structuredClone(value);
    if (validate(copy)) return copy as Record<string, unknown>;
    throw inputInvalid(faultsOf(validate.errors ?? [], at));
  };
}

/** ERR_INPUT_INVALID that lists every fault. */
export function inputInvalid(faults: readonly InputFault[]): SallyportError {
  const shown = faults.slice(0, MAX_FAULTS);
  const text = shown.map(({ path, message }) => `${path === '' ? 'input' : path} ${message}`).join('; ');
  return new SallyportError('ERR_INPUT_INVALID', `The input does not fit the tool: ${text}.`, {
    details: { faults: shown },
  });
}

function sizeFault(value: unknown): string | undefined {
  const open: { value: unknown; depth: number }[] = [{ value, depth: 0 }];
  let count = 0;
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    count += 1;
    if (count > MAX_VALUES) return `must not hold more than ${MAX_VALUES} values`;
    if (next.depth > MAX_DEPTH) return `must not be nested deeper than ${MAX_DEPTH}`;
    if (typeof next.value === 'function' || typeof next.value === 'symbol') return 'must be JSON';
    if (typeof next.value !== 'object' || next.value === null) continue;
    const children: unknown[] = Object.values(next.value);
    if (count + open.length + children.length > MAX_VALUES) return `must not hold more than ${MAX_VALUES} values`;
    for (const child of children) open.push({ value: child, depth: next.depth + 1 });
  }
  return undefined;
}

function faultsOf(errors: readonly ErrorObject[], at: string): InputFault[] {
  const unions = new Set(errors.filter((error) => error.keyword === 'anyOf').map((error) => error.instancePath));
  const faults = errors
    // The branches of a union of words say the same thing once each; the union itself says it better.
    .filter((error) => !(error.keyword === 'const' && unions.has(error.instancePath)))
    .map((error) => ({ path: `${at}${error.instancePath}`, message: messageOf(error) }));
  return faults.slice(0, MAX_FAULTS);
}

/** Longest name of an unknown property that is told. */
const MAX_NAME = 64;

function messageOf(error: ErrorObject): string {
  const params = error.params as Record<string, unknown>;
  if (error.keyword === 'additionalProperties') {
    const name = String(params['additionalProperty']);
    // Whole or not at all: the first half of a password is known to no mask.
    return `has an unknown property ${name.length > MAX_NAME ? `of ${name.length} characters` : JSON.stringify(name)}`;
  }
  const branches = (error.schema as readonly { const?: unknown }[] | undefined) ?? [];
  if (error.keyword === 'anyOf' && branches.every((branch) => branch.const !== undefined)) {
    return `must be one of ${branches.map((branch) => JSON.stringify(branch.const)).join(', ')}`;
  }
  return error.message ?? `does not fit (${error.keyword})`;
}
