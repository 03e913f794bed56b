// Values over time: uPlot inside Preact, in the page's colours, with one cursor for all charts.
import { html, useEffect, useMemo, useRef, useState } from "./preact.js";
import { clock } from "./ui.js";

const BRIDGED = 5; // samples without a value that a line goes on over: a slow camera is no gap
const SHORTEST_S = 60;
const STEPS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000, 50000, 100000];
const NICE = [1, 2, 4, 6, 8, 10]; // tops of an axis that its steps divide
const DARK = matchMedia("(prefers-color-scheme: dark)");

/** What a colour is on a canvas: "--good" of the style sheet, or the colour itself. */
function paint(colour) {
  if (!colour.startsWith("--")) return colour;
  return getComputedStyle(document.documentElement).getPropertyValue(colour).trim();
}

/**
 * A chart with its legend, which says the values under the cursor, else the newest.
 * `series`: [{label, colour, values}], one value or null for each of `times` (Unix s).
 * `stacked`: one on top of another, `total` what their sum is called; `stepped`: a value lasts until the next.
 */
export function Chart({ label, times, series, stacked = false, total, stepped = false, format, empty }) {
  const place = useRef(), plot = useRef();
  const [at, point] = useState(null);
  const dark = useDark();
  const shape = series.map((one) => one.label + one.colour).join("|");
  const lines = useMemo(() => series.map((one) => bridged(one.values)), [times, shape]);
  const columns = useMemo(() => [times, ...(stacked ? piled(lines) : lines)], [lines]);
  const bare = !lines.some((values) => values.some((value) => value !== null));
  useEffect(() => {
    if (bare) return undefined;
    const made = new window.uPlot(options({ series, stacked, stepped, format, point }), columns, place.current);
    plot.current = made;
    const sized = new ResizeObserver(([{ contentRect: { width, height } }]) => made.setSize({ width, height }));
    sized.observe(place.current);
    return () => {
      sized.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [shape, dark, bare]);
  useEffect(() => plot.current?.setData(columns), [columns]);
  const shown = at !== null && at < times.length ? at : times.length - 1;
  return html`<div class="chart">
    <div class="plot" ref=${place} role="img" aria-label=${label} tabindex=${bare ? null : 0}
      onKeyDown=${(event) => walk(event, plot.current)}>${bare && html`<p class="nothing">${empty}</p>`}</div>
    ${!bare && html`<${Legend} series=${series} lines=${lines} shown=${shown} format=${format}
      when=${at === null ? "now" : clock(times[shown])} total=${total} sum=${columns.at(-1)[shown]} />`}
  </div>`;
}

function Legend({ series, lines, shown, format, when, total, sum }) {
  return html`<ul class="legend">
    <li class="when">${when}</li>
    ${total && html`<li>${total} <b>${format(sum ?? null)}</b></li>`}
    ${series.map((one, i) => html`<li key=${one.label}><${Swatch} colour=${one.colour} />${one.label}
      <b>${format(lines[i][shown] ?? null)}</b></li>`)}
  </ul>`;
}

/** A small square of a colour. */
export function Swatch({ colour }) {
  const dyed = colour.startsWith("--") ? `var(${colour})` : colour;
  const dye = (element) => element?.style.setProperty("--class", dyed);
  return html`<span class="swatch" ref=${dye} />`;
}

function useDark() {
  const [dark, set] = useState(DARK.matches);
  useEffect(() => {
    const follow = () => set(DARK.matches);
    DARK.addEventListener("change", follow);
    return () => DARK.removeEventListener("change", follow);
  }, []);
  return dark;
}

/** Arrow keys move the cursor of all charts. */
function walk(event, plot) {
  const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (!step || !plot) return;
  event.preventDefault();
  const last = plot.data[0].length - 1;
  const to = Math.max(0, Math.min(last, (plot.cursor.idx ?? last) + step * (event.shiftKey ? 30 : 1)));
  plot.setCursor({ left: plot.valToPos(plot.data[0][to], "x"), top: 8 }, true, true);
}

/** The values, each short run of nulls filled with what was before it. */
function bridged(values) {
  let last = null, missing = 0;
  return values.map((value) => {
    missing = value === null ? missing + 1 : 0;
    if (value !== null) last = value;
    return missing <= BRIDGED ? last : null;
  });
}

/** Each series on top of those before it; null where none has a value. */
function piled(lines) {
  const sums = (lines[0] ?? []).map(() => 0);
  return lines.map((values) => values.map((value, i) => {
    sums[i] += value ?? 0;
    return lines.some((line) => line[i] !== null) ? sums[i] : null;
  }));
}

function options({ series, stacked, stepped, format, point }) {
  const soft = paint("--soft"), line = paint("--line");
  const axis = { stroke: soft, font: "11px system-ui, sans-serif", gap: 6, ticks: { show: false } };
  const paths = stepped ? window.uPlot.paths.stepped({ align: 1 }) : window.uPlot.paths.linear();
  return {
    width: 300, height: 150, padding: [8, 4, 0, 0], legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, sync: { key: "time" }, points: { size: 6 } },
    scales: {
      x: { time: true, range: (_, first, last) => [Math.min(first, last - SHORTEST_S), last] },
      y: { range: (_, __, most) => [0, nice(most)] },
    },
    axes: [
      { ...axis, size: 24, space: 64, grid: { show: false }, values: (_, splits) => splits.map(hour) },
      {
        ...axis, size: 52, space: 34, incrs: STEPS, grid: { stroke: line, width: 1 },
        values: (_, splits) => splits.map(format),
      },
    ],
    series: [{}, ...series.map(({ label, colour }) => {
      const ink = paint(colour);
      const drawn = stacked ? { width: 0, fill: `${ink}b3` } : { width: 1.8 };
      return { label, stroke: ink, ...drawn, paths, points: { show: false } };
    })],
    bands: stacked ? series.slice(1).map((_, i) => ({ series: [i + 2, i + 1] })) : [],
    hooks: { setCursor: [(plot) => point(plot.cursor.idx ?? null)] },
  };
}

/** The next round number above, so that the axis stands still while values move. */
function nice(most) {
  if (!(most > 0)) return 1;
  const unit = 10 ** Math.floor(Math.log10(most * 1.02));
  return NICE.find((step) => step * unit >= most * 1.02) * unit;
}

const hour = (unixS) => clock(unixS).slice(0, unixS % 60 ? 8 : 5);
