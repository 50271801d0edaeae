import type { RunResult } from '../../../schemas/run.ts';

/** One call and what its answer must say. */
export interface ToolCase {
  readonly tool: string;
  /** What it finds out; it completes the sentence "the tool …". */
  readonly name: string;
  readonly input: (user: string) => Readonly<Record<string, unknown>>;
  readonly check: (run: RunResult, user: string) => void;
  /** Also called over MCP, in both eras. */
  readonly mcp?: true;
}
