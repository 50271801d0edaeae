import type { Executor } from '../core/execution/types.ts';

const IDLE_LOOK_MS = 50;

/** Waits until no process of a tool runs, at most `graceMs`. */
export function untilIdle(executor: Pick<Executor, 'active'>, graceMs: number): Promise<void> {
  if (executor.active === 0 || graceMs === 0) return Promise.resolve();
  return new Promise((resolve) => {
    const done = () => {
      clearInterval(look);
      clearTimeout(limit);
      resolve();
    };
    const look = setInterval(() => executor.active === 0 && done(), IDLE_LOOK_MS);
    const limit = setTimeout(done, graceMs);
  });
}
