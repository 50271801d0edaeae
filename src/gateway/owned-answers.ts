import type { RunResult } from '../../schemas/run.ts';
import { SallyportError } from '../core/errors.ts';
import type { Masker, Redactor } from '../core/redaction/redactor.ts';
import { maskRecord, maskResult } from '../core/run/masks.ts';
import { secretTexts } from '../core/run/secret-texts.ts';
import type { CallRequest, RunEngine, StartedRun } from '../core/run/types.ts';
import type { ToolEvent } from '../core/tool/definition.ts';
import type { Registry } from '../core/tool/registry-types.ts';

/**
 * The engine as its callers see it: what the caller's own runs found, and the secrets of the call itself, are masked in
 * answers, events and errors. Nobody else's: from the masked echo of a guess a caller would learn another's password.
 */
export function maskForOwners(engine: Pick<RunEngine, 'start'>, parts: Parts): RunEngine {
  const start = async (request: CallRequest): Promise<StartedRun> => {
    const masks = masksOf(request, parts);
    const { onEvent } = request;
    const masked = onEvent === undefined ? {} : { onEvent: (event: ToolEvent) => onEvent(maskEvent(event, masks)) };
    try {
      return maskStarted(await engine.start({ ...request, ...masked }), masks);
    } catch (thrown) {
      throw masksError(thrown, masks);
    }
  };
  return { start, call: async (request) => (await start(request)).ended };
}

function maskStarted(started: StartedRun, masks: Masks): StartedRun {
  const ended = started.ended.then(
    (result) => maskResult(result, masks.found),
    (thrown: unknown) => {
      throw masksError(thrown, masks);
    },
  );
  // Nobody may be waiting for the end of a detached run.
  ended.catch(() => undefined);
  return { ...started, ended, read: async () => maskRecord(await started.read(), masks.found) };
}

function masksError(thrown: unknown, masks: Masks): unknown {
  return thrown instanceof SallyportError ? maskError(thrown, masks) : thrown;
}

interface Parts {
  readonly registry: Registry;
  readonly redactor: Pick<Redactor, 'masker'>;
}

interface Masks {
  /** Finds of the caller. A run's answer needs no more: the engine has masked what was sent. */
  readonly found: Masker;
  /** Finds, and the secrets that this call brought. */
  readonly all: Masker;
}

function masksOf({ tool, input, principal }: CallRequest, { registry, redactor }: Parts): Masks {
  const definition = registry.all().find((each) => each.definition.name === tool)?.definition;
  const base = { owner: principal.id, ...(definition === undefined ? {} : { schema: definition.output }) };
  const given = () => (definition === undefined ? [] : secretTexts(definition, input));
  return { found: redactor.masker(base), all: redactor.masker({ ...base, given }) };
}

function maskEvent(event: ToolEvent, masks: Masks): ToolEvent {
  return event.message === undefined ? event : { ...event, message: masks.all.text(event.message) };
}

function maskError(error: SallyportError, masks: Masks): SallyportError {
  const { code, message, details, retryAfterMs, trips, cause } = error;
  return new SallyportError(code, masks.all.text(message), {
    trips,
    ...(cause === undefined ? {} : { cause }),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    ...(details === undefined ? {} : { details: maskDetails(details, masks) }),
  });
}

function maskDetails({ run, ...details }: Record<string, unknown>, masks: Masks): Record<string, unknown> {
  const masked = masks.all.fields(details) as Record<string, unknown>;
  return run === undefined ? masked : { ...masked, run: maskResult(run as RunResult, masks.found) };
}
