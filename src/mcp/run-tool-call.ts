import type { Scope } from '../core/auth/types.ts';
import type { RunHistory } from '../core/run/types.ts';
import { createValidator } from '../core/tool/input-validator.ts';
import type { ToolAnswer } from './run-answer.ts';
import { RUN_TOOL_ENTRIES } from './run-tool-entries.ts';
import { createRunToolHandlers, type RunToolCall } from './run-tools.ts';

/** A run tool that may be called with unchecked arguments by who holds the scope. */
export interface CheckedRunTool {
  readonly scope: Scope;
  /** Throws ERR_INPUT_INVALID for arguments that do not fit, and what the history throws. */
  call(args: unknown, at: RunToolCall): Promise<ToolAnswer>;
}

/** The run tools by name; undefined for any other name. */
export function createRunToolCall(history: RunHistory): (name: string) => CheckedRunTool | undefined {
  const handlers = createRunToolHandlers(history);
  const tools = new Map<string, CheckedRunTool>();
  for (const { name, scope, input } of RUN_TOOL_ENTRIES) {
    const validate = createValidator(input);
    const handle = handlers[name] as (args: Record<string, unknown>, at: RunToolCall) => Promise<ToolAnswer>;
    tools.set(name, { scope, call: async (args, at) => handle(validate(args), at) });
  }
  return (name) => tools.get(name);
}
