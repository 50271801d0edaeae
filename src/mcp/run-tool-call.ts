import type { Scope } from '../core/auth/types.ts';
import type { RunHistory } from '../core/run/types.ts';
import { createValidator } from '../core/tool/input-validator.ts';
import { createPlanToolHandlers, type PolicyDesk } from './plan-tools.ts';
import type { ToolAnswer } from './run-answer.ts';
import { type OwnToolHandlers, RUN_TOOL_ENTRIES, type RunTool } from './run-tool-entries.ts';
import { createRunToolHandlers, type RunToolCall } from './run-tools.ts';

/** A tool of ours that may be called with unchecked arguments by who holds the scope. */
export interface CheckedRunTool {
  readonly scope: Scope;
  /** Throws ERR_INPUT_INVALID for arguments that do not fit, and what history and planner throw. */
  call(args: unknown, at: RunToolCall): Promise<ToolAnswer>;
}

/** What the tools of ours stand on. */
export interface OwnToolParts {
  readonly history: RunHistory;
  /** Absent: neither `plan` nor `scope` is there. */
  readonly policy?: PolicyDesk | undefined;
}

/** The tools of ours by name; undefined for any other name. */
export function createRunToolCall(parts: OwnToolParts): (name: string) => CheckedRunTool | undefined {
  const handlers = handlersOf(parts);
  const tools = new Map<string, CheckedRunTool>();
  for (const { name, scope, input } of ownTools(parts)) {
    const validate = createValidator(input);
    const handle = handlers[name] as (args: Record<string, unknown>, at: RunToolCall) => Promise<ToolAnswer>;
    tools.set(name, { scope, call: async (args, at) => handle(validate(args), at) });
  }
  return (name) => tools.get(name);
}

/** The tools of ours that there are with these parts. */
export function ownTools(parts: OwnToolParts): readonly RunTool[] {
  const handlers = handlersOf(parts);
  return RUN_TOOL_ENTRIES.filter(({ name }) => handlers[name] !== undefined);
}

function handlersOf({ history, policy }: OwnToolParts): Partial<OwnToolHandlers> {
  return { ...createRunToolHandlers(history), ...(policy === undefined ? {} : createPlanToolHandlers(policy)) };
}
