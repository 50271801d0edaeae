import { randomBytes } from 'node:crypto';
import type { Server } from '@modelcontextprotocol/sdk/server/index.js';
import type { Config } from '../../../schemas/config.ts';
import type { Principal } from '../../core/auth/types.ts';
import type { Clock } from '../../core/clock.ts';
import { SallyportError } from '../../core/errors.ts';
import type { Log } from '../../core/log.ts';
import type { Recorder } from '../../core/metrics/table.ts';
import { SessionTransport } from './session-transport.ts';

/** One session of the older era: its own server, its own transport, one principal. */
export interface Session {
  readonly id: string;
  readonly principalId: string;
  readonly transport: SessionTransport;
  readonly server: Server;
}

/** Why a session ended. */
export type SessionEnd = 'deleted' | 'expired' | 'shutdown';

export interface SessionsOptions {
  readonly createServer: () => Server;
  /** Asked at each use, because the configuration can be reloaded. */
  readonly limits: () => Pick<
    Config['mcp'],
    'sessionIdleMs' | 'sessionMaxMs' | 'maxSessions' | 'maxSessionsPerPrincipal'
  >;
  readonly clock: Clock;
  readonly log: Log;
  readonly recorder: Recorder;
  /** Time between two looks for expired sessions, milliseconds. */
  readonly sweepMs: number;
}

interface Held extends Session {
  readonly openedAt: number;
  usedAt: number;
}

const CAP_RETRY_MS = 5000;

/** All open sessions, with a timer that ends expired ones and does not keep the process alive. */
export class Sessions {
  readonly #options: SessionsOptions;
  readonly #held = new Map<string, Held>();
  readonly #timer: NodeJS.Timeout;

  constructor(options: SessionsOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.#sweep(), options.sweepMs).unref();
  }

  /** Opens one. Throws ERR_RATE_LIMITED (cap of the principal) or ERR_OVERLOADED (cap of all). */
  async open(principal: Principal, requestId: string): Promise<Session> {
    const { clock, log, limits, createServer } = this.#options;
    this.#sweep();
    refuseAboveCaps(this.#held, principal, limits());
    const now = clock.monotonic();
    const id = randomBytes(32).toString('base64url');
    const transport = new SessionTransport(id);
    const session = { id, principalId: principal.id, transport, server: createServer(), openedAt: now, usedAt: now };
    // Idle time begins when the last call ended, not when it began: a scan may take longer than the idle limit.
    transport.onsettled = () => {
      session.usedAt = clock.monotonic();
    };
    this.#held.set(id, session);
    this.#count();
    log.info('mcp.session_opened', { session: nameOf(id), principal: principal.id, requestId });
    await session.server.connect(transport);
    return session;
  }

  /** The session of this id if this principal owns it; undefined in every other case. Counts as use of it. */
  find(id: string, principal: Principal): Session | undefined {
    const session = this.#held.get(id);
    // A stolen session id is worth nothing with another key; the answer is that of an unknown one, so that ids cannot
    // be probed (session hijacking, MCP Security Best Practices).
    if (session === undefined || session.principalId !== principal.id) return undefined;
    if (this.#isOver(session)) {
      void this.close(session, 'expired');
      return undefined;
    }
    session.usedAt = this.#options.clock.monotonic();
    return session;
  }

  /** True when it may still begin requests: nothing extends the absolute life. */
  isFresh(session: Session): boolean {
    const held = this.#held.get(session.id);
    return held !== undefined && this.#options.clock.monotonic() - held.openedAt < this.#options.limits().sessionMaxMs;
  }

  async close(session: Session, end: SessionEnd): Promise<void> {
    if (!this.#held.delete(session.id)) return;
    this.#count();
    const { id, principalId, server } = session;
    this.#options.log.info('mcp.session_closed', { session: nameOf(id), principal: principalId, end });
    await server.close();
  }

  async closeAll(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all([...this.#held.values()].map((session) => this.close(session, 'shutdown')));
  }

  all(): Iterable<Session> {
    return this.#held.values();
  }

  /** Idle too long, or at the end of its absolute life; what it began before is still finished. */
  #isOver(session: Held): boolean {
    const { transport, usedAt } = session;
    if (transport.inFlight > 0) return false;
    const idleMs = this.#options.clock.monotonic() - usedAt;
    return !this.isFresh(session) || (!transport.hasStandalone && idleMs >= this.#options.limits().sessionIdleMs);
  }

  #sweep(): void {
    for (const session of this.#held.values()) if (this.#isOver(session)) void this.close(session, 'expired');
  }

  #count(): void {
    this.#options.recorder.gauge('sallyport_mcp_sessions', {}, this.#held.size);
  }
}

function refuseAboveCaps(
  held: ReadonlyMap<string, Session>,
  principal: Principal,
  limits: Pick<Config['mcp'], 'maxSessions' | 'maxSessionsPerPrincipal'>,
): void {
  const own = [...held.values()].filter((session) => session.principalId === principal.id).length;
  // One key must not take every place, and all of them together must not take all the memory.
  if (own >= limits.maxSessionsPerPrincipal)
    throw new SallyportError('ERR_RATE_LIMITED', 'This principal has too many MCP sessions; end one of them.', {
      retryAfterMs: CAP_RETRY_MS,
    });
  if (held.size >= limits.maxSessions)
    throw new SallyportError('ERR_OVERLOADED', 'There are too many MCP sessions.', { retryAfterMs: CAP_RETRY_MS });
}

/** What of a session id may stand in a log: it is half of a credential. */
function nameOf(id: string): string {
  return id.slice(0, 8);
}
