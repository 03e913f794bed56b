// Cameras of the network that speak ONVIF; choosing a stream fills the address.
import { post } from "../lib/api.js";
import { html, useEffect, useRef, useState } from "../lib/preact.js";
import { Button, Icon, Notice } from "../lib/ui.js";
import { sources } from "./sources.js";

/** `onChoose` takes {url, user, password, suggestion}. */
export function Discovery({ onChoose, onBack }) {
  const [login, setLogin] = useState({ user: "", password: "" });
  const [state, set] = useState({ busy: false, answer: null, failure: null });
  const run = useRef(0);
  const search = async (event) => {
    event?.preventDefault();
    const mine = ++run.current;
    set({ busy: true, answer: state.answer, failure: null });
    try {
      const answer = await post("/discovery", login.user ? login : {});
      if (mine === run.current) set({ busy: false, answer, failure: null });
    } catch (failure) {
      if (mine === run.current) set({ busy: false, answer: null, failure });
    }
  };
  useEffect(() => {
    search();
    return () => { run.current = -1; };
  }, []);
  const field = (key, words, more) => html`<label class="field"><span>${words}</span>
    <input value=${login[key]} spellcheck=${false} autocapitalize="off"
      onInput=${(event) => setLogin({ ...login, [key]: event.target.value })} ...${more} /></label>`;
  const choose = (url, camera) => onChoose({ url, ...login, suggestion: camera.name });
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
  return html`
    <div class="found-head"><${Icon} name="eye" /><div><strong>${camera.name}</strong><small>${about}</small></div></div>
    ${camera.words && html`<p class="why-none">${sentence(camera.words)}</p>`}
    <div class="stream-choices">
      ${camera.streams.map((url, at) => html`<button type="button" class="stream-choice" key=${url} onClick=${() => onChoose(url, camera)}>
        <span>${at === 0 ? "Main stream" : `Stream ${at + 1}`}</span><code>${url}</code></button>`)}
      ${!camera.streams.length && html`<button type="button" class="stream-choice" onClick=${() => onChoose(guess, camera)}>
        <span>${hasLogin ? "Use this address" : "Use this address, path unknown"}</span><code>${guess}</code></button>`}
    </div>`;
}

const sentence = (words) => (words ? words[0].toUpperCase() + words.slice(1) + (/[.!?]$/.test(words) ? "" : ".") : "");
