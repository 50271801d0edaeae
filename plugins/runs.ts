import { type Static, Type } from '@sinclair/typebox';
import type { FastifyReply, FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';
import { ErrorBodySchema } from '../schemas/error.ts';
import { RunOptionsSchema, runResultSchema } from '../schemas/run.ts';
import { RunSchema } from '../schemas/run-record.ts';
import { SallyportError } from '../src/core/errors.ts';
import { idempotencyKeyOf } from '../src/core/rest/idempotency-key.ts';
import { appliedPreferences, type Preferences, preferencesOf } from '../src/core/rest/preferences.ts';
import { isFinal } from '../src/core/run/states.ts';
import type { RunEngine, StartedRun, Waited } from '../src/core/run/types.ts';
import { waitForRun } from '../src/core/run/wait.ts';
import { callerSchema } from '../src/core/tool/input-schema.ts';
import type { RegisteredTool, Registry } from '../src/core/tool/registry-types.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** What the OpenAPI document shows instead of the schema that the route checks. */
    documented?: { readonly body: unknown; readonly response: unknown };
  }
}

export interface RunRoutesOptions {
  readonly registry: Registry;
  readonly engine: RunEngine;
  /** Longest wait for the end of a run when the caller names none, milliseconds. */
  readonly inlineWaitMs: () => number;
}

/** `maxTokens` is the size of an answer for a model: here nothing is cut, so it would be a promise that is not kept. */
const RestOptionsSchema = Type.Omit(RunOptionsSchema, ['maxTokens'], { additionalProperties: false });
/** The route checks the envelope only; the tool's own schema (JSON Schema 2020-12) is checked once, in core. */
const EnvelopeSchema = Type.Object(
  // Absent only with `run.planId`; core says so.
  { input: Type.Optional(Type.Object({}, { additionalProperties: true })), run: Type.Optional(RestOptionsSchema) },
  { additionalProperties: false },
);
type Envelope = Static<typeof EnvelopeSchema>;

/** One concrete route per tool, so that the OpenAPI document shows each tool's own body and answer. */
export default fp<RunRoutesOptions>(
  async (app, { registry, engine, inlineWaitMs }) => {
    for (const tool of registry.all()) {
      const { name, title } = tool.definition;
      app.post<{ Body: Envelope }>(
        `/v1/tools/${name}/runs`,
        {
          config: { accessPattern: '/v1/tools/:name/runs', documented: documented(tool) },
          schema: { tags: ['runs'], summary: title, body: EnvelopeSchema },
        },
        async (request, reply) => {
          const preferences = preferencesOf(request.headers['prefer']);
          const asked = waitMsOf(preferences, request.body.run?.waitMs);
          const started = await start(engine, { tool: name, request, preferences });
          const waitMs = asked ?? (await defaultWait(started, inlineWaitMs));
          if (!started.isNew) reply.header('idempotency-replayed', 'true');
          return answer(reply, preferences, await waitFor(started, waitMs));
        },
      );
    }
    // A name that is no tool is the tool's error, not the route's.
    app.post<{ Params: { name: string } }>('/v1/tools/:name/runs', { schema: { hide: true } }, async (request) => {
      registry.get(request.params.name);
      throw new SallyportError('ERR_TOOL_UNKNOWN', 'There is no such tool.');
    });
  },
  { name: 'runs', dependencies: ['auth', 'principal-limit', 'tools'] },
);

function waitMsOf({ isAsync, waitMs }: Preferences, inBody: number | undefined): number | undefined {
  if (waitMs !== undefined && inBody !== undefined) {
    throw new SallyportError('ERR_INPUT_INVALID', 'Say how long to wait once: Prefer: wait, or run.waitMs.', {
      details: { faults: [{ path: '/run/waitMs', message: 'is also said by the Prefer header' }] },
    });
  }
  return waitMs ?? inBody ?? (isAsync ? 0 : undefined);
}

interface Call {
  readonly tool: string;
  readonly request: FastifyRequest<{ Body: Envelope }>;
  readonly preferences: Preferences;
}

function start(engine: RunEngine, { tool, request, preferences }: Call): Promise<StartedRun> {
  if (request.principal === null) throw new SallyportError('ERR_AUTH_REQUIRED', 'Send a key.');
  // How long this caller waits is no part of what is asked: a repeat may wait otherwise and is still the same request.
  const { waitMs: _, ...run } = request.body.run ?? {};
  return engine.start({
    tool,
    input: request.body.input,
    run,
    principal: request.principal,
    requestId: request.id,
    // Who asked not to wait may leave at any time, also before the answer.
    signal: preferences.isAsync ? new AbortController().signal : request.disconnected,
    idempotencyKey: idempotencyKeyOf(request.headers['idempotency-key']),
  });
}

/** People take their time: who did not ask to wait for them is told at once that they are asked. */
async function defaultWait(started: StartedRun, inlineWaitMs: () => number): Promise<number> {
  return (await started.read()).state === 'awaiting_approval' ? 0 : inlineWaitMs();
}

async function waitFor(started: StartedRun, waitMs: number): Promise<Waited> {
  if (started.isNew) return waitForRun(started, waitMs);
  if (isFinal((await started.read()).state)) return { kind: 'ended', result: await started.ended };
  // The first caller's connection is probably the broken one: when that is noticed it must not end the run under this one.
  await started.detach();
  return waitForRun(started, waitMs);
}

function answer(reply: FastifyReply, preferences: Preferences, waited: Waited): unknown {
  const applied = appliedPreferences(preferences, waited.kind);
  if (applied !== undefined) reply.header('preference-applied', applied);
  if (waited.kind === 'ended') return waited.result;
  reply.code(202).header('location', `/v1/runs/${waited.run.runId}`).header('retry-after', '1');
  return waited.run;
}

function documented(tool: RegisteredTool): { body: unknown; response: unknown } {
  const body = Type.Object(
    { input: callerSchema(tool.definition.input), run: Type.Optional(RestOptionsSchema) },
    { additionalProperties: false },
  );
  return { body, response: { 200: runResultSchema(tool.definition.output), 202: RunSchema, default: ErrorBodySchema } };
}
