/*
 * A gateway's executor in a process that inherited descriptors: what one of its tools then has. Arguments: directory,
 * layers that are switched off, the native attacker.
 */
import type { LayerName } from '../../../src/core/execution/types.ts';
import { startBench } from './harness.ts';

const [, , parent = '', off = '', attacker = ''] = process.argv;
const disable = off.split(',').filter((name): name is LayerName => name !== '');
const ends: (() => void | Promise<void>)[] = [];
const scratchParent = `${parent}/scratch-${process.pid}`;
const { executor, run } = await startBench({ after: (end) => void ends.unshift(end) }, { disable, scratchParent });
process.stdout.write(`${executor.layers[0]?.state}\n`);
process.stdout.write((await run({ binary: '/bin/ls', argv: ['-l', '/proc/self/fd'] })).out);
process.stdout.write((await run({ binary: attacker, argv: ['descriptors'] })).out);
for (const end of ends) await end();
