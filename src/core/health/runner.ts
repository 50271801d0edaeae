import type { HealthCheckReport } from '../../../schemas/health.ts';
import type { Clock } from '../clock.ts';
import { SallyportError } from '../errors.ts';
import type { CheckResult, HealthCheck } from './monitor.ts';

interface Look {
  readonly result: CheckResult;
  /** Of the monotonic clock, for staleness; of the wall clock, for people. */
  readonly at: number;
  readonly wall: number;
  readonly durationMs: number;
}

/** Runs one check, never twice at once, and keeps its last result. */
export class CheckRunner {
  private readonly check: HealthCheck;
  private readonly clock: Clock;
  private last: Look | undefined;
  private pendingSince: number | undefined;
  private round: Promise<void> | undefined;

  constructor(check: HealthCheck, clock: Clock) {
    this.check = check;
    this.clock = clock;
  }

  /** Resolves when the check has answered or its time is over; joins a look that is still in time. Never rejects. */
  async run(timeoutMs: number): Promise<void> {
    this.round ??= this.once(timeoutMs).finally(() => {
      this.round = undefined;
    });
    await this.round;
  }

  private async once(timeoutMs: number): Promise<void> {
    const started = this.clock.monotonic();
    // A check that ignored its signal is not started again beside itself: hanging checks would pile up.
    if (this.pendingSince !== undefined) {
      this.keep({ ok: false, message: `has not answered for ${Math.round(started - this.pendingSince)} ms` }, started);
      return;
    }
    this.pendingSince = started;
    const abort = new AbortController();
    const { promise: timedOut, resolve } = Promise.withResolvers<CheckResult>();
    const timer = setTimeout(() => {
      resolve({ ok: false, message: `did not answer within ${timeoutMs} ms` });
      abort.abort();
    }, timeoutMs);
    const answered = this.look(abort.signal).finally(() => {
      this.pendingSince = undefined;
    });
    this.keep(await Promise.race([answered, timedOut]), started);
    clearTimeout(timer);
  }

  /** The last result, or `stale` when it is too old. */
  report(staleAfterMs: number): HealthCheckReport {
    const { name, priority } = this.check;
    if (this.last === undefined) {
      return { name, priority, state: 'stale', message: 'not looked at yet', checkedAt: null, durationMs: 0 };
    }
    const { result, at, wall, durationMs } = this.last;
    const isStale = this.clock.monotonic() - at > staleAfterMs;
    return {
      name,
      priority,
      state: isStale ? 'stale' : result.ok ? 'passing' : 'failing',
      message: isStale ? `no result for more than ${staleAfterMs} ms; the last was: ${result.message}` : result.message,
      ...(result.data === undefined ? {} : { data: result.data }),
      checkedAt: new Date(wall).toISOString(),
      durationMs,
    };
  }

  private async look(signal: AbortSignal): Promise<CheckResult> {
    try {
      return await this.check.run(signal);
    } catch (thrown) {
      // Only our own errors have messages that were written to be shown.
      const isPublic = thrown instanceof SallyportError;
      return { ok: false, message: isPublic ? thrown.message : 'the check itself failed' };
    }
  }

  private keep(result: CheckResult, started: number): void {
    const at = this.clock.monotonic();
    this.last = { result, at, wall: this.clock.now(), durationMs: Math.max(0, Math.round(at - started)) };
  }
}
