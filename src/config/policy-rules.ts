import type { Config } from '../../schemas/config.ts';
import type { Broken } from './rules.ts';

/** Broken rules about what leaves the process: webhooks of approvals and anchors of the audit. */
export function brokenOutgoing({ approvals, audit, kill }: Config): readonly Broken[] {
  const wrongUrls = approvals.webhookUrls.flatMap((url, index) => (isWebhook(url) ? [] : [index + 1]));
  return [
    ...when(wrongUrls.length > 0, ['approvals.webhookUrls'], {
      wrong: `entry ${wrongUrls.join(', ')} is not valid`,
      right: 'https://host[:port]/path or http://…, without user and password',
    }),
    // Without a signature anybody could tell people of approvals that nobody asked for.
    ...when(
      approvals.webhookUrls.length > 0 && approvals.webhookSecretFile === '',
      ['approvals.webhookUrls', 'approvals.webhookSecretFile'],
      { wrong: 'a webhook without a secret', right: 'webhookSecretFile with the secret of the signatures' },
    ),
    ...when(audit.anchorWebhookUrl !== '' && !isWebhook(audit.anchorWebhookUrl), ['audit.anchorWebhookUrl'], {
      wrong: 'not a URL of a webhook',
      right: 'https://host[:port]/path or http://…, without user and password',
    }),
    ...when(
      audit.anchorWebhookUrl !== '' && audit.anchorWebhookSecretFile === '',
      ['audit.anchorWebhookUrl', 'audit.anchorWebhookSecretFile'],
      { wrong: 'a webhook without a secret', right: 'anchorWebhookSecretFile with the secret of the signatures' },
    ),
    ...when(audit.anchorSyslogUrl !== '' && !isSyslog(audit.anchorSyslogUrl), ['audit.anchorSyslogUrl'], {
      wrong: 'not an address of a syslog server',
      right: 'udp://host:port, tcp://host:port or tls://host:port',
    }),
    ...when(!/^(?!\.)[\w.-]{1,64}$/.test(kill.file), ['kill.file'], {
      wrong: 'not a file name',
      right: 'a name such as KILL, in the data directory',
    }),
  ];
}

function when(broken: boolean, keys: readonly string[], text: { wrong: string; right: string }): readonly Broken[] {
  return broken ? [{ keys, ...text }] : [];
}

function isWebhook(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, username, password, hash } = new URL(text);
  return /^https?:$/.test(protocol) && username === '' && password === '' && hash === '';
}

function isSyslog(text: string): boolean {
  return /^(udp|tcp|tls):\/\/(\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]{1,253}):[1-9]\d{0,4}$/.test(text);
}
