import type { Principal } from '../auth/types.ts';

/** A key as the person behind it: several keys of one name are one person's. */
export type Someone = Pick<Principal, 'id' | 'name'>;

/**
 * Whether two keys belong to one person: the same key, or the same name however it is spelled. Attack: one person holds
 * two keys, asks with one and consents with the other.
 */
export function isSamePerson(one: Someone, other: Someone): boolean {
  return one.id === other.id || ownerOf(one.name) === ownerOf(other.name);
}

/** Whether a list of names and ids of keys holds this key, to the letter; no list holds everybody. */
export function isListed({ id, name }: Someone, list: readonly string[] | null | undefined): boolean {
  return list === null || list === undefined || list.includes(id) || list.includes(name);
}

function ownerOf(name: string): string {
  return name.normalize('NFKC').trim().replace(/\s+/g, ' ').toLowerCase();
}
