import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect } from 'node:net';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import Fastify, { type FastifyInstance } from 'fastify';
import fp from 'fastify-plugin';
import errors from '../../plugins/errors.ts';
import exportsPlugin from '../../plugins/exports.ts';
import type { Principal } from '../../src/core/auth/types.ts';
import { SallyportError } from '../../src/core/errors.ts';
import type { ExportSource } from '../../src/core/findings/types.ts';
import type { RunHistory } from '../../src/core/run/types.ts';
import { EXPORT_FORMATS } from '../../src/exports/formats.ts';
import { sampleFinding, sampleRun, sourceOf } from '../exports/sample.ts';

const OWNER: Principal = { id: 'key_lab', name: 'lab', scopes: new Set(['findings:read']) };
const RUN_ID = sampleRun().runId;

/** The route behind stand-ins for what stands before it: one caller, and runs that only it may see. */
async function serve(t: TestContext, source: ExportSource, caller: Principal | null = OWNER): Promise<FastifyInstance> {
  const app = Fastify({ ajv: { customOptions: { coerceTypes: false, removeAdditional: false, allErrors: true } } });
  t.after(() => app.close());
  const log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
  await app.register(fp(async () => {}, { name: 'request-context' }));
  await app.register(errors, { log: log as never, redactor: { redactValue: (value: unknown) => value } as never });
  await app.register(
    fp(
      async (scope) => {
        scope.decorateRequest('principal', null);
        scope.addHook('onRequest', async (request) => {
          request.principal = caller;
        });
      },
      { name: 'auth' },
    ),
  );
  await app.register(fp(async () => {}, { name: 'principal-limit' }));
  const history: Pick<RunHistory, 'exportSource'> = {
    exportSource: async (who, runId) => {
      if (who.id === OWNER.id && runId === source.run.runId) return source;
      throw new SallyportError('ERR_RUN_UNKNOWN', 'There is no such run.');
    },
  };
  await app.register(exportsPlugin, { history: history as RunHistory });
  return app;
}

const pathOf = (format: string, runId = RUN_ID): string => `/v1/runs/${runId}/export?format=${format}`;

for (const [format, type, extension] of [
  ['json', 'application/json; charset=utf-8', 'json'],
  ['csv', 'text/csv; charset=utf-8; header=present', 'csv'],
  ['sarif', 'application/sarif+json', 'sarif'],
  ['defectdojo', 'application/json; charset=utf-8', 'defectdojo.json'],
  ['markdown', 'text/markdown; charset=utf-8', 'md'],
  ['html', 'text/html; charset=utf-8', 'html'],
] as const) {
  test(`${format} is a file to keep, with its own type and name`, async (t) => {
    const app = await serve(t, sourceOf(sampleRun(), [sampleFinding()]));
    const answer = await app.inject({ url: pathOf(format) });
    assert.equal(answer.statusCode, 200);
    assert.equal(answer.headers['content-type'], type);
    assert.equal(answer.headers['content-disposition'], `attachment; filename="sallyport-nmap-${RUN_ID}.${extension}"`);
    assert.equal(answer.headers['x-content-type-options'], 'nosniff');
    assert.match(answer.body, /nginx/);
  });
}

test('a format that there is not, none, two or an unknown key is refused', async (t) => {
  const app = await serve(t, sourceOf(sampleRun(), []));
  const base = `/v1/runs/${RUN_ID}/export`;
  for (const query of ['', '?format=', '?format=pdf', '?format=JSON', '?format=json&format=csv', '?format=json&x=1']) {
    const answer = await app.inject({ url: base + query });
    assert.deepEqual([answer.statusCode, answer.json<{ code: string }>().code], [400, 'ERR_INPUT_INVALID'], query);
  }
});

