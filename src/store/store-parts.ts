import type { Clock } from '../core/clock.ts';
import type { READS } from './reads.ts';
import type { Thread } from './thread.ts';
import type { WRITES } from './writes.ts';

/** What the parts of the store are made from. */
export interface StoreParts {
  readonly writer: Pick<Thread<typeof WRITES>, 'call' | 'close'>;
  readonly reader: Thread<typeof READS>;
  readonly clock: Clock;
}
