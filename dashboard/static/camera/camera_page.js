// One camera: what it sees, how it fares, where its frames go, and how to get at its results.
import { areasOf } from "../lib/areas.js";
import { asleep, costWords } from "../lib/asleep.js";
import { cameraPath, get } from "../lib/api.js";
import { BuildNote } from "./build_note.js";
import { CameraActions } from "./camera_actions.js";
import { Frames, Latency, Objects } from "./camera_charts.js";
import { ClipsCard } from "../clips/clips_card.js";
import { CountsCard } from "../counts/counts_card.js";
import { LastMessage } from "./last_message.js";
import { LayerBar } from "../lib/layer_bar.js";
import { lazy } from "../lib/lazy.js";
import { live, useLive } from "../lib/live.js";
import { OnvifNote } from "./onvif_note.js";
import { Picture } from "../lib/picture.js";
import { historyOf, usePolled } from "../lib/polled.js";
import { mayChange, mayOperate } from "../lib/rights.js";
import { html, useCallback, useEffect, useMemo, useRef, useState } from "../lib/preact.js";
import { RecentEvents } from "./recent_events.js";
import { Subscribe } from "./subscribe.js";
import { Timeline } from "./timeline.js";
import { ViewNote } from "./view_note.js";
import { Button, Icon, Notice, State, count, ms, percentiles, toneOf } from "../lib/ui.js";
import { Waterfall, stagesOf } from "./waterfall.js";
import { CornerRemoval, DrawingHint, surfaceOf, useZoneEditor } from "../zones/zone_editor.js";
import { Surface } from "../zones/zone_surface.js";
import { ZonesNow } from "../zones/zones_now.js";

const ZonePanel = lazy(() => import("../zones/zone_panel.js").then(({ ZonePanel: Panel }) => Panel));
const SHOWN_MS = 500; // between two messages shown: faster is not read
const QUIET_MS = 2000; // without a picture, the newest message is asked for

export function CameraPage({ name, session, onAdd, onEdit }) {
  const { cameras } = useLive();
  if (cameras === null) {
    return html`<main class="camera-page" aria-busy="true"><div class="screen ghost-screen" /></main>`;
  }
  const camera = cameras.find((one) => one.name === name);
  if (!camera) return html`<${Unknown} name=${name} cameras=${cameras} session=${session} onAdd=${onAdd} />`;
  return html`<${Known} camera=${camera} session=${session} onEdit=${onEdit} />`;
}

