// How far the engine of a model is.
import { html } from "./preact.js";
import { since } from "./ui.js";

const STATES = {
  waiting: ["waiting", "wait"],
  collecting: ["collecting frames", "wait"],
  building: ["building", "wait"],
  ready: ["ready", "good"],
  failed: ["failed", "bad"],
};
const UNDER_WAY = new Set(["collecting", "building"]);

/** True of an engine that is not done and has not failed. */
export const isComing = (build) => build.state === "waiting" || UNDER_WAY.has(build.state);

/** `build`: as the API says it, null where none was asked for; `model`: whose engine it is. */
export function Build({ build, model }) {
  if (!build) return html`<span class="soft">none requested</span>`;
  const [state, tone] = STATES[build.state] ?? [build.state, "wait"];
  return html`<span class="state wraps ${tone}">${state}${build.words && `: ${build.words}`}</span>
    ${UNDER_WAY.has(build.state) && html`<${Bar} build=${build} model=${model} />`}`;
}

/** A bar that moves where nothing tells how far it is: it has no value then, for screen readers too. */
function Bar({ build: { share, since: began }, model }) {
  const isKnown = share !== null;
  const percent = Math.round(100 * (share ?? 0));
  const words = isKnown ? `${percent} %` : "progress unknown";
  return html`<div class="progress ${isKnown ? "" : "unknown"}">
    <svg role="progressbar" aria-label="Engine of ${model}" aria-valuemin="0" aria-valuemax="100"
        aria-valuenow=${isKnown ? percent : undefined} aria-valuetext=${words}>
      <rect class="whole" width="100%" height="100%" rx="3" />
      <rect class="part" width="${percent}%" height="100%" rx="3" /></svg>
    <small>${words}${began && `, for ${since(began).replace("now", "a moment")}`}</small>
  </div>`;
}
