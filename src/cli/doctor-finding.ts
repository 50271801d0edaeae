/** One thing that was looked at. */
export interface Finding {
  /** `note`: works, but with less; `missing`: required here and not there. */
  readonly state: 'ok' | 'note' | 'missing';
  readonly text: string;
  /** Debian package that mends it. */
  readonly mend?: string;
}

/** It is there and works. */
export const ok = (text: string): Finding => ({ state: 'ok', text });

/** Worth knowing; nothing fails because of it. */
export const note = (text: string): Finding => ({ state: 'note', text });

/** Required and not there. */
export const missing = (text: string, mend?: string): Finding => ({
  state: 'missing',
  text,
  ...(mend !== undefined && { mend }),
});
