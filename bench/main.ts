import { availableParallelism, loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { measureCalls } from './calls.ts';
import { measureMemory } from './memory.ts';
import { createProcesses } from './processes.ts';
import { measureRequests } from './requests.ts';
import { FULL, SMOKE } from './sizes.ts';
import { tableText } from './statistics.ts';

const SECTIONS = { calls: measureCalls, requests: measureRequests, memory: measureMemory };

const { values } = parseArgs({
  options: {
    /** Tiny sizes: proves that the benchmark runs. */
    smoke: { type: 'boolean', default: false },
    /** One section alone. */
    only: { type: 'string' },
    /** Directory for CPU profiles of the gateway. */
    profile: { type: 'string' },
  },
});
const sizes = values.smoke ? SMOKE : FULL;
const sections = Object.entries(SECTIONS).filter(([name]) => values.only === undefined || values.only === name);
if (sections.length === 0) throw new Error(`--only takes ${Object.keys(SECTIONS).join(', ')}`);
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
  for (const [, measure] of sections) console.log(`${tableText(await measure(processes, sizes))}\n`);
} finally {
  clearTimeout(limit);
  await processes.stopAll();
}
