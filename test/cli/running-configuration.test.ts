import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { findGateway } from '../../src/cli/gateway-process.ts';
import { environmentDifferences } from '../../src/cli/running-configuration.ts';
import { runCli } from './command-line.ts';
import { placeFor } from './gateway-place.ts';

test('a gateway with a file is not restarted without it, and up and status say what is in force', async (t) => {
  const { dataDir, environment, cli } = placeFor(t);
  const file = join(dataDir, '..', 'gateway.yaml');
  writeFileSync(file, 'policy: { risk: observe, scope: { allow: [10.1.0.0/16] } }\n');
  const withFile = { ...environment, SALLYPORT_CONFIG: file };
  const inForce = new RegExp(`^configuration: ${file}\nscope: 10\\.1\\.0\\.0/16; risk: observe$`, 'm');
  const started = await runCli(['up'], { environment: withFile });
  assert.match(started.stdout, inForce, started.stderr);
  const { pid } = findGateway(dataDir) ?? {};

  const refused = await cli('restart');
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /SALLYPORT_CONFIG/);
  assert.doesNotMatch(refused.stderr, /SALLYPORT_DATA_DIR/);
  assert.equal(findGateway(dataDir)?.pid, pid);
  const again = await cli('up');
  assert.match(again.stdout, inForce);
  assert.match(again.stderr, /SALLYPORT_CONFIG/);
  assert.match((await cli('status')).stdout, inForce);

  writeFileSync(file, 'policy: { risk: reckless }\n');
  const blind = await runCli(['status'], { environment: withFile });
  assert.equal(blind.code, 0, blind.stderr);
  assert.match(blind.stdout, /^configuration: .* \(at fault/m);
  assert.match(blind.stdout, /^health: (?:healthy|degraded)$/m);
});

test('a first key that was revoked is printed no more, and status names the key that was refused', async (t) => {
  const { dataDir, cli } = placeFor(t);
  const started = await cli('up');
  assert.match(started.stdout, /^configuration: defaults and environment$/m);
  const key = /Bearer (sp_\w{8}_[\w-]+)/.exec(started.stdout)?.[1] ?? '';
  assert.notEqual(key, '');
  const [first] = JSON.parse((await cli('keys', 'list', '--json')).stdout) as { id: string }[];
  assert.equal((await cli('keys', 'revoke', first?.id ?? '')).code, 0);
  const { code, stdout, stderr } = await cli('status');
  assert.equal(code, 0);
  assert.match(stderr, new RegExp(`the key in ${join(dataDir, 'first-key')} was refused`));
  assert.match(stdout, /^health: (?:healthy|degraded)$/m);
  const restarted = await cli('restart');
  assert.equal(restarted.code, 0, restarted.stderr);
  assert.ok(!restarted.stdout.includes(key));
  assert.match(restarted.stdout, /Bearer YOUR_KEY/);
});

test('only variables of the configuration count as differences, and nothing does for a process that is not ours to read', () => {
  const self = { pid: process.pid, startTicks: '', bootId: '', pidNamespace: '', nonce: '' };
  const added = { ...process.env, SALLYPORT_CONFIG: 'x.yaml', SALLYPORT_KEY_FILE: 'k', OTHER: 'y' };
  assert.deepEqual(environmentDifferences(self, added), ['SALLYPORT_CONFIG (set only here)']);
  assert.deepEqual(environmentDifferences({ ...self, pid: 2 ** 30 }, added), []);
});
