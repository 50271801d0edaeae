import type { Socket } from 'node:net';

/** Joins two sockets. What ends or breaks on one side does so on the other: a dropped client stays a dropped client. */
export function pipeBoth(one: Socket, other: Socket): void {
  for (const [from, to] of [
    [one, other],
    [other, one],
  ] as const) {
    from.pipe(to);
    from.on('error', () => to.destroy());
    from.on('close', () => to.destroy());
  }
}
