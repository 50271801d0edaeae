/*
 * "No finding" and "did not look" are different answers, and no target can close a tool for everybody. Through the
 * door, over what the programs really said.
 */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import dig from '../../src/tools/dig/index.ts';
import gobuster from '../../src/tools/gobuster/index.ts';
import { parseGobuster } from '../../src/tools/gobuster/parser.ts';
import nmap from '../../src/tools/nmap/index.ts';
import sqlmap from '../../src/tools/sqlmap/index.ts';
import { startTestGateway } from '../fixtures/gateway.ts';
import { call, publicDirectory, replay } from './earlier-gateway.ts';

const GOBUSTER = { mode: 'dir', url: { scheme: 'http', host: '10.0.0.5' }, wordlist: 'dirb/common.txt' };
const SQLMAP = { url: { scheme: 'http', host: '10.0.0.5', path: '/?id=1' }, param: 'id' };
const recorded = (name: string) => readFileSync(join(import.meta.dirname, '../fixtures/output', name), 'utf8');

/** A gateway whose tools print what the test lets them say, with their real parsers. */
async function startSaying(t: TestContext) {
  const directory = publicDirectory(t);
  const withoutList = {
    wordlists: () => [],
    // Without a list nobody counts its words.
    estimate: () => ({ probes: 1, packetsPerSecond: 1, durationMs: 1000 }),
    stdin: () => undefined,
    parse: () => parseGobuster({ mode: 'dir', expected: 1, emit: () => undefined }),
  };
  const tools = [dig, gobuster, nmap, sqlmap].map((tool) =>
    replay(tool, join(directory, tool.name), tool === gobuster ? withoutList : {}),
  );
  const gateway = await startTestGateway(t, { yaml: 'policy: { risk: exploit }\n', tools });
  return (tool: string, input: object, stdout: string) => {
    writeFileSync(join(directory, tool), stdout, { mode: 0o644 });
    return call(gateway, tool, input);
  };
}

test('what was not looked at is never a complete answer', async (t) => {
  const after = await startSaying(t);
  await t.test('addresses that nmap had no route to', async () => {
    const stdout =
      '<nmaprun><target specification="10.0.0.1" status="skipped" reason="invalid"/><runstats><finished exit="success"/><hosts up="0" down="0" total="0"/></runstats></nmaprun>';
    const { code, run } = await after('nmap', { targets: ['10.0.0.0/30'], scan: 'ping' }, stdout);
    assert.deepEqual([code, run?.complete], ['ERR_TOOL_FAILED', false]);
  });

  await t.test('a path whose redirect filled the line', async () => {
    const line = `/0 (Status: 302) [Size: 0] [--> /${'x'.repeat(16_400)}]`;
    const stdout = `${line}\n2026/11/22 13:42:04 Finished\n`;
    const { status, run, text } = await after('gobuster', GOBUSTER, stdout);
    assert.deepEqual([status, run?.complete], [200, false], text);
    assert.ok(run !== undefined);
    assert.equal((run.result as { paths: { path: string }[] }).paths[0]?.path, '/0');
  });

  await t.test('a name about which the server failed', async () => {
    const stdout = recorded('dig/address.stdout').replace('status: NOERROR', 'status: SERVFAIL');
    const { run, text } = await after('dig', { name: 'web.lab.internal', server: '10.0.0.53' }, stdout);
    assert.equal(run?.complete, false, text);
  });

  await t.test('a page behind a filter', async () => {
    const { run, text } = await after('sqlmap', SQLMAP, recorded('sqlmap/filtered.stdout'));
    assert.ok(run !== undefined, text);
    assert.deepEqual([run.complete, (run.result as { injectable: null }).injectable], [false, null]);
  });
});

test('a server that ends gobuster or sqlmap early closes the tool for nobody', async (t) => {
  const after = await startSaying(t);
  for (let calls = 0; calls < 12; calls += 1) {
    const first = await after('gobuster', GOBUSTER, '===\nGobuster v3.5\n');
    assert.equal(first.code, 'ERR_TOOL_FAILED', first.text);
    const second = await after('sqlmap', SQLMAP, '[*] starting @ 10:00:00 /2026-01-01/\n');
    assert.equal(second.code, 'ERR_TOOL_FAILED', second.text);
  }
});
