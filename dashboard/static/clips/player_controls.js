// Play, a place, a speed: below the video, so that nothing covers what is drawn over it.
import { html, useEffect, useState } from "../lib/preact.js";
import { Button } from "../lib/ui.js";
import { placeWords } from "./clip_words.js";

const SPEEDS = [0.25, 0.5, 1, 2, 4];
const STEP_S = 0.04;

/** `length`: seconds, until the video says its own; `moments`: seconds at which there was a cause; `screen` is what fills the screen. */
export function Controls({ video, screen, length, moments }) {
  const [{ isPlaying, seconds, whole }, set] = useState({ isPlaying: false, seconds: 0, whole: length });
  const [speed, setSpeed] = useState(1);
  useEffect(() => {
    const one = video.current;
    const look = () => set({
      isPlaying: !one.paused && !one.ended, seconds: one.currentTime,
      whole: Number.isFinite(one.duration) ? one.duration : length,
    });
    const kinds = ["play", "pause", "ended", "timeupdate", "seeking", "durationchange"];
    for (const kind of kinds) one.addEventListener(kind, look);
    look();
    return () => kinds.forEach((kind) => one.removeEventListener(kind, look));
  }, []);
  const toggle = () => (isPlaying ? video.current.pause() : video.current.play().catch(() => {})); // one that cannot be played says so by itself
  const choose = (event) => {
    setSpeed(Number(event.target.value));
    video.current.playbackRate = Number(event.target.value);
  };
  const fill = () => (document.fullscreenElement ? document.exitFullscreen() : screen.current.requestFullscreen());
  return html`<div class="player-controls">
    <${Button} icon=${isPlaying ? "pause" : "play"} kind="quiet" label=${isPlaying ? "Pause" : "Play"} onClick=${toggle} />
    <div class="player-place">
      <input type="range" min="0" max=${whole} step=${STEP_S} value=${seconds} aria-label="Place in the clip"
        aria-valuetext="${placeWords(seconds)} of ${placeWords(whole)}" onInput=${(event) => { video.current.currentTime = Number(event.target.value); }} />
      <svg aria-hidden="true">${moments.filter((at) => at >= 0 && at <= whole).map((at, i) => html`<rect key=${i} x="${(100 * at) / whole}%" width="2" height="100%" />`)}</svg>
    </div>
    <span class="player-time">${placeWords(seconds)} <span>/ ${placeWords(whole)}</span></span>
    <select aria-label="Speed" value=${speed} onChange=${choose}>
      ${SPEEDS.map((one) => html`<option key=${one} value=${one}>${one}×</option>`)}</select>
    ${document.fullscreenEnabled && html`<${Button} icon="full" kind="quiet" label="Fill the screen" onClick=${fill} />`}
  </div>`;
}
