const SAMPLE_MS = 2;

/** Watches the resident memory of this process. Needs `--expose-gc`. */
export function createMemoryWatch() {
  let before = 0;
  let peak = 0;
  let timer: NodeJS.Timeout | undefined;
  const look = () => {
    peak = Math.max(peak, process.memoryUsage.rss());
  };
  return {
    watch: async () => {
      clearInterval(timer);
      if (globalThis.gc === undefined) throw new Error('start with --expose-gc');
      // Twice: the first pass frees what finalizers still hold for the second.
      await globalThis.gc({ execution: 'async', type: 'major' });
      await globalThis.gc({ execution: 'async', type: 'major' });
      before = process.memoryUsage.rss();
      peak = before;
      timer = setInterval(look, SAMPLE_MS);
      return {};
    },
    watched: async () => {
      clearInterval(timer);
      look();
      return peak - before;
    },
  };
}
