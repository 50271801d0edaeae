import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from '../../src/cli/command.ts';
import { call } from '../cli/fake-runs.ts';
import { connectLegacy, connectModern } from '../fixtures/mcp/clients.ts';
import { type Collect, decoded, type Scene } from './untrusted-scene.ts';

/** One request of the reader, or of whom `more` says, with all that comes back. */
export function request(scene: Pick<Scene, 'app' | 'headers'>, asked: Asking): Promise<string> {
  const { headers, ...rest } = asked;
  return scene.app
    .inject({ ...rest, headers: { ...scene.headers, ...headers } })
    .then((answer) => decoded(`${JSON.stringify(answer.headers)}\n${answer.body}`));
}

/** What is asked. */
export interface Asking {
  readonly url: string;
  readonly method?: 'GET' | 'POST' | 'PUT' | 'DELETE';
  readonly headers?: Readonly<Record<string, string>>;
  readonly payload?: object;
}

/** A GET. */
export const get =
  (path: (scene: Scene) => string, headers: Readonly<Record<string, string>> = {}): Collect =>
  (scene) =>
    request(scene, { url: path(scene), headers });

/** A verb of the command line, with the key of the reader. */
export const cli =
  (command: Command, args: (scene: Scene) => readonly string[]): Collect =>
  async (scene) => {
    const { origin } = await scene.url();
    writeFileSync(join(scene.dataDir, 'address'), `${origin}\n`);
    writeFileSync(join(scene.dataDir, 'first-key'), scene.secrets.key, { mode: 0o600 });
    const environment = { SALLYPORT_DATA_DIR: scene.dataDir };
    const { stdout, stderr, drawn } = await call(command, args(scene), { environment, cwd: scene.dataDir });
    return [stdout, stderr, ...drawn].join('\n');
  };

/** Both revisions of MCP. */
export const ERAS = ['2025-11-25', '2026-07-28'] as const;

/** Whose key calls, and what of the exchange is read. */
export interface AskOptions {
  readonly part?: 'answer' | 'progress';
  readonly key?: (scene: Scene) => string;
}

/** Calls a tool over MCP. */
export const askOver =
  (era: (typeof ERAS)[number]) =>
  (name: string, args: (scene: Scene) => object, { part = 'answer', key }: AskOptions = {}): Collect =>
  async (scene) => {
    const closers: (() => Promise<void>)[] = [];
    const closing = { after: (close: () => Promise<void>) => void closers.push(close) };
    const notes: unknown[] = [];
    const asked = { name, arguments: args(scene) as Record<string, unknown> };
    const onprogress = (note: unknown) => void notes.push(note);
    const choice = { key: key?.(scene) ?? scene.secrets.key };
    const url = await scene.url();
    const answer =
      era === '2025-11-25'
        ? await (await connectLegacy(closing, url, choice)).client.callTool(asked, undefined, { onprogress })
        : await (await connectModern(closing, url, choice)).client.callTool(asked, { onprogress });
    for (const close of closers) await close();
    return decoded(JSON.stringify(part === 'answer' ? answer : notes));
  };