test('a run that is unknown, foreign or no id at all is the same answer', async (t) => {
  const own = await serve(t, sourceOf(sampleRun(), []));
  const other = await serve(t, sourceOf(sampleRun(), []), { ...OWNER, id: 'key_other' });
  const bodies = await Promise.all([
    own.inject({ url: pathOf('json', 'no-such-run') }),
    own.inject({ url: pathOf('json', '..%2f..%2fetc%2fpasswd') }),
    other.inject({ url: pathOf('json') }),
  ]);
  for (const answer of bodies) {
    const { code, message } = answer.json<{ code: string; message: string }>();
    assert.deepEqual([answer.statusCode, code, message], [404, 'ERR_RUN_UNKNOWN', 'There is no such run.']);
    assert.equal(answer.headers['content-disposition'], undefined);
  }
});

test('nobody is told anything without a caller', async (t) => {
  const app = await serve(t, sourceOf(sampleRun(), []), null);
  const answer = await app.inject({ url: pathOf('json') });
  assert.equal(answer.json<{ code: string }>().code, 'ERR_AUTH_REQUIRED');
});

test('a store that cannot be read is an error in JSON, not a file', async (t) => {
  const source = sourceOf(sampleRun(), []);
  const failing: ExportSource = {
    ...source,
    findings: async function* () {
      yield sampleFinding();
      throw new SallyportError('ERR_STORE_UNAVAILABLE', 'The store cannot be read.');
    },
  };
  const app = await serve(t, failing);
  for (const format of EXPORT_FORMATS) {
    const answer = await app.inject({ url: pathOf(format) });
    assert.deepEqual([answer.statusCode, answer.json<{ code: string }>().code], [503, 'ERR_STORE_UNAVAILABLE'], format);
    assert.equal(answer.headers['content-disposition'], undefined);
  }
});

function* manyFindings(count: number, fail: boolean) {
  for (let at = 0; at < count; at += 1) yield sampleFinding({ title: `finding ${at}`, evidence: 'x'.repeat(1000) });
  if (fail) throw new Error('the disk is gone');
}

test('a file that fails in its middle is broken off, never ended as if it were whole', async (t) => {
  const source = sourceOf(sampleRun(), { [Symbol.iterator]: () => manyFindings(2000, true) });
  const app = await serve(t, source);
  const address = await app.listen({ port: 0, host: '127.0.0.1' });
  for (const format of ['csv', 'json', 'markdown']) {
    const answer = await fetch(address + pathOf(format));
    assert.equal(answer.status, 200);
    await assert.rejects(answer.text());
  }
});

test('a large file arrives whole', async (t) => {
  const app = await serve(t, sourceOf(sampleRun(), manyFindings(20_000, false)));
  const address = await app.listen({ port: 0, host: '127.0.0.1' });
  const read = (await (await fetch(address + pathOf('json'))).json()) as {
    findings: unknown[];
    exportedFindings: number;
  };
  assert.equal(read.findings.length, 20_000);
  assert.equal(read.exportedFindings, 20_000);
});

test('a client that does not read holds up the making, and one that leaves ends it', async (t) => {
  const source = sourceOf(sampleRun(), manyFindings(1_000_000, false));
  const app = await serve(t, source);
  await app.listen({ port: 0, host: '127.0.0.1' });
  const socket = connect((app.server.address() as AddressInfo).port, '127.0.0.1');
  t.after(() => socket.destroy());
  await once(socket, 'connect');
  socket.write(`GET ${pathOf('csv')} HTTP/1.1\r\nHost: x\r\n\r\n`);
  await once(socket, 'readable');
  // Settled: two looks with time between them see the same count, well before the end of a gigabyte.
  for (let before = -1; before !== source.read.count; await delay(200)) before = source.read.count;
  assert.ok(source.read.count < 100_000, `${source.read.count} findings were made for a reader that does not read`);
  assert.equal(source.read.closed, false);
  socket.destroy();
  while (!source.read.closed) await delay(10);
});

test('HEAD does not make a file to throw it away', async (t) => {
  const source = sourceOf(sampleRun(), [sampleFinding()]);
  const app = await serve(t, source);
  assert.equal((await app.inject({ method: 'HEAD', url: pathOf('json') })).statusCode, 405);
  assert.equal(source.read.count, 0);
});
