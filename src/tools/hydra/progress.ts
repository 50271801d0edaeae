import type { ToolEvent } from '../../core/tool/definition.ts';

/**
 * Tells how many guesses were handed out: from the total that hydra says at its start, the attempts that it lists with
 * -d, and its own report, which it makes once a minute. At most one event for each percent and each report.
 */
export function createProgress(to: { emit(event: ToolEvent): void }): (line: string) => void {
  let percent = -1;
  let rate: { readonly ratePerSecond?: number } = {};
  const tell = (done: number, total: number, more: { readonly etaSeconds?: number } = {}): void => {
    percent = total > 0 ? Math.min(100, Math.floor((done * 100) / total)) : 0;
    to.emit({ kind: 'progress', percent, done, total, ...rate, ...more, message: 'guesses' });
  };
  return (line) => {
    const start = line.startsWith('[DATA] ') ? / (\d{1,9}) login tr(?:y|ies) \(l:/.exec(line) : null;
    if (start !== null) tell(0, Number(start[1]));
    // The end alone: what stands before it is a login and a password.
    const attempt = line.startsWith('[ATTEMPT] ')
      ? / - (\d{1,9}) of (\d{1,9}) \[child \d+\] \(\d+\/\d+\)$/.exec(line)
      : null;
    if (attempt !== null) {
      const [done, total] = [Number(attempt[1]), Number(attempt[2])];
      if (total > 0 && Math.floor((done * 100) / total) > percent) tell(done, total);
    }
    const report =
      /^\[STATUS\] (\d{1,9}\.\d\d) tries\/min, (\d{1,9}) tries in \d+:\d\dh, (\d{1,9}) to do in (\d{1,6}):(\d\d)h/.exec(
        line,
      );
    if (report === null) return;
    const [, perMinute, tries, left, hours, minutes] = report;
    rate = { ratePerSecond: Number(perMinute) / 60 };
    tell(Number(tries), Number(tries) + Number(left), { etaSeconds: Number(hours) * 3600 + Number(minutes) * 60 });
  };
}
