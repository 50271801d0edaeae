import type { StreamAccount } from './types.ts';

/** One output stream of a run: hands on what lies under the cap, counts all, keeps nothing. */
export interface OutputMeter {
  /** Passes on what the listener returned. */
  take(chunk: Buffer): Promise<void> | void;
  account(): StreamAccount;
}

export interface OutputMeterOptions {
  readonly cap: number;
  readonly onChunk: (chunk: Buffer) => Promise<void> | void;
  /** Called once, when the first byte beyond the cap came. */
  readonly onCap?: () => void;
}

/** Meters one stream. What lies beyond the cap is discarded, and the account says so. */
export function createOutputMeter(options: OutputMeterOptions): OutputMeter {
  let bytes = 0;
  let passed = 0;
  let truncated = false;
  let isListening = true;
  const pass = (chunk: Buffer): Promise<void> | void => {
    try {
      const busy = options.onChunk(chunk);
      passed += chunk.length;
      return busy;
    } catch {
      // A listener that throws has lost output; "complete" would be a lie from here on.
      isListening = false;
      truncated = true;
    }
  };
  return {
    take(chunk) {
      bytes += chunk.length;
      const room = options.cap - passed;
      const busy = isListening && room > 0 ? pass(chunk.length <= room ? chunk : chunk.subarray(0, room)) : undefined;
      if (bytes > options.cap && !truncated) {
        truncated = true;
        options.onCap?.();
      }
      return busy;
    },
    account: () => ({ bytes, truncated }),
  };
}
