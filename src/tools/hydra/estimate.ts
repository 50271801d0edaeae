import type { PinnedTargets } from '../../core/targets/types.ts';
import type { RunFacts, ToolContext, ToolEstimate, ToolSpent } from '../../core/tool/definition.ts';
import { type HydraInput, tasksOf } from './input.ts';
import type { HydraResult } from './parser.ts';
import { type ServiceName, serviceOf } from './services.ts';

/** How hydra 9.4 asks one service, measured against servers that answer at once and against the usual ones. */
interface Pace {
  /** Connections or commands with a password that one guess takes. */
  readonly perGuess: number;
  /** The most of these that one task begins in a second. */
  readonly mostPerSecond: number;
  /** One guess of one task, with the pause that the usual servers make after a wrong one. */
  readonly guessMs: number;
}

// hydra polls its socket ten times a second, and `-W 1` leaves a second between two connections.
const page: Pace = { perGuess: 1, mostPerSecond: 1, guessMs: 1100 };
const PACES: Readonly<Record<ServiceName, Pace>> = {
  ssh: { perGuess: 1, mostPerSecond: 250, guessMs: 15 },
  ftp: { perGuess: 1, mostPerSecond: 5, guessMs: 3500 },
  'http-get': page,
  'http-head': page,
  // The form is fetched before it is sent, each by a connection of its own.
  'http-post-form': { perGuess: 2, mostPerSecond: 1, guessMs: 2200 },
  redis: { perGuess: 1, mostPerSecond: 10, guessMs: 200 },
  smtp: { perGuess: 1, mostPerSecond: 5, guessMs: 2300 },
  imap: { perGuess: 1, mostPerSecond: 5, guessMs: 2500 },
  pop3: { perGuess: 1, mostPerSecond: 5, guessMs: 2200 },
  snmp: { perGuess: 1, mostPerSecond: 5, guessMs: 1000 },
};

const START_MS = 450;
/** OpenSSH hangs up after so many (MaxAuthTries); hydra then waits as long as `-w` says and sends the last one again. */
const SSH_TRIES = 6;
const SSH_WAIT_MS = 10_000;
/** The most lines that a list may have: what is assumed of one that nobody counted. */
const MOST = { userList: 1000, passwordList: 10_000 } as const;

/** Logins × passwords, the canary of HTTP services and the guesses that ssh repeats included. */
export function estimateHydra(input: HydraInput, pinned: PinnedTargets, context: ToolContext): ToolEstimate {
  const { logins, passwords, repeats } = sizeOf(input, context);
  const tasks = tasksOf(input);
  const pace = PACES[input.service];
  const guesses = logins * (passwords + repeats);
  const rounds = Math.ceil((logins * passwords) / tasks);
  const waits = logins * (repeats / tasks) * SSH_WAIT_MS;
  return {
    probes: guesses * pace.perGuess,
    packetsPerSecond: tasks * pace.mostPerSecond,
    durationMs: Math.ceil(START_MS + Math.max(0, rounds * pace.guessMs - restMs(input.service)) + waits),
    accounts: accountsOf(input, pinned, passwords + repeats),
  };
}

/** Everything, when hydra went through all of it without a hit; it says nothing of how far it came otherwise. */
export function spentByHydra(facts: RunFacts<HydraInput, HydraResult>): ToolSpent {
  const { input, pinned, context, result, complete } = facts;
  if (!complete || result.open || result.credentials.length > 0) return {};
  const { probes, accounts } = estimateHydra(input, pinned, context);
  return { probes, ...(accounts === undefined ? {} : { accounts }) };
}

/** There is no pause before the first connection. */
function restMs(service: ServiceName): number {
  return serviceOf(service).http === undefined ? 0 : 1000;
}

function sizeOf(input: HydraInput, context: ToolContext) {
  const { takes, http } = serviceOf(input.service);
  const count = (given: readonly string[] | undefined, role: keyof typeof MOST) =>
    given?.length ?? context.wordlists.get(role)?.lines ?? MOST[role];
  const passwords = count(input.passwords, 'passwordList') + (http === undefined ? 0 : 1);
  const tasks = tasksOf(input);
  const repeats = input.service === 'ssh' ? tasks * Math.floor(Math.ceil(passwords / tasks) / SSH_TRIES) : 0;
  return { logins: takes === 'password' ? 1 : count(input.users, 'userList'), passwords, repeats };
}

/** Guesses by account; of a list whose lines nobody reads here, at every account. */
function accountsOf(input: HydraInput, pinned: PinnedTargets, guesses: number): NonNullable<ToolEstimate['accounts']> {
  const { address, family } = pinned.one('host');
  const { http, port, takes } = serviceOf(input.service);
  // One page, one form and their HEAD guess at the same accounts: else the same password could be tried three times as often.
  const service = http === undefined ? input.service : 'http';
  const place = `${service}://${family === 6 ? `[${address}]` : address}:${input.port ?? port}/`;
  const logins = takes === 'password' || input.users === undefined ? ['*'] : input.users;
  const accounts = new Map<string, number>();
  for (const login of logins) {
    const account = place + folded(login);
    accounts.set(account, (accounts.get(account) ?? 0) + guesses);
  }
  return [...accounts].map(([account, sum]) => ({ account, guesses: sum }));
}

/** Attack: `Admin`, `ADMIN ` and `admin` are one account to most servers; told apart, each would have guesses of its own. */
function folded(login: string): string {
  return login.normalize('NFKC').trim().toLowerCase();
}
