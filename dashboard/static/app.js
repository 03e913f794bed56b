// The frame around every page: who looks, where one is, whether all is connected.
import { get, remove } from "./lib/api.js";
import { lazy } from "./lib/lazy.js";
import { Login } from "./login.js";
import { live, useLive } from "./lib/live.js";
import { html, render, useEffect, useLayoutEffect, useRef, useState } from "./lib/preact.js";
import { mayChange } from "./lib/rights.js";
import { Button, Icon, Notice } from "./lib/ui.js";

const PAGES = {
  wall: lazy(() => import("./wall/wall.js").then(({ Wall }) => Wall)),
  camera: lazy(() => import("./camera/camera_page.js").then(({ CameraPage }) => CameraPage)),
  events: lazy(() => import("./events/events_page.js").then(({ EventsPage }) => EventsPage)),
  system: lazy(() => import("./system/system_page.js").then(({ SystemPage }) => SystemPage)),
};
const CameraForm = lazy(() => import("./form/camera_form.js").then(({ CameraForm: Form }) => Form));

/** {page: "wall" | "camera" | "events" | "system", name, search} of the address. */
function routeOf(hash) {
  const [path, search = ""] = hash.replace(/^#\/?/, "").split("?");
  const [page, name] = path.split("/");
  if (page === "camera" && name) return { page, name: decoded(name) };
  return { page: page === "system" || page === "events" ? page : "wall", search };
}

/** The name that the address means, or the address' own text where that is none. */
function decoded(name) {
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}

let isBack = false; // or forward in the history: there the browser restores how far down the page was
globalThis.navigation?.addEventListener("navigate", (event) => { isBack = event.navigationType === "traverse"; });

function useRoute() {
  const [route, go] = useState(routeOf(location.hash));
  useLayoutEffect(() => { if (!isBack) scrollTo(0, 0); }, [route.page, route.name]);
  useEffect(() => {
    const follow = () => (live.isOutdated ? location.reload() : go(routeOf(location.hash)));
    addEventListener("hashchange", follow);
    return () => removeEventListener("hashchange", follow);
  }, []);
  return route;
}

function App() {
  const [session, setSession] = useState(null);
  const [form, openForm] = useState(null); // null, {} to add, {camera} to edit
  const route = useRoute();
  const { ended } = useLive();
  const before = useRef("");
  const look = async () => {
    const now = await get("/session").catch(() => null);
    if (now === null) return void setTimeout(look, 1000);
    const who = JSON.stringify(now);
    setSession(now);
    if (now.role) live.restart(who === before.current);
    before.current = who;
  };
  useEffect(() => void look(), []);
  useEffect(() => { if (ended) look(); }, [ended]);
  useEffect(() => { document.title = route.name ? `${route.name} · Mirante` : "Mirante"; }, [route.name]);
  if (session === null) return null;
  if (!session.role) return html`<${Login} words=${session.words} onLogin=${look} />`;
  const shared = { session, onAdd: () => openForm({}), onEdit: (camera) => openForm({ camera }) };
  return html`
    <${Head} route=${route} session=${session} onAdd=${shared.onAdd} onLogout=${look} />
    <${Trouble} />
    <${PAGES[route.page]} key=${route.name} name=${route.name} search=${route.search} ...${shared} />
    ${form && html`<${CameraForm} camera=${form.camera} session=${session} onClose=${() => openForm(null)} />`}`;
}

function Head({ route, session, onAdd, onLogout }) {
  const leave = async () => {
    await remove("/session");
    live.ended = true;
    live.restart();
    onLogout();
  };
  const link = (page, href, icon, words) => html`<a href=${href}
    aria-current=${route.page === page ? "page" : null}><${Icon} name=${icon} /><span>${words}</span></a>`;
  return html`<header class="head">
    <a href="#/" class="brand"><img src="/static/icon.svg" alt="" width="26" height="26" />Mirante</a>
    <nav aria-label="Pages">${link("wall", "#/", "wall", "Wall")}${link("events", "#/events", "bell", "Events")}${link("system", "#/system", "system", "System")}</nav>
    <span class="grow" />
    ${mayChange(session) && html`<${Button} icon="add" kind="primary" label="Add a camera" onClick=${onAdd}>Add a camera</${Button}>`}
    ${session.login && html`<span class="who"><${Icon} name="user" />${session.user}
      ${session.how === "session" && html`<${Button} kind="quiet" onClick=${leave}>Log out</${Button}>`}
      ${session.logout_url && html`<a class="button quiet" href=${session.logout_url}>Log out</a>`}</span>`}
  </header>`;
}

/** What is wrong between the page, the server and Redis, while it is. */
function Trouble() {
  const { connected, redis, cameras } = useLive();
  const [patient, lose] = useState(true); // a blink is not worth words
  useEffect(() => {
    lose(true);
    if (connected) return undefined;
    const timer = setTimeout(() => lose(false), 1500);
    return () => clearTimeout(timer);
  }, [connected]);
  if (!connected && !patient) {
    return html`<${Notice} icon="alert" tone="wait" title="The dashboard's server does not answer">
      The images are frozen; this page will continue when the server is back.</${Notice}>`;
  }
  if (connected && !redis.connected && cameras !== null) {
    return html`<${Notice} icon="alert" tone="wait" title=${redis.words || "Redis is away"}>
      Cameras keep running and hold their results; this page will continue when Redis is back.</${Notice}>`;
  }
  if (connected && redis.refused) {
    return html`<${Notice} icon="alert" tone="bad" title=${redis.refused}>
      Cameras keep running and hold their results for a while; no setting can be changed until Redis takes writes again.</${Notice}>`;
  }
  return null;
}

PAGES[routeOf(location.hash).page].fetch().catch(() => {}); // while the session is asked for; a page that is shown says what failed
render(html`<${App} />`, document.getElementById("app"));
