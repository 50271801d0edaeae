import assert from 'node:assert/strict';
import { chmodSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { once } from 'node:events';
import { test } from 'node:test';
import { portFault } from '../../src/cli/port-check.ts';
import { runCli, temporaryDirectory } from './command-line.ts';

test('validate succeeds where everything is sound', async (t) => {
  const directory = temporaryDirectory(t);
  const environment = {
    SALLYPORT_DATA_DIR: join(directory, 'data'),
    SALLYPORT_PORT: '0',
    SALLYPORT_WORDLISTS_DIRECTORIES: directory,
  };
  const { code, stderr } = await runCli(['validate'], { environment });
  assert.equal(code, 0, stderr);
});

test('validate lists every fault of the configuration at once', async (t) => {
  const environment = {
    SALLYPORT_DATA_DIR: temporaryDirectory(t),
    SALLYPORT_PORT: '80a',
    SALLYPORT_BODY_LIMIT_BYTES: '999999999999',
    SALLYPORT_POLICY_RISK: 'maximal',
    SALLYPORT_PROT: '1',
  };
  const { code, stderr } = await runCli(['validate'], { environment });
  assert.equal(code, 1);
  for (const variable of Object.keys(environment).slice(1)) assert.match(stderr, new RegExp(`${variable}\\b`));
});

test('validate lists faults of the machine beside each other', async (t) => {
  const directory = temporaryDirectory(t);
  const file = join(directory, 'file');
  writeFileSync(file, 'no certificate');
  chmodSync(file, 0o600);
  const taken = createServer().listen(0, '127.0.0.1');
  t.after(() => taken.close());
  await once(taken, 'listening');
  const { port } = taken.address() as { port: number };
  const environment = {
    SALLYPORT_DATA_DIR: join(file, 'data'),
    SALLYPORT_PORT: String(port),
    SALLYPORT_WORDLISTS_DIRECTORIES: join(directory, 'none'),
    SALLYPORT_TLS_CERT_FILE: file,
    SALLYPORT_TLS_KEY_FILE: file,
    SALLYPORT_BOOTSTRAP_KEY_FILE: join(directory, 'no-key'),
  };
  const { code, stderr } = await runCli(['validate'], { environment });
  assert.equal(code, 1);
  for (const key of ['dataDir', 'port', 'wordlists.directories', 'tls', 'bootstrapKeyFile']) {
    assert.match(stderr, new RegExp(`^ {2}- ${key}: `, 'm'), key);
  }
});

const row = (local: string, state = '0A') => [`header\n   0: ${local} 00000000:0000 ${state} 0 0`];

test('a wildcard listener takes the port of every address, another address does not', () => {
  assert.equal(portFault('127.0.0.1', 0, row('0100007F:1F90')), undefined);
  assert.notEqual(portFault('127.0.0.1', 8080, row('0100007F:1F90')), undefined);
  assert.notEqual(portFault('127.0.0.1', 8080, row('00000000:1F90')), undefined);
  assert.notEqual(portFault('127.0.0.1', 8080, row(`${'0'.repeat(32)}:1F90`)), undefined);
  assert.notEqual(portFault('0.0.0.0', 8080, row('0200007F:1F90')), undefined);
  assert.equal(portFault('127.0.0.1', 8080, row('0200007F:1F90')), undefined);
  assert.equal(portFault('127.0.0.1', 8080, row('0100007F:1F90', '01')), undefined);
  assert.notEqual(portFault('192.0.2.1', 8080, []), undefined);
});
