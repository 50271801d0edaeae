import { ENGAGEMENT_STATES } from '../../../schemas/engagement.ts';
import type { Audit } from '../audit/types.ts';
import type { Clock } from '../clock.ts';
import { SallyportError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Recorder } from '../metrics/table.ts';
import type { EngagementStore } from '../store/types.ts';
import { type Book, createBook, type Held } from './book.ts';
import type { MakePolicy } from './compile.ts';
import { createDesk } from './desk.ts';
import { compileFiles, type EngagementFiles } from './file-set.ts';
import { createHistory } from './history.ts';
import { createInForce, stateOf } from './in-force.ts';
import { createViews } from './shown.ts';
import { compileConfigured, compileStored, createSources } from './sources.ts';
import { createTwoClocks } from './two-clocks.ts';
import type { EngagementDesk, Engagements } from './types.ts';

/** What engagements are made from. */
export interface EngagementParts {
  readonly store: EngagementStore;
  readonly audit: Pick<Audit, 'append' | 'note'>;
  readonly clock: Clock;
  readonly recorder: Recorder;
  readonly log: Log;
  /** Asked again at every `reconfigure`, so that it may follow the configuration. */
  readonly makePolicy: MakePolicy;
  /** The document of the engagement `default`; undefined when the operator does not offer it. */
  readonly configured: () => unknown;
  /** The directory as it was read at start; no documents when none is configured. */
  readonly files: EngagementFiles;
  /** The newest time that is known from elsewhere (the last audit record), milliseconds since the epoch; asked once. */
  readonly notBefore: () => number;
  readonly isKilled: (engagement: string) => boolean;
  /** Names of the loaded tools, for notices. */
  readonly tools: () => readonly string[];
}

/** The engagements with everything that changes them. */
export interface OpenedEngagements {
  readonly engagements: Engagements;
  readonly desk: EngagementDesk;
  /** Applies a directory as it was read anew, whole or not at all; `engagements.faults` tells why not. Never rejects. */
  setFiles(files: EngagementFiles): Promise<void>;
  /** Makes every policy anew after a change of the configuration. Throws ERR_CONFIG_INVALID and changes nothing. */
  reconfigure(): void;
  /** Brings the metric in step with the clocks, and tries again what could not be written. Never rejects. */
  refresh(): Promise<void>;
}

/**
 * Opens the engagements of all three sources. Throws ERR_CONFIG_INVALID with every fault of the configuration and of the
 * files (a gateway that starts with half of its rules would fall back to wider ones), ERR_STORE_UNAVAILABLE.
 */
export async function createEngagements(parts: EngagementParts): Promise<OpenedEngagements> {
  const { clock, recorder, store } = parts;
  const book = createBook();
  const clocks = createTwoClocks(clock, parts.notBefore());
  await fill(book, parts);
  const history = createHistory(book, parts);
  await history.record();
  const inTurn = createTurns();
  const sources = createSources({ ...parts, book, history });
  const engagements = createInForce({ book, clocks, clock, faults: () => [...sources.faults(), ...unusableOf(book)] });
  const views = createViews({ book, clocks, isKilled: parts.isKilled, tools: parts.tools });
  const measure = (): void => {
    const states = book.all().map(({ engagement }) => {
      return parts.isKilled(engagement.id) ? 'killed' : stateOf({ book, clocks }, engagement).state;
    });
    for (const state of ENGAGEMENT_STATES) {
      recorder.gauge('sallyport_engagements', { state }, states.filter((each) => each === state).length);
    }
  };
  book.onChange(measure);
  measure();
  return {
    engagements,
    desk: createDesk({ ...parts, store, book, views, inTurn }),
    setFiles: (files) => inTurn(() => sources.setFiles(files)),
    reconfigure: () => {
      sources.reconfigure();
      void inTurn(() => history.record());
    },
    refresh: async () => {
      measure();
      await inTurn(() => sources.retry());
    },
  };
}

async function fill(book: Book, { store, files, makePolicy, configured, log }: EngagementParts): Promise<void> {
  const [current, revocations] = await Promise.all([store.current(), store.revocations()]);
  const { held: rest, unusable } = compileStored(current, makePolicy);
  for (const [id, { fault }] of unusable) log.error('engagement.rejected', { engagement: id, faults: [fault] });
  const isTaken = (id: string) => unusable.has(id) || rest.some((each) => each.engagement.id === id);
  const faults: string[] = [];
  const take = (read: { readonly held: readonly Held[] } | { readonly faults: readonly string[] }) => {
    if ('held' in read) return read.held;
    faults.push(...read.faults);
    return [];
  };
  const file = take(compileFiles(files, { makePolicy, isTaken }));
  const configuration = take(compileConfigured(configured(), makePolicy));
  if (faults.length > 0) {
    throw new SallyportError('ERR_CONFIG_INVALID', faults.join('; '), { details: { faults } });
  }
  book.change({ sources: { configuration, file, rest }, revocations, unusable });
}

function unusableOf(book: Book): readonly string[] {
  return [...book.unusable()].map(([id, { fault }]) => `engagement ${id} of the store: ${fault}`);
}

/** One change after the other, so that each is judged by what the one before it left. */
function createTurns(): <T>(work: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const turn = last.then(work, work);
    last = turn.catch(() => undefined);
    return turn;
  };
}
