import { spawnSync } from 'node:child_process';
import { availableParallelism, loadavg } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { measureAudit } from './audit.ts';
import { measureCalls } from './calls.ts';
import { measureLayers } from './layers.ts';
import { measureMemory } from './memory.ts';
import { launcherPlaceOf } from '../src/core/execution/launcher.ts';
import { createProcesses } from './processes.ts';
import { measureRequests } from './requests.ts';
import { measureScale } from './scale.ts';
import { FULL, LONG, type Sizes, SMOKE } from './sizes.ts';
import { tableText } from './statistics.ts';

const SECTIONS = {
  calls: measureCalls,
  requests: measureRequests,
  memory: measureMemory,
  layers: measureLayers,
  scale: measureScale,
  audit: measureAudit,
};

const { values } = parseArgs({
  options: {
    /** Tiny sizes: proves that the benchmark runs. */
    smoke: { type: 'boolean', default: false },
    /** The scale section with 1,000,000 runs; also with SALLYPORT_TEST_NIGHTLY=1. */
    long: { type: 'boolean', default: process.env['SALLYPORT_TEST_NIGHTLY'] === '1' },
    /** Runs of the large store of the scale section. */
    runs: { type: 'string' },
    /** One section alone. */
    only: { type: 'string' },
    /** Directory for CPU profiles of the gateway. */
    profile: { type: 'string' },
  },
});
const sizes = withRuns(values.smoke ? SMOKE : values.long ? LONG : FULL, values.runs);
const sections = Object.entries(SECTIONS).filter(([name]) => values.only === undefined || values.only === name);
if (sections.length === 0) throw new Error(`--only takes ${Object.keys(SECTIONS).join(', ')}`);
// Without a compiler, or in a checkout of somebody else's, what is measured has what there is, and says so.
const { sources, builds } = launcherPlaceOf(join(import.meta.dirname, '..'));
const { status } = spawnSync('sh', [join(sources, 'build.sh'), builds], { stdio: ['ignore', 'ignore', 'inherit'] });
if (status !== 0) console.log('The native launcher was not built.');
const processes = createProcesses(values.profile);
const limit = setTimeout(() => {
  console.error(`not finished after ${sizes.limitMs / 1000} s`);
  // The measured processes end when the channel to us closes.
  process.exit(1);
}, sizes.limitMs);

const load = loadavg()[0]?.toFixed(1);
console.log(`Node ${process.version}, ${availableParallelism()} processors, load ${load} at the start`);
console.log('Each ratio: median of the rounds (lowest–highest); both sides measured in every round.\n');
try {
  for (const [, measure] of sections) {
    for (const table of [await measure(processes, sizes)].flat()) console.log(`${tableText(table)}\n`);
  }
} finally {
  clearTimeout(limit);
  await processes.stopAll();
}

function withRuns(chosen: Sizes, runs: string | undefined): Sizes {
  if (runs === undefined) return chosen;
  if (!/^[1-9]\d{3,7}$/.test(runs)) throw new Error('--runs takes a number from 1000 to 99999999');
  return { ...chosen, scaleManyRuns: Number(runs), limitMs: LONG.limitMs };
}
