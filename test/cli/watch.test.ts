import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readEvents, type ServerEvent } from '../../src/cli/event-stream.ts';
import { type FollowedEvent, type FollowRequest, followRun } from '../../src/cli/follow-run.ts';
import { openSession } from '../../src/cli/session.ts';
import { watch } from '../../src/cli/watch.ts';
import { ended, startCli } from './command-line.ts';
import { holdDataDir } from './fake-gateway.ts';
import {
  call,
  collect,
  contextFor,
  fakeRuns,
  frame,
  HOSTILE,
  isSafe,
  json,
  recordOf,
  RESULT,
  type Route,
  stream,
} from './fake-runs.ts';

const RUN = `/v1/runs/${RESULT.runId}`;
const EVENTS = `GET ${RUN}/events`;

async function eventsOf(...chunks: readonly (string | Buffer)[]): Promise<readonly ServerEvent[]> {
  async function* bytes(): AsyncGenerator<Uint8Array> {
    for (const chunk of chunks) yield Buffer.from(chunk);
  }
  return collect(readEvents(bytes()));
}

test('events are read as the standard says, wherever the bytes are cut', async () => {
  const text =
    '\ufeff: hello\nid: 7\nevent: state\ndata: é1\ndata:2\nretry: 1\n\n\r\nevent\rdata\r\r\nid:8\r\ndata:  x\r\n\r\ndata: cut off';
  const expected = [
    { id: '7', type: 'state', data: 'é1\n2' },
    { type: '', data: '' },
    { id: '8', type: 'message', data: ' x' },
  ];
  const bytes = Buffer.from(text);
  assert.deepEqual(await eventsOf(bytes), expected);
  for (let at = 1; at < bytes.length; at += 1) {
    assert.deepEqual(await eventsOf(bytes.subarray(0, at), bytes.subarray(at)), expected, `cut at ${at}`);
  }
});

test('an id that could not be sent back is none', async () => {
  for (const id of ['a b', 'é', 'a\u0000', 'x'.repeat(513), '']) {
    assert.deepEqual(await eventsOf(`id: ${id}\ndata: 1\n\n`), [{ type: 'message', data: '1' }]);
  }
});

test('a line or an event without an end is refused before it fills the memory', async () => {
  const piece = 'x'.repeat(65_536);
  for (const line of [piece, `data: ${piece}\n`]) {
    let taken = 0;
    async function* endless(): AsyncGenerator<Uint8Array> {
      for (;;) {
        taken += line.length;
        yield Buffer.from(line);
      }
    }
    await assert.rejects(async () => {
      for await (const _event of readEvents(endless()));
    }, /too large/);
    assert.ok(taken < 4_194_304, String(taken));
  }
});

async function follow(environment: Readonly<Record<string, string>>, request: Partial<FollowRequest> = {}) {
  const events: FollowedEvent[] = [];
  const session = await openSession(contextFor([], { environment }).context, undefined);
  const end = await followRun(session, {
    runId: RESULT.runId,
    onEvent: (event) => void events.push(event),
    waitsMs: [1, 1, 1],
    ...request,
  });
  return { events, end };
}

test('connections that bring nothing new are given up after the last wait', async (t) => {
  const { lines, environment } = await fakeRuns(t, { [EVENTS]: stream(frame('state', { state: 'running' }, '1')) });
  const { end, events } = await follow(environment);
  assert.deepEqual(end, { kind: 'failed', reply: { kind: 'unreachable', reason: 'the stream ended before the run' } });
  assert.equal(events.length, 1, 'the same event was told twice');
  // The first connection brought something, so the waits began after it.
  assert.equal(lines().length, 4);
});

test('as long as something new comes, the connection is taken up again and again', async (t) => {
  const { asked, environment } = await fakeRuns(t, {
    [EVENTS]: (request) => {
      const { count } = request;
      const events = [frame('finding', { message: 'x' }, String(count))];
      stream(...events, ...(count === 20 ? [frame('state', { state: 'failed' }, 'end')] : []))(request);
    },
  });
  const { end, events } = await follow(environment);
  assert.deepEqual(end, { kind: 'ended', state: 'failed' });
  assert.equal(events.length, 22);
  assert.equal(asked.at(-1)?.headers['last-event-id'], '19');
});

test('a refusal that may pass is tried again, any other is the end', async (t) => {
  const busy = json(503, { code: 'ERR_OVERLOADED', message: 'x', requestId: 'r' });
  const passing = await fakeRuns(t, {
    [EVENTS]: (request) => (request.count < 2 ? busy : stream(frame('state', { state: 'succeeded' })))(request),
  });
  assert.deepEqual((await follow(passing.environment)).end, { kind: 'ended', state: 'succeeded' });
  const unknown = await fakeRuns(t, {});
  const { end } = await follow(unknown.environment);
  assert.equal(end.kind === 'failed' && end.reply.kind === 'answer' && end.reply.status, 404);
  assert.equal(unknown.asked.length, 1);
});

