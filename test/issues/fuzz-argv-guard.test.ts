import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { PinnedTargets } from '../../src/core/targets/types.ts';
import { guardArgv } from '../../src/core/tool/argv-guard.ts';
import { prepare, registeredTools } from '../tools/under-test.ts';

const TOOLS = await registeredTools();

async function example(name: string, at: number) {
  const tool = TOOLS.find(({ definition }) => definition.name === name);
  const chosen = tool?.definition.examples[at];
  assert.ok(tool !== undefined && chosen !== undefined);
  const { argv, pinned } = await prepare(tool, chosen.input, { resolves: chosen.resolves ?? {} });
  const { grammar } = tool.definition;
  const passes = (vector: readonly string[], on: PinnedTargets = pinned) => guardArgv(grammar, vector, on);
  const refuses = (vector: readonly string[]) =>
    assert.throws(() => passes(vector), { code: 'ERR_INTERNAL' }, JSON.stringify(vector));
  const withValue = (old: string, value: string) => {
    assert.ok(argv.includes(old), old);
    return argv.map((token) => (token === old ? value : token));
  };
  return { argv, passes, refuses, withValue };
}

describe('found by fuzzing the argv guard', () => {
  it('a URL that another parser reads as another host is refused, whatever a browser would make of it', async () => {
    const url = 'http://10.77.0.10:8081/item.php?id=1';
    const { argv, passes, refuses, withValue } = await example('sqlmap', 0);
    passes(argv);
    passes(withValue(url, 'http://10.77.0.10:8081/?u=http://10.99.0.1/'));
    for (const bad of [
      'http://10.77.0.10:8081\\@10.99.0.1/',
      'http://10.77.0.10:8081#@10.99.0.1/',
      'http://10.77.0.10:8081?@10.99.0.1/',
      'http://012.77.0.10:8081/',
      'http://0xa4d000a:8081/',
      'http://172818442:8081/',
      'http:////10.77.0.10:8081/',
      'http://10.77.0.10.:8081/',
      'http://%31%30.77.0.10:8081/',
      'http://１0.77.0.10:8081/',
      'http://10.77.0.10:08081/',
      'http://10.77.0.10:8081',
      'http://10.77.0.10:8081/ü',
      'http://10.77.0.10:8081/\u00ad',
      'http://10.77.0.10:8081/a\\b',
    ]) {
      refuses(withValue(url, bad));
    }
  });

  it('the scripts of nmap are those of the list: no path, category, wildcard or word of another kind', async () => {
    const { argv, passes, refuses, withValue } = await example('nmap', 0);
    const scripted = (value: string) => ['--script', value, ...argv];
    passes(scripted('http-title'));
    passes(scripted('http-robots.txt,ssl-cert'));
    for (const bad of [
      'vuln',
      'all',
      'http-brute',
      '10.99.0.1',
      'http-robotsxtxt',
      'http-title,',
      'http-title,vuln',
      'x.nse',
    ]) {
      refuses(scripted(bad));
    }
    refuses(withValue('10.77.0.10', 'http-title'));
  });

  it('the extensions of gobuster have no dots, so that no address hides among them', async () => {
    const { argv, passes, refuses, withValue } = await example('gobuster', 1);
    passes(argv);
    for (const bad of ['10.99.0.1', 'php,10.99.0.1', 'a_b', '.php', 'php,', 'abcdefghijk'])
      refuses(withValue('php,bak', bad));
  });

  it('the service of hydra is one of the offered ones, not any word', async () => {
    const { argv, passes, refuses, withValue } = await example('hydra', 0);
    passes(argv);
    for (const bad of ['10.99.0.1', 'postgres', 'rdp', 'sshx', 'xssh', 'http']) refuses(withValue('ssh', bad));
  });
});
