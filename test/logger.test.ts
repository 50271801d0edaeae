import assert from 'node:assert/strict';
import { test } from 'node:test';
import fastify from 'fastify';
import type { Log, LogEvent } from '../src/core/log.ts';
import { createRedactor } from '../src/core/redaction/redactor.ts';
import { createLogger } from '../src/logger.ts';

const SECRET = 'hunter2 "quoted" \\ß';

function setup(level = 'info') {
  const lines: string[] = [];
  const redactor = createRedactor();
  const logger = createLogger<LogEvent>({ level, redactor, destination: { write: (line) => lines.push(line) } });
  const last = () => JSON.parse(lines.at(-1) ?? 'null') as Record<string, unknown>;
  return { logger, lines, redactor, last };
}

test('an event is one JSON line with time, level, event and its fields', () => {
  const { logger, lines, last } = setup();
  const log: Log = logger;
  log.info('run.finished', { runId: 'r1', durationMs: 5 });
  assert.equal(lines.length, 1);
  assert.ok(lines[0]?.endsWith('}\n'));
  const { time, ...rest } = last();
  assert.match(String(time), /^\d{4}-\d\d-\d\dT/);
  assert.deepEqual(rest, { level: 'info', event: 'run.finished', runId: 'r1', durationMs: 5 });
  log.warn('auth.refused');
  assert.equal(last()['level'], 'warn');
  log.error('request.failed');
  assert.equal(last()['level'], 'error');
});

test('no field can forge a line, a level, a time or an event (D27)', () => {
  const { logger, lines, last } = setup();
  const fields = {
    level: 'fatal',
    time: 0,
    msg: 'm',
    event: 'key.created',
    target: '10.0.0.1\n{"event":"key.created"}\u2028',
  };
  for (const write of [() => logger.info('run.refused', fields), () => logger.child(fields).info('run.refused')]) {
    write();
    assert.equal(lines.at(-1)?.split('\n').length, 2);
    const names = (lines.at(-1) ?? '').match(/"(?:event|level|time|msg)":/g);
    assert.deepEqual(names?.toSorted(), ['"event":', '"level":', '"time":']);
    assert.equal(last()['event'], 'run.refused');
    assert.equal(last()['level'], 'info');
    assert.equal(last()['data_event'], 'key.created');
  }
});

test('a known secret is in no line: raw, base64, URL-encoded, in errors, children and texts of others', () => {
  const { logger, lines, redactor } = setup();
  redactor.register(SECRET);
  const spellings = [
    SECRET,
    Buffer.from(`x${SECRET}`).toString('base64'),
    encodeURIComponent(SECRET),
    JSON.stringify(SECRET),
  ];
  for (const spelling of spellings) {
    logger.info('run.started', { argv: ['hydra', '-p', spelling] });
    logger.child({ note: spelling }).warn('run.refused');
    logger.error('request.failed', { err: new Error(`no ${spelling}`, { cause: new Error(spelling) }) });
    logger.fastifyLogger.info({ nested: { deep: [spelling] } }, `message ${spelling}`);
    logger.fastifyLogger.child({ bound: spelling }).error(new Error(spelling));
    logger.fastifyLogger.info({ req: { method: 'GET', url: `/${spelling}`, headers: { host: spelling } } });
  }
  assert.equal(lines.length, spellings.length * 6);
  for (const line of lines) {
    assert.doesNotThrow(() => JSON.parse(line), line);
    assert.ok(!line.includes('hunter2') && !line.includes('aHVudGVyM') && !line.includes('h1bnRlcj'), line);
  }
});

test('a secret that a run found takes no event, id or name out of a line, and is in no value', () => {
  const { logger, lines, redactor, last } = setup();
  const names = ['event', 'requestId', 'message', 'reason', 'argv', 'level', 'time'];
  for (const found of [...names, 'run.finished', 'request-1', 'key_ann', 'hydra', 'failed', 'Summer2026!'])
    redactor.keepFound('ann', found);
  const fields = { requestId: 'request-1', principal: 'key_ann', tool: 'hydra', outcome: 'failed' };
  logger.info('run.finished', { ...fields, argv: ['-p', 'Summer2026!'], reason: 'x Summer2026! x' });
  const { time, ...line } = last();
  assert.match(String(time), /^\d{4}-\d\d-\d\dT/);
  const masked = { argv: ['-p', '[redacted]'], reason: 'x [redacted] x' };
  assert.deepEqual(line, { level: 'info', ...fields, ...masked, event: 'run.finished' });
  assert.ok(!lines.join('').includes('Summer'));
});

test('a key of ours is masked even as the name of a field or in place of an id', () => {
  const { logger, lines } = setup();
  const key = `sp_0a1b2c3d_${'k'.repeat(43)}`;
  logger.info('run.refused', { [key]: 1, tool: key, requestId: `x ${key}` });
  assert.ok(!lines.join('').includes('kkkk'), lines.join(''));
});

test('of a request only the method, the path and allowed headers are logged', () => {
  const { logger, lines, last } = setup();
  const headers = {
    authorization: 'Bearer abc',
    cookie: 'sid=1',
    'x-api-key': 'k',
    host: 'gw',
    'user-agent': 'u'.repeat(999),
  };
  logger.fastifyLogger.info({
    req: { method: 'GET', url: '/v1/x?token=abc', ip: '::1', headers },
    res: { statusCode: 200 },
  });
  const { req, res } = last() as { req: { path: string; headers: Record<string, string> }; res: unknown };
  assert.deepEqual(Object.keys(req.headers), ['host', 'user-agent']);
  assert.equal(req.headers['user-agent']?.length, 256);
  assert.equal(req.path, '/v1/x');
  assert.deepEqual(res, { status: 200 });
  assert.ok(!lines[0]?.includes('abc'));
});

test('Fastify logs through it, and a key sent to it is not in the log', async () => {
  const { logger, lines } = setup();
  const app = fastify({ loggerInstance: logger.fastifyLogger });
  app.get('/boom', async () => {
    throw new Error('inside');
  });
  const key = `sp_0a1b2c3d_${'k'.repeat(43)}`;
  await app.inject({
    url: `/boom?access_token=${key}`,
    headers: { authorization: `Bearer ${key}`, 'user-agent': key },
  });
  await app.close();
  assert.ok(lines.length >= 2);
  assert.ok(lines.some((line) => line.includes('inside')));
  for (const line of lines) assert.ok(!line.includes('kkkk'), line);
});

test('the level holds, and changes at run time for children as well', () => {
  const { logger, lines } = setup('warn');
  const child = logger.child({ part: 'x' });
  logger.info('run.started');
  child.info('run.started');
  assert.equal(lines.length, 0);
  logger.setLevel('info');
  logger.info('run.started');
  child.info('run.started');
  assert.equal(lines.length, 2);
  logger.setLevel('error');
  child.warn('run.refused');
  assert.equal(lines.length, 2);
});

test('what a terminal or an eye would act on stands escaped in the line, and reads back the same', () => {
  const lines: string[] = [];
  const log = createLogger<'x'>({
    level: 'info',
    redactor: createRedactor(),
    destination: { write: (line) => void lines.push(line) },
  });
  const text = 'a\u009b31mb\u202ec\u2028d\u001b[0m';
  log.info('x', { text });
  assert.match(lines[0] ?? '', /^[ -~]*\n$/);
  assert.equal((JSON.parse(lines[0] ?? '') as { text: string }).text, text);
});
