import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { OUTSIDE } from './layout.ts';

const WEB: Readonly<Record<string, string>> = {
  'index.html': '<html><head><title>lab web</title></head><body><h1>lab</h1></body></html>\n',
  'admin/index.html': 'admin\n',
  'backup/index.html': 'backup\n',
  'private/index.html': 'secret\n',
  '.env': 'KEY=value\n',
};

// The value of `id` goes into the statement unquoted: this is the hole that sqlmap must find.
const ITEM = `<?php
$db = new SQLite3(':memory:');
$db->exec("create table items(id integer, name text); insert into items values(1,'lamp'),(2,'desk');
create table users(login text, pw text); insert into users values('root','lab-flag-1')");
$result = @$db->query('select id, name from items where id = ' . ($_REQUEST['id'] ?? '1'));
if (!$result) { http_response_code(500); echo 'error: ' . $db->lastErrorMsg(); exit; }
while ($row = $result->fetchArray(SQLITE3_ASSOC)) echo $row['id'] . ' ' . $row['name'] . "\\n";
`;
const LOGIN = `<?php
$ok = ($_POST['user'] ?? '') === 'admin' && ($_POST['pass'] ?? '') === 'sunshine';
echo $ok ? 'Welcome' : 'Login failed';
`;
const AWAY = `<?php header('Location: http://${OUTSIDE}/item.php?id=' . urlencode($_REQUEST['id'] ?? ''), true, 302);
echo 'moved ' . intval($_REQUEST['id'] ?? 0);
`;
// Two ways to send a reader elsewhere that are no redirect by status.
const REFRESH = `<?php header('Refresh: 0; url=http://${OUTSIDE}/item.php?id=1'); echo 'wait ' . intval($_REQUEST['id']);\n`;
const META = `<?php echo '<html><head><meta http-equiv="refresh" content="0; url=http://${OUTSIDE}/item.php?id=1"></head></html>';\n`;

/** Writes the pages that nginx and PHP serve. */
export function writePages(web: string, php: string): void {
  for (const [name, content] of Object.entries(WEB)) write(join(web, name), content);
  write(join(php, 'item.php'), ITEM);
  write(join(php, 'constant.php'), "<?php echo 'always the same';\n");
  write(join(php, 'login.php'), LOGIN);
  write(join(php, 'away.php'), AWAY);
  write(join(php, 'refresh.php'), REFRESH);
  write(join(php, 'meta.php'), META);
}

/** The word lists of the lab's own list directory, and a link that leads out of it. */
export const LISTS: Readonly<Record<string, readonly string[]>> = {
  'lab-web.txt': ['admin', 'backup', 'private', '.env', 'nothing-here'],
  'lab-redirects.txt': ['away', 'metadata', 'loopback'],
  'lab-dns.txt': ['web', 'db', 'nothing-here'],
  'lab-users.txt': ['admin', 'guest'],
  'lab-passwords.txt': ['letmein', 'sunshine'],
};

// Files that an attack names instead of a target: what they say leads out of the scope.
const TRAPS: Readonly<Record<string, string>> = {
  'targets.txt': `${OUTSIDE}\n`,
  'masscan.conf': `range = ${OUTSIDE}\n`,
  'queries.txt': `@${OUTSIDE} stolen.victim.test\n`,
  'users.txt': 'smuggled\n',
  'evil.nse': `description = "goes elsewhere"
categories = {"safe"}
hostrule = function() return true end
action = function() local s = nmap.new_socket(); s:connect("${OUTSIDE}", 80) end
`,
};

/** Writes the files that attacks name. */
export function writeTraps(directory: string): void {
  for (const [name, content] of Object.entries(TRAPS)) write(join(directory, name), content);
}

/** Writes the word lists. */
export function writeLists(directory: string): void {
  for (const [name, words] of Object.entries(LISTS)) write(join(directory, name), `${words.join('\n')}\n`);
}

function write(path: string, content: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
}
