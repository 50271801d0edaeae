import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startInside, until } from './command.ts';
import type { Lab } from './lab.ts';
import { pipeBoth } from './pipe-both.ts';

/** A TCP port of a lab's attacker namespace, reachable on the machine's loopback. */
export interface Bridge {
  /** `http://127.0.0.1:N` */
  readonly url: string;
  close(): Promise<void>;
}

/** Makes `127.0.0.1:port` of the attacker namespace reachable here; `localPort` 0 takes a free one. */
export async function startBridge(lab: Lab, port: number, localPort = 0): Promise<Bridge> {
  const path = join(lab.directory, `bridge-${port}.sock`);
  const forwarder = startInside({
    namespace: lab.attacker,
    argv: [process.execPath, fileURLToPath(new URL('forwarder.ts', import.meta.url)), path, String(port)],
    log: join(lab.directory, 'bridge.out'),
  });
  await until('the bridge', () => existsSync(path));
  const open = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (client) => {
    open.add(client);
    client.on('close', () => open.delete(client));
    pipeBoth(client, connect({ path, allowHalfOpen: true }));
  });
  server.listen(localPort, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => {
      for (const socket of open) socket.destroy();
      server.close();
      if (forwarder.exitCode === null) {
        forwarder.kill('SIGTERM');
        await once(forwarder, 'exit');
      }
    },
  };
}
