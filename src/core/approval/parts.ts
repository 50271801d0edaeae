import type { Audit } from '../audit/types.ts';
import type { Principal } from '../auth/types.ts';
import type { Clock } from '../clock.ts';
import type { Engagements } from '../engagement/types.ts';
import type { Log } from '../log.ts';
import type { Recorder } from '../metrics/table.ts';
import type { Masker } from '../redaction/redactor.ts';
import type { RunStore } from '../store/types.ts';
import type { Earlier } from './earlier.ts';
import type { Turns } from './turns.ts';
import type { ApprovalMessage, ApprovalStore } from './types.ts';
import type { Waiters } from './waiters.ts';

/** What the consent of people stands on. */
export interface ApprovalsParts {
  readonly store: ApprovalStore;
  readonly runs: Pick<RunStore, 'get'>;
  readonly engagements: Pick<Engagements, 'get' | 'requireOpen'>;
  readonly audit: Pick<Audit, 'append' | 'note' | 'requireWritable'>;
  /** Tells people who are not looking; never waits, never throws. */
  readonly tell: (message: ApprovalMessage) => void;
  /** Who a key is now; undefined when it is revoked, expired or gone. */
  readonly principal: (id: string) => Promise<Principal | undefined>;
  /** Masks for the readers of one owner's runs. */
  readonly masker: (owner: string) => Masker;
  readonly clock: Clock;
  readonly recorder: Recorder;
  readonly log: Log;
  /**
   * The newest time that is known from elsewhere (the last audit record), milliseconds since the epoch; asked once. What
   * was asked for before this start is no younger by it.
   */
  readonly notBefore?: () => number;
  /** Milliseconds between two looks at the clocks; default 1000. */
  readonly lookMs?: number;
}

/** The same with what one process remembers. */
export type Desk = ApprovalsParts & {
  readonly waiters: Waiters;
  /** One decision after the other for each run: then the audit tells in order what became of each. */
  readonly inTurn: Turns;
  /** Milliseconds since the epoch: what was asked for before belongs to an earlier life. */
  readonly bornAt: number;
  readonly earlier: Earlier;
};
