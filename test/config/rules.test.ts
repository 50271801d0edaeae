import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadConfig } from '../../src/config.ts';
import { isMatch } from '../../src/config/rules.ts';

const load = (environment: Record<string, string>) => loadConfig({ environment, toolNames: ['nmap', 'dig'] });
const accepts = (environment: Record<string, string>) => assert.doesNotThrow(() => load(environment));
const refuses = (environment: Record<string, string>) =>
  assert.throws(() => load(environment), { code: 'ERR_CONFIG_INVALID' }, JSON.stringify(environment));

const OPEN = { SALLYPORT_HOST: '0.0.0.0' };
const TLS = { SALLYPORT_TLS_CERT_FILE: 'c.pem', SALLYPORT_TLS_KEY_FILE: 'k.pem' };

test('listening beyond loopback needs TLS, or a named proxy and consent (D21)', () => {
  refuses(OPEN);
  refuses({ SALLYPORT_HOST: 'gateway.lab' });
  refuses({ SALLYPORT_HOST: '::' });
  refuses({ ...OPEN, SALLYPORT_INSECURE_BEHIND_PROXY: 'true' });
  refuses({ ...OPEN, SALLYPORT_TRUST_PROXY: '10.0.0.1' });
  refuses({ ...OPEN, SALLYPORT_TLS_CERT_FILE: 'c.pem' });
  accepts({ ...OPEN, ...TLS });
  accepts({ ...OPEN, SALLYPORT_INSECURE_BEHIND_PROXY: 'true', SALLYPORT_TRUST_PROXY: '10.0.0.0/24,fd00::/8' });
});

test('TLS files belong together', () => {
  refuses({ SALLYPORT_TLS_KEY_FILE: 'k.pem' });
  refuses({ SALLYPORT_TLS_CLIENT_CA_FILE: 'ca.pem' });
  accepts({ ...TLS, SALLYPORT_TLS_CLIENT_CA_FILE: 'ca.pem' });
});

test('nobody can make every caller a trusted proxy', () => {
  for (const entry of ['0.0.0.0/0', '::/0', '*', 'true', 'proxy.lab', '10.0.0.0/33', '10.0.0.1/', '10.0.0.0/8/8']) {
    refuses({ SALLYPORT_TRUST_PROXY: entry });
  }
});

test('hosts and origins are exact: no wildcard, port, path or null', () => {
  for (const host of ['*', '*.lab', 'a:80', 'http://a', '-a', 'a.', 'a b', '[::1]'])
    refuses({ SALLYPORT_ALLOWED_HOSTS: host });
  accepts({ SALLYPORT_ALLOWED_HOSTS: 'gateway.lab,10.0.0.5,::1' });
  for (const origin of [
    '*',
    'null',
    'https://*.lab',
    'https://a/',
    'https://a/b',
    'a',
    'file://a',
    'https://A',
    'https://a:443',
  ]) {
    refuses({ SALLYPORT_ALLOWED_ORIGINS: origin });
  }
  accepts({ SALLYPORT_ALLOWED_ORIGINS: 'https://console.lab,http://localhost:3000' });
});

test('times that contradict each other are refused', () => {
  refuses({ SALLYPORT_HEALTH_STALE_AFTER_MS: '1000' });
  refuses({ SALLYPORT_MCP_SESSION_MAX_MS: '1000' });
  refuses({ SALLYPORT_MCP_MAX_SESSIONS: '10' });
  refuses({ SALLYPORT_TOOLS_NMAP_BREAKER_OPEN_MS: '400000' });
  accepts({ SALLYPORT_TOOLS_NMAP_BREAKER_OPEN_MS: '400000', SALLYPORT_TOOLS_NMAP_BREAKER_MAX_OPEN_MS: '400000' });
});

test('a contradiction is not told when one of its keys is faulty itself', () => {
  assert.throws(
    () => load({ SALLYPORT_HEALTH_STALE_AFTER_MS: '1' }),
    (thrown: { details: { faults: unknown[] } }) => {
      assert.equal(thrown.details.faults.length, 1);
      return true;
    },
  );
});

test('ports, resolvers and word-list directories have their syntax checked', () => {
  for (const port of ['65536', '5-1', 'http', '1-', '-1', '01']) refuses({ SALLYPORT_POLICY_DENY_PORTS: port });
  for (const server of ['dns.lab', '10.0.0.1:0', '10.0.0.1:65536', '[::1]', '10.0.0'])
    refuses({ SALLYPORT_RESOLVER_SERVERS: server });
  accepts({ SALLYPORT_RESOLVER_SERVERS: '10.0.0.53,10.0.0.53:5353,::1,[::1]:53' });
  for (const path of ['/', 'lists', '/a/../etc', '/a/./b', '~/x']) refuses({ SALLYPORT_WORDLISTS_DIRECTORIES: path });
  accepts({ SALLYPORT_WORDLISTS_DIRECTORIES: '/srv/lists/,/opt/x' });
});

test('a misspelt tool name cannot leave a tool offered', () => {
  refuses({ SALLYPORT_TOOLS_EXCLUDE: 'nmpa' });
  refuses({ SALLYPORT_TOOLS_INCLUDE: 'hydra*' });
  accepts({ SALLYPORT_TOOLS_EXCLUDE: 'nm*' });
  accepts({ SALLYPORT_TOOLS_INCLUDE: '' });
});

test('patterns match whole names and only * is special', () => {
  assert.equal(isMatch('*', 'nmap'), true);
  assert.equal(isMatch('n*p', 'nmap'), true);
  assert.equal(isMatch('nma', 'nmap'), false);
  assert.equal(isMatch('n.ap', 'nmap'), false);
});

test('a layer cannot be required and switched off at once', () => {
  refuses({ SALLYPORT_EXECUTION_REQUIRE: 'L0,L2', SALLYPORT_EXECUTION_DISABLE: 'L3,L2' });
  refuses({ SALLYPORT_EXECUTION_DISABLE: 'L0' });
  accepts({ SALLYPORT_EXECUTION_REQUIRE: 'L0,L2', SALLYPORT_EXECUTION_DISABLE: 'L3,L5' });
});

test('what reaches an argument vector from the configuration cannot look like an option', () => {
  refuses({ SALLYPORT_EXECUTION_RAW_INTERFACE: '-iL' });
  refuses({ SALLYPORT_EXECUTION_RAW_ADAPTER_IP: 'eth0' });
  refuses({ SALLYPORT_EXECUTION_RAW_ROUTER_MAC: '66-55' });
  refuses({ SALLYPORT_EXECUTION_SCRATCH_DIR: 'tmp' });
  refuses({ SALLYPORT_EXECUTION_REQUIRE: 'L0,raw' });
  accepts({ SALLYPORT_EXECUTION_REQUIRE: 'L0,raw', SALLYPORT_EXECUTION_RAW_ENABLED: 'true' });
});

test('layer 1 comes with the launcher, so it is switched off together with layer 2 or not at all', () => {
  refuses({ SALLYPORT_EXECUTION_DISABLE: 'L1' });
  refuses({ SALLYPORT_EXECUTION_DISABLE: 'L1,L3' });
  accepts({ SALLYPORT_EXECUTION_DISABLE: 'L1,L2' });
});
