// The clips of a camera: listed, played, and one made of now.
import { cameraPath, get } from "../lib/api.js";
import { lazy } from "../lib/lazy.js";
import { html, useCallback, useEffect, useState } from "../lib/preact.js";
import { mayOperate } from "../lib/rights.js";
import { Button, Icon, Notice, bytes, moment } from "../lib/ui.js";
import { causeWords, lengthWords } from "./clip_words.js";
import { Record } from "./record_clip.js";

const Player = lazy(() => import("./player.js").then(({ Player: Shown }) => Shown));
const PERIOD_MS = 5000, BUSY_MS = 1000;
const PAGE = 50;

export function ClipsCard({ camera, session }) {
  const { name } = camera;
  const { clips, recording, words, hasMore, more, look } = useClips(name);
  const [played, play] = useState(null);
  const rule = camera.clips;
  const runs = !camera.paused && camera.state === "running";
  if (!rule && !clips?.length) return null;
  return html`<section class="card clips"><h2>Clips <small>video from before a moment to after it</small></h2>
    ${rule && mayOperate(session) && html`<${Record} name=${name} rule=${rule} runs=${runs} clips=${clips} recording=${recording} onAsked=${look} />`}
    ${words && html`<${Notice} icon="alert" tone="wait" title=${clips?.length ? "Some clips are not listed" : "Clips cannot be listed"}>${words}</${Notice}>`}
    ${rule && clips?.length === 0 && !words && html`<p class="nothing">No clips yet. ${keptOf(rule.on ?? [])}</p>`}
    ${clips?.length > 0 && html`<ol class="clip-list" tabindex="0" aria-label="Clips, newest first">
      ${clips.map((clip) => html`<${Row} key=${clip.id} clip=${clip} onPlay=${() => play(clip)} />`)}
      ${hasMore && html`<li><${Button} kind="quiet" onClick=${more}>Older clips</${Button}></li>`}</ol>`}
    ${played && html`<${Player} clip=${played} at=${played.causes[0]?.ts ?? null} session=${session}
      onClose=${() => play(null)} onDeleted=${look} />`}
  </section>`;
}

/** What will be kept, of the kinds of events that make a clip. */
function keptOf(kinds) {
  if (!kinds.length) return "Those that you record are listed here.";
  return `Each ${kinds.map((kind) => kind.replaceAll("-", " ")).join(", ")} makes one, and you may record one now.`;
}

function Row({ clip, onPlay }) {
  const words = causeWords(clip);
  return html`<li><button type="button" class="clip-row" data-clip=${clip.id} onClick=${onPlay}
      aria-label="Play ${words}, ${moment(clip.causes[0]?.ts ?? clip.began)}, ${lengthWords(clip)}">
    <span class="clip-image">${clip.image && html`<img src="/api/v1${cameraPath(clip.camera, `/clips/${clip.id}.jpg`)}" alt="" loading="lazy" decoding="async" />`}<${Icon} name="play" /></span>
    <span class="clip-words"><strong>${words}</strong><small>${moment(clip.causes[0]?.ts ?? clip.began)}</small></span>
    <span class="clip-facts"><b>${lengthWords(clip)}</b><small>${bytes(clip.bytes)}</small></span>
  </button></li>`;
}

/** Clips of two lists, the newest first. */
function together(some, others) {
  const known = new Set(some.map((clip) => clip.id));
  return [...some, ...others.filter((clip) => !known.has(clip.id))].sort((a, b) => (a.id < b.id ? 1 : -1));
}

/** {clips: null until known, recording, words, hasMore, more(), look()}: the newest are asked for again and again. */
function useClips(name) {
  const [state, set] = useState({ clips: null, recording: [], words: "" });
  const [limit, setLimit] = useState(PAGE);
  const look = useCallback(async () => {
    try {
      const answer = await get(cameraPath(name, `/clips?limit=${limit}`));
      set((before) => (answer.words && before.clips ? { ...answer, clips: together(answer.clips, before.clips) } : answer));
    } catch (error) {
      set((before) => ({ ...before, words: error.message }));
    }
  }, [name, limit]);
  const isBusy = state.recording.length > 0;
  useEffect(() => void look(), [look]);
  useEffect(() => {
    const timer = setInterval(() => document.hidden || look(), isBusy ? BUSY_MS : PERIOD_MS);
    return () => clearInterval(timer);
  }, [look, isBusy]);
  const hasMore = state.clips?.length === limit && limit < 1000;
  return { ...state, look, hasMore, more: () => setLimit(Math.min(1000, limit + PAGE)) };
}
