import { openStore } from '../../src/store/store.ts';
import { sampleEvent, sampleRun } from './rig.ts';

/** Writes until there is no room, and prints what it was told. */
const store = await openStore(process.argv[2] ?? '');
const errors = new Set<string>();
let acknowledged = 0;
for (let round = 0; round < 500 && errors.size === 0; round++) {
  const made = await Promise.allSettled(
    Array.from({ length: 10 }, () =>
      store.runs.create(sampleRun({ argv: ['x'.repeat(5000)] }), { event: sampleEvent(1) }),
    ),
  );
  for (const each of made) {
    if (each.status === 'fulfilled') acknowledged++;
    else errors.add((each.reason as { code: string }).code);
  }
}
const hadFault = store.fault() !== undefined;
const readWhileFull = (await store.runs.list({ limit: 10_000 })).items.length;
process.stdout.write(
  JSON.stringify({ errors: [...errors], acknowledged, hadFault, fault: store.fault(), readWhileFull }),
);
await store.close();
