import type { FindingQuery, RunQuery, Store } from '../src/core/store/types.ts';
import { compareRuns } from '../src/core/findings/diff.ts';
import { BUSY_TARGET, createdOf, FINDINGS_OF_A_LARGE_RUN, LARGE_RUNS, OWNER, runIdOf } from './scale-data.ts';

/** One filled store. */
export interface Side {
  readonly store: Store;
  readonly runs: number;
}

/** One question to a store; `share` (0 to 1) says at which of its runs. Answers with the number of rows. */
export interface ScaleQuestion {
  readonly name: string;
  readonly ask: (side: Side, share: number) => Promise<number>;
}

/** Rows of a page. Both stores have as many for every question, or they would not answer the same one. */
const LIMIT = 20;

/** Everything that is asked; some questions have no answer, which is when a store would look at every row. */
export const SCALE_QUESTIONS: readonly ScaleQuestion[] = [
  { name: 'one run by its id', ask: async ({ store, runs }, share) => rows(await store.runs.get(idAt(runs, share))) },
  {
    name: 'its whole result',
    ask: async ({ store, runs }, share) => rows(await store.runs.result(idAt(runs, share))),
  },
  {
    name: 'its events',
    ask: async ({ store, runs }, share) => (await store.runs.events(idAt(runs, share), 0, 100)).length,
  },
  runList('runs of all owners, first page', {}),
  runList('runs of one owner, first page', { owner: OWNER }),
  { name: 'runs of one owner, a page in the middle', ask: deepPage },
  runList('runs by tool', { owner: OWNER, tool: 'nmap' }),
  runList('runs by state', { owner: OWNER, states: ['failed'] }),
  runList('runs by tool and state', { owner: OWNER, tool: 'nmap', states: ['succeeded', 'failed'] }),
  runList('runs by a busy target', { owner: OWNER, target: BUSY_TARGET }),
  runList('runs by a busy target and a state that none has', { owner: OWNER, target: BUSY_TARGET, states: ['queued'] }),
  runList('runs by a busy target and an unknown tool', { owner: OWNER, target: BUSY_TARGET, tool: 'nothing' }),
  findingList('findings of all owners', {}),
  findingList('findings of all owners, low or worse', { severity: 'low' }),
  findingList('findings of one owner', { owner: OWNER }),
  findingList('findings by severity', { owner: OWNER, severity: 'high' }),
  findingList('findings by kind', { owner: OWNER, kind: 'path' }),
  findingList('findings by tool', { owner: OWNER, tool: 'hydra' }),
  findingList('findings by tool and severity', { owner: OWNER, tool: 'hydra', severity: 'high' }),
  findingList('findings by a tool and a kind that it never states', { owner: OWNER, tool: 'dig', kind: 'path' }),
  findingList('findings by target', { owner: OWNER, target: BUSY_TARGET }),
  findingList('findings by a busy target and a kind that none has', {
    owner: OWNER,
    target: BUSY_TARGET,
    kind: 'note',
  }),
  findingList('findings by port', { owner: OWNER, port: 443 }),
  findingList('findings by port and severity', { owner: OWNER, port: 443, severity: 'high' }),
  findingList('findings by a port and a kind that is never there', { owner: OWNER, port: 443, kind: 'dns_record' }),
  { name: 'findings of one run', ask: findingsOfRun },
  { name: `findings of a run with ${FINDINGS_OF_A_LARGE_RUN}, a page in the middle`, ask: findingsOfLargeRun },
  {
    name: 'comparison of two runs',
    ask: ({ store, runs }, share) => compare(store, idAt(runs - 1, share), idAt(runs, share)),
  },
  {
    name: `comparison of two runs with ${FINDINGS_OF_A_LARGE_RUN} findings each`,
    ask: ({ store }) => compare(store, runIdOf(LARGE_RUNS[0]), runIdOf(LARGE_RUNS[1])),
  },
];

function rows(found: unknown): number {
  return found === undefined ? 0 : 1;
}

/** Not one of the large runs. */
function idAt(runs: number, share: number): string {
  return runIdOf(LARGE_RUNS.length + Math.floor(share * (runs - LARGE_RUNS.length)));
}

function runList(name: string, query: Omit<RunQuery, 'limit'>): ScaleQuestion {
  return { name, ask: async ({ store }) => (await store.runs.list({ ...query, limit: LIMIT })).items.length };
}

function findingList(name: string, query: Omit<FindingQuery, 'limit'>): ScaleQuestion {
  return { name, ask: async ({ store }) => (await store.findings.list({ ...query, limit: LIMIT })).items.length };
}

/** The cursor is that of a short page before: half of the runs lie before it. */
async function deepPage({ store, runs }: Side): Promise<number> {
  const first = { owner: OWNER, until: createdOf(Math.floor(runs / 2)), limit: 1 };
  const { next } = await store.runs.list(first);
  if (next === undefined) return 0;
  return (await store.runs.list({ owner: OWNER, limit: LIMIT, after: next })).items.length;
}

async function findingsOfRun({ store, runs }: Side, share: number): Promise<number> {
  return (await store.findings.ofRun(idAt(runs, share), { limit: LIMIT })).items.length;
}

async function findingsOfLargeRun({ store }: Side): Promise<number> {
  const runId = runIdOf(LARGE_RUNS[0]);
  const { next } = await store.findings.ofRun(runId, { limit: FINDINGS_OF_A_LARGE_RUN / 2 });
  if (next === undefined) return 0;
  return (await store.findings.ofRun(runId, { limit: LIMIT, after: next })).items.length;
}

async function compare(store: Store, from: string, to: string): Promise<number> {
  const compared = async (runId: string) => {
    const [run, coverage] = await Promise.all([store.runs.get(runId), store.runs.coverage(runId)]);
    if (run === undefined) throw new Error(`${runId} is not there`);
    return { run, coverage };
  };
  const { counts } = await compareRuns(
    store.findings,
    { from: await compared(from), to: await compared(to) },
    { limit: LIMIT, unchanged: true },
  );
  return Object.values(counts).some((count) => count > 0) ? 1 : 0;
}
