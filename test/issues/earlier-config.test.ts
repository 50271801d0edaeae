/*
 * A configuration is what it says or it is refused, as a whole and aloud.
 * D32 quoted booleans · D33 one bad value discards the rest, a reload that lies · D34 defaults of tools overwritten
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { loadConfig } from '../../src/config.ts';
import type { TestGateway } from '../fixtures/gateway.ts';
import { call, refuses, SIX, startSix, until } from './earlier-gateway.ts';

const toolNames = SIX.map(({ name }) => name);

function load(t: TestContext, yaml: string, environment: Record<string, string> = {}) {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-issue-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const file = join(directory, 'sallyport.yaml');
  writeFileSync(file, yaml);
  return loadConfig({ environment: { SALLYPORT_CONFIG: file, ...environment }, toolNames });
}

/** Every fault of a configuration that must be refused. */
function faultsOf(work: () => unknown): string {
  try {
    work();
  } catch (thrown) {
    assert.equal((thrown as { code?: string }).code, 'ERR_CONFIG_INVALID', String(thrown));
    return String(thrown);
  }
  return assert.fail('was accepted');
}

interface Health {
  readonly status: string;
  readonly checks: readonly { readonly name: string; readonly state: string }[];
}
const healthOf = async ({ app, headers }: TestGateway) =>
  (await app.inject({ url: '/health', headers })).json() as Health;

test('a switch takes true and false and no text that looks like one, in the file and in the environment', (t) => {
  for (const value of ['"false"', '"true"', "'no'", 'yes', 'on', '1', '0', 'null', '[true]']) {
    for (const key of [
      'policy: { allowLoopback: V }',
      'execution: { raw: { enabled: V } }',
      'insecureBehindProxy: V',
    ]) {
      faultsOf(() => load(t, `${key.replace('V', value)}\n`));
    }
  }
  for (const value of ['yes', 'on', '1', 'TRUE', ' true', '']) {
    faultsOf(() => load(t, '{}\n', { SALLYPORT_POLICY_ALLOW_LOOPBACK: value }));
  }
  assert.equal(load(t, 'policy: { allowLoopback: false }\n').config.policy.allowLoopback, false);
});

test('the risk ceiling is one of its four words: nothing else raises or lowers it', (t) => {
  for (const value of ['true', 'Exploit', '"exploit "', 'all', '3', '', 'null', '[exploit]', 'constructor']) {
    faultsOf(() => load(t, `policy: { risk: ${value} }\n`));
  }
  assert.equal(load(t, '{}\n').config.policy.risk, 'active');
});

test('one bad value among good ones is told with every other, and none of the rest is dropped silently', (t) => {
  const yaml =
    'policy: { risk: observe, scope: { allow: ["10.1.0.0/16"] } }\ntools: { nmap: { timeoutMs: 5 minutes } }\nnonsense: 1\n';
  const faults = faultsOf(() => load(t, yaml, { SALLYPORT_PORT: '70000', SALLYPORT_LOG_LEVEL: 'loud' }));
  for (const key of ['tools.nmap.timeoutMs', 'nonsense', 'port', 'log.level']) assert.ok(faults.includes(key), faults);
  faultsOf(() => load(t, 'policy: { risk: observe }\n', { SALLYPORT_PORT: '0x10' }));
  const { config } = load(t, 'policy: { risk: observe }\n', { SALLYPORT_PORT: '0' });
  assert.deepEqual([config.policy.risk, config.port], ['observe', 0], 'port 0 discards nothing');
  faultsOf(() => load(t, 'policy: [observe\n'));
  faultsOf(() => load(t, ''));
});