function Known({ camera, session, onEdit }) {
  const { name } = camera;
  const runs = !camera.paused && camera.state === "running";
  const [message, take, planes] = useMessage(name, runs, camera.counts?.published > 0);
  const load = useMemo(() => historyOf(cameraPath(name, "/history")), [name]);
  const { data: history, error } = usePolled(load, name);
  const { data: past } = usePolled(() => get(cameraPath(name, "/timeline?limit=200")), name);
  const late = useScreenLatency(name);
  const stages = stagesOf(history, runs ? late.now.p50 : null);
  const editor = useZoneEditor(name);
  const isEditing = editor.shapes !== null;
  const labels = [...new Set([...(camera.labels ?? []), ...Object.keys(history?.objects ?? {})])].sort();
  return html`<main class="camera-page">
    <div class="bar camera-bar">
      <a href="#/" class="button quiet bare" aria-label="Back to the wall"><${Icon} name="back" /></a>
      <div class="titles"><h1>${name}</h1><p class="from">${camera.url}</p></div>
      <${State} camera=${camera} />
      <span class="reason ${runs ? "plain" : ""}">${camera.paused ? "on request" : asleep(camera) ? "asleep: nothing happens" : camera.reason}</span>
      <${CameraActions} camera=${camera} session=${session} onEdit=${onEdit} words />
    </div>
    ${error && html`<${Notice} icon="alert" tone="wait" title="The charts are not updating">${error.message}</${Notice}>`}
    <div class="camera-top ${isEditing ? "is-editing" : ""}">
      <div class="view">
        <div class="screen ${runs || isEditing ? "" : "quiet"}"><${Picture} camera=${name} areas=${isEditing ? null : areasOf(camera)} onFrame=${take} />
          ${isEditing && html`<${Surface} size=${message?.size ?? camera.size ?? [16, 9]} ...${surfaceOf(editor)} />`}
          ${!runs && !isEditing && html`<${Instead} camera=${camera} session=${session} />`}</div>
        ${editor.open ? html`<${DrawingHint} editor=${editor} />` : html`<${LayerBar} labels=${labels} cameras=${[camera]} />`}
        <${CornerRemoval} editor=${editor} />
        ${!isEditing && html`<${ZonesNow} camera=${camera} message=${runs ? message : null} session=${session} onEdit=${editor.start} />`}
        ${runs && html`<p class="view-note">${costWords(camera)}</p>`}
        ${runs && html`<${BuildNote} builds=${camera.builds} />`}
        ${!camera.paused && html`<${OnvifNote} onvif=${camera.onvif} />`}
        ${runs && html`<${ViewNote} view=${camera.view} hint=${camera.hint} />`}
      </div>
      <div class="beside">
        ${isEditing ? html`<${ZonePanel} editor=${editor} planes=${planes} />` : html`<${Figures} camera=${camera} message=${message} screen=${runs ? late.now : { p50: null, p95: null }} runs=${runs} />
        <section class="card states"><h2>State <small>and why</small></h2>
          <${Timeline} changes=${past?.states ?? []} lostAt=${lostAt(camera, past, history)} events=${past?.events ?? []} /></section>`}
      </div>
    </div>
    <div class="cards">
      <${RecentEvents} name=${name} />
      <${ClipsCard} camera=${camera} session=${session} />
      <${CountsCard} camera=${camera} />
      <${Objects} history=${history} />
      <${Frames} history=${history} counts=${camera.counts} />
      <section class="card"><h2>Stages <small>median of the last minute, in order</small></h2>
        <${Waterfall} stages=${stages} /></section>
      <${Latency} history=${history} screen=${late.past} />
      <${LastMessage} message=${message} />
      <section class="card"><h2>Subscribe <small>to this camera</small></h2>
        <${Subscribe} name=${name} stream=${camera.stream} session=${session} /></section>
    </div>
  </main>`;
}

/** [message, takes frames, planes of its masks]: of the picture on the screen, else as Redis has it; `any`: there may be one. */
function useMessage(name, runs, any) {
  const [message, set] = useState(null);
  const shownMs = useRef(0);
  const show = (newest) => {
    shownMs.current = performance.now();
    set(newest);
  };
  const [planes, know] = useState([]);
  const take = useCallback((frame) => {
    const seen = frame.masks.flatMap((mask) => mask.planes.map((plane) => plane.label)).sort();
    know((before) => (before.join() === seen.join() ? before : seen));
    if (performance.now() - shownMs.current >= SHOWN_MS) show(frame.message);
  }, []);
  useEffect(() => {
    if (!any) return undefined;
    const look = async () => {
      if (document.hidden || performance.now() - shownMs.current < QUIET_MS) return;
      const newest = await get(`/results/${encodeURIComponent(name)}/latest`).catch(() => null);
      if (newest) show(newest);
    };
    if (!runs) return void look();
    const timer = setInterval(look, QUIET_MS);
    return () => clearInterval(timer);
  }, [name, runs, any]);
  return [message, take, planes];
}

/** {now: {p50, p95}, past: Map of Unix s → ms}: from capture to this screen, while its picture was on it. */
function useScreenLatency(name) {
  const past = useRef(new Map()), drawn = useRef(null);
  const late = live.latencies.get(name);
  const now = percentiles(late);
  useEffect(() => {
    const timer = setInterval(() => {
      const { p50 } = percentiles(live.latencies.get(name)?.slice(-10));
      const newest = live.newest.get(name);
      if (p50 === null || newest === drawn.current) return;
      drawn.current = newest;
      past.current.set(Math.round((Date.now() + (live.offset ?? 0)) / 1000), p50);
      if (past.current.size > 900) past.current.delete(past.current.keys().next().value);
    }, 1000);
    return () => clearInterval(timer);
  }, [name]);
  return { now, past: past.current };
}

