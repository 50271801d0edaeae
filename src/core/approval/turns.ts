/** Lets one act after the other happen for each key, in the order in which they were asked for. */
export type Turns = <T>(key: string, act: () => Promise<T>) => Promise<T>;

/** Makes turns that remember a key only while something of it goes on. */
export function createTurns(): Turns {
  const last = new Map<string, Promise<unknown>>();
  return async (key, act) => {
    const before = last.get(key);
    const mine = (async () => {
      await before?.catch(() => undefined);
      return act();
    })();
    last.set(key, mine);
    try {
      return await mine;
    } finally {
      if (last.get(key) === mine) last.delete(key);
    }
  };
}
