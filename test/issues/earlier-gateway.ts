import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { Type } from '@sinclair/typebox';
import type { RunResult } from '../../schemas/run.ts';
import { type AnyTool, defineTool } from '../../src/core/tool/definition.ts';
import dig from '../../src/tools/dig/index.ts';
import gobuster from '../../src/tools/gobuster/index.ts';
import hydra from '../../src/tools/hydra/index.ts';
import masscan from '../../src/tools/masscan/index.ts';
import nmap from '../../src/tools/nmap/index.ts';
import sqlmap from '../../src/tools/sqlmap/index.ts';
import { startDnsServer } from '../fixtures/dns-server.ts';
import { startTestGateway, type TestGateway } from '../fixtures/gateway.ts';

/** What every stand-in has in common: a program of coreutils, and no packet of its own making. */
const COREUTILS = {
  requires: [],
  debianPackage: 'coreutils',
  raw: 'never',
  probe: { argv: ['--version'], version: /coreutils\) (\S+)/ },
} as const;

/** The real definition over a program that only prints its arguments: everything is ours but the packets. */
export function standIn(tool: AnyTool): AnyTool {
  return { ...tool, ...COREUTILS, binary: 'echo' };
}

/** The real definition and parser over a program that prints a recorded output. */
export function replay(tool: AnyTool, file: string, over: Partial<AnyTool> = {}): AnyTool {
  const argv = () => [file];
  const printing = { binary: 'cat', grammar: { options: {}, operands: /\/.+/ }, argv, needs: { read: [file] } };
  return { ...tool, ...COREUTILS, ...printing, ...over };
}

/** The six tools, as stand-ins. */
export const SIX: readonly AnyTool[] = [dig, gobuster, hydra, masscan, nmap, sqlmap].map((tool) => standIn(tool));

/** One word to a program of coreutils, its output as text. */
export function textTool(name: string, binary: string, over: Partial<AnyTool> = {}): AnyTool {
  const tool = defineTool({
    ...COREUTILS,
    name,
    title: 'A program of a test',
    description: 'A program of a test.',
    binary,
    risk: 'observe',
    timeoutMs: 60_000,
    maxTimeoutMs: 120_000,
    concurrency: 2,
    maxConcurrency: 4,
    limits: { maxAddresses: 1, maxPorts: 0 },
    input: Type.Object(
      { word: Type.Optional(Type.String({ pattern: '^[a-z0-9/._]{1,200}$', description: 'a word' })) },
      { additionalProperties: false },
    ),
    output: Type.Object({ text: Type.String() }, { additionalProperties: false }),
    targets: () => [],
    grammar: { options: {}, operands: /[a-zA-Z0-9/._-]{1,200}/ },
    argv: ({ word }) => (word === undefined ? [] : [word]),
    findings: () => [],
    coverage: () => ({ areas: [], missing: [] }),
    parse: () => {
      let text = '';
      const stdout = (chunk: Buffer) => void (text += chunk.toString('utf8'));
      return {
        stdout,
        end: ({ exitCode }) => ({
          result: { text: text.slice(0, 8000) },
          complete: exitCode === 0,
          ...(exitCode === 0 ? {} : { failure: 'it did not end well', trips: true }),
        }),
      };
    },
    examples: [{ title: 'nothing', input: {}, argv: [] }],
  });
  return { ...tool, ...over };
}

/** A directory of one test, readable by the user ids of tools. */
export function publicDirectory(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-issue-'));
  chmodSync(directory, 0o755);
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** A DNS server that knows these names and no others; the answers may change between two calls. */
export async function startNames(t: TestContext, names: Readonly<Record<string, readonly string[]>>) {
  const server = await startDnsServer(({ name, type }) => {
    const found = names[name];
    if (found === undefined) return { code: 'NXDOMAIN' };
    return {
      records: found
        .filter((address) => address.includes(':') === (type === 'AAAA'))
        .map((address) => (type === 'AAAA' ? { aaaa: address } : { a: address })),
    };
  });
  t.after(() => server[Symbol.asyncDispose]());
  return server;
}

export interface Answer {
  readonly status: number;
  readonly code: string | undefined;
  readonly text: string;
  /** The run, also the one in the details of a failure; undefined when nothing ran. */
  readonly run: RunResult | undefined;
}

/** One call over REST. */
export async function call(
  { app, headers }: Pick<TestGateway, 'app' | 'headers'>,
  tool: string,
  input: unknown,
): Promise<Answer> {
  const response = await app.inject({ method: 'POST', url: `/v1/tools/${tool}/runs`, headers, payload: { input } });
  const body = response.json() as Partial<RunResult> & { code?: string; details?: { run?: RunResult } };
  const ran = body.runId === undefined ? body.details?.run : (body as RunResult);
  return { status: response.statusCode, code: body.code, text: response.body, run: ran };
}

const EVERYTHING = `policy: { risk: exploit }
rateLimit: { addressPerMinute: 100000, principalPerMinute: 100000 }
tools: { sqlmap: { breakerFailures: 100 } }
`;

/** Starts a gateway with the six stand-ins, every risk permitted and no limit in the way unless the YAML says otherwise. */
export function startSix(t: TestContext, yaml = EVERYTHING): Promise<TestGateway> {
  return startTestGateway(t, { yaml, tools: SIX });
}

/** Each call is refused with one of the codes, and no process was started for it. */
export async function refuses(
  gateway: Pick<TestGateway, 'app' | 'headers'>,
  codes: readonly string[],
  calls: readonly (readonly [tool: string, input: object])[],
): Promise<void> {
  for (const [tool, input] of calls) {
    const { code, text, run } = await call(gateway, tool, input);
    assert.ok(code !== undefined && codes.includes(code), `${tool} ${JSON.stringify(input).slice(0, 200)}: ${text}`);
    assert.equal(run, undefined, text);
  }
}

/** The argv of a call that must get as far as its program. */
export async function argvOf(
  gateway: Pick<TestGateway, 'app' | 'headers'>,
  tool: string,
  input: object,
): Promise<readonly string[]> {
  const { run, text } = await call(gateway, tool, input);
  assert.ok(run !== undefined, `${tool} ${JSON.stringify(input)} did not run: ${text}`);
  return run.argv.slice(1);
}

/** Longest wait for what happens at once when the code is right; a wrong one must fail, not hang. */
const PATIENCE_MS = 60_000;

/** Waits until the condition holds. */
export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + PATIENCE_MS;
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`waited in vain for ${String(holds)}`);
    await delay(10);
  }
}

/** The text that a `textTool` printed in a run that succeeded. */
export function printed({ status, run, text }: Answer): string {
  assert.equal(status, 200, text);
  assert.ok(run !== undefined, text);
  return (run.result as { text: string }).text;
}
