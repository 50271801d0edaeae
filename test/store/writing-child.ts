import { openSync, writeSync } from 'node:fs';
import type { Store } from '../../src/core/store/types.ts';
import { openStore } from '../../src/store/store.ts';
import { newRunId, sampleEvent, sampleObservation, sampleRun } from './rig.ts';

/** What every chunk of a run's output is: its place can be told from its text. */
export function chunkText(runId: string, index: number): string {
  return `${runId} ${index};`.repeat(50);
}

/** Where it says, in one write each, what the store has acknowledged: a file, which takes it at once. */
const acknowledgements = import.meta.main ? openSync(process.argv[3] ?? '', 'a') : -1;

function say(...words: readonly (string | number)[]): void {
  writeSync(acknowledgements, `${words.join(' ')}\n`);
}

/** One run after the other, each with events, findings, output and a secret; every third is removed again. */
async function work(store: Store): Promise<never> {
  for (let count = 1; ; count++) {
    const runId = newRunId();
    await store.runs.create(sampleRun({ runId, state: 'running' }), { event: sampleEvent(1) });
    say('created', runId);
    for (let index = 0; index < 4; index++) {
      const output = store.output.append(runId, 'stdout', Buffer.from(chunkText(runId, index)));
      const seq = index + 2;
      const isLast = index === 3;
      await store.runs.change({
        runId,
        from: 'running',
        patch: { state: isLast ? 'succeeded' : 'running' },
        events: [sampleEvent(seq)],
        observations: [sampleObservation(index)],
      });
      say('changed', runId, seq);
      await output;
      say('output', runId, index + 1);
    }
    const { id, kept } = store.secrets.keep({ owner: 'key_a', runId, tool: 'hydra', kind: 'password', value: runId });
    await kept;
    say('secret', runId, id);
    if (count % 3 !== 0) continue;
    say('removing', runId);
    await store.runs.remove(runId);
    say('removed', runId);
  }
}

if (import.meta.main) {
  const store = await openStore(process.argv[2] ?? '');
  await store.probe();
  process.stdout.write('open\n');
  await Promise.all([work(store), work(store), work(store), work(store)]);
}
