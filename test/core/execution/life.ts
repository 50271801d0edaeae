/*
 * One life of a gateway in a process of its own: starts an executor and two hostile runs, says "started", and closes in
 * order on SIGTERM. Arguments: scratch parent, directory of the fake tools, layers that are switched off.
 */
import { systemClock } from '../../../src/core/clock.ts';
import { createExecutor } from '../../../src/core/execution/executor.ts';
import type { LayerName } from '../../../src/core/execution/types.ts';
import { LAUNCHER_PLACE } from '../../fixtures/launcher-place.ts';
import { CGROUP_LIMITS, collect, scriptNeeds, silent } from './harness.ts';

const [, , scratchParent = '', directory = '', off = ''] = process.argv;
const executor = await createExecutor({
  clock: systemClock,
  log: silent,
  scratchParent,
  cgroupLimits: CGROUP_LIMITS,
  launcher: LAUNCHER_PLACE,
  places: 4,
  killGraceMs: 100,
  rawEnabled: false,
  disable: off.split(',').filter((name): name is LayerName => name !== ''),
});
const ready = Array.from({ length: 2 }, () => Promise.withResolvers<void>());
const start = (name: string, argv: readonly string[], isReady: () => void) =>
  collect(
    executor,
    { binary: `${directory}/${name}`, argv, timeoutMs: 600_000, needs: scriptNeeds(directory) },
    { signal: new AbortController().signal, onOutput: (out) => out.includes('ready') && isReady() },
  );
const [one, two] = ready;
const runs = [start('stubborn', [], () => one?.resolve()), start('escape', ['3', 'stay'], () => two?.resolve())];
process.once('SIGTERM', () => void executor.close());
await Promise.all(ready.map(({ promise }) => promise));
process.stdout.write('started\n');
const ended = await Promise.all(runs);
process.stdout.write(`${ended.map(({ ending, survivors }) => `${ending} ${survivors}`).join(', ')}\n`);
