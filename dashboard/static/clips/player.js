// A clip, played with what was found in it drawn over.
import { cameraPath, get, remove } from "../lib/api.js";
import { areasOf } from "../lib/areas.js";
import { LayerBar } from "../lib/layer_bar.js";
import { useLive } from "../lib/live.js";
import { html, useEffect, useRef, useState } from "../lib/preact.js";
import { mayOperate } from "../lib/rights.js";
import { toast } from "../lib/toast.js";
import { Button, Dialog, Notice, bytes, clock } from "../lib/ui.js";
import { Overlay } from "./clip_overlay.js";
import { framesOf } from "./clip_results.js";
import { causeWords, lengthWords } from "./clip_words.js";
import { Controls } from "./player_controls.js";

const LEAD_S = 2; // shown before the moment that a clip is opened for

/**
 * `clip` as the API lists it; `at`: Unix s of the moment that it is opened for, or null. Without `session` it
 * is not deleted here.
 */
export function Player({ clip, at = null, session, onClose, onDeleted }) {
  const { camera, id } = clip;
  const { cameras } = useLive();
  const found = cameras?.find((one) => one.name === camera);
  const [isUnplayable, fail] = useState(false);
  const path = `/api/v1${cameraPath(camera, `/clips/${id}`)}`;
  const video = useRef(), canvas = useRef(), screen = useRef();
  const [labels, trouble] = useOverlay(clip, video, canvas, found ? areasOf(found) : null);
  const begin = () => {
    const start = at === null ? 0 : Math.max(0, at - clip.began - LEAD_S);
    if (start > 0) video.current.currentTime = start;
  };
  return html`<${Dialog} wide title=${causeWords(clip)} onClose=${onClose}>
    <div class="player" ref=${screen}>
      <div class="player-screen">
        <video ref=${video} src="${path}.mp4" poster=${clip.image ? `${path}.jpg` : null} autoplay muted playsinline
          onLoadedMetadata=${begin} onError=${() => fail(true)} aria-label="Clip of ${camera}" />
        <canvas ref=${canvas} aria-hidden="true" />
      </div>
      ${!isUnplayable && html`<${Controls} video=${video} screen=${screen} length=${clip.ended - clip.began}
        moments=${clip.causes.map(({ ts }) => ts - clip.began)} />`}
    </div>
    ${isUnplayable && html`<${Notice} icon="alert" tone="wait" title="This browser cannot play the video (${clip.codec.toUpperCase()})">
      Download the clip and play it with another program.</${Notice}>`}
    ${trouble && html`<${Notice} icon="alert" tone="wait" title="Nothing is drawn over the video">${trouble}</${Notice}>`}
    ${found && html`<${LayerBar} labels=${labels} cameras=${[found]} />`}
    <p class="clip-about">${camera}, ${new Date(clip.began * 1000).toLocaleDateString("en-GB", { day: "numeric", month: "long", year: "numeric" })},
      ${` ${clock(clip.began)} to ${clock(clip.ended)}`} · ${lengthWords(clip)} · ${clip.size.join(" × ")} · ${bytes(clip.bytes)}
      ${clip.note && html`<br />${clip.note}`}</p>
    <${Foot} clip=${clip} href="${path}.mp4" session=${session} onClose=${onClose} onDeleted=${onDeleted} />
  </${Dialog}>`;
}

/** [classes in the results, why there are none]; what was found is drawn on the canvas. */
function useOverlay(clip, video, canvas, areas) {
  const [labels, know] = useState([]), [trouble, fail] = useState("");
  useEffect(() => {
    const overlay = new Overlay(video.current, canvas.current, areas);
    get(cameraPath(clip.camera, `/clips/${clip.id}.json?encoding=bits`)).then((results) => {
      const frames = framesOf(results);
      overlay.put(frames);
      know([...new Set(frames.flatMap(({ message }) => message.objects.map((one) => one.label)))].sort());
    }).catch((error) => fail(error.message));
    return () => overlay.close();
  }, [clip.id]);
  return [labels, trouble];
}

function Foot({ clip, href, session, onClose, onDeleted }) {
  const [isAsking, ask] = useState(false), [failure, fail] = useState(null);
  const go = async () => {
    try {
      await remove(cameraPath(clip.camera, `/clips/${clip.id}`));
    } catch (error) {
      return fail(error);
    }
    toast("The clip is deleted.");
    onDeleted?.();
    return onClose();
  };
  if (isAsking) {
    return html`${failure && html`<${Notice} icon="alert" tone="bad" title=${failure.message} />`}
      <div class="dialog-foot clip-foot"><p class="clip-ask" role="alert">Delete the clip, its image and its results?</p>
        <${Button} onClick=${() => ask(false)}>Keep it</${Button}>
        <${Button} icon="remove" kind="danger" onClick=${go}>Delete</${Button}></div>`;
  }
  return html`<div class="dialog-foot clip-foot">
    ${session && mayOperate(session) && html`<${Button} icon="remove" kind="quiet clip-delete" onClick=${() => ask(true)}>Delete</${Button}>`}
    <a class="button" href=${href} download="${clip.camera}-${clip.id}.mp4">Download</a>
    <${Button} kind="primary" onClick=${onClose}>Close</${Button}>
  </div>`;
}
