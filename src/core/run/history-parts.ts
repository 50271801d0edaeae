import type { Audit } from '../audit/types.ts';
import type { Clock } from '../clock.ts';
import type { Log } from '../log.ts';
import type { Masker } from '../redaction/redactor.ts';
import type { Store } from '../store/types.ts';
import type { RunHub } from './hub.ts';
import type { LiveRuns } from './live-runs.ts';

/** What the history stands on. */
export interface HistoryParts {
  readonly store: Pick<Store, 'runs' | 'output' | 'findings' | 'cursorKey'>;
  readonly audit: Pick<Audit, 'append'>;
  readonly hub: RunHub;
  readonly runs: Pick<LiveRuns, 'cancel'>;
  /** Masks for the readers of one owner's runs. */
  readonly masker: (owner: string) => Masker;
  /** Cleans output of a tool; its lines stay. */
  readonly cleanOutput: (text: string) => string;
  /** Age below which an ended run may not be removed, milliseconds; asked each time. */
  readonly keepMs: () => number;
  readonly clock: Clock;
  readonly log: Log;
  readonly version: string;
}
