import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { NMAP_SCRIPTS, riskOfScript } from '../../src/tools/nmap/scripts.ts';

const DIRECTORY = '/usr/share/nmap/scripts';
const database = await readFile(`${DIRECTORY}/script.db`, 'utf8').catch(() => undefined);
const skip = database === undefined ? 'nmap is not installed' : false;
const installed = new Map<string, string[]>();
for (const [, name = '', list = ''] of (database ?? '').matchAll(
  /filename = "([^"]+)\.nse", categories = \{([^}]*)\}/g,
)) {
  installed.set(name, [...list.matchAll(/"([^"]+)"/g)].map(([, category = '']) => category).sort());
}

describe('the scripts of nmap that may be named', () => {
  it('have the categories that are written down, in the installed script.db', { skip }, () => {
    assert.ok(installed.size > 500, 'script.db was not read');
    for (const [name, categories] of Object.entries(NMAP_SCRIPTS))
      assert.deepEqual(installed.get(name), categories, name);
  });

  it('contact no third party, broadcast nothing, attack no availability and guess no passwords (D11)', () => {
    for (const [name, categories] of Object.entries(NMAP_SCRIPTS)) {
      for (const category of ['external', 'broadcast', 'dos', 'brute', 'fuzzer', 'malware']) {
        assert.ok(!categories.includes(category), `${name} is ${category}`);
      }
    }
  });

  it('add no targets, run on a port alone, start nothing, write nothing and bring no redirect rule of their own', {
    skip,
  }, async () => {
    for (const name of Object.keys(NMAP_SCRIPTS)) {
      const source = await readFile(`${DIRECTORY}/${name}.nse`, 'utf8');
      const code = source.replaceAll(/--\[(=*)\[[\s\S]*?\]\1\]/g, '').replaceAll(/--.*$/gm, '');
      assert.doesNotMatch(code, /newtargets|target\.add|io\.popen|os\.(?:execute|remove|rename)|lfs\./, name);
      assert.doesNotMatch(code, /\b(?:hostrule|prerule)\s*=/, name);
      assert.doesNotMatch(code, /redirect_ok\s*=\s*function|["']w[b+]*["']\s*\)/, name);
      assert.doesNotMatch(code, /http\.(?:get_url|get|head|post|put|generic_request)\((?!\s*host\s*,)/, name);
      assert.match(code, /portrule\s*=/, name);
    }
  });

  it('are intrusive or worse when nmap calls them so (D11)', () => {
    for (const [name, categories] of Object.entries(NMAP_SCRIPTS)) {
      const risk = riskOfScript(name);
      if (categories.includes('exploit')) assert.equal(risk, 'exploit', name);
      else if (categories.some((category) => ['vuln', 'intrusive'].includes(category)))
        assert.equal(risk, 'intrusive', name);
      else assert.equal(risk, 'active', name);
    }
  });

  it('are exploit when they are not on the list', () => {
    for (const name of ['dns-brute', 'constructor', '__proto__', '']) assert.equal(riskOfScript(name), 'exploit');
  });
});
