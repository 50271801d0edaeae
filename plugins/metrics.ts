import promClient from '@prometheus-io/client';
import fastifyMetrics from 'fastify-metrics';
import fp from 'fastify-plugin';
import { METRICS, type MetricName, type Recorder } from '../src/core/metrics/table.ts';

/** The registry of one gateway and the recorder that writes into it. */
export interface Metrics {
  readonly recorder: Recorder;
  readonly registry: promClient.Registry;
}

type Values = Record<string, string>;

const HTTP_BUCKETS = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60, 300, 1800, 3600];

/** Makes the registry with every metric of the table, and the recorder that core measures with. */
export function createMetrics(): Metrics {
  const registry = new promClient.Registry();
  const counters = new Map<MetricName, promClient.Counter<string>>();
  const gauges = new Map<MetricName, promClient.Gauge<string>>();
  const histograms = new Map<MetricName, promClient.Histogram<string>>();
  for (const name of Object.keys(METRICS) as MetricName[]) {
    const row = METRICS[name];
    const config = { name, help: row.help, labelNames: [...row.labels], registers: [registry] };
    if (row.kind === 'counter') counters.set(name, new promClient.Counter(config));
    else if (row.kind === 'gauge') gauges.set(name, new promClient.Gauge(config));
    else histograms.set(name, new promClient.Histogram({ ...config, buckets: [...row.buckets] }));
  }
  return {
    registry,
    recorder: {
      count: (name, labels, by = 1) => counters.get(name)?.inc(labels as Values, by),
      gauge: (name, labels, value) => gauges.get(name)?.set(labels as Values, value),
      observe: (name, labels, value) => histograms.get(name)?.observe(labels as Values, value),
    },
  };
}

/** Serves /metrics and measures every route. The client is handed in, or an installed fork would take over silently. */
export default fp<{ metrics: Metrics }>(
  async (app, { metrics }) => {
    await app.register(fastifyMetrics.default, {
      endpoint: '/metrics',
      promClient,
      clearRegisterOnInit: false,
      defaultMetrics: { enabled: true, register: metrics.registry },
      routeMetrics: {
        overrides: {
          histogram: {
            name: 'sallyport_http_request_duration_seconds',
            buckets: HTTP_BUCKETS,
            registers: [metrics.registry],
          },
          // Switched off below, but created all the same: in no registry it shows nowhere.
          summary: { name: 'sallyport_http_request_summary_seconds', registers: [] },
        },
        enabled: { histogram: true, summary: false },
        registeredRoutesOnly: true,
      },
    });
  },
  { name: 'metrics', dependencies: ['errors'] },
);
