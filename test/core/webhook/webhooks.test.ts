import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MAX_WAITING } from '../../../src/core/webhook/lane.ts';
import { type Answer, message, openReceiver, openWebhooks, talkative } from './rig.ts';

const ok: Answer = ({ response }) => void response.writeHead(204).end();

test('a message arrives at every URL with its id, its type and its data, signed with the secret', async (t) => {
  const [one, two] = [await openReceiver(t, ok), await openReceiver(t, ok)];
  const { webhooks, counted, until } = openWebhooks(t, [one.url, two.url, one.url]);
  webhooks.tell(message());
  await until(() => counted.length === 2);
  for (const { received } of [one, two]) {
    assert.deepEqual(received, [
      {
        id: 'approval_requested_run-1',
        path: '/hook/T0KEN-T0KEN',
        body: {
          type: 'approval.requested',
          timestamp: '2026-11-22T10:00:00.000Z',
          data: { runId: 'run-1' },
        },
        isSigned: true,
      },
    ]);
  }
  assert.deepEqual(counted, ['approval.requested sent', 'approval.requested sent']);
});

test('a receiver that fails first gets the message again under the same id', async (t) => {
  const answers: Answer[] = [
    ({ response }) => void response.writeHead(500).end(),
    ({ response }) => void response.writeHead(302, { location: '/elsewhere' }).end(),
    ({ request }) => void request.socket.destroy(),
    ok,
  ];
  const receiver = await openReceiver(t, (asked) => (answers[asked.count] ?? ok)(asked));
  const { webhooks, counted, until } = openWebhooks(t, [receiver.url]);
  webhooks.tell(message());
  await until(() => counted.at(-1) === 'approval.requested sent');
  assert.equal(receiver.received.length, 4);
  assert.deepEqual(
    [...new Set(receiver.received.map(({ id, path }) => `${id} ${path}`))],
    ['approval_requested_run-1 /hook/T0KEN-T0KEN'],
  );
  assert.equal(counted.filter((each) => each.endsWith('retried')).length, 3);
  assert.equal(webhooks.waiting(), 0);
});

test('a receiver that never answers is left at the time limit, and holds up nobody else', async (t) => {
  const slow = await openReceiver(t, () => undefined);
  const quick = await openReceiver(t, ok);
  const { webhooks, logged, until } = openWebhooks(t, [slow.url, quick.url], { timeoutMs: () => 50 });
  for (let n = 0; n < 20; n += 1) webhooks.tell(message(n));
  await quick.until(20);
  await until(() => logged.some(({ event }) => event === 'webhook.failed'));
  assert.ok(webhooks.waiting() > 0);
});

test('a dead receiver does not hold up the caller, and the oldest messages give way to newer ones', async (t) => {
  const stuck = Promise.withResolvers<void>();
  const posted: string[] = [];
  const outbound = {
    post: async ({ id }: { id: string }) => {
      posted.push(id);
      await stuck.promise;
    },
  };
  const { webhooks, logged, counted, until } = openWebhooks(t, ['http://127.0.0.1:1/'], { outbound });
  const extra = 10;
  for (let n = 0; n < MAX_WAITING + extra; n += 1) webhooks.tell(message(n));
  // Four are on their way, the others wait.
  assert.equal(posted.length, 4);
  assert.equal(webhooks.waiting(), MAX_WAITING + 4);
  const lost = logged.filter(({ level, event }) => level === 'error' && event === 'webhook.failed');
  assert.deepEqual(
    lost.map(({ fields }) => fields['id']),
    Array.from({ length: extra - 4 }, (_, at) => `approval_requested_run-${at + 4}`),
  );
  stuck.resolve();
  await until(() => counted.filter((each) => each.endsWith('sent')).length === MAX_WAITING + 4);
  assert.equal(posted.at(-1), `approval_requested_run-${MAX_WAITING + extra - 1}`);
  assert.equal(webhooks.waiting(), 0);
});

test('pauses grow, differ and end: after the last one the message is given up, and that is logged', async (t) => {
  const clock = { ms: 0 };
  const pauses: number[] = [];
  const outbound = {
    post: async () => {
      clock.ms += 1000;
      throw new Error('no');
    },
  };
  const random = [0, 1, 0.5];
  const { webhooks, logged, counted, until } = openWebhooks(t, ['http://127.0.0.1:1/'], {
    outbound,
    clock: { now: () => 0, monotonic: () => clock.ms },
    retry: { firstMs: 4, longestMs: 12, untilMs: 4500 },
    random: () => random.shift() ?? 0,
  });
  webhooks.tell(message());
  await until(() => logged.some(({ level }) => level === 'error'));
  for (const { fields, level } of logged) if (level === 'warn') pauses.push(Number(fields['retryAfterMs']));
  assert.deepEqual(pauses, [2, 8, 9, 6]);
  assert.equal(counted.at(-1), 'approval.requested lost');
  assert.equal(webhooks.waiting(), 0);
});

test('a URL that is taken out of the configuration hears nothing more', async (t) => {
  const receiver = await openReceiver(t, ({ response }) => void response.writeHead(503).end());
  const urls = [receiver.url];
  const { webhooks, counted, until } = openWebhooks(t, urls);
  webhooks.tell(message());
  await receiver.until(1);
  urls.length = 0;
  await until(() => counted.at(-1) === 'approval.requested lost');
  const heard = receiver.received.length;
  webhooks.tell(message(2));
  assert.equal(receiver.received.length, heard);
  assert.equal(webhooks.waiting(), 0);
});

test('the token in a URL is in no line of the log', async (t) => {
  const receiver = await openReceiver(t, ({ response, count }) => void response.writeHead(count < 2 ? 500 : 200).end());
  const { webhooks, logged, counted, until } = openWebhooks(t, [receiver.url, 'nonsense T0KEN-T0KEN'], {
    outbound: { post: talkative },
    retry: { firstMs: 1, longestMs: 1, untilMs: 200 },
  });
  webhooks.tell(message());
  await until(() => counted.some((each) => each.endsWith('sent')) && counted.some((each) => each.endsWith('lost')));
  const origin = new URL(receiver.url).origin;
  assert.ok(logged.some(({ fields }) => fields['url'] === origin && fields['reason'] === `${origin} answered 500`));
  assert.equal(JSON.stringify(logged).includes('T0KEN'), false);
});

test('after the end nothing is begun, and what goes on is awaited only for a moment', async (t) => {
  const posted: string[] = [];
  const never = new Promise<void>(() => undefined);
  const outbound = {
    post: async ({ id }: { id: string }) => {
      posted.push(id);
      await never;
    },
  };
  const { webhooks } = openWebhooks(t, ['http://127.0.0.1:1/'], { outbound });
  for (let n = 0; n < 6; n += 1) webhooks.tell(message(n));
  await webhooks.close();
  webhooks.tell(message(7));
  assert.equal(posted.length, 4);
});

test('a message is handed over without waiting and without throwing, whatever happens outside', (t) => {
  const outbound = {
    post: () => {
      throw new Error('at once');
    },
  };
  const { webhooks } = openWebhooks(t, ['http://127.0.0.1:1/'], { outbound });
  webhooks.tell(message());
  const none = openWebhooks(t, []);
  none.webhooks.tell(message());
  assert.equal(none.webhooks.waiting(), 0);
});
