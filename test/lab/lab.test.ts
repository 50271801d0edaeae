import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { startBridge } from './bridge.ts';
import { run, runInside } from './command.ts';
import { startLab, sweep, type Lab } from './lab.ts';
import { INJECTION, LOOPBACK_PORT, METADATA, OUTSIDE, PORTS, SECOND, TARGET } from './layout.ts';
import { whyNoLab } from './requirements.ts';

const skip = whyNoLab() ?? false;

describe('the lab', { skip }, () => {
  let lab: Lab;
  const inside = async (...argv: string[]): Promise<string> => (await runInside(lab.attacker, argv)).stdout;
  const page = (url: string): Promise<string> =>
    inside(process.execPath, '-e', `fetch(${JSON.stringify(url)}).then(r=>r.text()).then(t=>console.log(t))`);
  const resolve = async (name: string, type: string): Promise<string[]> =>
    (await inside('dig', `@${TARGET}`, '+short', '-t', type, name)).trim().split('\n').sort();

  const ask = (name: string, type: string): Promise<string[]> => resolve(`${name}.hostile.test`, type);

  before(async () => {
    lab = await startLab();
  });
  after(async () => {
    await lab.stop();
    assert.equal(existsSync(lab.directory), false);
    assert.doesNotMatch(await run('ip', ['netns', 'list']), new RegExp(lab.attacker));
    assert.doesNotMatch(readFileSync('/etc/passwd', 'utf8'), new RegExp(`^${lab.user.name}:`, 'm'));
  });

  it('has no way out: no default route and no interface but its own cable', async () => {
    for (const namespace of [lab.attacker, lab.target]) {
      assert.doesNotMatch(await run('ip', ['-n', namespace, 'route']), /default/);
      const links = JSON.parse(await run('ip', ['-j', '-n', namespace, 'link'])) as { ifname: string }[];
      const names = links.map((link) => link.ifname).filter((name) => !/^(ifb|sit|tunl|gre|ip6|erspan)/.test(name));
      assert.deepEqual(names, ['lo', namespace === lab.attacker ? 'va' : 'vt']);
    }
  });

  it('counts what arrives at each address and port, also out of scope, and logs it', async () => {
    const places = [{ address: OUTSIDE, port: PORTS.web }, { address: OUTSIDE }, { address: METADATA, port: 80 }];
    for (const place of places) assert.equal(await lab.arrived(place), 0);
    assert.equal(await page(`http://${OUTSIDE}/here`), 'outside\n\n');
    assert.equal(await page(`http://${METADATA}/latest/`), 'outside\n\n');
    for (const place of places) assert.ok((await lab.arrived(place)) > 0, JSON.stringify(place));
    assert.equal(await lab.arrived({ address: OUTSIDE, port: 443 }), 0);
    assert.ok(lab.log('nginx').some((line) => line.includes(`${OUTSIDE}:80`) && line.includes('GET /here')));
  });

  it('counts what processes of another user send to the loopback of the attacker', async () => {
    const place = { address: '127.0.0.1', port: LOOPBACK_PORT };
    await page(`http://127.0.0.1:${LOOPBACK_PORT}/`);
    assert.equal(await lab.sentByTools(place), 0);
    await inside(
      'setpriv',
      '--reuid=64999',
      '--regid=64999',
      '--clear-groups',
      'bash',
      '-c',
      `: </dev/tcp/127.0.0.1/${LOOPBACK_PORT}`,
    );
    assert.ok((await lab.sentByTools(place)) > 0);
  });

  it('has a name that passes a check once and then leads out of the scope', async () => {
    const answers = [];
    for (let asked = 0; asked < 3; asked += 1) answers.push(...(await resolve('first.flip.test', 'A')));
    assert.deepEqual(answers, [TARGET, OUTSIDE, OUTSIDE]);
    assert.equal(lab.log('hostile').filter((line) => line.includes('first.flip.test')).length, 3);
  });

  it('has names with mixed, translated, local and aliased answers', async () => {
    assert.deepEqual(await ask('mixed', 'A'), [TARGET, OUTSIDE]);
    assert.deepEqual(await ask('mapped', 'AAAA'), [`::ffff:${OUTSIDE}`]);
    assert.deepEqual(await ask('loopback', 'A'), ['127.0.0.1']);
    assert.deepEqual(await ask('metadata', 'A'), [METADATA]);
    assert.deepEqual(await ask('alias', 'A'), [OUTSIDE, 'outside.hostile.test.']);
    assert.match((await ask('text', 'TXT')).join('\n'), new RegExp(INJECTION));
  });

  it('makes a port of its inner loopback reachable on ours, both ways, with broken connections kept broken', async () => {
    const bridge = await startBridge(lab, LOOPBACK_PORT);
    try {
      assert.equal(await (await fetch(`${bridge.url}/`)).text(), 'loopback\n');
      const answers = await Promise.all(Array.from({ length: 20 }, async () => (await fetch(bridge.url)).status));
      assert.deepEqual(new Set(answers), new Set([200]));
    } finally {
      await bridge.close();
    }
    await assert.rejects(fetch(bridge.url));
  });

  it('shows a hostile banner of the second host', async () => {
    const banner = await inside('bash', '-c', `head -c 300 </dev/tcp/${SECOND}/2323`);
    assert.match(banner, new RegExp(INJECTION));
    assert.ok(banner.includes('\u001b[2J'));
  });

  it('is swept when its owner was killed, and only then', async () => {
    const program = `import { startLab } from ${JSON.stringify(new URL('lab.ts', import.meta.url).href)};
      const lab = await startLab(); console.log(JSON.stringify(lab));`;
    const owner = spawn(process.execPath, ['--input-type=module', '-e', program], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [said] = (await once(owner.stdout, 'data')) as [Buffer];
    const left = JSON.parse(said.toString()) as Pick<Lab, 'attacker' | 'target' | 'directory' | 'user'>;
    assert.notEqual(await run('ip', ['netns', 'pids', left.target]), '');
    owner.kill('SIGKILL');
    await once(owner, 'exit');
    await sweep();
    const namespaces = await run('ip', ['netns', 'list']);
    assert.doesNotMatch(namespaces, new RegExp(`${left.attacker}|${left.target}`));
    assert.match(namespaces, new RegExp(lab.attacker));
    assert.doesNotMatch(readFileSync('/etc/passwd', 'utf8'), new RegExp(`^${left.user.name}:`, 'm'));
    assert.equal(existsSync(left.directory), false);
  });
});
