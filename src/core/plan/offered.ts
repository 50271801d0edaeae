import { SallyportError } from '../errors.ts';
import type { RegisteredTool } from '../tool/registry-types.ts';
import { NO_TRACE, type RuleTrace } from './trace.ts';

/** Throws ERR_TOOL_DISABLED or ERR_TOOL_UNAVAILABLE. */
export function checkOffered(tool: RegisteredTool, trace: RuleTrace = NO_TRACE): void {
  const { name } = tool.definition;
  if (!tool.enabled) {
    throw new SallyportError('ERR_TOOL_DISABLED', `${name} is disabled by the operator.`, {
      details: { rule: 'tool.enabled' },
    });
  }
  trace.pass('tool.enabled', { datum: name });
  if (!tool.availability.available) unavailable(tool);
  trace.pass('tool.available', { datum: tool.availability.version ?? tool.availability.path ?? name });
}

/** Throws ERR_TOOL_UNAVAILABLE. */
export function unavailable({ definition, availability }: RegisteredTool): never {
  throw new SallyportError('ERR_TOOL_UNAVAILABLE', availability.fault ?? `${definition.name} is not available here.`, {
    details: { rule: 'tool.available' },
  });
}
