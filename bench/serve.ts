import { startBareRole } from './bare-role.ts';
import { startGatewayRole } from './gateway-role.ts';
import { startLayerRole } from './layer-role.ts';
import { startNaiveRole } from './naive-role.ts';
import type { Role } from './protocol.ts';
import { realTools, runnableTools } from './tools.ts';

/** One measured process; its parent asks over IPC and it ends when its parent goes. */
const ROLES: Readonly<Record<string, () => Promise<Role>>> = {
  runs: () => startGatewayRole(runnableTools),
  lists: async () => startGatewayRole(await realTools()),
  bare: startBareRole,
  naive: startNaiveRole,
  layers: startLayerRole,
};

interface Question {
  readonly id: number;
  readonly name: string;
  readonly ask: unknown;
}
type Handler = (ask: unknown) => Promise<unknown>;

// Ctrl-C reaches the whole terminal group: the parent goes, and its end leads us through our own cleaning.
process.on('SIGINT', () => undefined);
process.on('SIGTERM', () => undefined);
const gone = new Promise<void>((resolve) => process.once('disconnect', resolve));

const start = ROLES[process.argv[2] ?? ''];
if (start === undefined) throw new Error(`no such role: ${process.argv[2]}`);
const role = await start();
const handlers: Readonly<Record<string, Handler | undefined>> = {
  cpu: async () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1000;
  },
  ...(role.handlers as Record<string, Handler>),
};
process.on('message', ({ id, name, ask }: Question) => {
  const handler = handlers[name] ?? (() => Promise.reject(new Error(`this process has no answer to ${name}`)));
  void handler(ask).then(
    (answer) => tell({ id, answer }),
    (thrown: unknown) => tell({ id, fault: String(thrown) }),
  );
});
tell({ origin: role.origin, key: role.key });
await gone;
await role.close();
process.exit(0);

/** A parent that has gone must not end us with an error before we have cleaned up. */
function tell(message: object): void {
  process.send?.(message, undefined, undefined, () => undefined);
}
