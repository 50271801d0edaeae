import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { test } from 'node:test';

const ROOT = join(import.meta.dirname, '..');
const FILES = globSync(['schemas/**/*.ts', 'src/**/*.ts', 'plugins/**/*.ts'], { cwd: ROOT }).sort();
const SOURCES = new Map(FILES.map((file) => [file, readFileSync(join(ROOT, file), 'utf8')]));

/** Who may import what of ours, first match wins: layer → prefixes of files. */
const MAY_IMPORT: readonly (readonly [from: RegExp, to: readonly RegExp[]])[] = [
  [/^schemas\//, [/^schemas\//]],
  [/^src\/core\//, [/^schemas\//, /^src\/core\//]],
  [
    /^src\/tools\/([a-z_]+)/,
    [
      /^schemas\//,
      /^src\/core\/(tool|targets|execution|redaction|findings)\//,
      /^src\/core\/errors\.ts$/,
      /^src\/tools\/$1/,
    ],
  ],
  [/^src\/(store|exports)\//, [/^schemas\//, /^src\/core\//, /^src\/$1\//]],
  [/^src\/mcp\//, [/^schemas\//, /^src\/core\//, /^src\/mcp\//]],
  [/^src\/config(\.ts|\/)/, [/^schemas\//, /^src\/config\//, /^src\/core\/errors\.ts$/]],
  [/^src\/logger\.ts$/, [/^schemas\//, /^src\/core\/(log|redaction\/.*)\.ts$/]],
  [
    /^src\/gateway(\.ts|\/)/,
    [/^schemas\//, /^src\/core\//, /^src\/store\//, /^src\/gateway\//, /^src\/config(\.ts|\/)/],
  ],
  [/^plugins\//, [/^schemas\//, /^src\/core\//, /^src\/mcp\//, /^src\/exports\//]],
  [/^src\/app\.ts$/, [/^schemas\//, /^src\/(core|mcp)\//, /^src\/gateway\.ts$/, /^src\/config\.ts$/, /^plugins\//]],
  [/^src\/(server|stdio)\.ts$/, [/^schemas\//, /^src\/(?!cli\/|tools\/)/, /^plugins\//]],
  [
    /^src\/cli\//,
    [/^schemas\//, /^src\/(core|store|cli)\//, /^src\/(config|logger|gateway)(\.ts|\/)/, /^src\/(server|version)\.ts$/],
  ],
  // What leaves the process is handed to core as an interface of its own.
  [/^src\/outbound\.ts$/, [/^src\/core\/(audit\/types|clock|errors)\.ts$/]],
  [/^src\/version\.ts$/, [/^package\.json$/]],
];

/** A dangerous power has one address. Pattern in the source → the only files that may hold it. */
const POWERS: readonly { readonly power: string; readonly pattern: RegExp; readonly at: RegExp }[] = [
  {
    power: 'starting processes',
    pattern: /from 'node:child_process'/,
    at: /^src\/(core\/execution\/spawn|cli\/background)\.ts$/,
  },
  { power: 'sending signals', pattern: /\bprocess\.kill\b/, at: /^src\/core\/execution\/signal\.ts$/ },
  { power: 'reading the environment', pattern: /\bprocess\.env\b/, at: /^src\/config\.ts$/ },
  { power: 'ending the process', pattern: /\bprocess\.exit\(/, at: /^src\/(server|stdio|cli\/main)\.ts$/ },
  { power: 'signal handlers', pattern: /\bprocess\.(on|once)\('SIG/, at: /^src\/(server|stdio)\.ts$|^src\/cli\// },
  { power: 'listening', pattern: /\.listen\(/, at: /^src\/server\.ts$/ },
  {
    power: 'outgoing HTTP',
    pattern: /\bfetch\(|^import (?!type )[^;]*from 'node:https?'/m,
    at: /^src\/outbound\.ts$|^src\/cli\/client\.ts$|^plugins\/events\.ts$/,
  },
  {
    power: 'outgoing sockets',
    pattern: /from 'node:(tls|dgram)'|\b(createConnection|new Redis)\(/,
    at: /^src\/(outbound|server)\.ts$/,
  },
  { power: 'DNS', pattern: /from 'node:dns(\/promises)?'/, at: /^src\/core\/targets\/dns\.ts$/ },
  { power: 'cockatiel', pattern: /from 'cockatiel'/, at: /^src\/core\/resilience\/[a-z-]+\.ts$/ },
  { power: 'the error handler', pattern: /\bsetErrorHandler\b/, at: /^plugins\/errors\.ts$/ },
  { power: 'JSON-RPC error numbers', pattern: /-32\d{3}\b|-32_\d{3}\b/, at: /^src\/mcp\/|^plugins\/mcp\.ts$/ },
  { power: 'SQL', pattern: /from 'node:sqlite'/, at: /^src\/store\// },
  {
    power: 'the metrics client',
    pattern: /@prometheus-io\/client|from 'fastify-metrics'/,
    at: /^plugins\/metrics\.ts$/,
  },
  { power: 'console', pattern: /\bconsole\.\w/, at: /^src\/cli\// },
  { power: 'evaluating text', pattern: /\beval\(|new Function\(|from 'node:vm'/, at: /^$/ },
  {
    // The attacks at start are constant scripts in a confined child: they show what a taken-over tool could do.
    power: 'a shell',
    pattern: /shell:\s*true|\bexecSync?\(|\/bin\/(ba)?sh/,
    at: /^src\/core\/execution\/attack-run\.ts$/,
  },
];

/** Packages and the only places that may import them. */
const PACKAGES: readonly { readonly name: RegExp; readonly at: RegExp }[] = [
  { name: /^(fastify|fastify-plugin|@fastify\/.*)$/, at: /^plugins\/|^src\/app\.ts$|^src\/mcp\/(legacy|modern)\// },
  { name: /^@modelcontextprotocol\/sdk/, at: /^src\/mcp\/legacy\// },
  { name: /^@modelcontextprotocol\/(server|node)/, at: /^src\/mcp\/(modern|era)/ },
  { name: /^convict$/, at: /^src\/config(\.ts|\/)/ },
  { name: /^pino$/, at: /^src\/logger\.ts$/ },
  { name: /^ioredis$/, at: /^src\/(server|app)\.ts$|^plugins\/rate-limit\.ts$/ },
];

test('imports point down the layers', () => {
  const faults: string[] = [];
  for (const [file, source] of SOURCES) {
    const rule = MAY_IMPORT.find(([from]) => from.test(file));
    if (rule === undefined) {
      faults.push(`${file} is in no layer: give it one in MAY_IMPORT`);
      continue;
    }
    const own = rule[0].exec(file)?.[1] ?? '';
    const allowed = rule[1].map((to) => new RegExp(to.source.replace('$1', own)));
    for (const target of relativeImports(file, source)) {
      if (!allowed.some((to) => to.test(target))) faults.push(`${file} must not import ${target}`);
    }
  }
  assert.deepEqual(faults, []);
});

test('a plugin imports no other plugin', () => {
  const faults = FILES.filter((file) => file.startsWith('plugins/')).flatMap((file) =>
    relativeImports(file, SOURCES.get(file) ?? '')
      .filter((target) => target.startsWith('plugins/'))
      .map((target) => `${file} imports ${target}: plugins meet through decorators`),
  );
  assert.deepEqual(faults, []);
});

test('every dangerous power has one address', () => {
  const faults = [...SOURCES].flatMap(([file, source]) =>
    POWERS.filter(({ pattern, at }) => pattern.test(withoutComments(source)) && !at.test(file)).map(
      ({ power }) => `${file} uses ${power}, which lives elsewhere`,
    ),
  );
  assert.deepEqual(faults, []);
});

test('every package is imported only where it belongs', () => {
  const faults = [...SOURCES].flatMap(([file, source]) =>
    packageImports(source).flatMap((name) =>
      PACKAGES.filter((rule) => rule.name.test(name) && !rule.at.test(file)).map(
        () => `${file} must not import ${name}`,
      ),
    ),
  );
  assert.deepEqual(faults, []);
});

test('schemas import TypeBox and nothing else', () => {
  const faults = FILES.filter((file) => file.startsWith('schemas/')).flatMap((file) =>
    packageImports(SOURCES.get(file) ?? '').filter((name) => name !== '@sinclair/typebox'),
  );
  assert.deepEqual(faults, []);
});

test('no file is called utils, helpers, common or misc, and no file is longer than 300 lines', () => {
  const checked = globSync(['{schemas,src,plugins,test,bench}/**/*.ts'], { cwd: ROOT });
  const faults = checked.flatMap((file) => {
    const lines = readFileSync(join(ROOT, file), 'utf8').split('\n').length - 1;
    return [
      ...(/(^|\/)(utils?|helpers?|common|misc)\b/.test(file) ? [`${file} has a name that says nothing`] : []),
      ...(lines > 300 ? [`${file} has ${lines} lines`] : []),
    ];
  });
  assert.deepEqual(faults, []);
});

test('every exported symbol has one sentence of documentation', () => {
  const faults = [...SOURCES].flatMap(([file, source]) => {
    const lines = source.split('\n');
    return lines.flatMap((line, index) => {
      if (!/^export (async )?(function|const|class|interface|type|default) /.test(line)) return [];
      // A type beside its schema carries the schema's sentence.
      if (/^export type \w+ = (Static<|\(typeof |keyof typeof )/.test(line)) return [];
      if (/^export (default (definition|fp)|interface \w+(Options|Parts|Request|Row))/.test(line)) return [];
      const before = lines[index - 1] ?? '';
      return /\*\/\s*$|oxlint-disable/.test(before) ? [] : [`${file}:${index + 1} ${line.slice(0, 60)}`];
    });
  });
  assert.deepEqual(faults, []);
});

function relativeImports(file: string, source: string): string[] {
  return importsOf(source)
    .filter((name) => name.startsWith('.'))
    .map((name) => relative(ROOT, join(ROOT, dirname(file), name)));
}

function packageImports(source: string): string[] {
  return importsOf(source).filter((name) => !name.startsWith('.') && !name.startsWith('node:'));
}

function importsOf(source: string): string[] {
  const pattern =
    /(?:^|\n)\s*(?:import|export)\b[^'";]*?from\s*'([^']+)'|(?:^|\n)import\s*'([^']+)'|\bimport\(\s*'([^']+)'\s*\)/g;
  return [...source.matchAll(pattern)].map((match) => match[1] ?? match[2] ?? match[3] ?? '');
}

function withoutComments(source: string): string {
  return source.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|\s)\/\/.*$/gm, '$1');
}
