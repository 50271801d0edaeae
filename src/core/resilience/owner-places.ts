/** Places that each owner has of its own, counted. */
export interface OwnerPlaces {
  hasRoom(owner: string): boolean;
  reserve(owner: string): void;
  release(owner: string): void;
}

/** Counts the places that owners hold. The limit is asked each time; undefined: none. Nobody who holds none is kept. */
export function createOwnerPlaces(limit: () => number | undefined): OwnerPlaces {
  const held = new Map<string, number>();
  return {
    hasRoom: (owner) => (held.get(owner) ?? 0) < (limit() ?? Number.POSITIVE_INFINITY),
    reserve: (owner) => void held.set(owner, (held.get(owner) ?? 0) + 1),
    release: (owner) => {
      const rest = (held.get(owner) ?? 0) - 1;
      if (rest > 0) held.set(owner, rest);
      else held.delete(owner);
    },
  };
}
