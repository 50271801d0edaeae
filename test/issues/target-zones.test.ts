/*
 * A zone is more than its name: who enumerates it, or has it handed over, asks for every name below it.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { argvOf, call, startSix } from './earlier-gateway.ts';

const scopeOf = (allow: readonly string[], deny: readonly string[]) =>
  `policy: { risk: exploit, scope: { allow: ${JSON.stringify(['10.0.0.0/8', ...allow])}, deny: ${JSON.stringify(deny)} } }
`;
/** The calls that ask for everything below a name. */
const zoneCalls = (domain: string) =>
  [
    ['gobuster', { mode: 'dns', domain, resolver: '10.0.0.53', wordlist: 'dirb/common.txt' }],
    ['dig', { name: domain, type: 'AXFR', server: '10.0.0.53' }],
  ] as const;

for (const deny of ['secret.lab.internal', '*.secret.lab.internal', 'db.secret.lab.internal']) {
  test(`a zone around the denied ${deny} is neither enumerated nor transferred; names beside it are asked about`, async (t) => {
    const gateway = await startSix(t, scopeOf(['*.lab.internal'], [deny]));
    for (const [tool, input] of zoneCalls('lab.internal')) {
      const { code, text, run } = await call(gateway, tool, input);
      assert.equal(code, 'ERR_TARGET_OUT_OF_SCOPE', text);
      assert.equal((JSON.parse(text) as { details: { rule: string } }).details.rule, 'target.deny');
      assert.equal(run, undefined);
    }
    for (const input of [
      { name: 'lab.internal', type: 'SOA', server: '10.0.0.53' },
      { name: 'web.lab.internal', type: 'AXFR', server: '10.0.0.53' },
    ]) {
      assert.ok((await argvOf(gateway, 'dig', input)).includes(input.name));
    }
  });
}

test('a zone of which only its own name is allowed is neither enumerated nor transferred', async (t) => {
  const gateway = await startSix(t, scopeOf(['lab.internal'], []));
  for (const [tool, input] of zoneCalls('lab.internal')) {
    const { code, text } = await call(gateway, tool, input);
    assert.equal(code, 'ERR_TARGET_OUT_OF_SCOPE', text);
    assert.equal((JSON.parse(text) as { details: { rule: string } }).details.rule, 'target.scope');
  }
  await argvOf(gateway, 'dig', { name: 'lab.internal', type: 'A', server: '10.0.0.53' });
});
