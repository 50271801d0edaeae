import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run, startInside, until } from './command.ts';
import { ATTACKER, HOSTILE, LOOPBACK_PORT, METADATA, OUTSIDE, PASSWORD, PORTS, SECOND, TARGET } from './layout.ts';
import { listening } from './network.ts';
import { writeLists, writePages, writeTraps } from './pages.ts';
import type { LabRecord } from './record.ts';

/** Directories of one lab. */
export interface LabPaths {
  readonly log: string;
  readonly run: string;
  readonly web: string;
  readonly php: string;
  readonly lists: string;
}

/** Makes the directories, the pages and the word lists. */
export function makeFiles(directory: string): LabPaths {
  const path = (name: string): string => join(directory, name);
  const paths = { log: path('log'), run: path('run'), web: path('web'), php: path('php'), lists: path('lists') };
  for (const each of Object.values(paths)) mkdirSync(each, { recursive: true });
  mkdirSync(join(paths.run, 'empty'), { mode: 0o555 });
  mkdirSync(path('home'));
  chmodSync(path('home'), 0o777);
  writePages(paths.web, paths.php);
  writeLists(paths.lists);
  writeTraps(path('traps'));
  symlinkSync('/etc/passwd', join(paths.lists, 'linked.txt'));
  return paths;
}

/** Starts every service and returns when all of them listen. */
export async function startServices(record: LabRecord, paths: LabPaths): Promise<void> {
  const start = (name: string, argv: readonly string[], namespace = record.target): void => {
    startInside({ namespace, argv, log: join(paths.log, `${name}.out`) });
  };
  // sshd refuses to run without this directory of its Debian package.
  mkdirSync('/run/sshd', { recursive: true, mode: 0o755 });
  writeFileSync(join(paths.run, 'htpasswd'), `admin:${await hashed('-apr1')}\n`);
  const nginx = ['nginx', '-e', join(paths.log, 'nginx.err'), '-p', paths.run, '-c'];
  start('nginx', [...nginx, write(paths, 'nginx.conf', targetWeb(paths))]);
  start('nginx-loopback', [...nginx, write(paths, 'loopback.conf', loopbackWeb(paths))], record.attacker);
  start('sshd', await sshd(paths));
  start('vsftpd', ['vsftpd', write(paths, 'vsftpd.conf', vsftpd(paths))]);
  start('dnsmasq', dnsmasq());
  start('php', ['php', '-S', `${TARGET}:${PORTS.php}`, '-t', paths.php]);
  start('hostile', [process.execPath, fileURLToPath(new URL('hostile.ts', import.meta.url))]);
  await until('its services to listen', async () => {
    const open = await listening(record.target);
    return EXPECTED.every((place) => open.has(place));
  });
  await until('the listener on the loopback', async () =>
    (await listening(record.attacker)).has(`tcp 127.0.0.1:${LOOPBACK_PORT}`),
  );
}

const EXPECTED = [
  `tcp 0.0.0.0:${PORTS.web}`,
  `tcp 0.0.0.0:${PORTS.denied}`,
  `tcp ${TARGET}:${PORTS.ssh}`,
  `tcp ${TARGET}:${PORTS.ftp}`,
  `udp ${TARGET}:${PORTS.dns}`,
  `tcp ${TARGET}:${PORTS.php}`,
  `udp ${SECOND}:${HOSTILE.dns}`,
  `tcp ${SECOND}:${HOSTILE.dns}`,
  `udp ${OUTSIDE}:${PORTS.dns}`,
  `tcp ${OUTSIDE}:${PORTS.ssh}`,
  `tcp ${SECOND}:${HOSTILE.escapes}`,
  `tcp ${SECOND}:${HOSTILE.huge}`,
];

function write(paths: LabPaths, name: string, content: string): string {
  const path = join(paths.run, name);
  writeFileSync(path, content);
  return path;
}

/** The hash of the lab's password in a form of openssl-passwd(1). */
export async function hashed(form: '-apr1' | '-6'): Promise<string> {
  return (await run('openssl', ['passwd', form, '-stdin'], `${PASSWORD}\n`)).trim();
}

