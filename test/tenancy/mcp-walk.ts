import assert from 'node:assert/strict';
import { connectLegacy, connectModern } from '../fixtures/mcp/clients.ts';
import type { Belongings, World } from './world.ts';

type Args = Record<string, unknown>;

const INPUT = { host: '10.99.1.1', word: 'basaltword', secret: 'basaltsecret' };

/** Every tool that a stranger is offered, with the arguments that name what is not its own. */
export const MCP_WALK: Readonly<Record<string, (things: Belongings) => readonly Args[]>> = {
  mark: ({ engagement, planId }) => [
    { ...INPUT, run: { engagement } },
    { ...INPUT, run: { planId } },
    { run: { planId } },
  ],
  plan: ({ engagement }) => [{ tool: 'mark', input: INPUT, run: { engagement } }],
  scope: () => [{}],
  run_status: ({ runId, waitingId }) => [{ runId }, { runId: waitingId }, { runId, waitMs: 1 }],
  run_result: ({ runId, waitingId }) => [{ runId }, { runId: waitingId }, { runId, path: 'result' }],
  run_findings: ({ runId, ofRunCursor }) => [{ runId }, { runId, limit: 1, cursor: ofRunCursor }],
  run_list: ({ runsCursor, findingsCursor }) => [
    { limit: 200 },
    { target: '10.66.77.13' },
    { limit: 1, cursor: runsCursor },
    { limit: 1, cursor: findingsCursor },
  ],
  run_diff: ({ runId, otherRunId, diffCursor }) => [
    { from: runId, to: otherRunId },
    { from: runId, to: otherRunId, unchanged: true, limit: 1, cursor: diffCursor },
  ],
  run_cancel: ({ runId, waitingId }) => [{ runId }, { runId: waitingId }],
};

/** A client of one era: what it is offered, and the whole answer of a call as text. */
export interface Walker {
  readonly offered: () => Promise<string[]>;
  readonly call: (name: string, args: Args) => Promise<string>;
  readonly close: () => Promise<void>;
}

/** How a stranger connects, by era. */
export const ERAS: Readonly<Record<string, (world: World) => Promise<Walker>>> = {
  '2025-11-25': async ({ url, stranger }) => {
    const closers = closersOf();
    const { client } = await connectLegacy(closers, url, { key: stranger });
    return {
      offered: async () => (await client.listTools()).tools.map(({ name }) => name),
      call: async (name, args) => told(() => client.callTool({ name, arguments: args })),
      close: closers.close,
    };
  },
  '2026-07-28': async ({ url, stranger }) => {
    const closers = closersOf();
    const { client } = await connectModern(closers, url, { key: stranger });
    return {
      offered: async () => (await client.listTools()).tools.map(({ name }) => name),
      call: async (name, args) => told(() => client.callTool({ name, arguments: args })),
      close: closers.close,
    };
  },
};

/** An error of the protocol is an answer too. */
async function told(call: () => Promise<unknown>): Promise<string> {
  try {
    return JSON.stringify(await call());
  } catch (thrown) {
    assert.ok(thrown instanceof Error);
    return JSON.stringify([thrown.message, Object.entries(thrown)]);
  }
}

function closersOf() {
  const closers: (() => Promise<void>)[] = [];
  return {
    after: (close: () => Promise<void>) => void closers.push(close),
    close: async () => {
      for (const close of closers) await close();
    },
  };
}
