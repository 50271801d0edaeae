import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { after, describe, it } from 'node:test';
import dig from '../../src/tools/dig/index.ts';
import type { DigResult } from '../../src/tools/dig/parse.ts';
import { golden } from './golden.ts';
import { assertFits, loopbackRunner, missing } from './loopback-run.ts';
import { type Fed, feed, prepare, registered } from './under-test.ts';

const TOOL = registered(dig);
const ask = (input: Record<string, unknown>) => prepare(TOOL, { name: 'web.lab.internal', ...input });
const argvOf = async (input: Record<string, unknown>) => (await ask(input)).argv.join(' ');

async function read(stdout: string | Buffer, fed: Partial<Fed> & { readonly type?: string } = {}) {
  const call = await ask({ type: fed.type ?? 'A' });
  const outcome = feed(TOOL, call, { stdout: [Buffer.from(stdout)], ...fed });
  return { ...outcome, result: outcome.result as DigResult };
}

describe('the argv of dig', () => {
  it('asks the operator’s first server when none is named (D9)', async () => {
    assert.match(await argvOf({}), /^-r @10\.77\.0\.10 -p 53 .* -t A -q web\.lab\.internal$/);
  });

  it('turns an address into its reverse name for PTR, in both versions', async () => {
    assert.match(await argvOf({ name: '10.77.0.255', type: 'PTR' }), / -t PTR -q 255\.0\.77\.10\.in-addr\.arpa$/);
    assert.match(await argvOf({ name: '10.0.77.10.in-addr.arpa', type: 'PTR' }), / -q 10\.0\.77\.10\.in-addr\.arpa$/);
    const { input } = TOOL.validate({ name: 'fd00::1', type: 'PTR' }, undefined);
    assert.match(dig.targets(input)[0]?.value ?? '', /^1(\.0){29}\.d\.f\.ip6\.arpa$/);
  });

  it('refuses an address with another type', async () => {
    for (const name of ['10.77.0.10', 'fd00::1']) await assert.rejects(ask({ name }), { code: 'ERR_INPUT_INVALID' });
  });

  it('refuses names and servers out of scope: they leak what is asked (D9)', async () => {
    for (const more of [
      { name: 'example.com' },
      { name: 'secret.attacker.example' },
      { name: '8.8.8.8', type: 'PTR' },
      { name: '8.8.8.8.in-addr.arpa', type: 'PTR' },
      { server: '8.8.8.8' },
      { server: '127.0.0.1' },
    ]) {
      await assert.rejects(ask(more), { code: 'ERR_TARGET_OUT_OF_SCOPE' }, JSON.stringify(more));
    }
  });

  it('takes no option by another name: files, trace, free text (D9, D15)', async () => {
    for (const more of [
      { name: '-f' },
      { name: '@10.77.0.11' },
      { name: '+trace' },
      { name: 'a b' },
      { type: 'IXFR' },
      { type: 'a' },
      { type: 'A -f /etc/passwd' },
      { server: 'ns.lab.internal' },
      { server: '10.77.0.10 +trace' },
      { file: '/etc/passwd' },
      { trace: true },
    ]) {
      await assert.rejects(ask(more), { code: /^ERR_(INPUT|TARGET)_INVALID$/ }, JSON.stringify(more));
    }
  });

  it('is more than a look when it asks for a whole zone', async () => {
    assert.deepEqual(
      (dig.raises?.((await ask({ type: 'AXFR' })).input) ?? []).map(({ risk }) => risk),
      ['active'],
    );
    assert.deepEqual(dig.raises?.((await ask({ type: 'ANY' })).input), []);
  });
});