test('what is said after the final state is not listened to, and what is of no known type is passed over', async (t) => {
  const route: Route = ({ response }) => {
    response.writeHead(200).write(frame('party', { state: 'succeeded' }) + 'event: state\ndata: [1]\n\ndata: {\n\n');
    response.write(frame('state', { state: 'constructor' }) + frame('state', { state: 'lost' }) + frame('output', {}));
  };
  const { environment } = await fakeRuns(t, { [EVENTS]: route });
  const { end, events } = await follow(environment);
  assert.deepEqual(end, { kind: 'ended', state: 'lost' });
  assert.equal(events.length, 2);
});

test('in the middle of a run no key is sent to whoever took the address of a gateway that is gone', async (t) => {
  const place: { die?: () => void } = {};
  const { lines, environment, dataDir, port } = await fakeRuns(t, {
    [EVENTS]: (request) => {
      place.die?.();
      stream(frame('state', { state: 'running' }, '1'))(request);
    },
  });
  place.die = () => holdDataDir(dataDir, `http://127.0.0.1:${port}`, '1');
  const { end } = await follow(environment);
  assert.equal(end.kind === 'failed' && end.reply.kind, 'unreachable');
  assert.deepEqual(lines(), [EVENTS]);
});

const FINDING = { fingerprint: 'a', kind: 'port', target: '10.0.0.5', port: 22, protocol: 'tcp', severity: 'info' };

test('watch prints findings as they come and how the run ended, safely', async (t) => {
  const hostile = { ...FINDING, target: HOSTILE, title: HOSTILE };
  const { environment } = await fakeRuns(t, {
    [`GET ${RUN}`]: (request) => json(200, recordOf(request.count === 0 ? {} : { state: 'succeeded' }))(request),
    [EVENTS]: stream(
      frame('progress', { message: HOSTILE, percent: '\u001b[2J', at: 'x' }),
      frame('finding', { message: HOSTILE, finding: hostile }, '1'),
      frame('finding', { message: HOSTILE }, '2'),
      frame('state', { state: 'succeeded' }, '3'),
    ),
  });
  for (const terminal of [undefined, 70]) {
    const { code, stdout, stderr, drawn } = await call(watch, [RESULT.runId], {
      environment,
      ...(terminal && { terminal }),
    });
    assert.equal(code, 0, stderr);
    const lines = stdout.trimEnd().split('\n');
    assert.equal(lines.length, 3, stdout);
    assert.match(lines[0] ?? '', /^info +port/);
    assert.match(lines[2] ?? '', /^dig (succeeded|running)/);
    for (const text of [stdout, stderr, ...drawn.map((each) => each.replace('\r\u001b[K', ''))]) {
      assert.ok(isSafe(text), JSON.stringify(text));
    }
  }
});

test('watch --json prints one document for each event, and the exit code tells a failure', async (t) => {
  const { environment } = await fakeRuns(t, {
    [`GET ${RUN}`]: json(200, recordOf({ state: 'failed', error: { code: 'ERR_TOOL_FAILED', message: 'no' } })),
    [EVENTS]: stream(frame('finding', { message: HOSTILE }, '1'), frame('state', { state: 'failed' }, '2')),
  });
  const { code, stdout, stderr } = await call(watch, [RESULT.runId, '--json', '--quiet'], { environment });
  assert.equal(code, 1);
  assert.ok(isSafe(stdout));
  const events = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown);
  assert.deepEqual(events, [
    { id: '1', type: 'finding', data: { message: HOSTILE } },
    { id: '2', type: 'state', data: { state: 'failed' } },
  ]);
  assert.match(stderr, /ERR_TOOL_FAILED/);
});

test('a run that is not there is exit code 1', async (t) => {
  const { environment } = await fakeRuns(t, {});
  const { code, stderr } = await call(watch, [RESULT.runId], { environment });
  assert.equal(code, 1);
  assert.match(stderr, /ERR_RUN_UNKNOWN/);
});

test('Ctrl-C leaves a watched run alone', async (t) => {
  const asked = Promise.withResolvers<void>();
  const { lines, environment } = await fakeRuns(t, {
    [`GET ${RUN}`]: json(200, recordOf()),
    [EVENTS]: ({ response }) => {
      response.writeHead(200).write(': open\n\n');
      asked.resolve();
    },
  });
  const child = startCli(['watch', RESULT.runId], { environment });
  const end = ended(child);
  await asked.promise;
  child.kill('SIGINT');
  const { code, stderr } = await end;
  assert.equal(code, 130);
  assert.match(stderr, /goes on/);
  assert.deepEqual(lines(), [`GET ${RUN}`, EVENTS]);
});
