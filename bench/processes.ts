import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { removeGroups, startAsUser } from './process-user.ts';
import type { QuestionName, Questions } from './protocol.ts';

/** A measured process as the client sees it. */
export interface Measured {
  readonly origin: string;
  readonly key: string;
  ask<Q extends QuestionName>(name: Q, ask: Questions[Q]['ask']): Promise<Questions[Q]['answer']>;
  stop(): Promise<void>;
}

/**
 * `runs` and `lists` are gateways: one with tools that start something, one with the real tools. `layers` starts
 * processes by itself.
 */
export type RoleName = 'runs' | 'lists' | 'bare' | 'naive' | 'layers';

/** Starts measured processes and ends every one of them. */
export interface Processes {
  start(role: RoleName): Promise<Measured>;
  stopAll(): Promise<void>;
}

interface Reply {
  readonly id: number;
  readonly answer?: unknown;
  readonly fault?: string;
}

/** `profileDir`: where each gateway process writes its CPU profile. */
export function createProcesses(profileDir?: string): Processes {
  const started = new Set<ChildProcess>();
  return {
    start: async (role) => {
      const profile = (role === 'runs' || role === 'lists') && profileDir !== undefined;
      const options = ['--expose-gc', ...(profile ? ['--cpu-prof', `--cpu-prof-dir=${profileDir}`] : [])];
      const child = fork(join(import.meta.dirname, 'serve.ts'), [role], {
        ...startAsUser(options, role === 'layers'),
        stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      });
      started.add(child);
      child.once('exit', () => {
        started.delete(child);
        if (role === 'layers') removeGroups();
      });
      return connect(child, role);
    },
    stopAll: async () => {
      await Promise.all([...started].map(stop));
    },
  };
}

async function connect(child: ChildProcess, role: string): Promise<Measured> {
  const ended = once(child, 'exit').then(([code, signal]): never => {
    throw new Error(`the ${role} process ended early (${code ?? signal})`);
  });
  ended.catch(() => undefined);
  const [ready] = (await Promise.race([once(child, 'message'), ended])) as [{ origin: string; key: string }];
  const waiting = new Map<number, PromiseWithResolvers<unknown>>();
  child.on('message', ({ id, answer, fault }: Reply) => {
    const place = waiting.get(id);
    waiting.delete(id);
    if (fault === undefined) place?.resolve(answer);
    else place?.reject(new Error(`${role}: ${fault}`));
  });
  let lastId = 0;
  return {
    ...ready,
    ask: async <Q extends QuestionName>(name: Q, ask: Questions[Q]['ask']) => {
      lastId += 1;
      const place = Promise.withResolvers<unknown>();
      waiting.set(lastId, place);
      child.send({ id: lastId, name, ask });
      return (await Promise.race([place.promise, ended])) as Questions[Q]['answer'];
    },
    stop: () => stop(child),
  };
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  if (child.connected) child.disconnect();
  await exited;
}
