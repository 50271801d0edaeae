import { Ajv2020 } from 'ajv/dist/2020.js';
import ajvFormats from 'ajv-formats';
import type { TSchema } from '@sinclair/typebox';
import { toolAnswerSchema } from '../../schemas/run.ts';
import type { AnyTool } from '../core/tool/definition.ts';

/** Tells whether an answer may travel as `structuredContent` of a tool. */
export type OutputCheck = (tool: AnyTool, candidate: unknown) => boolean;

/**
 * Validators of the tools' output schemas, compiled when first needed. SDK clients validate `structuredContent` even
 * when `isError` is set, and throw the whole answer away when it does not fit: what does not fit is left out instead.
 */
export function createOutputCheck(): OutputCheck {
  const compiled = new WeakMap<object, (value: unknown) => boolean>();
  return (tool, candidate) => {
    let validate = compiled.get(tool);
    if (validate === undefined) {
      // One instance per tool: two schemas with the same `$id` inside do not live in one.
      const ajv = new Ajv2020({ strict: false, validateFormats: true });
      ajvFormats.default(ajv);
      validate = ajv.compile(toolAnswerSchema<TSchema>(tool.output));
      compiled.set(tool, validate);
    }
    return validate(candidate);
  };
}
