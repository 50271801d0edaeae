import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toolConfig } from '../schemas/config.ts';
import { ConfigError, type ConfigFault, isLoopback, loadConfig, readEnvironment, redactConfig } from '../src/config.ts';

const toolNames = ['dig', 'nmap'];
const load = (environment: Record<string, string> = {}, yaml?: string) =>
  loadConfig({
    environment: yaml === undefined ? environment : { ...environment, SALLYPORT_CONFIG: '/etc/sallyport.yaml' },
    toolNames,
    readFile: () => Buffer.from(yaml ?? ''),
  });
const faults = (environment: Record<string, string>, yaml?: string): readonly ConfigFault[] => {
  try {
    load(environment, yaml);
  } catch (thrown) {
    assert.ok(thrown instanceof ConfigError);
    assert.equal(thrown.code, 'ERR_CONFIG_INVALID');
    return thrown.details.faults;
  }
  assert.fail('the configuration was accepted');
};

test('without a file and variables the defaults are in force', () => {
  const { config, sources, file } = load();
  assert.equal(config.host, '127.0.0.1');
  assert.equal(config.port, 8080);
  assert.equal(config.policy.risk, 'active');
  assert.deepEqual(config.execution.require, ['L0']);
  assert.equal(toolConfig(config, 'nmap').maxQueued, 256);
  assert.equal(sources['port'], 'default');
  assert.equal(file, undefined);
});

test('the file wins over the defaults and the environment over the file, and each value says where it came from', () => {
  const yaml = 'port: 9000\npolicy:\n  risk: observe\n  denyPorts: [502, 20000-20010]\n';
  const { config, sources } = load({ SALLYPORT_PORT: '9001' }, yaml);
  assert.equal(config.port, 9001);
  assert.equal(config.policy.risk, 'observe');
  assert.deepEqual(config.policy.denyPorts, ['502', '20000-20010']);
  assert.equal(sources['port'], 'SALLYPORT_PORT');
  assert.equal(sources['policy.risk'], '/etc/sallyport.yaml:3');
});

test('a tool has its own section in the file and in the environment (D34)', () => {
  const { config } = load({ SALLYPORT_TOOLS_NMAP_TIMEOUT_MS: '900000' }, 'tools: { dig: { concurrency: 3 } }');
  assert.equal(toolConfig(config, 'nmap').timeoutMs, 900_000);
  assert.equal(toolConfig(config, 'dig').concurrency, 3);
  assert.equal(toolConfig(config, 'dig').timeoutMs, 0);
});

test('the configuration is frozen to its last list', () => {
  const { config } = load();
  assert.throws(() => config.policy.scope.allow.push('0.0.0.0/0'), TypeError);
  assert.throws(() => Object.assign(config.tls, { certFile: 'x' }), TypeError);
});

test('lists in the environment are separated by commas; an empty one allows nothing', () => {
  assert.deepEqual(load({ SALLYPORT_POLICY_SCOPE_ALLOW: '10.1.0.0/16, *.acme.test' }).config.policy.scope.allow, [
    '10.1.0.0/16',
    '*.acme.test',
  ]);
  assert.deepEqual(load({ SALLYPORT_POLICY_SCOPE_ALLOW: '' }).config.policy.scope.allow, []);
  for (const list of [',', 'a,', ',a', 'a,,b', ' ']) {
    assert.equal(faults({ SALLYPORT_POLICY_SCOPE_ALLOW: list })[0]?.key, 'policy.scope.allow', JSON.stringify(list));
  }
});

test('a set and empty variable is never "the default"', () => {
  for (const variable of ['SALLYPORT_PORT', 'SALLYPORT_HOST', 'SALLYPORT_POLICY_RISK', 'SALLYPORT_CONFIG']) {
    assert.equal(faults({ [variable]: '' })[0]?.from, variable);
  }
  assert.equal(load({ SALLYPORT_TLS_CERT_FILE: '' }).config.tls.certFile, '');
});

test('integers are decimal digits only', () => {
  for (const text of [
    '5abc',
    '1e3',
    '0x10',
    '010',
    '8080.0',
    ' 80',
    '80 ',
    '+80',
    '٨٠',
    '1_000',
    '99999999999999999',
  ]) {
    assert.equal(faults({ SALLYPORT_PORT: text })[0]?.key, 'port', JSON.stringify(text));
  }
  for (const text of ['1e3', '0x10', '010', '80.5', '"8080"', "'8080'", '', '~', '[8080]', '{}', 'true']) {
    assert.equal(faults({}, `port: ${text}`)[0]?.key, 'port', text);
  }
});

test('booleans are true or false and nothing else: a quoted "false" does not switch on what it names (D32)', () => {
  for (const text of ['True', 'TRUE', 'yes', 'on', '1', 'no', 'off', '0', ' true', 'false ']) {
    assert.equal(faults({ SALLYPORT_POLICY_ALLOW_LOOPBACK: text })[0]?.key, 'policy.allowLoopback', text);
  }
  for (const text of ['"false"', "'true'", 'True', 'yes', 'on', '1', '', '~']) {
    assert.equal(faults({}, `policy: { allowLoopback: ${text} }`)[0]?.key, 'policy.allowLoopback', text);
  }
  assert.equal(load({}, 'policy: { allowLoopback: false }').config.policy.allowLoopback, false);
});

