// Cameras of the network that speak ONVIF; choosing a stream fills the address.
import { post } from "../lib/api.js";
import { html, useEffect, useRef, useState } from "../lib/preact.js";
import { Button, Icon, Notice, sentence } from "../lib/ui.js";
import { sources } from "./sources.js";

/** `onChoose` takes {url, view, user, password, suggestion}; `size`: {width, height} of the analysed frame. */
export function Discovery({ size, onChoose, onBack }) {
  const [login, setLogin] = useState({ user: "", password: "" });
  const [state, set] = useState({ busy: false, answer: null, failure: null });
  const run = useRef(0);
  const search = async (event) => {
    event?.preventDefault();
    const mine = ++run.current;
    set({ busy: true, answer: state.answer, failure: null });
    try {
      const answer = await post("/discovery", { ...size, ...(login.user && login) });
      if (mine === run.current) set({ busy: false, answer, failure: null });
    } catch (failure) {
      if (mine === run.current) set({ busy: false, answer: null, failure });
    }
  };
  useEffect(() => {
    search(); // again when the size becomes known
    return () => { run.current = -1; };
  }, [size.width, size.height]);
  const field = (key, words, more) => html`<label class="field"><span>${words}</span>
    <input value=${login[key]} spellcheck=${false} autocapitalize="off"
      onInput=${(event) => setLogin({ ...login, [key]: event.target.value })} ...${more} /></label>`;
  const choose = (camera, url, view = "") => onChoose({ url, view, ...login, suggestion: camera.name });
  return html`<div class="discovery">
    <p class="lead-words">Cameras on this network that speak ONVIF answer within a few seconds. Most list their streams only after you log in.</p>
    <form class="ask-form" onSubmit=${search}>
      ${field("user", "Camera user", { autocomplete: "off", autofocus: true })}
      ${field("password", "Camera password", { type: "password", autocomplete: "new-password" })}
      <${Button} icon="search" type="submit" disabled=${state.busy}>${state.busy ? "Searching" : "Search again"}</${Button}>
    </form>
    <div aria-live="polite" aria-busy=${state.busy}>
      ${state.failure && html`<${Notice} icon="alert" tone="bad" title=${state.failure.message} />`}
      ${state.busy && !state.answer && html`<p class="asking"><span class="waiting-dot" />Searching the network</p>`}
      ${state.answer && html`<${Answers} answer=${state.answer} hasLogin=${login.user !== ""} onChoose=${choose} />`}
    </div>
    <div class="dialog-foot"><${Button} icon="back" onClick=${onBack}>Back to the address</${Button}></div>
  </div>`;
}

function Answers({ answer, hasLogin, onChoose }) {
  if (!answer.cameras.length) {
    return html`<${Notice} icon="search" title="No camera was found">
      ${sentence(answer.words)}${"\n"}You can still add one: go back and type its address.
    </${Notice}>`;
  }
  return html`<p class="lead-words">${sentence(answer.words)}</p>
    <ul class="found-cameras">${answer.cameras.map((camera) => html`<li key=${camera.address}>
      <${Found} camera=${camera} hasLogin=${hasLogin} onChoose=${onChoose} /></li>`)}</ul>`;
}

function Found({ camera, hasLogin, onChoose }) {
  const about = [camera.model !== camera.name && camera.model, camera.address, camera.location].filter(Boolean).join(" · ");
  const guess = `${sources()[0]?.start ?? ""}${camera.address.includes(":") ? `[${camera.address}]` : camera.address}/`;
  const view = camera.profiles.find((one) => one.best_for === "view");
  return html`
    <div class="found-head"><${Icon} name="eye" /><div><strong>${camera.name}</strong><small>${about}</small></div></div>
    ${camera.words && html`<p class="why-none">${sentence(camera.words)}</p>`}
    <div class="stream-choices">
      ${camera.profiles.map((one, at) => html`<${Stream} key=${one.url} stream=${one} at=${at} view=${view}
        onChoose=${(shown) => onChoose(camera, one.url, shown)} />`)}
      ${!camera.profiles.length && html`<button type="button" class="stream-choice" onClick=${() => onChoose(camera, guess)}>
        <span>${hasLogin ? "Use this address" : "Use this address, path unknown"}</span><code>${guess}</code></button>`}
    </div>`;
}

/** A stream to choose; that which is best for analysis is taken with the largest for the image. */
function Stream({ stream, at, view, onChoose }) {
  const isBest = stream.best_for === "analysis";
  const facts = [stream.size?.join(" × "), stream.fps && `${stream.fps} fps`, stream.codec].filter(Boolean).join(", ");
  const mark = isBest ? (view ? `Best for analysis, with ${view.size.join(" × ")} as the image shown` : "Best for analysis")
    : stream.best_for === "view" ? "Largest" : "";
  return html`<button type="button" class="stream-choice ${isBest ? "best" : ""}" onClick=${() => onChoose(isBest && view ? view.url : "")}>
    <span>${at === 0 ? "Main stream" : `Stream ${at + 1}`}</span>${facts && html`<small>${facts}</small>`}
    ${mark && html`<em>${mark}</em>`}<code>${stream.url}</code></button>`;
}
