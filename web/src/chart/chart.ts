// Draws bars. A script of its own: only a supervisor's desk wants it, and only
// when it shows the day. Every figure that it draws stands in a table beside it.
import uPlot from 'uplot'

export interface Series { label: string; color: string; values: number[] }

/** Draws series as bars on top of each other and returns what takes them away. The chart is as wide as its host. */
export function bars(host: HTMLElement, labels: string[], series: Series[], look: { ink: string; rule: string; font: string; height: number; number: (n: number) => string }): () => void {
  const sums = labels.map((_, i) => series.map((_, s) => series.slice(0, s + 1).reduce((sum, one) => sum + (one.values[i] ?? 0), 0)))
  const top = Math.max(1, ...sums.map((sum) => sum.at(-1) ?? 0))
  const paths = uPlot.paths.bars!({ size: [0.7, 48] })
  const stacked = series.map((one, s) => ({ ...one, heights: sums.map((sum) => sum[s]!) })).reverse() // the highest first, the others over it
  const axis = { stroke: look.ink, font: look.font, ticks: { show: false } }
  const options: uPlot.Options = {
    width: host.clientWidth,
    height: look.height,
    legend: { show: false },
    cursor: { show: false },
    padding: [8, 8, 0, 0],
    scales: { x: { time: false, range: [-0.6, labels.length - 0.4] }, y: { range: [0, top * 1.05] } },
    axes: [
      { ...axis, grid: { show: false }, splits: () => labels.map((_, i) => i), values: (plot, at) => at.map((i) => (every(labels.length, plot.width, i) ? labels[i]! : '')), size: 28 },
      { ...axis, grid: { stroke: look.rule, width: 1 }, size: 40, values: (_, at) => at.map(look.number), incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000] },
    ],
    series: [{}, ...stacked.map((one) => ({ label: one.label, fill: one.color, width: 0, points: { show: false }, paths }))],
  }
  const plot = new uPlot(options, [labels.map((_, i) => i), ...stacked.map((one) => one.heights)], host)
  const watch = new ResizeObserver(() => {
    if (host.clientWidth && host.clientWidth !== plot.width) plot.setSize({ width: host.clientWidth, height: look.height })
  })
  watch.observe(host)
  return () => {
    watch.disconnect()
    plot.destroy()
  }
}

/** Whether there is room for the label at a place: as many as fit, and always the last. */
function every(count: number, width: number, at: number): boolean {
  const step = Math.max(1, Math.ceil((count * 46) / width))
  return (count - 1 - at) % step === 0
}
