/*
 * D39: a parser never says more than the program did. Through the door, over recorded output.
 */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import hydra from '../../src/tools/hydra/index.ts';
import masscan from '../../src/tools/masscan/index.ts';
import nmap from '../../src/tools/nmap/index.ts';
import sqlmap from '../../src/tools/sqlmap/index.ts';
import { startTestGateway } from '../fixtures/gateway.ts';
import { call, publicDirectory, replay } from './earlier-gateway.ts';

const PASSWORD = 'correct horse [battery] "staple" end';
const ENTRY = `{"port": 80, "service": "http-post-form", "host": "10.0.0.5", "login": "admin", "password": "${PASSWORD.replace('"', '\\"')}"}`;
const HYDRA = { files: () => [{ name: 'out.json', content: `${ENTRY}\n` }], readBack: ['out.json'] };

/** A gateway whose tools print what the test lets them say, with their real parsers. */
async function startSpeaking(t: TestContext) {
  const directory = publicDirectory(t);
  const say = (tool: string, text: string) => writeFileSync(join(directory, tool), text, { mode: 0o644 });
  const tools = [nmap, masscan, hydra, sqlmap].map((tool) =>
    replay(tool, join(directory, tool.name), tool === hydra ? HYDRA : {}),
  );
  const yaml = 'policy: { risk: exploit }\ntools: { sqlmap: { breakerFailures: 100 } }\n';
  const gateway = await startTestGateway(t, { yaml, tools });
  const after = (stdout: string, tool: string, input: object) => {
    say(tool, stdout);
    return call(gateway, tool, input);
  };
  return { gateway, after };
}

const SQLMAP = { url: { scheme: 'http', host: '10.0.0.5', path: '/?id=1' }, param: 'id' };
const NEGATIVE = `[*] starting @ 10:00:00 /2026-01-01/

[10:00:00] [INFO] testing connection to the target URL
[10:00:01] [INFO] testing if GET parameter 'id' is dynamic
[10:00:01] [WARNING] GET parameter 'id' does not seem to be injectable
[10:00:02] [INFO] testing for an exploit of 'id', which might be vulnerable or injectable
[10:00:03] [CRITICAL] all tested parameters do not appear to be injectable. Try to increase values for '--level'/'--risk'

[*] ending @ 10:00:03 /2026-01-01/
`;

test('no parser says more than its program did', async (t) => {
  const { gateway, after } = await startSpeaking(t);
  await t.test(
    '"do not appear to be injectable" is a no, and the lines about start and end are no databases',
    async () => {
      const { run, status, text } = await after(NEGATIVE, 'sqlmap', SQLMAP);
      assert.equal(status, 200, text);
      const result = run?.result as { injectable: boolean; databases: unknown[]; techniques: unknown[] };
      assert.deepEqual([result.injectable, result.databases, result.techniques], [false, [], []]);
    },
  );

  await t.test('a run of sqlmap that could not look is neither a yes nor a no', async () => {
    const stdout = NEGATIVE.split('\n').slice(0, 5).join('\n');
    const { run, code } = await after(stdout, 'sqlmap', SQLMAP);
    assert.equal(code, 'ERR_TOOL_FAILED');
    assert.ok(run !== undefined);
    assert.equal((run.result as { injectable: null }).injectable, null);
  });

  await t.test(
    'a login found through a hyphenated module is seen, with its password whole to the last blank',
    async () => {
      const line = `[80][http-post-form] host: 10.0.0.5   login: admin   password: ${PASSWORD}\n`;
      const stdout = `${line}1 of 1 target successfully completed, 1 valid password found\n`;
      const form = { userField: 'user', passwordField: 'pass', failureText: 'wrong' };
      const { run, text } = await after(stdout, 'hydra', {
        host: '10.0.0.5',
        service: 'http-post-form',
        path: '/login',
        users: ['admin'],
        passwords: ['x'],
        form,
      });
      assert.ok(run !== undefined, text);
      const { credentials } = run.result as { credentials: { service: string; login: string; secretRef: string }[] };
      assert.deepEqual(
        credentials.map(({ service, login }) => [service, login]),
        [['http-post-form', 'admin']],
      );
      const kept = await gateway.app.inject({
        url: `/v1/secrets/${credentials[0]?.secretRef ?? ''}`,
        headers: gateway.headers,
      });
      assert.equal((kept.json() as { value: string }).value, PASSWORD);
    },
  );

  await t.test('a bracket in a banner does not empty the answer of masscan', async () => {
    const record = (port: number, kind: string, data: object) =>
      JSON.stringify({ ip: '10.0.0.5', timestamp: '1700000000', port, proto: 'tcp', rec_type: kind, data });
    const lines = [
      record(22, 'banner', { service_name: 'ssh', banner: '[SSH-2.0] [x] {y}' }),
      record(22, 'status', { status: 'open', reason: 'syn-ack', ttl: 64 }),
      record(80, 'status', { status: 'open', reason: 'syn-ack', ttl: 64 }),
    ];
    for (const [said, notes] of [
      [lines, 0],
      [['Discovered [open] port [1] on [', ...lines], 1],
    ] as const) {
      const { run, text } = await after(`${said.join('\n')}\n`, 'masscan', { cidrs: ['10.0.0.5'], ports: '22,80' });
      assert.ok(run !== undefined, text);
      const result = run.result as { hosts: { address: string; ports: { port: number }[] }[]; notes: string[] };
      assert.deepEqual(
        result.hosts.map(({ address, ports }) => [address, ports.map(({ port }) => port)]),
        [['10.0.0.5', [22, 80]]],
      );
      assert.equal(
        result.notes.filter((note) => note.includes('line')).length,
        notes,
        'what could not be read is told',
      );
    }
  });

  await t.test(
    'every port belongs to its host, hosts that are down are told, and a broken report is not complete',
    async () => {
      const host = (address: string, ports: readonly (readonly [number, string])[]) =>
        `<host><status state="up" reason="syn-ack"/><address addr="${address}" addrtype="ipv4"/><ports>${ports
          .map(([port, state]) => `<port protocol="tcp" portid="${port}"><state state="${state}" reason="x"/></port>`)
          .join('')}</ports></host>`;
      const hosts = `${host('10.0.0.5', [[22, 'open']])}${host('10.0.0.6', [
        [22, 'closed'],
        [80, 'open'],
      ])}`;
      const head = '<?xml version="1.0"?>\n<nmaprun scanner="nmap">';
      const tail =
        '<runstats><finished elapsed="1.5" exit="success"/><hosts up="2" down="1" total="3"/></runstats></nmaprun>';
      const input = { targets: ['10.0.0.5', '10.0.0.6', '10.0.0.7'], ports: '22,80' };
      const { run, text } = await after(`${head}${hosts}${tail}`, 'nmap', input);
      assert.ok(run !== undefined, text);
      const result = run.result as {
        hosts: { address: string; ports: { port: number; state: string }[] }[];
        stats: Record<string, number>;
      };
      assert.deepEqual(
        result.hosts.map(({ address, ports }) => [address, ports.map(({ port, state }) => `${port} ${state}`)]),
        [
          ['10.0.0.5', ['22 open']],
          ['10.0.0.6', ['22 closed', '80 open']],
        ],
      );
      assert.deepEqual([result.stats['hostsDown'], result.stats['openPorts'], run.complete], [1, 2, true]);
      const broken = await after(`${head}${hosts}`, 'nmap', input);
      assert.equal(broken.run?.complete, false);
    },
  );
});
