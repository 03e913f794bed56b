// Who looks: a user and a password.
import { post } from "./lib/api.js";
import { draft } from "./form/form_draft.js";
import { html, useEffect, useRef, useState } from "./lib/preact.js";
import { Button, Icon, Notice, sentence } from "./lib/ui.js";

/** `words`: why somebody whom a proxy signed in gets no further. */
export function Login({ words: refused, onLogin }) {
  const [typed, type] = useState({ user: "", password: "" });
  const [failure, fail] = useState(null);
  const [busy, setBusy] = useState(false);
  const [waitUntil, wait] = useState(0);
  const left = useCountdown(waitUntil);
  const user = useRef(), password = useRef();
  useEffect(() => {
    draft.values = null; // of whoever was here before
    user.current.focus();
  }, []);
  const enter = async (event) => {
    event.preventDefault();
    if (busy || left > 0) return;
    const empty = [user, password].find((field) => !field.current.value);
    if (empty) return void empty.current.focus();
    setBusy(true);
    fail(null);
    try {
      // As the fields say it: a browser that fills them in may tell nobody.
      await post("/session", { user: user.current.value, password: password.current.value });
      onLogin();
    } catch (error) {
      if (error.retryAfterS) wait(Date.now() + error.retryAfterS * 1000);
      fail(error);
      setBusy(false);
      type({ user: user.current.value, password: error.status === 401 ? "" : password.current.value });
      (error.status === 401 ? password : user).current.focus();
    }
  };
  const field = (key, words, ref, more) => html`<label class="field"><span>${words}</span>
    <input ref=${ref} name=${key} value=${typed[key]} required spellcheck=${false} autocapitalize="off"
      aria-invalid=${failure?.status === 401 ? "true" : null} aria-describedby="login-trouble"
      onInput=${(event) => type({ ...typed, [key]: event.target.value })} ...${more} /></label>`;
  return html`<main class="login">
    <form class="card" onSubmit=${enter} aria-label="Log in" novalidate>
      <div class="login-brand"><img src="/static/icon.svg" alt="" width="52" height="52" /><h1>Mirante</h1></div>
      ${refused && html`<${Notice} icon="alert" tone="wait" title=${refused} />`}
      ${field("user", "User", user, { autocomplete: "username" })}
      ${field("password", "Password", password, { type: "password", autocomplete: "current-password" })}
      <div id="login-trouble" role="alert">${failure && html`<p class="login-trouble"><${Icon} name="alert" />
        <span>${words(failure)}${left > 0 ? ` Try again in ${inWords(left)}.` : ""}</span></p>`}</div>
      <${Button} type="submit" kind="primary" disabled=${busy || left > 0}>
        ${busy ? "One moment" : left > 0 ? `Wait ${inWords(left)}` : "Log in"}</${Button}>
    </form>
    <p class="login-help">No user yet? On the server: <code>mirante dashboard user NAME</code></p>
  </main>`;
}

/** Seconds until a moment in Unix ms, told each second. */
function useCountdown(until) {
  const [now, tick] = useState(Date.now());
  useEffect(() => {
    tick(Date.now());
    if (until <= Date.now()) return undefined;
    const timer = setInterval(() => {
      tick(Date.now());
      if (Date.now() >= until) clearInterval(timer);
    }, 500);
    return () => clearInterval(timer);
  }, [until]);
  return Math.max(0, Math.ceil((until - now) / 1000));
}

const inWords = (s) => (s < 100 ? `${s} s` : `${Math.ceil(s / 60)} min`);

/** The server's words as a sentence; how long to wait is said beside it, and goes down. */
function words(failure) {
  const message = failure.retryAfterS ? failure.message.split(";")[0] : failure.message;
  return sentence(message);
}
