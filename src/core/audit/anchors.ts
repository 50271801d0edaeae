import { setTimeout as sleep } from 'node:timers/promises';
import type { AuditCheckpoint } from '../../../schemas/audit.ts';
import type { Log } from '../log.ts';
import type { Recorder } from '../metrics/table.ts';
import { within } from '../within.ts';
import { canonicalText } from './canonical.ts';
import { syslogMessage } from './syslog.ts';
import type { Anchor, Anchors, Outbound } from './types.ts';

/** What `createAnchors` needs. */
export interface AnchorsParts {
  readonly anchors: readonly Anchor[];
  readonly recorder: Recorder;
  readonly log: Log;
  /** First pause after a failure, doubled up to a minute; default 1 s. */
  readonly retryMs?: number;
}

/** Checkpoints that wait for one anchor. The newest says everything that the ones before say, so the oldest go first. */
const MAX_WAITING = 64;
const RETRY_MS = 1000;
const MAX_RETRY_MS = 60_000;

/** Sends every checkpoint to every anchor, each at its own pace and in order. */
export function createAnchors({ anchors, ...parts }: AnchorsParts): Anchors {
  const lines = anchors.map((anchor) => new Line(anchor, parts));
  return {
    send: (checkpoint) => {
      for (const line of lines) line.send(checkpoint);
    },
    close: async (waitMs) => {
      await within(Promise.all(lines.map((line) => line.hurry())), waitMs);
      for (const line of lines) line.stop();
    },
  };
}

/** POSTs each checkpoint as `{ type, timestamp, data }`, signed as Standard Webhooks. */
export function webhookAnchor(place: {
  readonly outbound: Pick<Outbound, 'post'>;
  readonly url: string;
  readonly secret: string | undefined;
  readonly timeoutMs: number;
}): Anchor {
  const { outbound, url, secret, timeoutMs } = place;
  return {
    kind: 'webhook',
    send: (checkpoint) =>
      outbound.post({
        url,
        // The same for each try: the receiver can tell a repetition.
        id: `checkpoint_${checkpoint.keyId}_${checkpoint.seq}_${Date.parse(checkpoint.at)}`,
        body: { type: 'audit.checkpoint', timestamp: checkpoint.at, data: checkpoint },
        ...(secret !== undefined && { secret }),
        timeoutMs,
      }),
  };
}

/** Sends each checkpoint as an RFC 5424 message whose text is its JSON. */
export function syslogAnchor(place: {
  readonly outbound: Pick<Outbound, 'syslog'>;
  readonly url: string;
  readonly hostname: string;
  readonly timeoutMs: number;
}): Anchor {
  const { outbound, url, hostname, timeoutMs } = place;
  return {
    kind: 'syslog',
    send: (checkpoint) => {
      const message = syslogMessage({
        at: checkpoint.at,
        hostname,
        id: 'checkpoint',
        text: canonicalText(checkpoint),
      });
      return outbound.syslog({ url, message, timeoutMs });
    },
  };
}

class Line {
  private readonly anchor: Anchor;
  private readonly parts: Omit<AnchorsParts, 'anchors'>;
  private readonly waiting: AuditCheckpoint[] = [];
  private isStopped = false;
  private isHurried = false;
  private pause = new AbortController();
  private work: Promise<void> | undefined;

  constructor(anchor: Anchor, parts: Omit<AnchorsParts, 'anchors'>) {
    this.anchor = anchor;
    this.parts = parts;
  }

  send(checkpoint: AuditCheckpoint): void {
    if (this.isStopped) return;
    this.waiting.push(checkpoint);
    if (this.waiting.length > MAX_WAITING) {
      this.waiting.shift();
      this.count('dropped');
    }
    this.work ??= this.deliver().finally(() => {
      this.work = undefined;
    });
  }

  /** One more try for what waits, without a pause. */
  async hurry(): Promise<void> {
    this.isHurried = true;
    this.pause.abort();
    await this.work;
  }

  stop(): void {
    this.isStopped = true;
    this.pause.abort();
    if (this.waiting.length > 0) {
      this.parts.log.warn('anchor.failed', { anchor: this.anchor.kind, notSent: this.waiting.length });
    }
  }

  private async deliver(): Promise<void> {
    let pauseMs = this.parts.retryMs ?? RETRY_MS;
    let lastTry = false;
    for (let next = this.waiting[0]; next !== undefined && !this.isStopped; next = this.waiting[0]) {
      lastTry = this.isHurried;
      if (await this.sent(next)) {
        pauseMs = this.parts.retryMs ?? RETRY_MS;
        // It may have been the oldest, and gone meanwhile.
        if (this.waiting[0] === next) this.waiting.shift();
        continue;
      }
      if (lastTry) return;
      await this.rest(pauseMs);
      pauseMs = Math.min(pauseMs * 2, MAX_RETRY_MS);
    }
  }

  private async sent(checkpoint: AuditCheckpoint): Promise<boolean> {
    try {
      await this.anchor.send(checkpoint);
      this.count('sent');
      return true;
    } catch (thrown) {
      this.count('failed');
      // The address may carry a secret: what failed is named by its kind.
      this.parts.log.warn('anchor.failed', { anchor: this.anchor.kind, seq: checkpoint.seq, err: thrown });
      return false;
    }
  }

  private async rest(ms: number): Promise<void> {
    if (this.isHurried) return;
    this.pause = new AbortController();
    await sleep(ms, undefined, { signal: this.pause.signal, ref: false }).catch(() => undefined);
  }

  private count(result: 'sent' | 'failed' | 'dropped'): void {
    this.parts.recorder.count('sallyport_audit_anchors_total', { anchor: this.anchor.kind, result });
  }
}
