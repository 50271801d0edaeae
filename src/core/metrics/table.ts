interface MetricRow {
  readonly kind: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  readonly labels: readonly string[];
  readonly buckets?: readonly number[];
}

/** Seconds; up to an hour, because scans take that long. */
const RUN_SECONDS = [0.01, 0.05, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1200, 1800, 3600] as const;

/** Every metric of the gateway: its name, kind, meaning and labels. Label values come from closed sets only. */
export const METRICS = {
  sallyport_build_info: {
    kind: 'gauge',
    help: 'Always 1; version of the gateway and of Node.js.',
    labels: ['version', 'node'],
  },
  sallyport_runs_total: {
    kind: 'counter',
    help: 'Calls of a tool by how they ended.',
    labels: ['tool', 'outcome', 'code'],
  },
  sallyport_run_duration_seconds: {
    kind: 'histogram',
    help: 'Time from process start to its end.',
    labels: ['tool', 'outcome'],
    buckets: RUN_SECONDS,
  },
  sallyport_runs_active: { kind: 'gauge', help: 'Runs that have a process now.', labels: ['tool'] },
  sallyport_queue_depth: { kind: 'gauge', help: 'Calls waiting for a free place.', labels: ['tool'] },
  sallyport_queue_wait_seconds: {
    kind: 'histogram',
    help: 'Time a call waited for its place.',
    labels: ['tool'],
    buckets: RUN_SECONDS,
  },
  sallyport_breaker_state: { kind: 'gauge', help: 'Circuit breaker: 0 closed, 1 half-open, 2 open.', labels: ['tool'] },
  sallyport_breaker_transitions_total: {
    kind: 'counter',
    help: 'Changes of the breaker state.',
    labels: ['tool', 'from', 'to'],
  },
  sallyport_refusals_total: {
    kind: 'counter',
    help: 'Calls refused by policy, by rule and error code.',
    labels: ['tool', 'rule', 'code'],
  },
  sallyport_plans_total: { kind: 'counter', help: 'Plans by what they decided.', labels: ['tool', 'decision'] },
  sallyport_engagements: { kind: 'gauge', help: 'Engagements in force, by how they stand.', labels: ['state'] },
  sallyport_policy_ended_runs_total: {
    kind: 'counter',
    help: 'Runs that the policy ended while they waited or ran, by error code.',
    labels: ['code'],
  },
  sallyport_approvals_pending: { kind: 'gauge', help: 'Runs that wait for the consent of people.', labels: [] },
  sallyport_approvals_total: { kind: 'counter', help: 'Requests for consent by how they ended.', labels: ['outcome'] },
  sallyport_webhook_deliveries_total: {
    kind: 'counter',
    help: 'Messages to the webhooks of the operator.',
    labels: ['kind', 'result'],
  },
  sallyport_budget_left_ratio: {
    kind: 'gauge',
    help: 'What is left of a budget of an engagement, 0 to 1.',
    labels: ['engagement', 'budget'],
  },
  sallyport_kill_switch_active: {
    kind: 'gauge',
    help: '1 while a kill switch is on: for everything, or for one or more engagements.',
    labels: ['scope'],
  },
  sallyport_kill_switch_seconds: {
    kind: 'histogram',
    help: 'Time from a kill to the end of the last process.',
    labels: [],
    buckets: [0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30],
  },
  sallyport_audit_records_total: { kind: 'counter', help: 'Records of the audit.', labels: ['type'] },
  sallyport_audit_writable: {
    kind: 'gauge',
    help: '1 while the audit can be written; otherwise nothing starts.',
    labels: [],
  },
  sallyport_audit_anchors_total: {
    kind: 'counter',
    help: 'Checkpoints sent outside, by kind of anchor and result.',
    labels: ['anchor', 'result'],
  },
  sallyport_output_bytes_total: { kind: 'counter', help: 'Bytes that tools wrote.', labels: ['tool', 'stream'] },
  sallyport_output_truncated_total: {
    kind: 'counter',
    help: 'Runs whose stream met its cap.',
    labels: ['tool', 'stream'],
  },
  sallyport_kills_total: {
    kind: 'counter',
    help: 'Process trees ended by the gateway, by cause.',
    labels: ['tool', 'cause'],
  },
  sallyport_kill_survivors_total: {
    kind: 'counter',
    help: 'Processes still alive after a kill; must stay 0.',
    labels: ['tool'],
  },
  sallyport_auth_failures_total: {
    kind: 'counter',
    help: 'Requests refused before or by authentication.',
    labels: ['reason'],
  },
  sallyport_rate_limited_total: { kind: 'counter', help: 'Requests refused by a rate limit.', labels: ['by'] },
  sallyport_health_state: { kind: 'gauge', help: 'Overall health: 0 healthy, 1 degraded, 2 unhealthy.', labels: [] },
  sallyport_health_check_state: {
    kind: 'gauge',
    help: 'One check: 0 passing, 1 failing, 2 stale.',
    labels: ['check', 'priority'],
  },
  sallyport_tool_available: {
    kind: 'gauge',
    help: '1 when the tool was found and its probe passed.',
    labels: ['tool'],
  },
  sallyport_tool_enabled: { kind: 'gauge', help: '1 when the tool is enabled.', labels: ['tool'] },
  sallyport_layer_proved: {
    kind: 'gauge',
    help: '1 when the confinement layer stopped its attack at start.',
    labels: ['layer'],
  },
  sallyport_config_reloads_total: {
    kind: 'counter',
    help: 'Reloads of the configuration by result.',
    labels: ['result'],
  },
  sallyport_mcp_requests_total: { kind: 'counter', help: 'MCP requests by era and method.', labels: ['era', 'method'] },
  sallyport_mcp_sessions: { kind: 'gauge', help: 'Open sessions of the older MCP era.', labels: [] },
  sallyport_event_streams: { kind: 'gauge', help: 'Open Server-Sent Events streams of /v1/events.', labels: [] },
  sallyport_run_event_streams: { kind: 'gauge', help: 'Open Server-Sent Events streams of single runs.', labels: [] },
  sallyport_runs_recovered_total: {
    kind: 'counter',
    help: 'Runs that an earlier life of the gateway left unfinished, by what became of them.',
    labels: ['state'],
  },
  sallyport_findings_total: {
    kind: 'counter',
    help: 'Findings of ended runs.',
    labels: ['tool', 'severity'],
  },
  sallyport_store_failures_total: {
    kind: 'counter',
    help: 'Writes that the store refused, by kind.',
    labels: ['kind'],
  },
  sallyport_store_bytes: { kind: 'gauge', help: 'Size of the database with its log.', labels: [] },
  sallyport_output_swept_bytes_total: { kind: 'counter', help: 'Kept output removed by retention.', labels: [] },
  sallyport_event_loop_lag_seconds: {
    kind: 'gauge',
    help: 'Event-loop delay, 99th percentile of the last interval.',
    labels: [],
  },
} as const satisfies Record<`sallyport_${string}`, MetricRow>;

export type MetricName = keyof typeof METRICS;
type MetricOf<K extends MetricRow['kind']> = {
  [N in MetricName]: (typeof METRICS)[N]['kind'] extends K ? N : never;
}[MetricName];
type Labels<N extends MetricName> = Record<(typeof METRICS)[N]['labels'][number], string>;

/** What core measures with. The client behind it lives in one plugin. */
export interface Recorder {
  count<N extends MetricOf<'counter'>>(name: N, labels: Labels<N>, by?: number): void;
  gauge<N extends MetricOf<'gauge'>>(name: N, labels: Labels<N>, value: number): void;
  observe<N extends MetricOf<'histogram'>>(name: N, labels: Labels<N>, value: number): void;
}
