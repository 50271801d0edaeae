import type { Finding } from '../../schemas/finding.ts';

/** Where a finding is, for people: target, address when it is another text, port and protocol. */
export function placeOf({ target, address, port, protocol }: Finding): string {
  const at = address === undefined || address === target ? target : `${target} (${address})`;
  if (port === undefined) return at;
  return `${at} ${port}/${protocol ?? 'tcp'}`;
}

/** The host of a finding: its address, else the host of a URL, else its target. */
export function hostOf({ target, address }: Finding): string {
  return address ?? (urlOf(target)?.hostname || target);
}

/** The target as a URL with a host, when it is one (WHATWG URL). */
export function urlOf(target: string): URL | undefined {
  if (!/^[a-z][a-z0-9+.-]*:\/\//i.test(target)) return undefined;
  return URL.parse(target) ?? undefined;
}

/** Numbers of the weaknesses (CWE) that a finding refers to. */
export function weaknessesOf({ references }: Finding): readonly number[] {
  return references.flatMap((text) => {
    const number = /^CWE-(\d{1,5})$/i.exec(text)?.[1];
    return number === undefined ? [] : [Number(number)];
  });
}

/** Attributes as `name: value` for people; nested ones as JSON. */
export function attributesOf({ attributes }: Finding): readonly (readonly [name: string, value: string])[] {
  return Object.entries(attributes).map(([name, value]) => [
    name,
    typeof value === 'string' ? value : (JSON.stringify(value) ?? ''),
  ]);
}
