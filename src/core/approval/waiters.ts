import type { Clock } from '../clock.ts';
import type { Earlier } from './earlier.ts';
import type { ApprovalRequest, StoredApproval } from './types.ts';

/** How the waiting of a run ends; `declined`: by its requester, when asked to confirm. */
export type Ending = NonNullable<StoredApproval['outcome']> | 'declined';

/** The runs of this process that wait for people. */
export interface Waiters {
  /** Adds a run and resolves with the end of its waiting. Throws when it waits already. */
  open(runId: string): Promise<Ending>;
  /** From now on its time is measured, by two clocks. */
  watch(request: ApprovalRequest): void;
  isOpen(runId: string): boolean;
  /** Whether the time of a request is over by one of the clocks. */
  isLate(request: ApprovalRequest): boolean;
  /** Ends the waiting, where there is one. */
  settle(runId: string, ending: Ending): void;
  fail(runId: string, thrown: unknown): void;
  readonly size: number;
}

/** What waiters are made with. */
export interface WaitersInput {
  readonly clock: Clock;
  readonly earlier: Pick<Earlier, 'isLate'>;
  /** Milliseconds between two looks at the clocks. */
  readonly lookMs: number;
  /** Called at each look for a request whose time is over, until it is settled. */
  readonly onLate: (runId: string) => void;
  readonly onCount: (count: number) => void;
}

interface Waiter {
  readonly end: PromiseWithResolvers<Ending>;
  request?: ApprovalRequest;
  /** By the clock that never goes back. */
  deadline: number;
}

/** More than clocks of one machine differ from one moment to the next, milliseconds. */
const CLOCK_STEP_MS = 60_000;

/** Makes waiters; they look at the clocks only while somebody waits, and keep no process alive. */
export function createWaiters({ clock, earlier, lookMs, onLate, onCount }: WaitersInput): Waiters {
  const open = new Map<string, Waiter>();
  let timer: NodeJS.Timeout | undefined;
  const isLate = (request: ApprovalRequest): boolean =>
    isLateByWall(request, clock.now()) ||
    earlier.isLate(request) ||
    clock.monotonic() >= (open.get(request.runId)?.deadline ?? Infinity);
  const look = () => {
    for (const { request } of open.values()) if (request !== undefined && isLate(request)) onLate(request.runId);
  };
  const count = () => {
    onCount(open.size);
    if (open.size > 0) timer ??= setInterval(look, lookMs).unref();
    else {
      clearInterval(timer);
      timer = undefined;
    }
  };
  const take = (runId: string): Waiter | undefined => {
    const waiter = open.get(runId);
    open.delete(runId);
    count();
    return waiter;
  };
  return {
    open: (runId) => {
      if (open.has(runId)) throw new Error('a run waits once for consent');
      const end = Promise.withResolvers<Ending>();
      open.set(runId, { end, deadline: Infinity });
      count();
      return end.promise;
    },
    watch: (request) => {
      const waiter = open.get(request.runId);
      if (waiter === undefined) return;
      waiter.request = request;
      waiter.deadline = clock.monotonic() + Math.min(lifeOf(request), request.expiresAt - clock.now());
    },
    isOpen: (runId) => open.has(runId),
    isLate,
    settle: (runId, ending) => take(runId)?.end.resolve(ending),
    fail: (runId, thrown) => take(runId)?.end.reject(thrown),
    get size() {
      return open.size;
    },
  };
}

function lifeOf({ requestedAt, expiresAt }: ApprovalRequest): number {
  return expiresAt - requestedAt;
}

/** Attack: the machine's clock is set back, also over a restart, so that an old request never expires. */
function isLateByWall({ requestedAt, expiresAt }: ApprovalRequest, now: number): boolean {
  return now >= expiresAt || now < requestedAt - CLOCK_STEP_MS;
}
