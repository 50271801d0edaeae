import type { RunResult } from '../../schemas/run.ts';
import type { Run } from '../../schemas/run-record.ts';
import type { Coverage } from '../core/findings/types.ts';
import type { RunStore, StoredJob } from '../core/store/types.ts';
import type { StoreParts } from './store-parts.ts';

/** The runs. Texts come out of the file as they are and are parsed here: a copy of an object between threads costs more. */
export function createRunStore({ writer, reader, clock }: StoreParts): RunStore {
  return {
    create: (run, extras) => writer.call('createRun', { run, ...extras }),
    byKey: (owner, key) => reader.call('runByKey', { owner, key }),
    change: (change) => writer.call('changeRun', { change, now: clock.now() }),
    get: async (runId) => parsed<Run>(await reader.call('getRun', { runId })),
    result: async (runId) => parsed<RunResult>(await reader.call('getAnswer', { runId, part: 'result' })),
    coverage: async (runId) => parsed<Coverage>(await reader.call('getAnswer', { runId, part: 'coverage' })),
    list: async (query) => {
      const { records, next } = await reader.call('listRuns', query);
      return { items: records.map((text) => JSON.parse(text) as Run), ...(next !== undefined && { next }) };
    },
    unfinished: async () => {
      const rows = await reader.call('unfinishedRuns', undefined);
      return rows.map(({ record, job, lastSeq }) => ({
        run: JSON.parse(record) as Run,
        job: parsed<StoredJob>(job ?? undefined),
        lastSeq,
      }));
    },
    events: (runId, after, limit) => reader.call('listEvents', { runId, after, limit }),
    remove: async (runId) => {
      let step = await writer.call('removeRun', { runId });
      while (step === 'more') step = await writer.call('removeRun', { runId });
      return step === 'removed';
    },
    endedBefore: (before, limit) => reader.call('endedBefore', { before, limit }),
  };
}

// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- the caller names what was written
function parsed<T>(text: string | undefined): T | undefined {
  return text === undefined ? undefined : (JSON.parse(text) as T);
}
