import type { PinnedTarget } from './types.ts';

/** The parts of a URL as a tool's input has them. */
interface UrlPartsLike {
  readonly scheme: 'http' | 'https';
  readonly host: string;
  readonly port?: number | undefined;
  readonly path?: string | undefined;
}

/** The value of a `url` claim from its parts. The policy reads it again, strictly. */
export function urlOfParts({ scheme, host, port, path }: UrlPartsLike): string {
  return `${scheme}://${inBrackets(host)}${port === undefined ? '' : `:${port}`}${path ?? '/'}`;
}

/** The URL that a tool contacts: the pinned address in place of the name, so that nothing is resolved again. */
export function pinnedUrl(target: PinnedTarget): string {
  const { url, address } = target;
  if (url === undefined) throw new Error(`the target of role ${target.role} is no URL`);
  return urlOfParts({ ...url, host: address });
}

/** The Host header of the URL as its author meant it: name or address, and the port unless it is the scheme's own. */
export function hostHeader(target: PinnedTarget): string {
  const { url } = target;
  if (url === undefined) throw new Error(`the target of role ${target.role} is no URL`);
  return url.port === { http: 80, https: 443 }[url.scheme]
    ? inBrackets(url.host)
    : `${inBrackets(url.host)}:${url.port}`;
}

function inBrackets(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}
