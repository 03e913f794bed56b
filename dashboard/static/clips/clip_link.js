// From an event to its clip: a button, and the player that it opens.
import { cameraPath, get } from "../lib/api.js";
import { lazy } from "../lib/lazy.js";
import { html, useEffect, useState } from "../lib/preact.js";
import { Button, Dialog, Notice } from "../lib/ui.js";
import { nextId } from "./clip_words.js";

const Player = lazy(() => import("./player.js").then(({ Player: Shown }) => Shown));
const AGAIN_MS = 1000;

/** A button that plays the clip of an event; nothing where it has none. */
export function ClipButton({ event, kind = "", children }) {
  const [isOpen, open] = useState(false);
  if (!event.clip) return null;
  return html`<${Button} icon="play" kind=${kind} label="Play the clip" onClick=${() => open(true)}>${children}</${Button}>
    ${isOpen && html`<${ClipDialog} camera=${event.camera} id=${event.clip} at=${event.ts} onClose=${() => open(false)} />`}`;
}

/** The player of a clip of which the ID is known; it waits for one that is still being recorded. `at`: Unix s to begin at. */
function ClipDialog({ camera, id, at, onClose }) {
  const [{ clip, words }, set] = useState({ clip: null, words: "" });
  useEffect(() => {
    let timer = null, isOver = false;
    const look = async () => {
      try {
        const answer = await get(cameraPath(camera, `/clips?limit=1&before=${nextId(id)}`));
        const found = answer.clips.find((one) => one.id === id), isRecorded = answer.recording.includes(id);
        if (isOver) return;
        set({ clip: found ?? null, words: found ? "" : answer.words || (isRecorded ? "" : "It was deleted, or could not be kept.") });
        if (!found && isRecorded) timer = setTimeout(look, AGAIN_MS);
      } catch (error) {
        if (!isOver) set({ clip: null, words: error.message });
      }
    };
    look();
    return () => {
      isOver = true;
      clearTimeout(timer);
    };
  }, [camera, id]);
  if (clip) return html`<${Player} clip=${clip} at=${at} onClose=${onClose} />`;
  return html`<${Dialog} title="Clip of ${camera}" onClose=${onClose}>
    ${words
      ? html`<${Notice} icon="alert" tone="wait" title="There is no such clip">${words}</${Notice}>`
      : html`<p class="recording" role="status"><span class="state wait">The clip is being recorded; it plays when it is whole.</span></p>`}
  </${Dialog}>`;
}
