import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { describe, it } from 'node:test';
import { promisify } from 'node:util';
import nmap from '../../src/tools/nmap/index.ts';
import type { NmapResult } from '../../src/tools/nmap/output.ts';
import { missing } from '../tools/loopback-run.ts';
import { feed, prepare, registered } from '../tools/under-test.ts';
import { withRawRights } from './raw-rights.ts';
import { NEEDS_ROOT } from './real-checkout.ts';

const TOOL = registered(nmap);
const run = promisify(execFile);
const scan = (input: Record<string, unknown>) => prepare(TOOL, { targets: ['10.77.0.10'], ...input }, { raw: true });

async function read(stdout: string, input: Record<string, unknown>) {
  const outcome = feed(TOOL, await scan(input), { stdout: [Buffer.from(stdout)] });
  return { ...outcome, result: outcome.result as NmapResult };
}

describe('the real nmap with raw packets, in a network of its own', async () => {
  const skip = NEEDS_ROOT || (await missing(nmap));

  it('without a route is a failure, not an empty network', { skip }, async () => {
    for (const input of [
      { targets: ['10.77.0.0/30'], scan: 'ping' },
      { targets: ['10.77.0.10'], scan: 'syn', ports: '1' },
    ]) {
      const { argv } = await scan(input);
      const { stdout } = await run('unshare', ['-n', ...withRawRights('/usr/bin/nmap', argv)]);
      assert.match((await read(stdout, { targets: input.targets })).failure ?? '', /no route/);
    }
  });

  it('takes the argv of a ping scan, a SYN scan and a UDP scan', { skip }, async () => {
    for (const input of [
      { scan: 'ping' },
      { scan: 'syn', ports: '1', os: true },
      { scan: 'udp', ports: '53', timing: 4 },
    ]) {
      const argv = [...(await scan(input)).argv].map((token) => token.replace('10.77.0.10', '127.0.0.1'));
      const script = 'ip link set lo up && exec "$@"';
      const command = ['-n', 'sh', '-c', script, 'sh', ...withRawRights('/usr/bin/nmap', argv)];
      const { stdout } = await run('unshare', command);
      const { result, complete } = await read(stdout, {});
      assert.equal(complete, true, JSON.stringify(input));
      assert.equal(result.hosts[0]?.state, 'up');
    }
  });
});
