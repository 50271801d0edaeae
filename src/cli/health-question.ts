import type { GatewayClient, GatewayReply } from './client.ts';
import type { CommandContext } from './command.ts';
import { findKey, nameKeySource } from './first-key.ts';

/** What the gateway says about its health, and whether it took the key that was shown. */
export interface HealthAnswer {
  readonly reply: GatewayReply;
  /** A sentence when the key was refused; the reply is then what everybody gets. */
  readonly refused?: string;
}

/** Asks for the whole report with the caller's key; a refused key still gets the bare status, and is named. */
export async function askHealth(
  client: GatewayClient,
  context: CommandContext,
  place: { readonly keyFile: string | undefined; readonly dataDir: string },
): Promise<HealthAnswer> {
  const key = findKey(context, place.keyFile, place.dataDir);
  const request = { method: 'GET', path: '/health' } as const;
  const reply = await client({ ...request, key });
  if (reply.kind !== 'answer' || reply.status !== 401 || key === undefined) return { reply };
  const source = nameKeySource(context, place.keyFile, place.dataDir);
  const refused = `the key in ${source} was refused: unknown, revoked or expired; make one with 'sallyport keys create' and name its file with --key-file`;
  return { reply: await client(request), refused };
}
