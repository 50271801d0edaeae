import type { CheckPriority, HealthCheckReport, HealthReport, HealthStatus } from '../../../schemas/health.ts';
import type { Clock } from '../clock.ts';
import type { Log } from '../log.ts';
import type { Recorder } from '../metrics/table.ts';
import { CheckRunner } from './runner.ts';

/** What one look found. */
export interface CheckResult {
  readonly ok: boolean;
  /** For people; no secret, no text of a target. */
  readonly message: string;
  readonly data?: Record<string, unknown>;
}

/** One thing that is looked at in the background. */
export interface HealthCheck {
  readonly name: string;
  /** Failing: `critical` is unhealthy and not ready, `important` is degraded, `informational` neither. */
  readonly priority: CheckPriority;
  /** Must not block the loop. A rejection counts as failing. The signal fires at the timeout. */
  run(signal: AbortSignal): Promise<CheckResult>;
}

/** Times of the monitor, milliseconds. */
export interface HealthTimes {
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly staleAfterMs: number;
}

/** What the monitor needs. */
export interface HealthMonitorInput extends HealthTimes {
  readonly checks: readonly HealthCheck[];
  readonly clock: Clock;
  readonly recorder: Recorder;
  readonly log: Log;
}

/** Looks after the checks and answers from what it knows, at once. */
export interface HealthMonitor {
  /** Begins; resolves after the first round. The timer does not keep the process alive. */
  start(): Promise<void>;
  stop(): void;
  /** Runs a round now, beside the timer. A check that still runs is not started twice. */
  refresh(): Promise<void>;
  /** Changes the times; they apply from the next round. */
  configure(times: HealthTimes): void;
  /** Synchronous and cheap: nothing is looked at. A check without a fresh result is stale. */
  report(): HealthReport;
  /** Not ready while a critical check fails or any check is stale. `reasons` names those checks. */
  ready(): { readonly ready: boolean; readonly reasons: readonly string[] };
  /** Called after a round in which the status or the state of a check changed. Returns the way to stop listening. */
  onChange(listener: (report: HealthReport) => void): () => void;
}

/** Makes a monitor. Nothing runs before `start`. */
export function createHealthMonitor(input: HealthMonitorInput): HealthMonitor {
  return new Monitor(input);
}

const STATUS_VALUE = { healthy: 0, degraded: 1, unhealthy: 2 } as const satisfies Record<HealthStatus, number>;
const STATE_VALUE = { passing: 0, failing: 1, stale: 2 } as const satisfies Record<HealthCheckReport['state'], number>;

class Monitor implements HealthMonitor {
  private readonly input: HealthMonitorInput;
  private readonly runners: readonly CheckRunner[];
  private readonly listeners = new Set<(report: HealthReport) => void>();
  private times: HealthTimes;
  private timer: NodeJS.Timeout | undefined;
  private isRunning = false;
  private known = '';

  constructor(input: HealthMonitorInput) {
    this.input = input;
    this.times = input;
    this.runners = input.checks.map((check) => new CheckRunner(check, input.clock));
  }

  async start(): Promise<void> {
    if (this.isRunning) return;
    this.isRunning = true;
    await this.round();
  }

  stop(): void {
    this.isRunning = false;
    clearTimeout(this.timer);
  }

  async refresh(): Promise<void> {
    await Promise.all(this.runners.map((runner) => runner.run(this.times.timeoutMs)));
    this.tell();
  }

  configure(times: HealthTimes): void {
    this.times = times;
    if (this.timer !== undefined) this.schedule();
  }

  report(): HealthReport {
    const checks = this.runners.map((runner) => runner.report(this.times.staleAfterMs));
    const times = checks.flatMap(({ checkedAt }) => (checkedAt === null ? [] : [checkedAt]));
    return {
      status: overall(checks),
      ready: unready(checks).length === 0,
      checkedAt: times.toSorted().at(0) ?? null,
      checks,
    };
  }

  ready(): { readonly ready: boolean; readonly reasons: readonly string[] } {
    const reasons = unready(this.runners.map((runner) => runner.report(this.times.staleAfterMs)));
    return { ready: reasons.length === 0, reasons };
  }

  onChange(listener: (report: HealthReport) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  private async round(): Promise<void> {
    try {
      await this.refresh();
    } finally {
      if (this.isRunning) this.schedule();
    }
  }

  private schedule(): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.round(), this.times.intervalMs).unref();
  }

  private tell(): void {
    const report = this.report();
    const { recorder, log } = this.input;
    recorder.gauge('sallyport_health_state', {}, STATUS_VALUE[report.status]);
    for (const { name, priority, state } of report.checks) {
      recorder.gauge('sallyport_health_check_state', { check: name, priority }, STATE_VALUE[state]);
    }
    const now = JSON.stringify([report.status, report.checks.map(({ state }) => state)]);
    if (now === this.known) return;
    this.known = now;
    const notPassing = report.checks
      .filter(({ state }) => state !== 'passing')
      .map(({ name, state, message }) => ({ name, state, message }));
    log[report.status === 'healthy' ? 'info' : 'warn']('health.changed', { status: report.status, notPassing });
    for (const listener of this.listeners) listener(report);
  }
}

/** A stale check weighs like a failing one: not knowing is not health. */
function overall(checks: readonly HealthCheckReport[]): HealthStatus {
  const bad = checks.filter(({ state }) => state !== 'passing');
  if (bad.some(({ priority }) => priority === 'critical')) return 'unhealthy';
  return bad.some(({ priority }) => priority === 'important') ? 'degraded' : 'healthy';
}

function unready(checks: readonly HealthCheckReport[]): readonly string[] {
  return checks
    .filter(({ priority, state }) => state === 'stale' || (state === 'failing' && priority === 'critical'))
    .map(({ name }) => name);
}
