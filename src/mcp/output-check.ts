import { Ajv2020 } from 'ajv/dist/2020.js';
import ajvFormats from 'ajv-formats';
import type { RunResult } from '../../schemas/run.ts';
import type { RegisteredTool } from '../core/tool/registry-types.ts';

/** Tells whether a partial result may travel as `structuredContent`. */
export type OutputCheck = (tool: RegisteredTool, candidate: unknown) => candidate is RunResult;

/**
 * Validators of the tools' output schemas, compiled when first needed. SDK clients validate `structuredContent` even
 * when `isError` is set, and throw the whole answer away when it does not fit: what does not fit is left out instead.
 */
export function createOutputCheck(): OutputCheck {
  const compiled = new WeakMap<object, (value: unknown) => boolean>();
  return (tool, candidate): candidate is RunResult => {
    let validate = compiled.get(tool.outputSchema);
    if (validate === undefined) {
      // One instance per tool: two schemas with the same `$id` inside do not live in one.
      const ajv = new Ajv2020({ strict: false, validateFormats: true });
      ajvFormats.default(ajv);
      validate = ajv.compile(tool.outputSchema);
      compiled.set(tool.outputSchema, validate);
    }
    return validate(candidate);
  };
}
