// A frame's way, stage by stage: each bar begins where the one before it ended.
import { html } from "../lib/preact.js";
import { percentiles } from "../lib/ui.js";

const RECENT = 60; // samples that medians are taken over
const WORDS = {
  video_decode: "decode video", queue: "wait in queue", convert: "to RGB", preprocess: "scale to fit",
  infer: "inference", decode: "decode output", encode: "encode",
};

/** [{stage, words, ms}] in order: the medians of a history's stages, then the way to Redis and the screen. */
export function stagesOf(history, screenMs) {
  const median = (values) => percentiles(values?.slice(-RECENT).filter((value) => value !== null)).p50;
  const stages = Object.entries(history?.stages ?? {})
    .map(([stage, values]) => ({ stage, words: WORDS[stage] ?? stage, ms: median(values) }))
    .filter((one) => one.ms !== null);
  if (!stages.length) return [];
  const redisMs = median(history.latency_ms);
  const inStages = stages.reduce((sum, one) => sum + one.ms, 0);
  if (redisMs !== null) stages.push({ stage: "redis", words: "to Redis", ms: Math.max(0, redisMs - inStages) });
  if (redisMs !== null && screenMs !== null) {
    stages.push({ stage: "screen", words: "to this screen", ms: Math.max(0, screenMs - redisMs) });
  }
  return stages;
}

export function Waterfall({ stages }) {
  if (!stages.length) {
    return html`<p class="nothing">No frame was published in the last minute.
      Each frame's stages are timed; they stand here as soon as one comes.</p>`;
  }
  const whole = stages.reduce((sum, one) => sum + one.ms, 0) || 1;
  const percent = (part) => `${((100 * part) / whole).toFixed(2)}%`;
  let passed = 0;
  return html`<ol class="waterfall">${stages.map(({ stage, words, ms }) => {
    const left = passed;
    passed += ms;
    return html`<li key=${stage} data-stage=${stage}>
      <span class="step" title=${stage}>${words}</span>
      <svg aria-hidden="true"><rect class="lane" width="100%" height="100%" />
        <rect class="bar" x=${percent(left)} width=${percent(Math.max(ms, whole / 160))} height="100%" rx="2" /></svg>
      <b>${short(ms)}</b>
    </li>`;
  })}<li class="sum"><span class="step">total</span>
    <span /><b>${short(whole)}</b></li></ol>`;
}

const short = (ms) => `${ms < 1 ? ms.toFixed(2) : ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;
