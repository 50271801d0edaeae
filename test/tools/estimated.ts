import assert from 'node:assert/strict';
import type { PinnedWordlist, ToolEstimate } from '../../src/core/tool/definition.ts';
import type { RegisteredTool } from '../../src/core/tool/registry-types.ts';
import { prepare, registeredTools, type Surroundings } from './under-test.ts';

const TOOLS = await registeredTools();
/** Names of the lab. */
export const RESOLVES = {
  'web.lab.internal': '10.77.0.10',
  'db.lab.internal': '10.77.0.11',
  'lab.internal': '10.77.0.10',
};

/** What a call meets. */
export interface Around extends Surroundings {
  /** Lines of every word list. */
  readonly lines?: number;
}

/** A tool on disk. */
export function toolNamed(name: string): RegisteredTool {
  return TOOLS.find(({ definition }) => definition.name === name) ?? assert.fail(`no tool ${name}`);
}

/** The estimate of a call, and the argv that has to keep what it promises. */
export async function asked(
  tool: RegisteredTool,
  given: Record<string, unknown>,
  { lines = 100, ...around }: Around = {},
) {
  const call = await prepare(tool, given, { resolves: RESOLVES, raw: tool.definition.raw === 'required', ...around });
  const lists = [...call.context.wordlists].map(([role, list]): [string, PinnedWordlist] => [role, { ...list, lines }]);
  const context = { ...call.context, wordlists: new Map(lists) };
  const estimate = () => tool.definition.estimate?.(call.input, call.pinned, context) ?? assert.fail('no estimate');
  return { ...call, context, estimate: estimate(), again: estimate() };
}

/** The estimate of a call. */
export async function estimateOf(name: string, given: Record<string, unknown>, around?: Around): Promise<ToolEstimate> {
  return (await asked(toolNamed(name), given, around)).estimate;
}

/** Calls that others vary. */
export const DIR = { mode: 'dir', url: { scheme: 'http', host: '10.77.0.10' }, wordlist: 'dirb/common.txt' };
export const DNS = { mode: 'dns', domain: 'lab.internal', resolver: '10.77.0.10', wordlist: 'dirb/common.txt' };
export const LOGIN = { host: '10.77.0.10', service: 'ssh', users: ['admin'], passwords: ['a', 'b'] };
export const PAGE = { url: { scheme: 'http', host: '10.77.0.10', path: '/item.php?id=1' }, param: 'id' };