describe('the answer of dig', () => {
  it('is typed records with where they came from', async () => {
    const { result, complete } = await read(golden('dig/address.stdout'));
    assert.equal(complete, true);
    assert.deepEqual(result, {
      status: 'NOERROR',
      flags: ['qr', 'rd', 'ra'],
      question: { name: 'web.lab.internal.', class: 'IN', type: 'A' },
      answer: [{ name: 'web.lab.internal.', ttl: 600, class: 'IN', type: 'A', value: '10.77.0.10' }],
      authority: [],
      additional: [],
      server: { address: '127.0.0.1', port: 15_353, transport: 'udp' },
      queryTimeMs: 0,
      messages: 1,
      extendedErrors: [],
      notes: [],
    });
  });

  it('counts NXDOMAIN and REFUSED as answers', async () => {
    for (const [sample, status] of [
      ['nxdomain', 'NXDOMAIN'],
      ['refused', 'REFUSED'],
    ] as const) {
      const { result, complete, failure } = await read(golden(`dig/${sample}.stdout`));
      assert.deepEqual([result.status, complete, failure], [status, true, undefined]);
    }
    assert.deepEqual((await read(golden('dig/refused.stdout'))).result.extendedErrors, ['14 (Not Ready)']);
  });

  it('says that nothing is known when the server could not look or cut its answer short', async () => {
    const answer = golden('dig/address.stdout').toString();
    for (const status of ['SERVFAIL', 'FORMERR', 'NOTIMP', 'BADVERS']) {
      const { result, complete, failure } = await read(answer.replace('status: NOERROR', `status: ${status}`));
      assert.deepEqual([result.status, complete, failure, result.notes.length], [status, false, undefined, 1]);
    }
    const cut = await read(answer.replace('flags: qr', 'flags: qr tc'));
    assert.deepEqual([cut.complete, cut.result.notes.length], [false, 1]);
    assert.equal((await read(answer.replace(/^ +status: .*$/m, ''))).complete, false, 'an answer without its status');
    const refused = golden('dig/transfer-refused.stdout').toString();
    for (const [status, complete] of [
      ['NOTAUTH', true],
      ['SERVFAIL', false],
    ] as const) {
      const transfer = await read(refused.replace('status: REFUSED', `status: ${status}`), { type: 'AXFR' });
      assert.equal(transfer.complete, complete, status);
    }
  });

  it('calls silence of the server a failure, not an empty answer', async () => {
    const { failure, complete } = await read(golden('dig/unreachable.stdout'), { end: { exitCode: 9 } });
    assert.match(failure ?? '', /did not answer/);
    assert.equal(complete, false);
    assert.ok((await read('')).failure, 'an answer that dig could not read leaves nothing at all');
  });

  it('reads a whole zone and says when one is not whole', async () => {
    const whole = golden('dig/transfer.stdout').toString();
    const { result, complete } = await read(whole, { type: 'AXFR' });
    assert.equal(complete, true);
    assert.equal(result.answer.length, 11);
    const cut = whole.split('\n').slice(0, -3).join('\n');
    assert.equal((await read(cut, { type: 'AXFR' })).complete, false);
    const late = await read(`${cut}\n- type: DIG_ERROR\n  message: |\n    no servers could be reached\n`, {
      type: 'AXFR',
      end: { exitCode: 9 },
    });
    assert.ok(late.failure !== undefined && late.result.answer.length > 5, 'what came before is kept');
    const refused = await read(golden('dig/transfer-refused.stdout'), { type: 'AXFR' });
    assert.deepEqual([refused.result.status, refused.complete, refused.failure], ['REFUSED', true, undefined]);
  });

  it('undoes the doubling of quotes and nothing else', async () => {
    const { result } = await read(golden('dig/quotes.stdout'));
    assert.equal(result.answer[0]?.name, "it's\\.\\010'\\001x.");
    assert.equal(result.answer[0].value, `"it's '- x: \\255\\010\\000\\\\ \\""`);
  });

  it('takes no field out of a record', async () => {
    const forged = golden('dig/address.stdout').toString().replace('10.77.0.10', "x' status: NXDOMAIN");
    assert.equal((await read(forged)).result.status, 'NOERROR');
  });

  it('keeps to its schema whatever the length of a name, a class, a type or a value', async () => {
    const long = (piece: string) => piece.repeat(5000);
    for (const [seen, put] of [
      [' 600 IN A 10', ` 600 ${long('I')} ${long('A')} ${long('1')}`],
      ["- 'web.lab.internal. 600", `- '${long('w')}. 600`],
    ] as const) {
      const { result } = await read(golden('dig/address.stdout').toString().replace(seen, put));
      assert.equal(result.answer.length + result.notes.length, 1);
      assertFits(dig.output, result);
    }
  });

  it('says when records were left out', async () => {
    const one = "        - 'a.lab.internal. 1 IN A 10.0.0.1'\n";
    const { result, complete } = await read(`${golden('dig/address.stdout').toString()}${one.repeat(6000)}`);
    assert.equal(result.answer.length, 5000);
    assert.equal(complete, false);
    assert.equal(result.notes.length, 1);
  });
});

describe('the real dig', async () => {
  const skip = await missing(dig);
  const server = createSocket('udp4');
  server.on('message', (query, from) => {
    const name = query.subarray(12, query.indexOf(0, 12) + 5);
    const asked = name.toString('latin1');
    if (asked.includes('silent')) return;
    const header = Buffer.from([query[0] ?? 0, query[1] ?? 0, 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0]);
    const record = Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 10, 77, 0, 99]);
    server.send(
      asked.includes('broken') ? Buffer.from('not dns') : Buffer.concat([header, name, record]),
      from.port,
      from.address,
    );
  });
  await new Promise<void>((resolve) => void server.bind(0, '127.0.0.1', resolve));
  const runner = skip === false ? await loopbackRunner(dig) : undefined;
  after(async () => {
    server.close();
    await runner?.close();
  });
  const run = async (name: string) =>
    (await runner?.run({ name, server: `127.0.0.1:${server.address().port}` }))?.outcome ?? assert.fail();

  it('takes exactly this argv and gives a record', { skip }, async () => {
    const { result, complete } = await run('web.lab.internal');
    assert.equal(complete, true);
    assert.equal((result as DigResult).answer[0]?.value, '10.77.0.99');
  });

  it('is a failure when the server is silent or speaks nonsense', { skip }, async () => {
    for (const name of ['silent.lab.internal', 'broken.lab.internal']) assert.ok((await run(name)).failure, name);
  });
});
