import { highestRisk, type Risk } from '../../../schemas/risk.ts';

/**
 * The scripts that may be named, with their categories in script.db of nmap 7.93 (a test compares both).
 * Each one was read: it runs on the scanned port alone, opens no other port or host, takes no new targets, writes no
 * file, and follows redirects only by nmap's default rules (same address, same port). Left out for that reason among
 * others: http-security-headers (follows any redirect), http-favicon (looser redirects), ftp-anon (data port), smb-*, nbstat and ms-sql-info (host
 * rules), dns-recursion (asks for an outside name).
 */
export const NMAP_SCRIPTS: Readonly<Record<string, readonly string[]>> = {
  'ajp-methods': ['default', 'safe'],
  'amqp-info': ['default', 'discovery', 'safe', 'version'],
  banner: ['discovery', 'safe'],
  'cups-info': ['discovery', 'safe'],
  'dns-nsid': ['default', 'discovery', 'safe'],
  'docker-version': ['version'],
  'ftp-syst': ['default', 'discovery', 'safe'],
  'http-apache-server-status': ['discovery', 'safe'],
  'http-auth': ['auth', 'default', 'safe'],
  'http-cookie-flags': ['default', 'safe', 'vuln'],
  'http-cors': ['default', 'discovery', 'safe'],
  'http-date': ['discovery', 'safe'],
  'http-enum': ['discovery', 'intrusive', 'vuln'],
  'http-generator': ['default', 'discovery', 'safe'],
  'http-git': ['default', 'safe', 'vuln'],
  'http-headers': ['discovery', 'safe'],
  'http-internal-ip-disclosure': ['discovery', 'safe', 'vuln'],
  'http-methods': ['default', 'safe'],
  'http-php-version': ['discovery', 'safe'],
  'http-robots.txt': ['default', 'discovery', 'safe'],
  'http-server-header': ['version'],
  'http-shellshock': ['exploit', 'intrusive', 'vuln'],
  'http-title': ['default', 'discovery', 'safe'],
  'http-trace': ['discovery', 'safe', 'vuln'],
  'http-vuln-cve2017-5638': ['vuln'],
  'http-waf-detect': ['discovery', 'intrusive'],
  'http-webdav-scan': ['default', 'discovery', 'safe'],
  'imap-capabilities': ['default', 'safe'],
  'ipmi-cipher-zero': ['safe', 'vuln'],
  'ldap-rootdse': ['discovery', 'safe'],
  'memcached-info': ['discovery', 'safe'],
  'mongodb-info': ['default', 'discovery', 'safe'],
  'mysql-empty-password': ['auth', 'intrusive'],
  'mysql-info': ['default', 'discovery', 'safe'],
  'ntp-info': ['default', 'discovery', 'safe'],
  'pop3-capabilities': ['default', 'discovery', 'safe'],
  'rdp-enum-encryption': ['discovery', 'safe'],
  'rdp-ntlm-info': ['default', 'discovery', 'safe'],
  'realvnc-auth-bypass': ['auth', 'safe', 'vuln'],
  'redis-info': ['discovery', 'safe'],
  rpcinfo: ['default', 'discovery', 'safe', 'version'],
  'rsync-list-modules': ['discovery', 'safe'],
  'rtsp-methods': ['default', 'safe'],
  'smtp-commands': ['default', 'discovery', 'safe'],
  'snmp-info': ['default', 'safe', 'version'],
  'snmp-sysdescr': ['default', 'discovery', 'safe'],
  'ssh-auth-methods': ['auth', 'intrusive'],
  'ssh-hostkey': ['default', 'discovery', 'safe'],
  'ssh2-enum-algos': ['discovery', 'safe'],
  sshv1: ['default', 'safe'],
  'ssl-ccs-injection': ['safe', 'vuln'],
  'ssl-cert': ['default', 'discovery', 'safe'],
  'ssl-date': ['default', 'discovery', 'safe'],
  'ssl-dh-params': ['safe', 'vuln'],
  'ssl-enum-ciphers': ['discovery', 'intrusive'],
  'ssl-heartbleed': ['safe', 'vuln'],
  'ssl-poodle': ['safe', 'vuln'],
  sslv2: ['default', 'safe'],
  'telnet-encryption': ['discovery', 'safe'],
  'telnet-ntlm-info': ['default', 'discovery', 'safe'],
  'tls-alpn': ['default', 'discovery', 'safe'],
  'vnc-info': ['default', 'discovery', 'safe'],
  'x11-access': ['auth', 'default', 'safe'],
};

const RISK_OF_CATEGORY: Readonly<Record<string, Risk>> = {
  safe: 'active',
  default: 'active',
  discovery: 'active',
  version: 'active',
  auth: 'active',
  vuln: 'intrusive',
  brute: 'intrusive',
  intrusive: 'intrusive',
  dos: 'exploit',
  exploit: 'exploit',
};

/** Risk of one script by its categories; one that is not on the list, or has an unknown category, is `exploit`. */
export function riskOfScript(name: string): Risk {
  const categories = Object.hasOwn(NMAP_SCRIPTS, name) ? (NMAP_SCRIPTS[name] ?? []) : [];
  if (categories.length === 0) return 'exploit';
  return highestRisk(categories.map((category) => RISK_OF_CATEGORY[category] ?? 'exploit'));
}

const NAME = `(?:${Object.keys(NMAP_SCRIPTS).join('|').replaceAll('.', '\\.')})`;

/** A list of scripts, each on the list by its whole name: nmap also takes paths, categories and wildcards there. */
export const VETTED_SCRIPTS = new RegExp(`^${NAME}(?:,${NAME})*$`);
