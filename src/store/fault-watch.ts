import type { Clock } from '../core/clock.ts';
import type { StoreFault } from '../core/store/types.ts';
import type { WireError } from './fault.ts';
import type { Answers } from './thread.ts';

/** Follows what becomes of the work of the threads. */
export interface FaultWatch {
  readonly written: (batch: Answers) => void;
  readonly read: (batch: Answers) => void;
  readonly fault: () => StoreFault | undefined;
}

/** Remembers why writes fail, until one succeeds. Damage is not forgotten: the rest of the file may be read by chance. */
export function createFaultWatch(clock: Clock): FaultWatch {
  let fault: StoreFault | undefined;
  const note = ({ fault: kind, message }: WireError): void => {
    if (kind === undefined || fault?.kind === 'corrupt') return;
    fault = { kind, message, since: fault?.kind === kind ? fault.since : clock.now() };
  };
  return {
    written: (batch) => {
      if (batch.wrote && fault?.kind !== 'corrupt') fault = undefined;
      for (const error of errorsOf(batch)) note(error);
    },
    read: (batch) => {
      for (const error of errorsOf(batch)) if (error.fault === 'corrupt') note(error);
    },
    fault: () => fault,
  };
}

function errorsOf({ answers }: Answers): readonly WireError[] {
  return answers.flatMap((answer) => ('error' in answer ? [answer.error] : []));
}
