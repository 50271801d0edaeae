import type { TObject } from '@sinclair/typebox';
import {
  RunCancelInput,
  RunDiffInput,
  RunDiffOutput,
  RunFindingsInput,
  RunFindingsOutput,
  RunListInput,
  RunListOutput,
  RunResultInput,
  RunResultOutput,
  RunStatusInput,
  RunStatusOutput,
} from '../../schemas/run-tool.ts';
import { PlanToolInput, PlanToolOutput, ScopeToolInput, ScopeToolOutput } from '../../schemas/plan-tool.ts';
import type { Scope } from '../core/auth/types.ts';
import type { PlanToolHandlers } from './plan-tools.ts';
import type { RunToolHandlers } from './run-tools.ts';
import { frozen, type JsonObjectSchema, type ToolEntry } from './tool-entry.ts';

/** What each tool of ours does. */
export type OwnToolHandlers = RunToolHandlers & PlanToolHandlers;

/** A tool of ours, which asks the policy or follows runs: what it is called, the scope that its caller holds, and what it takes. */
export interface RunTool {
  readonly name: keyof OwnToolHandlers;
  readonly scope: Scope;
  readonly input: TObject;
  readonly entry: ToolEntry;
}

interface Row {
  readonly scope: Scope;
  readonly title: string;
  readonly description: string;
  readonly input: TObject;
  readonly output: TObject;
  /** It ends something. */
  readonly ends?: boolean;
}

const ROWS: Readonly<Record<keyof OwnToolHandlers, Row>> = {
  plan: {
    scope: 'runs:plan',
    title: 'What would run?',
    description:
      'Whether a call is allowed, what exactly it would run and why; touches no target. Ask before costly calls.',
    input: PlanToolInput,
    output: PlanToolOutput,
  },
  scope: {
    scope: 'tools:read',
    title: 'What may I do?',
    description: 'Your engagements: targets, tools, risk, hours and what is left of budgets.',
    input: ScopeToolInput,
    output: ScopeToolOutput,
  },
  run_status: {
    scope: 'runs:read',
    title: 'How is a run?',
    description: 'State, progress and most important findings of a run; waits for its end up to waitMs.',
    input: RunStatusInput,
    output: RunStatusOutput,
  },
  run_result: {
    scope: 'runs:read',
    title: 'Result of a run',
    description: 'The result of an ended run, or one part of it.',
    input: RunResultInput,
    output: RunResultOutput,
  },
  run_findings: {
    scope: 'findings:read',
    title: 'Findings of a run',
    description: 'Findings of a run, worst first, by pages.',
    input: RunFindingsInput,
    output: RunFindingsOutput,
  },
  run_list: {
    scope: 'runs:read',
    title: 'List runs',
    description: 'Your runs, newest first, by pages.',
    input: RunListInput,
    output: RunListOutput,
  },
  run_diff: {
    scope: 'findings:read',
    title: 'Compare two runs',
    description: 'What is new, gone, changed or was not looked at between two runs.',
    input: RunDiffInput,
    output: RunDiffOutput,
  },
  run_cancel: {
    scope: 'runs:cancel',
    title: 'Cancel a run',
    description: 'Ends a waiting or running run; what it found stays.',
    input: RunCancelInput,
    output: RunStatusOutput,
    ends: true,
  },
};

/** Every tool of ours with its entry in tools/list. */
export const RUN_TOOL_ENTRIES: readonly RunTool[] = Object.entries(ROWS).map(([name, row]) => ({
  name: name as keyof OwnToolHandlers,
  scope: row.scope,
  input: row.input,
  entry: entryOf(name, row),
}));

function entryOf(name: string, { title, description, input, output, ends = false }: Row): ToolEntry {
  return frozen({
    name,
    title,
    description,
    inputSchema: plain(input),
    outputSchema: plain(output),
    annotations: { title, readOnlyHint: !ends, destructiveHint: ends, openWorldHint: false },
  });
}

/** What goes over the wire: without the symbols that TypeBox puts into its schemas. */
function plain(schema: TObject): JsonObjectSchema {
  return JSON.parse(JSON.stringify(schema)) as JsonObjectSchema;
}
