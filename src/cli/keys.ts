import { createKey } from '../core/auth/keys.ts';
import type { KeyRecord } from '../core/auth/types.ts';
import { systemClock } from '../core/clock.ts';
import { type Command, type CommandContext, EXIT, parseOptions, requireNoWords, usageError } from './command.ts';
import { parseMoment } from './duration.ts';
import { withStore } from './open-store.ts';

/** `keys create | list | revoke`: works on the store itself, whether the gateway runs or not. */
export const keys: Command = async (context) => {
  const [action, ...args] = context.args;
  if (action === 'create') return create({ ...context, args });
  if (action === 'list') return list({ ...context, args });
  if (action === 'revoke') return revoke({ ...context, args });
  throw usageError(`keys takes create, list or revoke, not '${action ?? ''}'.`);
};

async function create(context: CommandContext): Promise<number> {
  const { values, positionals } = parseOptions(context.args, {
    scope: { type: 'string', multiple: true, default: [] },
    expires: { type: 'string' },
    json: { type: 'boolean', default: false },
  });
  const [name, ...rest] = positionals;
  if (name === undefined) throw usageError('keys create takes a name.');
  requireNoWords(rest);
  const scopes = values.scope.flatMap((text) => text.split(','));
  const expiresAt = values.expires === undefined ? undefined : parseMoment(values.expires, systemClock.now());
  const { key, record } = createKey({
    name,
    scopes,
    ...(expiresAt !== undefined && { expiresAt }),
    clock: systemClock,
  });
  await withStore(context, (store) => store.keys.add(record));
  if (values.json) {
    context.out(JSON.stringify({ key, ...shown(record) }));
    return EXIT.ok;
  }
  context.out(key);
  context.err(
    `Key ${record.id} for ${name} (${record.scopes.join(', ')}). It is shown this once; only its hash is kept.`,
  );
  return EXIT.ok;
}

async function list(context: CommandContext): Promise<number> {
  const { values, positionals } = parseOptions(context.args, { json: { type: 'boolean', default: false } });
  requireNoWords(positionals);
  const records = await withStore(context, (store) => store.keys.list());
  if (values.json) context.out(JSON.stringify(records.map(shown)));
  else if (records.length === 0) context.out('There are no keys.');
  else for (const record of records) context.out(row(record));
  return EXIT.ok;
}

async function revoke(context: CommandContext): Promise<number> {
  const [id, ...rest] = parseOptions(context.args, {}).positionals;
  if (id === undefined) throw usageError("keys revoke takes the id that 'keys list' shows.");
  requireNoWords(rest);
  if (!(await withStore(context, (store) => store.keys.revoke(id, systemClock.now())))) {
    context.err(`sallyport: there is no key ${id} that could be revoked`);
    return EXIT.failed;
  }
  context.out(`Revoked ${id}.`);
  return EXIT.ok;
}

/** The hash stays out: nobody needs it, and it would tell whether a stolen key is this one. */
function shown({ id, name, prefix, scopes, createdAt, expiresAt, revokedAt }: KeyRecord) {
  return { id, name, prefix, scopes, createdAt: at(createdAt), expiresAt: at(expiresAt), revokedAt: at(revokedAt) };
}

function at(time: number | undefined): string | null {
  return time === undefined ? null : new Date(time).toISOString();
}

function row(record: KeyRecord): string {
  const { id, name, prefix, scopes, expiresAt, revokedAt } = shown(record);
  const isOver = record.expiresAt !== undefined && record.expiresAt <= systemClock.now();
  const valid = expiresAt === null ? 'valid' : `${isOver ? 'expired' : 'valid until'} ${expiresAt}`;
  return [id, `${prefix}…`, name, revokedAt === null ? valid : `revoked ${revokedAt}`, scopes.join(',')].join('  ');
}
