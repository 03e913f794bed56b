// Small pieces that every page is made of.
import { html, useEffect, useRef } from "./preact.js";

const ICONS = {
  wall: "M3 4h8v7H3zM13 4h8v7h-8zM3 13h8v7H3zM13 13h8v7h-8z",
  system: "M4 6h16M4 12h16M4 18h16M8 4v4M16 10v4M10 16v4",
  add: "M12 5v14M5 12h14",
  back: "M15 5l-7 7 7 7",
  pause: "M8 5v14M16 5v14",
  up: "M6 15l6-6 6 6",
  down: "M6 9l6 6 6-6",
  play: "M7 5l12 7-12 7z",
  edit: "M4 20l1-4L16 5l3 3L8 19z",
  remove: "M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13",
  search: "M11 4a7 7 0 110 14 7 7 0 010-14M16 16l5 5",
  eye: "M2 12s4-7 10-7 10 7 10 7-4 7-10 7S2 12 2 12zM12 9a3 3 0 110 6 3 3 0 010-6",
  copy: "M8 8h12v12H8zM4 16V4h12",
  check: "M5 12l5 5L20 7",
  alert: "M12 4l9 16H3zM12 10v5M12 17.5v.5",
  close: "M6 6l12 12M18 6L6 18",
  user: "M12 4a4 4 0 110 8 4 4 0 010-8M4 21c0-5 4-7 8-7s8 2 8 7",
  bell: "M6 17h12l-1.5-2.5V10a4.5 4.5 0 00-9 0v4.500zM10 20h4",
  shape: "M5 7l9-3 6 8-6 8-9-4z",
  line: "M4 19L20 5M14 21v-7h7",
  lane: "M7 4L4 20M17 4l3 16M12 5v3M12 11v3M12 17v3",
  clip: "M4 6h11v12H4zM15 10l5-3v10l-5-3",
  full: "M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5",
};

/** An icon of 20 px in the colour of its text; it says nothing, so words or a label stand by it. */
export function Icon({ name }) {
  return html`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true"><path d=${ICONS[name]} /></svg>`;
}

/** A button. `kind`: "primary", "danger", "quiet" or none; `label` for one that is an icon alone. */
export function Button({ icon, kind = "", label, children, ...rest }) {
  return html`<button type="button" class="button ${kind} ${children ? "" : "bare"}"
      aria-label=${label} title=${label} ...${rest}>
    ${icon && html`<${Icon} name=${icon} />`}${children && html`<span>${children}</span>`}
  </button>`;
}

const TONES = {
  running: "good", connecting: "wait", reconnecting: "wait", stalled: "wait", failed: "bad",
  stopped: "off", unknown: "bad", "not started": "wait",
};

/** good, wait, bad or off: how a camera's state is coloured. */
export const toneOf = (state) => TONES[state] ?? "off";

/** A camera's state as a coloured dot and its name. */
export function State({ camera }) {
  const words = camera.paused ? "paused" : camera.state;
  return html`<span class="state ${camera.paused ? "off" : toneOf(camera.state)}">${words}</span>`;
}

/** What stands where there is nothing to show, or where it failed: a title, words, what to do. */
export function Notice({ icon = "eye", tone = "", title, children }) {
  return html`<div class="notice ${tone}" role=${tone === "bad" ? "alert" : "status"}>
    <${Icon} name=${icon} /><div><strong>${title}</strong>${children && html`<div>${children}</div>`}</div>
  </div>`;
}

/** A modal dialogue: Escape and the cross close it, the focus stays in it and returns afterwards. */
export function Dialog({ title, onClose, children, wide }) {
  const ref = useRef();
  useEffect(() => {
    const before = document.activeElement, dialog = ref.current;
    dialog.showModal();
    return () => {
      dialog.close(); // what is behind an open one takes no focus
      before?.focus?.();
    };
  }, []);
  const outside = (event) => event.target === ref.current && onClose();
  return html`<dialog ref=${ref} class=${wide ? "wide" : ""} aria-label=${title}
      onCancel=${(event) => { event.preventDefault(); onClose(); }} onMouseDown=${outside}>
    <header><h2>${title}</h2><${Button} icon="close" kind="quiet" label="Close" onClick=${onClose} /></header>
    <div class="dialog-body">${children}</div>
  </dialog>`;
}

/** 12.3, 1,234, 1.2 M: short, and exact below ten thousand. */
export function count(value) {
  if (value === null || value === undefined) return "–";
  if (Math.abs(value) >= 1e6) return `${(value / 1e6).toFixed(1)} M`;
  if (Math.abs(value) >= 1e4) return `${(value / 1e3).toFixed(1)} k`;
  return value.toLocaleString("en", { maximumFractionDigits: Math.abs(value) < 100 ? 1 : 0 });
}

export function bytes(value) {
  if (value === null || value === undefined) return "–";
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  const power = Math.min(units.length - 1, Math.floor(Math.log2(Math.max(1, value)) / 10));
  return `${(value / 1024 ** power).toFixed(power && value / 1024 ** power < 10 ? 1 : 0)} ${units[power]}`;
}

/** The server's words, with a capital first and a full stop last; "" for none. */
export const sentence = (words) => (words ? words[0].toUpperCase() + words.slice(1) + (/[.!?]$/.test(words) ? "" : ".") : "");

export const ms = (value) => (value === null || value === undefined ? "–" : `${Math.round(value)} ms`);

/** "now", "12 s", "5 min", "3 h", "2 d" since a Unix time in seconds. */
export function since(unixS, nowS = Date.now() / 1000) {
  const s = Math.max(0, nowS - unixS);
  return s < 2 ? "now" : span(s);
}

/** "12 s", "5 min", "3 h", "2 d" of seconds. */
export const span = (seconds) => (seconds < 120 ? `${Math.round(seconds)} s` : seconds < 7200 ? `${Math.round(seconds / 60)} min`
  : seconds < 172800 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86400)} d`);

export const clock = (unixS) => new Date(unixS * 1000).toLocaleTimeString("en-GB");

/** Today's as a time, others with their day. */
export function moment(ts) {
  const day = new Date(ts * 1000);
  const isToday = day.toDateString() === new Date().toDateString();
  return isToday ? clock(ts) : `${day.toLocaleDateString("en-GB", { day: "numeric", month: "short" })} ${clock(ts).slice(0, 5)}`;
}

/** The median and the 95th percentile of some numbers, or nulls. */
export function percentiles(values) {
  if (!values?.length) return { p50: null, p95: null };
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
  return { p50: at(0.5), p95: at(0.95) };
}
