import { LOOPBACK_PORT, METADATA, OUTSIDE, PORTS, TARGET } from '../layout.ts';
import { asTool, type Attack, type Control } from './attack.ts';

const ITEM = '/item.php?id=1';
const page = (path: string, more: Readonly<Record<string, unknown>> = {}) => ({
  url: { scheme: 'http', host: TARGET, port: PORTS.php, path },
  param: 'id',
  // One technique: what these calls test is where they go, not what they find.
  technique: 'B',
  ...more,
});
const host = (name: string, more: Readonly<Record<string, unknown>> = {}) =>
  page(ITEM, { url: { scheme: 'http', host: name, port: PORTS.php, path: ITEM, ...more } });
const php = { address: TARGET, port: PORTS.php };
const web = { address: OUTSIDE, port: 80 };
const control: Control = { input: page(ITEM), reaches: php };
const byName: Control = { ...control, input: host('inside.hostile.test') };
const bare = (url: string, ...args: string[]): string[] => ['sqlmap', '-u', url, '--batch', '--technique=B', ...args];
const ITEM_URL = `http://${TARGET}:${PORTS.php}${ITEM}`;

/** What sqlmap must not be brought to do. */
export const SQLMAP_ATTACKS: readonly Attack[] = [
  {
    name: 'test a page out of scope',
    input: host(OUTSIDE, { port: 80 }),
    refused: ['ERR_TARGET_OUT_OF_SCOPE'],
    control,
    unguarded: { argv: bare(`http://${OUTSIDE}${ITEM}`), reaches: web },
  },
  {
    name: 'follow a redirect out of scope',
    input: page('/away.php?id=1'),
    control,
    unguarded: { argv: bare(`http://${TARGET}:${PORTS.php}/away.php?id=1`), reaches: web },
  },
  {
    name: 'follow a Refresh header out of scope',
    input: page('/refresh.php?id=1'),
    control,
    unguarded: { argv: bare(`http://${TARGET}:${PORTS.php}/refresh.php?id=1`), reaches: web },
  },
  {
    name: 'follow a page’s own refresh out of scope',
    input: page('/meta.php?id=1'),
    control,
    unguarded: { argv: bare(`http://${TARGET}:${PORTS.php}/meta.php?id=1`), reaches: web },
  },
  {
    name: 'follow a name to a page out of scope',
    input: host('outside.hostile.test'),
    refused: ['ERR_TARGET_OUT_OF_SCOPE'],
    control: byName,
    unguarded: { argv: bare(`http://outside.hostile.test${ITEM}`), reaches: web },
  },
  {
    name: 'resolve again after the check (DNS rebinding)',
    input: host('sqlmap.flip.test'),
    control: byName,
    unguarded: {
      argv: ['sh', '-c', `dig +short @${TARGET} again.flip.test; exec sqlmap -u http://again.flip.test${ITEM} --batch`],
      reaches: web,
    },
  },
  {
    name: 'resolve the name of an https page again (it has no option for a server name)',
    input: host('tls.flip.test', { scheme: 'https', port: 443 }),
    refused: ['ERR_TARGET_UNPINNABLE'],
    control: byName,
    unguarded: {
      argv: ['sh', '-c', `dig +short @${TARGET} tls2.flip.test; exec sqlmap -u https://tls2.flip.test${ITEM} --batch`],
      reaches: { address: OUTSIDE, port: 443 },
    },
  },
  {
    name: 'choose among mixed answers by itself',
    input: host('mixed.hostile.test'),
    refused: ['ERR_TARGET_OUT_OF_SCOPE'],
    control: byName,
  },
  {
    name: 'take the host behind a user name in the URL',
    input: host(`${TARGET}@${OUTSIDE}`),
    refused: ['ERR_INPUT_INVALID'],
    control,
    unguarded: { argv: bare(`http://${TARGET}@${OUTSIDE}${ITEM}`), reaches: web },
  },
  {
    name: 'take a path that becomes another host',
    input: page(`.evil@${OUTSIDE}${ITEM}`),
    refused: ['ERR_INPUT_INVALID'],
    control,
  },
  {
    name: 'take a whole URL as a path',
    input: page(`http://${OUTSIDE}${ITEM}`),
    refused: ['ERR_INPUT_INVALID'],
    control,
  },
  {
    name: 'find an option behind the parameter’s name',
    input: page(ITEM, { param: `id --proxy=http://${OUTSIDE}:80` }),
    refused: ['ERR_INPUT_INVALID'],
    control,
    unguarded: { argv: bare(ITEM_URL, '-p', 'id', `--proxy=http://${OUTSIDE}:80`), reaches: web },
  },
  {
    name: 'take a parameter’s name for an abbreviated option that runs code',
    input: page(ITEM, { param: '--ev=import socket' }),
    refused: ['ERR_INPUT_INVALID'],
    control,
    unguarded: {
      argv: bare(ITEM_URL, `--ev=import socket;socket.create_connection(("${OUTSIDE}",80))`),
      reaches: web,
    },
  },
  {
    name: 'take the data for an option that names a second page',
    input: page('/item.php', { data: `--second-u=http://${OUTSIDE}/` }),
    refused: ['ERR_INPUT_INVALID'],
    control: { ...control, input: page('/item.php', { data: 'id=1' }) },
    unguarded: { argv: bare(ITEM_URL, '-p', 'id', `--second-u=http://${OUTSIDE}/`), reaches: web },
  },
  {
    name: 'break the line of the data and begin a header',
    input: page('/item.php', { data: `id=1\r\nHost: ${OUTSIDE}` }),
    refused: ['ERR_INPUT_INVALID'],
    control: { ...control, input: page('/item.php', { data: 'id=1' }) },
  },
  {
    name: 'read its targets from a file by an option in the technique',
    input: ({ lab }) => page(ITEM, { technique: `B -m ${lab.traps}/targets.txt` }),
    refused: ['ERR_INPUT_INVALID'],
    control,
    unguarded: {
      argv: ({ lab }) => ['sqlmap', '-m', `${lab.traps}/targets.txt`, '--batch', '--crawl=1'],
      reaches: web,
    },
  },
  {
    name: 'move the test to another place by a mark in the path',
    input: page(`/item.php?id=1&other=1*`),
    refused: ['ERR_INPUT_INVALID'],
    control,
  },
  {
    name: 'test a header by the name of a parameter (host)',
    input: page(ITEM, { param: 'host' }),
    refused: ['ERR_INPUT_INVALID'],
    control,
  },
  {
    name: 'run a command of the system as its action',
    input: page(ITEM, { action: 'osShell' }),
    refused: ['ERR_INPUT_INVALID'],
    control,
  },
  {
    name: 'test a page on a denied port',
    input: host(TARGET, { port: PORTS.denied }),
    refused: ['ERR_TARGET_OUT_OF_SCOPE'],
    spares: { address: TARGET, port: PORTS.denied },
    control,
    unguarded: {
      argv: bare(`http://${TARGET}:${PORTS.denied}${ITEM}`),
      reaches: { address: TARGET, port: PORTS.denied },
    },
  },
  {
    name: 'test a page of its own machine',
    input: host('127.0.0.1', { port: LOOPBACK_PORT }),
    refused: ['ERR_TARGET_OUT_OF_SCOPE'],
    control,
    unguarded: {
      argv: asTool(...bare(`http://127.0.0.1:${LOOPBACK_PORT}${ITEM}`)),
      reaches: { address: '127.0.0.1', port: LOOPBACK_PORT },
    },
  },
  {
    name: 'test the metadata service through a name',
    input: host('metadata.hostile.test', { port: 80 }),
    refused: ['ERR_TARGET_OUT_OF_SCOPE'],
    control: byName,
    unguarded: { argv: bare(`http://${METADATA}${ITEM}`), reaches: { address: METADATA, port: 80 } },
  },
];
