// A camera that is asleep, in words, and what it costs.
import { span } from "./ui.js";

const REASONS = {
  motion: "something moved", sizes: "the images grew", gate: "a check found a change", viewer: "someone watched", camera: "the camera said so",
  shared: "another camera of the stream", request: "asked to", damaged: "data was lost", late: "decoded late",
  uneven: "key frames out of time", large: "too much to keep", stream: "the stream changed",
};

/** "asleep" while its key frames alone are decoded, else "". */
export const asleep = ({ sleep, paused, state }) => (sleep?.asleep && !paused && state === "running" ? "asleep" : "");

/** "2 %" of a core that its own threads take; "–" while that is not known. */
export const cpu = ({ cpu_percent: percent }) => (percent === null || percent === undefined ? "–"
  : `${percent < 10 ? percent.toFixed(1) : Math.round(percent)} %`);

/** "Takes 1.9 % of a core. Asleep 82 % of 2 h; woke 12 times: something moved 9, someone watched 3." */
export function costWords(camera) {
  const cost = cpu(camera) === "–" ? "" : `Takes ${cpu(camera)} of a core.`;
  return [cost, sleepWords(camera.sleep)].filter(Boolean).join(" ");
}

function sleepWords(sleep) {
  if (!sleep) return "";
  if (sleep.left_alone) return `Never asleep: ${sleep.left_alone}.`;
  const share = Math.round((100 * sleep.asleep_s) / Math.max(1, sleep.of_s));
  const wakes = Object.entries(sleep.wakes).sort(([, a], [, b]) => b - a);
  const number = wakes.reduce((sum, [, each]) => sum + each, 0);
  const why = wakes.map(([reason, each]) => `${REASONS[reason] ?? reason} ${each}`).join(", ");
  const woke = number ? `; woke ${number === 1 ? "once" : `${number} times`}: ${why}` : "";
  const lost = sleep.unseen ? `; ${sleep.unseen} images lost asleep` : "";
  return `Asleep ${share} % of ${span(sleep.of_s)}${woke}${lost}.`;
}
