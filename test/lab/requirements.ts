import { execFileSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';

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
  php: 'php-cli php-sqlite3',
  openssl: 'openssl',
  useradd: 'passwd',
};
const TOOLS: Readonly<Record<string, string>> = {
  nmap: 'nmap',
  masscan: 'masscan',
  gobuster: 'gobuster',
  hydra: 'hydra',
  sqlmap: 'sqlmap',
  dig: 'bind9-dnsutils',
};

function isThere(program: string): boolean {
  return DIRECTORIES.some((directory) => {
    try {
      accessSync(join(directory, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

function mayMakeNamespaces(): boolean {
  try {
    execFileSync('unshare', ['--net', 'true'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** Why the lab cannot run here, as one sentence for a skipped test; undefined when it can. */
export function whyNoLab(options: { readonly tools?: boolean } = {}): string | undefined {
  if (process.platform !== 'linux') return 'the lab needs Linux network namespaces';
  if (process.getuid?.() !== 0) return 'the lab needs root (network namespaces, ports below 1024)';
  const wanted = options.tools ? { ...LAB, ...TOOLS } : LAB;
  const missing = Object.entries(wanted).filter(([program]) => !isThere(program));
  if (missing.length > 0) {
    const packages = [...new Set(missing.map(([, name]) => name))].join(' ');
    return `the lab misses ${missing.map(([program]) => program).join(', ')} (apt-get install ${packages})`;
  }
  return mayMakeNamespaces() ? undefined : 'the lab may not make network namespaces here (CAP_SYS_ADMIN)';
}
