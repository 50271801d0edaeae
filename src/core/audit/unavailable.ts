import { SallyportError } from '../errors.ts';

/** What whoever wanted a record is told while none can be written. */
export function unavailable(why: string, cause?: unknown): SallyportError {
  return new SallyportError('ERR_AUDIT_UNAVAILABLE', `Nothing is done that cannot be recorded: ${why}.`, {
    details: { rule: 'audit' },
    cause,
  });
}

/** Why a write failed, for clients: names no path. */
export function reasonOf(thrown: unknown): string {
  if (thrown instanceof SallyportError) return thrown.message.replace(/\.$/, '');
  const code = (thrown as NodeJS.ErrnoException | undefined)?.code;
  return code === undefined ? 'the audit cannot be written' : `the file of the audit cannot be written (${code})`;
}
