/** One thing that operators follow live. `id` grows by one and never repeats in a process life. */
export interface GatewayEvent {
  readonly id: number;
  readonly type: 'health' | 'tool' | 'breaker' | 'config';
  /** ISO 8601. */
  readonly at: string;
  readonly data: Record<string, unknown>;
}

/** Health and tool state changes, with a bounded memory for readers that come back. */
export interface EventBus {
  publish(type: GatewayEvent['type'], data: Record<string, unknown>): void;
  /** Events after `id` that are still remembered, oldest first. */
  since(id: number): readonly GatewayEvent[];
  /** Returns the way to stop. A listener must not block. */
  subscribe(listener: (event: GatewayEvent) => void): () => void;
}

/** Makes a bus that remembers the last `remember` events. */
export function createEventBus(now: () => number, remember = 500): EventBus {
  const kept: GatewayEvent[] = [];
  const listeners = new Set<(event: GatewayEvent) => void>();
  let last = 0;
  return {
    publish(type, data) {
      last += 1;
      const event = { id: last, type, at: new Date(now()).toISOString(), data };
      kept.push(event);
      if (kept.length > remember) kept.shift();
      for (const listener of listeners) listener(event);
    },
    since: (id) => kept.filter((event) => event.id > id),
    subscribe(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}
