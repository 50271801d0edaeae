/** Put at the end of a text that was cut. */
export const CUT_MARK = '…[cut]';

// CSI and OSC sequences, then two-character escapes: what a terminal would act on.
// oxlint-disable-next-line no-control-regex -- finding control characters is the purpose
const ESCAPES = /\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[@-Z\\^_]?|\x9b[0-?]*[ -/]*[@-~]/g;
// Control and format characters but tab and newline: these hide or reorder text before a reader's eyes (CVE-2021-42574).
const CONTROLS = /(?![\t\n])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/**
 * A text that came from a target, made safe to show: terminal escapes, control characters and invisible marks are
 * removed, lone surrogates replaced, and what is longer than `maxLength` UTF-16 units is cut with a marker.
 * The text stays untrusted: it is data for a field, never part of a sentence of ours.
 */
export function cleanText(text: string, maxLength: number): string {
  // The cut comes first so that cleaning costs no more than the field may hold (a 100 MB banner). Four times: escapes go.
  const bounded = text.slice(0, maxLength * 4);
  const cleaned = bounded.replace(ESCAPES, '').replace(CONTROLS, '').toWellFormed();
  if (cleaned.length <= maxLength && bounded.length === text.length) return cleaned;
  return `${cleaned.slice(0, Math.max(0, maxLength - CUT_MARK.length)).toWellFormed()}${CUT_MARK}`;
}
