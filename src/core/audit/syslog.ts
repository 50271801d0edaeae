/** What is put into one message. */
export interface SyslogParts {
  /** ISO 8601 with milliseconds, UTC. */
  readonly at: string;
  readonly hostname: string;
  readonly id: string;
  readonly text: string;
}

/** Facility 13 (log audit), severity 5 (notice): RFC 5424 section 6.2.1. */
const PRIORITY = 13 * 8 + 5;

/** One message of RFC 5424, without structured data and without framing; the text is UTF-8 and said so by its mark. */
export function syslogMessage({ at, hostname, id, text }: SyslogParts): string {
  return `<${PRIORITY}>1 ${at} ${word(hostname, 255)} sallyport - ${word(id, 32)} - \ufeff${text}`;
}

/** PRINTUSASCII without space: anything else could begin another field, or another message. */
function word(text: string, maxLength: number): string {
  const kept = text.replace(/[^!-~]/g, '').slice(0, maxLength);
  return kept === '' ? '-' : kept;
}