test('every tool keeps its own limits under the default configuration, and an override of one changes no other', async (t) => {
  const yaml = 'policy: { risk: exploit }\ntools: { nmap: { timeoutMs: 5000, concurrency: 1 } }\n';
  const gateway = await startSix(t, yaml);
  const shown = new Map<string, readonly number[]>();
  for (const { name } of SIX) {
    const detail = (await gateway.app.inject({ url: `/v1/tools/${name}`, headers: gateway.headers })).json() as {
      limits: { timeoutMs: number; concurrency: number };
    };
    shown.set(name, [detail.limits.timeoutMs, detail.limits.concurrency]);
  }
  assert.deepEqual(Object.fromEntries(shown), {
    dig: [30_000, 5],
    gobuster: [600_000, 2],
    hydra: [900_000, 1],
    masscan: [300_000, 1],
    nmap: [5000, 1],
    sqlmap: [1_800_000, 1],
  });
  const payload = (timeoutMs: number) => ({ input: { targets: ['10.0.0.5'] }, run: { timeoutMs } });
  const ask = async (timeoutMs: number) =>
    (
      await gateway.app.inject({
        method: 'POST',
        url: '/v1/tools/nmap/runs',
        headers: gateway.headers,
        payload: payload(timeoutMs),
      })
    ).statusCode;
  assert.equal(await ask(5001), 400, 'an override limits');
  assert.equal(await ask(5000), 200);
});

test('limits, scope, ports and ceiling of the configuration are in force, not only shown', async (t) => {
  const yaml = `policy: { risk: observe, scope: { allow: ["10.1.0.0/16", "*.lab.internal"], deny: ["10.1.2.0/24"] } }
resolver: { servers: ["10.1.0.53"] }
tools: { dig: { enabled: false } }
`;
  const gateway = await startSix(t, yaml);
  await refuses(gateway, ['ERR_TOOL_DISABLED'], [['dig', { name: 'www.lab.internal' }]]);
  await refuses(gateway, ['ERR_RISK_TOO_HIGH'], [['nmap', { targets: ['10.1.0.5'] }]]);
  writeFileSync(gateway.configFile, yaml.replace('risk: observe', 'risk: active, denyPorts: ["502"]'));
  gateway.gateway.reload();
  await refuses(
    gateway,
    ['ERR_TARGET_OUT_OF_SCOPE'],
    [
      ['nmap', { targets: ['10.2.0.5'] }],
      ['nmap', { targets: ['10.1.2.5'] }],
      ['nmap', { targets: ['10.1.0.5'], ports: '1-1024' }],
    ],
  );
  assert.equal((await call(gateway, 'nmap', { targets: ['10.1.0.5'], ports: '80' })).status, 200);
});

test('a reload of a faulty file changes nothing and says so until the file is mended; a good one applies at once', async (t) => {
  const gateway = await startSix(t, 'policy: { risk: observe }\n');
  const scan = ['nmap', { targets: ['10.0.0.5'], ports: '80' }] as const;
  for (const faulty of ['policy: { risk: active, allowLoopback: "false" }\n', 'policy: { risk: active\n', '']) {
    writeFileSync(gateway.configFile, faulty);
    gateway.gateway.reload();
    await refuses(gateway, ['ERR_RISK_TOO_HIGH'], [scan]);
    await until(async () => (await healthOf(gateway)).status === 'degraded');
    const failing = (await healthOf(gateway)).checks.filter(({ state }) => state === 'failing');
    assert.ok(
      failing.some(({ name }) => name.startsWith('config')),
      JSON.stringify(failing),
    );
    assert.ok(gateway.logLines.some((line) => line.includes('config.rejected')));
  }
  writeFileSync(gateway.configFile, 'policy: { risk: active }\n');
  gateway.gateway.reload();
  assert.equal((await call(gateway, ...scan)).status, 200);
  await until(async () => (await healthOf(gateway)).status === 'healthy');
  const metrics = (await gateway.app.inject({ url: '/metrics', headers: gateway.headers })).body;
  assert.match(metrics, /sallyport_config_reloads_total\{result="rejected"\} [1-9]/);
  assert.match(metrics, /sallyport_config_reloads_total\{result="applied"\} [1-9]/);
});
