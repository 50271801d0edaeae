import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { connectModern } from '../fixtures/mcp/clients.ts';
import { run } from './command.ts';
import { TARGET } from './layout.ts';
import { whyNoLab } from './requirements.ts';

const MAIN = fileURLToPath(new URL('main.ts', import.meta.url));
const skip = whyNoLab() ?? false;

it('answers wrong usage of the lab with its usage and exit code 2, on any machine', () => {
  for (const args of [['up', '--nope'], ['up', '--port', 'x'], ['up', 'twice'], ['sideways'], []]) {
    const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, ...args], { encoding: 'utf8' });
    assert.equal(status, 2, args.join(' '));
    assert.match(stdout, /^usage: /m);
    assert.equal(stderr, '');
  }
});

describe('the lab for people', { skip }, () => {
  it('comes up with a gateway that a pasted client configuration reaches, says where it is, and goes', async (t) => {
    const directory = mkdtempSync(join(tmpdir(), 'sallyport-lab-main-'));
    const lab = (verb: string): Promise<string> =>
      run(process.execPath, [MAIN, ...verb.split(' '), '--state', join(directory, 'up')]);
    t.after(async () => {
      await lab('down');
      rmSync(directory, { recursive: true });
    });
    const said = await lab('up');
    assert.equal(await lab('status'), said);
    assert.equal(await lab('up'), said, 'a second start made a second lab');
    assert.match(await lab('up --port 1'), /keeps its port \d+, not 1/);

    const json = said.slice(said.indexOf('{\n'), said.indexOf('\n}\n') + 2);
    const server = (JSON.parse(json) as Configuration).mcpServers['sallyport-lab'];
    const { client } = await connectModern(t, new URL(server.url), { key: server.headers.Authorization.slice(7) });
    const call = { name: 'nmap', arguments: { targets: [TARGET], ports: '80' } };
    const answer = await client.callTool(call, { timeout: 60_000 });
    assert.notEqual(answer.isError, true, JSON.stringify(answer.content));
    const namespace = /ip netns exec (\S+) /.exec(said)?.[1] ?? '';
    assert.ok((await run('ip', ['netns', 'list'])).includes(namespace));

    assert.match(await lab('down'), /is gone/);
    assert.ok(!(await run('ip', ['netns', 'list'])).includes(namespace));
    assert.ok(!existsSync(join(directory, 'up.state')));
    assert.match(await lab('status'), /is down/);
    await assert.rejects(fetch(server.url));
  });
});

interface Configuration {
  readonly mcpServers: {
    readonly 'sallyport-lab': { readonly url: string; readonly headers: { readonly Authorization: string } };
  };
}
