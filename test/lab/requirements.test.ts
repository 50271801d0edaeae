import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { it } from 'node:test';
import { whyNoLab } from './requirements.ts';

const isRoot = process.getuid?.() === 0;

it('without root the lab says that it needs it', { skip: whyNobodyCannot() }, () => {
  const program = `import(${JSON.stringify(new URL('requirements.ts', import.meta.url).href)}).then((m) => console.log(m.whyNoLab()))`;
  const asNobody = isRoot ? { uid: 65_534, gid: 65_534 } : {};
  const said = execFileSync(process.execPath, ['-e', program], { ...asNobody, encoding: 'utf8' });
  assert.match(said, /needs root/);
});

it('missing programs are named with the packages that bring them', { skip: isRoot ? false : 'needs root' }, () => {
  assert.match(whyNoLab([]) ?? '', /misses ip, .*nmap.*apt-get install iproute2 .*bind9-dnsutils/);
});

/** A checkout below /root (mode 0700) cannot be read by anybody else. */
function whyNobodyCannot(): string | false {
  if (!isRoot) return false;
  try {
    execFileSync(process.execPath, ['-e', `require('node:fs').accessSync(${JSON.stringify(import.meta.filename)})`], {
      uid: 65_534,
      gid: 65_534,
      stdio: 'ignore',
    });
    return false;
  } catch {
    return 'this checkout cannot be read by another user';
  }
}
