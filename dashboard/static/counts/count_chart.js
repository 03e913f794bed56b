// Columns by class, one on top of another: what came above the line, what went below it.
import { colourOf } from "../lib/colours.js";
import { html, useRef, useState } from "../lib/preact.js";
import { STEP_S, startWords } from "./count_columns.js";

const UNITS = 100; // of the drawing's own height
const TICKS_MOST = 6, LABELS_MOST = 6;
const LAST = 0.94; // of the width: words that begin further right have no room
const STEPS = [1, 2, 5];
const FADED = 0.55; // opacity of what went
const GAP = 0.16; // of a column, on each side
const LABEL_S = [300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800];

/** `columns`: as columnsOf makes them, of `subject`; `at`: the column under the cursor or null, `onPoint` is told of another. */
export function CountChart({ columns: { starts, classes }, subject, per, label, at, onPoint }) {
  const ref = useRef();
  const scale = scaleOf(classes, starts.length);
  const point = ({ clientX }) => {
    const { left, width } = ref.current.getBoundingClientRect();
    const place = Math.floor(((clientX - left) / width) * starts.length);
    onPoint(place >= 0 && place < starts.length ? place : null);
  };
  const walk = (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step) return;
    event.preventDefault();
    onPoint(Math.max(0, Math.min(starts.length - 1, (at ?? starts.length) + step)));
  };
  const percent = (value) => `${(100 * (scale.top - value)) / (scale.top - scale.bottom)}%`;
  return html`<div class="count-plot">
    <svg class="count-axis" aria-hidden="true">
      ${scale.ticks.map((value) => html`<text key=${value} x="100%" dx="-8" y=${percent(value)} dy=".35em">${Math.abs(value).toLocaleString("en")}</text>`)}</svg>
    <svg ref=${ref} class="count-bars" role="img" aria-label=${label} tabindex="0" onPointerMove=${point} onPointerDown=${point}
        onPointerLeave=${(event) => event.pointerType === "mouse" && onPoint(null)} onKeyDown=${walk} onBlur=${() => onPoint(null)}>
      ${scale.ticks.map((value) => html`<line key=${value} class=${value === 0 ? "zero" : ""} x2="100%" y1=${percent(value)} y2=${percent(value)} />`)}
      ${at !== null && html`<rect class="count-at" x="${(100 * at) / starts.length}%" width="${100 / starts.length}%" height="100%" />`}
      <svg viewBox="0 0 ${starts.length} ${UNITS}" preserveAspectRatio="none" width="100%" height="100%">
        ${pathsOf(classes, starts.length, scale).map(({ key, ...path }) => html`<path key=${key} ...${path} />`)}</svg>
      ${subject.down && html`<text x="6" y="12">${subject.up}</text><text x="6" y="100%" dy="-6">${subject.down}</text>`}
    </svg>
    <svg class="count-times" aria-hidden="true">${labelsOf(starts, per).map(({ place, words }) => html`<text key=${place}
      x="${(100 * place) / starts.length}%">${words}</text>`)}</svg>
  </div>`;
}

/** {top, bottom, ticks}: whole numbers, the same way up as down. */
function scaleOf(classes, length) {
  const most = (side) => Math.max(0, ...Array.from({ length }, (_, i) => classes.reduce((sum, one) => sum + (one[side]?.[i] ?? 0), 0)));
  const up = most("up"), down = most("down");
  const least = (up + down) / TICKS_MOST;
  let step = 1;
  for (let i = 0; step < least; i++) step = STEPS[(i + 1) % 3] * 10 ** Math.floor((i + 1) / 3);
  const above = Math.max(1, Math.ceil(up / step)), below = Math.ceil(down / step);
  return { top: above * step, bottom: -below * step, ticks: Array.from({ length: above + below + 1 }, (_, i) => (i - below) * step) };
}

/** A path a class and side: all of its columns. */
function pathsOf(classes, length, { top, bottom }) {
  const toY = (value) => (UNITS * (top - value)) / (top - bottom);
  return ["up", "down"].flatMap((side) => {
    const piled = Array(length).fill(0), sign = side === "up" ? 1 : -1;
    return classes.filter((one) => one[side]).map((one) => {
      const d = one[side].map((value, i) => {
        if (!value) return "";
        const from = toY(sign * piled[i]);
        piled[i] += value;
        return `M${i + GAP} ${from}H${i + 1 - GAP}V${toY(sign * piled[i])}H${i + GAP}Z`;
      }).join("");
      return { key: `${side} ${one.label}`, d, fill: colourOf(one.label), "fill-opacity": side === "up" ? 1 : FADED, "data-label": one.label, "data-side": side };
    });
  });
}

/** Where words stand below the columns: at round times of this browser's clock. */
function labelsOf(starts, per) {
  const whole = starts.length * STEP_S[per];
  const apart = LABEL_S.find((one) => one >= STEP_S[per] && whole / one <= LABELS_MOST) ?? LABEL_S.at(-1);
  const local = (at) => at - new Date(at * 1000).getTimezoneOffset() * 60;
  const isDays = apart >= STEP_S.day;
  return starts.flatMap((at, place) => {
    const round = apart > STEP_S.day ? Math.floor(local(at) / STEP_S.day) % (apart / STEP_S.day) === 0 && local(at) % STEP_S.day === 0 : local(at) % apart === 0;
    return round && place / starts.length < LAST ? [{ place, words: startWords(at, isDays ? "day" : per) }] : [];
  });
}
