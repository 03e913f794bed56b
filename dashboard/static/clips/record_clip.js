// A clip of now: the seconds before and after, how far it is, and why there is none.
import { cameraPath, post } from "../lib/api.js";
import { live } from "../lib/live.js";
import { html, useEffect, useState } from "../lib/preact.js";
import { toast } from "../lib/toast.js";
import { Button, Notice } from "../lib/ui.js";

const BEFORE_S = [0, 5, 10, 20, 30, 60], AFTER_S = [0, 5, 10, 30, 60];
const LOST_S = 15; // after its end, a clip that is neither written nor listed will not be
const TITLES = { 507: "There is no room for a clip", 503: "Redis does not answer", 504: "The worker does not answer" };

const nowS = () => (Date.now() + (live.offset ?? 0)) / 1000;
const within = (choices, own) => [...new Set([...choices, own])].sort((a, b) => a - b);

/** `rule`: the camera's `clips`; `clips`, `recording`: as the API lists them. */
export function Record({ name, rule, runs, clips, recording, onAsked }) {
  const own = { before_s: rule.before_s ?? 5, after_s: rule.after_s ?? 10 };
  const [seconds, choose] = useState(own);
  const [failure, fail] = useState(null), [asked, ask] = useState(null);
  const [isBusy, setBusy] = useState(false);
  useEffect(() => {
    if (!asked) return;
    if (clips?.some(({ id }) => id === asked.id)) {
      ask(null);
      toast("The clip is ready.");
    } else if (!recording.includes(asked.id) && nowS() > asked.ends + LOST_S) {
      ask(null);
      fail({ message: "It was recorded and could not be kept; the worker's log gives the reason." });
    }
  }, [clips, recording, asked]);
  const record = async () => {
    setBusy(true);
    fail(null);
    try {
      ask({ ...(await post(cameraPath(name, "/clips"), seconds)), from: nowS() });
      onAsked();
    } catch (error) {
      fail(error);
    }
    setBusy(false);
  };
  const choice = (key, label, words, values) => html`<label><span>${words}</span>
    <select aria-label=${label} value=${seconds[key]} onChange=${(event) => choose({ ...seconds, [key]: Number(event.target.value) })}>
      ${values.map((value) => html`<option key=${value} value=${value}>${value} s</option>`)}</select></label>`;
  return html`<div class="clip-record">
      ${choice("before_s", "Seconds before now", "Before", within(BEFORE_S, own.before_s).filter((s) => s <= own.before_s))}
      ${choice("after_s", "Seconds after now", "After", within(AFTER_S, own.after_s))}
      <${Button} icon="clip" disabled=${isBusy || !runs} onClick=${record}>Record a clip now</${Button}>
    </div>
    ${!runs && html`<p class="hint">A clip can be recorded while the camera runs.</p>`}
    ${failure && html`<${Notice} icon="alert" tone="wait" title=${TITLES[failure.status] ?? "No clip was made"}>${failure.message}</${Notice}>`}
    ${(asked || recording.length > 0) && html`<${Progress} asked=${asked} />`}`;
}

/** How far the clip that was asked for is; of one that an event began only that it is recorded. */
function Progress({ asked }) {
  const [, again] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => again((n) => n + 1), 250);
    return () => clearInterval(timer);
  }, []);
  const left = asked ? asked.ends - nowS() : 0;
  const whole = asked ? Math.max(0.001, asked.ends - asked.from) : 0;
  const words = !asked ? "Recording" : left > 0 ? `Recording, ${Math.ceil(left)} s left` : "Finishing the clip";
  return html`<div class="clip-progress"><span class="state wait" role="status">${asked && left > 0 ? "Recording" : words}</span>
    ${asked && html`<progress max="1" value=${Math.min(1, Math.max(0, 1 - left / whole))} aria-label=${words} />
      <span class="soft">${left > 0 ? `${Math.ceil(left)} s left` : ""}</span>`}</div>`;
}
