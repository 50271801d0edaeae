import { allAtStart, atStart, flag, integer, list, section, text } from './config-keys.ts';

const MINUTE = 60_000;

/** The keys of `engagements`. */
export const ENGAGEMENTS = section('The operator’s permissions (docs/engagements.md).', {
  directory: atStart(
    text(
      'Directory of YAML files, one engagement each, relative to the working directory; the gateway only reads it. Empty: none.',
      '',
    ),
  ),
  offerDefault: flag(
    'Offers the engagement `default`, made of `policy`, to every key that no other engagement names.',
    true,
  ),
});

/** The keys of `plans`. */
export const PLANS = section('Plans that are made to be run later.', {
  ttlMs: integer('Time in which a plan can be run.', {
    default: 10 * MINUTE,
    minimum: 1000,
    maximum: 1440 * MINUTE,
    unit: 'ms',
  }),
});

/** The keys of `quotas`. */
export const QUOTAS = section('Limits of one principal over all tools, whatever its engagements say.', {
  concurrentRuns: integer('Runs with a process at once; more of them wait.', {
    default: 8,
    minimum: 1,
    maximum: 64,
    unit: 'runs',
  }),
  openRuns: integer('Runs that wait, run or await approval; more are refused with ERR_QUOTA_EXCEEDED.', {
    default: 500,
    minimum: 1,
    maximum: 100_000,
    unit: 'runs',
  }),
});

/** The keys of `approvals`. */
export const APPROVALS = section('How people are told that their consent is asked for.', {
  webhookUrls: list(
    'http or https URLs that get a signed POST (Standard Webhooks) for each request and each outcome.',
    [],
  ),
  webhookSecretFile: atStart(
    text('File with the secret of the signatures, `whsec_` and base64. Required with webhookUrls.', ''),
  ),
  webhookTimeoutMs: integer('Limit of one delivery; a failed one is tried again for an hour.', {
    default: 5000,
    minimum: 100,
    maximum: MINUTE,
    unit: 'ms',
  }),
});

/** The keys of `kill`. */
export const KILL = section(
  'The kill switch.',
  allAtStart({
    file: text('Sentinel file: while it exists nothing runs. Relative to dataDir.', 'KILL'),
  }),
);

/** The keys of `audit`. */
export const AUDIT = section('The record of every decision (docs/audit.md).', {
  checkpointEvery: integer('Records between two signed checkpoints.', {
    default: 100,
    minimum: 1,
    maximum: 1_000_000,
    unit: 'records',
  }),
  anchorFile: atStart(
    text('File, best on another machine’s disk, to which every checkpoint is appended. Empty: none.', ''),
  ),
  anchorWebhookUrl: atStart(text('http or https URL to which every checkpoint is posted, signed. Empty: none.', '')),
  anchorWebhookSecretFile: atStart(
    text('File with the secret of those signatures. Required with anchorWebhookUrl.', ''),
  ),
  anchorSyslogUrl: atStart(
    text('udp://, tcp:// or tls://host:port that gets every checkpoint as RFC 5424. Empty: none.', ''),
  ),
});
