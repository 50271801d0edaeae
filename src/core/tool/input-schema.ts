import { type TObject, type TSchema, Type } from '@sinclair/typebox';
import { RunOptionsSchema } from '../../../schemas/run.ts';
import type { AnyTool } from './definition.ts';

/**
 * The schema as a caller sees it: properties that have a default need not be sent, at every depth.
 * TypeBox lists them as required because the program always finds them filled.
 */
export function callerSchema<S extends TSchema>(schema: S): S {
  const copy: Record<string, unknown> = { ...schema };
  for (const keyword of ['anyOf', 'allOf', 'oneOf'] as const) {
    if (Array.isArray(copy[keyword])) copy[keyword] = copy[keyword].map((branch: TSchema) => callerSchema(branch));
  }
  if (isSchema(copy['items'])) copy['items'] = callerSchema(copy['items']);
  if (isProperties(copy['properties'])) {
    const entries = Object.entries(copy['properties']);
    copy['properties'] = Object.fromEntries(entries.map(([name, property]) => [name, callerSchema(property)]));
    const required = (Array.isArray(copy['required']) ? (copy['required'] as string[]) : []).filter(
      (name) => entries.find(([key]) => key === name)?.[1].default === undefined,
    );
    if (required.length === 0) delete copy['required'];
    else copy['required'] = required;
  }
  return copy as unknown as S;
}

/** The reserved `run` property for one tool: its timeout ends at the tool's own top. */
export function runSchema(definition: AnyTool): TObject {
  const { timeoutMs } = RunOptionsSchema.properties;
  const narrowed = { ...timeoutMs, maximum: Math.min(timeoutMs.maximum ?? Infinity, definition.maxTimeoutMs) };
  return { ...RunOptionsSchema, properties: { ...RunOptionsSchema.properties, timeoutMs: narrowed } };
}

/** JSON Schema 2020-12 of a tool's arguments over MCP: its input plus the reserved, optional `run`. */
export function argumentsSchema(definition: AnyTool): TObject {
  const input = callerSchema(definition.input);
  return { ...input, properties: { ...input.properties, run: Type.Optional(runSchema(definition)) } };
}

function isSchema(value: unknown): value is TSchema {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isProperties(value: unknown): value is Record<string, TSchema> {
  return isSchema(value);
}
