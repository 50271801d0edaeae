import type { TSchema } from '@sinclair/typebox';
import { RISKS } from '../../../schemas/risk.ts';
import type { AnyTool } from './definition.ts';
import { callerSchema } from './input-schema.ts';
import { createValidator } from './input-validator.ts';

const FUNCTIONS = ['targets', 'argv', 'parse'] as const;
const TOP_TIMEOUT_MS = 3_600_000;
const TOP_CONCURRENCY = 16;

/** Everything that is wrong with a definition, one sentence each; what types cannot say or a cast could hide. */
export function definitionFaults(tool: AnyTool): string[] {
  const missing = FUNCTIONS.filter((key) => typeof tool[key] !== 'function').map((key) => `${key} is missing`);
  const shapes = (['input', 'output', 'grammar', 'probe', 'limits'] as const)
    .filter((key) => typeof tool[key] !== 'object' || tool[key] === null)
    .map((key) => `${key} is missing`);
  if (missing.length + shapes.length > 0) return [...missing, ...shapes];
  return [...textFaults(tool), ...limitFaults(tool), ...schemaFaults(tool), ...exampleFaults(tool)];
}

function textFaults(tool: AnyTool): string[] {
  const faults: string[] = [];
  if (!tool.title) faults.push('title is missing');
  if (!tool.description || tool.description.length > 900) faults.push('description must have 1 to 900 characters');
  // A path or an option here would start something else than the program that was pinned at start.
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(tool.binary)) faults.push('binary must be a bare program name');
  if (!/^[a-z0-9][a-z0-9+.-]*$/.test(tool.debianPackage)) faults.push('debianPackage must be a Debian package name');
  if (tool.requires?.some((path) => !path.startsWith('/'))) faults.push('requires must hold absolute paths');
  return faults;
}

function limitFaults(tool: AnyTool): string[] {
  const faults: string[] = [];
  if (!RISKS.includes(tool.risk)) faults.push('risk is not one of the four levels');
  if (!(tool.timeoutMs >= 1000 && tool.timeoutMs <= tool.maxTimeoutMs && tool.maxTimeoutMs <= TOP_TIMEOUT_MS)) {
    faults.push(`timeoutMs must be between 1000 and maxTimeoutMs, and that at most ${TOP_TIMEOUT_MS}`);
  }
  if (!(tool.concurrency >= 1 && tool.concurrency <= tool.maxConcurrency && tool.maxConcurrency <= TOP_CONCURRENCY)) {
    faults.push(`concurrency must be between 1 and maxConcurrency, and that at most ${TOP_CONCURRENCY}`);
  }
  if (!(tool.limits.maxAddresses >= 1 && tool.limits.maxPorts >= 0)) faults.push('limits must be positive');
  if (tool.raw !== undefined && tool.raw !== 'never' && tool.needsRaw === undefined) {
    faults.push('needsRaw is missing for a tool that may use raw packets');
  }
  return faults;
}

function schemaFaults(tool: AnyTool): string[] {
  const faults = [...openObjects(tool.input, 'input'), ...openObjects(tool.output, 'output')];
  if (Object.hasOwn(tool.input.properties ?? {}, 'run')) faults.push('input may not have a property "run"');
  const secret = tool.secrets?.find((name) => !Object.hasOwn(tool.input.properties ?? {}, name));
  if (secret !== undefined) faults.push(`secrets names ${JSON.stringify(secret)}, which is no input property`);
  for (const shape of [...Object.values(tool.grammar.options), ...Object.values(tool.grammar.attached ?? {})]) {
    // A regular expression with a memory (g, y) would answer differently at every second call.
    if (shape instanceof RegExp && /[gy]/.test(shape.flags)) faults.push('a shape of the grammar has flag g or y');
  }
  try {
    createValidator(callerSchema(tool.input));
  } catch (cause) {
    faults.push(`input does not compile (${cause instanceof Error ? cause.message : String(cause)})`);
  }
  return faults;
}

function openObjects(schema: TSchema, at: string): string[] {
  const faults: string[] = [];
  if (schema['type'] === 'object' && schema['additionalProperties'] !== false) {
    faults.push(`${at} must have additionalProperties: false`);
  }
  // TypeBox 0.34 writes tuples in the draft-07 form, which means something else in JSON Schema 2020-12.
  if (Array.isArray(schema['items'])) faults.push(`${at} must not be a tuple`);
  const below = [
    ...Object.entries((schema['properties'] ?? {}) as Record<string, TSchema>),
    ...['anyOf', 'allOf', 'oneOf'].flatMap((key) => Object.entries((schema[key] ?? []) as readonly TSchema[])),
    ...(schema['items'] === undefined || Array.isArray(schema['items']) ? [] : [['*', schema['items'] as TSchema]]),
  ] as [string, TSchema][];
  return [...faults, ...below.flatMap(([name, child]) => openObjects(child, `${at}.${name}`))];
}

function exampleFaults(tool: AnyTool): string[] {
  const faults: string[] = [];
  if (!Array.isArray(tool.examples) || tool.examples.length === 0) faults.push('at least one example is needed');
  const names = (tool.presets ?? []).map((preset) => preset.name);
  if (new Set(names).size !== names.length) faults.push('two presets have the same name');
  return faults;
}
