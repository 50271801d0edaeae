import { Type } from '@sinclair/typebox';
import { allAtStart, atStart, flag, integer, section, text } from './config-keys.ts';
import { LayerNameSchema, OptionalLayerSchema } from './layer.ts';

const HOUR = 3_600_000;
const MIB = 1_048_576;

/** The keys of `execution`. */
export const EXECUTION = section('How tool processes are run.', {
  require: atStart(
    Type.Array(LayerNameSchema, {
      description: 'Confinement layers without which the gateway refuses to start.',
      default: ['L0'],
      maxItems: 8,
    }),
  ),
  disable: atStart(
    Type.Array(OptionalLayerSchema, {
      description: 'Confinement layers that are not used although they could be.',
      default: [],
      maxItems: 6,
    }),
  ),
  maxConcurrentRuns: integer('Runs at once over all tools.', { default: 8, minimum: 1, maximum: 64, unit: 'runs' }),
  maxQueuedRuns: integer('Runs that may wait for a place over all tools; a principal with none may always have one.', {
    default: 1000,
    minimum: 0,
    maximum: 10_000,
    unit: 'runs',
  }),
  maxQueueWaitMs: integer('Longest wait of a run for a place; then it ends with ERR_TOOL_BUSY.', {
    default: 24 * HOUR,
    minimum: 0,
    maximum: 168 * HOUR,
    unit: 'ms',
  }),
  killGraceMs: atStart(
    integer('Time between SIGTERM and SIGKILL of a process tree.', {
      default: 500,
      minimum: 0,
      maximum: 1500,
      unit: 'ms',
    }),
  ),
  memoryBytes: atStart(
    integer('Memory of one run where control groups limit it (layer 4).', {
      default: 1024 * MIB,
      minimum: 64 * MIB,
      maximum: 1_099_511_627_776,
      unit: 'bytes',
    }),
  ),
  processes: atStart(
    integer('Processes and threads of one run where control groups limit them (layer 4).', {
      default: 512,
      minimum: 16,
      maximum: 65_536,
      unit: 'processes',
    }),
  ),
  cpuPercent: atStart(
    integer('Processor time of one run where control groups limit it (layer 4); 100 is one processor.', {
      default: 200,
      minimum: 10,
      maximum: 102_400,
      unit: 'percent',
    }),
  ),
  scratchDir: atStart(text('Parent of the private working directories. Empty: <dataDir>/scratch.', '')),
  raw: section(
    'Raw packets (nmap -sS, masscan): needs a root start or NET_RAW.',
    allAtStart({
      enabled: flag('Offers raw scans where the capability can be given.', false),
      interface: text('Interface for masscan; empty: its own choice.', ''),
      adapterIp: text('Source address for masscan; empty: its own choice.', ''),
      routerMac: text('Router MAC address for masscan; empty: its own choice.', ''),
    }),
  ),
});