/** Unix s of what was heard of it last, where its worker is gone. */
function lostAt(camera, past, history) {
  if (camera.state !== "unknown") return null;
  const last = history?.published.findLastIndex((value) => value !== null) ?? -1;
  return last < 0 ? (past?.states[0]?.at ?? null) : history.t[last];
}

function Figures({ camera, message, screen, runs }) {
  const { rate, latency_ms: redis, size, models } = camera;
  const seen = runs ? message?.objects ?? [] : [];
  const labels = [...new Set(seen.map((one) => one.label))];
  const figure = (words, value, below) => html`<div>
    <dt>${words}</dt><dd>${value}</dd><dd class="below" title=${below}>${below}</dd></div>`;
  const flow = runs ? rate : null;
  return html`<dl class="figures-grid">
    ${figure("Published", flow ? `${count(flow.published)} fps` : "–", flow ? `of ${count(flow.decoded)} decoded` : "no frames")}
    ${figure("Capture to Redis", ms(runs ? redis?.p50 : null), `p95 ${ms(runs ? redis?.p95 : null)}`)}
    ${figure("Capture to screen", ms(screen.p50), `p95 ${ms(screen.p95)}`)}
    ${figure("Objects now", runs && message ? seen.length : "–", labels.join(", ") || "nothing seen")}
    ${figure("Source", size ? size.join(" × ") : "–", size ? TIME[message?.ts_source] ?? "pixels" : "not seen yet")}
    ${figure("Models", models.length, models.length ? `${models.join(", ")}${camera.spec.stages ? "" : " (default)"}` : "video only")}
  </dl>`;
}

const TIME = { rtcp: "time by its own clock", arrival: "time of arrival" };

/** What stands over the picture of a camera that does not run: why, and what to do. */
function Instead({ camera, session }) {
  const title = camera.paused ? "Paused" : camera.state;
  return html`<div class="why ${camera.paused ? "off" : toneOf(camera.state)}"><div>
    <strong>${title}</strong>
    ${!camera.paused && camera.reason && html`<p>${camera.reason}</p>`}
    ${!camera.paused && camera.advice && html`<p class="todo">${camera.advice}</p>`}
    <p class="todo">${todo(camera, session)}</p>
  </div></div>`;
}

function todo({ paused, state, worker, code }, session) {
  if (paused) return `The camera is not read until ${mayOperate(session) ? "you resume" : "an operator resumes"} it.`;
  if (code === "redis-refuses") return "This page will update when Redis takes writes again.";
  if (state === "unknown") return "This page will update when the worker reports again.";
  if (state === "failed") {
    return mayChange(session)
      ? "Fix it on the camera, or change the address with Edit. Mirante tries again every 30 s."
      : "Ask an admin to fix it. Mirante tries again every 30 s.";
  }
  if (state === "stopped") {
    if (!mayOperate(session)) return "The source has ended.";
    return `The source has ended. ${mayChange(session) ? "Edit the camera, or pause" : "Pause"} and resume it to start again.`;
  }
  if (state === "not started") return `Worker ${worker} has not started it yet; this takes a second or two.`;
  return "Mirante keeps trying, at least every 10 s.";
}

function Unknown({ name, cameras, session, onAdd }) {
  return html`<main class="middle"><div class="empty">
    <${Icon} name="eye" />
    <h1>No camera is named “${name}”</h1>
    <p>It was removed, or its name is spelled differently.</p>
    ${cameras.length > 0 && html`<ul class="others" aria-label="Existing cameras">
      ${cameras.slice(0, 12).map(({ name: other }) => html`<li key=${other}>
        <a class="button" href="#/camera/${encodeURIComponent(other)}">${other}</a></li>`)}
    </ul>`}
    <p class="ways"><a href="#/" class="button">Back to the wall</a>
      ${mayChange(session) && html`<${Button} icon="add" kind="primary" onClick=${onAdd}>Add a camera</${Button}>`}</p>
  </div></main>`;
}