test('a value above a hard top is refused and not clamped', () => {
  const [fault] = faults({ SALLYPORT_EXECUTION_MAX_CONCURRENT_RUNS: '65' });
  assert.equal(fault?.key, 'execution.maxConcurrentRuns');
  assert.match(fault?.right ?? '', /1 to 64/);
  assert.equal(load({ SALLYPORT_EXECUTION_MAX_CONCURRENT_RUNS: '64' }).config.execution.maxConcurrentRuns, 64);
});

test('every fault is told at once, and one bad value does not discard the others silently (D33)', () => {
  const found = faults(
    { SALLYPORT_PORT: 'x', SALLYPORT_MCP_MAX_SESSIONS: '0', SALLYPORT_HOST: '0.0.0.0' },
    'log: { level: loud }\npolicy:\n  risk: activ\n  scop: {}\ntools: { nmap: { timeoutMs: 3600001 } }\n',
  );
  const keys = ['port', 'mcp.maxSessions', 'log.level', 'policy.risk', 'policy.scop', 'tools.nmap.timeoutMs'];
  for (const key of keys)
    assert.ok(
      found.some((fault) => fault.key === key),
      key,
    );
  assert.ok(found.some((fault) => fault.key.includes('insecureBehindProxy')));
  assert.ok(found.every(({ from, wrong, right }) => from !== '' && wrong !== '' && right !== ''));
});

test('an unknown SALLYPORT_ variable is a fault that names the nearest key', () => {
  const [fault] = faults({ SALLYPORT_POLICY_SCOPE_DENNY: '10.0.0.0/8' });
  assert.equal(fault?.from, 'SALLYPORT_POLICY_SCOPE_DENNY');
  assert.match(fault?.right ?? '', /SALLYPORT_POLICY_SCOPE_DENY$/);
  assert.equal(faults({ sallyport_port: '1' }).length, 1);
  assert.equal(faults({ SALLYPORT_TOOLS_HYDRA_TIMEOUT_MS: '1' }).length, 1);
  assert.doesNotThrow(() =>
    load({
      SALLYPORT_KEY_FILE: '/k',
      SALLYPORT_TEST_NIGHTLY: '1',
      SALLYPORT_TEST_SEED: '1',
      PATH: '/bin',
      XSALLYPORT_A: '',
    }),
  );
});

test('service links of a container platform are named as such', () => {
  const [link] = faults({ SALLYPORT_SERVICE_HOST: '10.0.0.1' });
  assert.match(link?.right ?? '', /enableServiceLinks/);
  const [port] = faults({ SALLYPORT_PORT: 'tcp://10.0.0.1:8080' });
  assert.match(port?.right ?? '', /enableServiceLinks/);
});

test('no fault repeats a value: a key pasted into the wrong place does not reach the log', () => {
  const secret = 'sp_deadbeef_Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4Zm9vYmFyYmE';
  const variables = [
    'PORT',
    'POLICY_RISK',
    'POLICY_ALLOW_LOOPBACK',
    'POLICY_DENY_PORTS',
    'HOST',
    'RESOLVER_SERVERS',
    'NO_KEY',
  ];
  const told = JSON.stringify(faults(Object.fromEntries(variables.map((name) => [`SALLYPORT_${name}`, secret]))));
  const lines = [
    `port: ${secret}`,
    `${secret}: 1`,
    `a: ${secret}: ${secret}`,
    `port: &${secret} 1`,
    `"x\\u0000${secret}": 1`,
  ];
  const inFile = lines.map((line) => JSON.stringify(faults({}, line)));
  for (const text of [told, ...inFile]) assert.ok(!text.includes('deadbeef'), text);
});

test('the file must be there and readable', () => {
  const environment = { SALLYPORT_CONFIG: '/nowhere.yaml' };
  assert.throws(() => loadConfig({ environment, toolNames, readFile: forbidden }), { code: 'ERR_CONFIG_INVALID' });
});

test('the environment is handed out as a frozen copy', () => {
  const environment = readEnvironment();
  assert.ok(Object.isFrozen(environment));
  assert.equal(environment['PATH'], process.env['PATH']);
});

test('the redacted configuration shows no credentials that were pasted into a text', () => {
  const { config } = load({ SALLYPORT_RATE_LIMIT_REDIS_URL_FILE: 'redis://user:hunter2@host/0' });
  const shown = JSON.stringify(redactConfig(config));
  assert.ok(!shown.includes('hunter2'));
  assert.ok(shown.includes('"port":8080'));
});

test('only addresses of this machine count as loopback', () => {
  for (const host of ['127.0.0.1', '127.9.9.9', '::1', 'localhost']) assert.equal(isLoopback(host), true, host);
  for (const host of [
    '0.0.0.0',
    '::',
    '',
    '127.1',
    '127.0.0.1.evil.test',
    '::ffff:127.0.0.1',
    '10.0.0.1',
    'localhost.evil',
  ]) {
    assert.equal(isLoopback(host), false, host);
  }
});

function forbidden(): never {
  throw Object.assign(new Error('no'), { code: 'EACCES' });
}
