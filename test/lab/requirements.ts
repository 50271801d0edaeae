import { execFileSync } from 'node:child_process';
import { accessSync, constants, existsSync } from 'node:fs';
import { join } from 'node:path';
import { whyNoRootMount } from '../fixtures/root-mount.ts';

const DIRECTORIES = ['/usr/sbin', '/usr/bin', '/sbin', '/bin'];
const LAB: Readonly<Record<string, string>> = {
  ip: 'iproute2',
  ss: 'iproute2',
  nft: 'nftables',
  nginx: 'nginx-light',
  sshd: 'openssh-server',
  'ssh-keygen': 'openssh-client',
  vsftpd: 'vsftpd',
  dnsmasq: 'dnsmasq-base',
  php: 'php-cli',
  openssl: 'openssl',
  useradd: 'passwd',
  bash: 'bash',
  setpriv: 'util-linux',
  nsenter: 'util-linux',
  ps: 'procps',
};
const TOOLS: Readonly<Record<string, string>> = {
  nmap: 'nmap',
  masscan: 'masscan',
  gobuster: 'gobuster',
  hydra: 'hydra',
  sqlmap: 'sqlmap',
  dig: 'bind9-dnsutils',
};

/** Why the lab and the six tools cannot run here, as one sentence for a skipped test; undefined when they can. */
export function whyNoLab(directories: readonly string[] = DIRECTORIES): string | undefined {
  if (process.platform !== 'linux') return 'the lab needs Linux network namespaces';
  if (process.getuid?.() !== 0) return 'the lab needs root (network namespaces, ports below 1024)';
  const missing = Object.entries({ ...LAB, ...TOOLS }).filter(([program]) => !isThere(program, directories));
  if (missing.length > 0) {
    const packages = [...new Set(missing.map(([, name]) => name))].join(' ');
    return `the lab misses ${missing.map(([program]) => program).join(', ')} (apt-get install ${packages})`;
  }
  if (!succeeds('php', ['-r', 'new SQLite3(":memory:");']))
    return 'the lab misses php-sqlite3 (apt-get install php-sqlite3)';
  if (!existsSync('/proc/net/if_inet6')) return 'the lab needs IPv6 in the kernel';
  const chroot = whyNoRootMount();
  if (chroot !== undefined) return chroot;
  return succeeds('unshare', ['--net', 'true']) ? undefined : 'the lab may not make network namespaces here';
}

/** Why a program of the tests cannot be compiled here; undefined when it can. */
export function whyNoCompiler(): string | undefined {
  return isThere('cc', DIRECTORIES) ? undefined : 'needs a C compiler (apt-get install gcc libc6-dev)';
}

function isThere(program: string, directories: readonly string[]): boolean {
  return directories.some((directory) => {
    try {
      accessSync(join(directory, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

function succeeds(program: string, args: readonly string[]): boolean {
  try {
    execFileSync(program, args, { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