function nginx(paths: LabPaths, name: string, servers: string): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((kind) => `${kind}_temp_path ${paths.run}/${name}-${kind};`)
    .join(' ');
  return `daemon off; user root; pid ${paths.run}/${name}.pid; worker_processes 1; worker_rlimit_nofile 1024;
events { worker_connections 256; }
http {
  log_format lab '$server_addr:$server_port "$http_host" "$request" $status';
  access_log ${paths.log}/${name}.log lab;
  ${temporary}
${servers}
}
`;
}

function targetWeb(paths: LabPaths): string {
  return nginx(
    paths,
    'nginx',
    `  server {
    listen 80 default_server; listen ${PORTS.denied} default_server; listen [::]:80 default_server;
    root ${paths.web};
    location /private { auth_basic lab; auth_basic_user_file ${paths.run}/htpasswd; }
    location /away { return 302 http://${OUTSIDE}/away; }
    location /metadata { return 302 http://${METADATA}/latest/; }
    location /loopback { return 302 http://127.0.0.1:${LOOPBACK_PORT}/; }
  }
  server { listen ${OUTSIDE}:80; listen ${METADATA}:80; location / { return 200 'outside\\n'; } }`,
  );
}

function loopbackWeb(paths: LabPaths): string {
  const server = `  server { listen 127.0.0.1:${LOOPBACK_PORT}; location / { return 200 'loopback\\n'; } }`;
  return nginx(paths, 'loopback', server);
}

async function sshd(paths: LabPaths): Promise<readonly string[]> {
  const key = join(paths.run, 'host-key');
  await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', key]);
  const options = {
    ListenAddress: TARGET,
    Port: PORTS.ssh,
    PidFile: join(paths.run, 'sshd.pid'),
    PasswordAuthentication: 'yes',
    UsePAM: 'no',
    MaxStartups: 50,
    // OpenSSH 9.8 and newer shut a guessing client out; older ones refuse the unknown option.
    ...((await sshdPenalizes()) ? { PerSourcePenalties: 'no' } : {}),
  };
  const args = Object.entries(options).flatMap(([name, value]) => ['-o', `${name}=${value}`]);
  return ['/usr/sbin/sshd', '-D', '-f', '/dev/null', '-h', key, '-E', join(paths.log, 'sshd.log'), ...args];
}

async function sshdPenalizes(): Promise<boolean> {
  try {
    return (await run('/usr/sbin/sshd', ['-T', '-f', '/dev/null'])).includes('persourcepenalties');
  } catch {
    return false;
  }
}

function vsftpd(paths: LabPaths): string {
  const settings = {
    listen: 'YES',
    listen_address: TARGET,
    listen_port: PORTS.ftp,
    background: 'NO',
    local_enable: 'YES',
    anonymous_enable: 'NO',
    seccomp_sandbox: 'NO',
    secure_chroot_dir: join(paths.run, 'empty'),
    pam_service_name: 'vsftpd',
    vsftpd_log_file: join(paths.log, 'vsftpd.log'),
  };
  return Object.entries(settings)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('');
}

function dnsmasq(): readonly string[] {
  const forwarded = ['hostile', 'flip'].map((zone) => `--server=/${zone}.test/${SECOND}#${HOSTILE.dns}`);
  const own = `--conf-file=/dev/null --keep-in-foreground --log-facility=- --no-resolv --no-hosts --user=root --pid-file= --log-queries
    --listen-address=${TARGET} --bind-interfaces --port=${PORTS.dns}
    --local=/lab.internal/ --host-record=web.lab.internal,${TARGET} --host-record=db.lab.internal,${SECOND}
    --mx-host=lab.internal,web.lab.internal,10
    --auth-server=ns.lab.internal,${SECOND} --auth-zone=lab.internal,10.77.0.0/24 --auth-peer=${ATTACKER}`;
  // Not --no-daemon: that serves TCP without a fork, and one silent connection would stop every answer.
  // Nothing is kept (cache size 0), so that a name which changes its answer does so for every client.
  return ['dnsmasq', '--cache-size=0', ...own.split(/\s+/), '--txt-record=lab.internal,v=spf1 -all', ...forwarded];
}
