// The page's one WebSocket: what is watched, frames as they come, the state of all cameras.
import { decodeFrame, unpack } from "./frame.js";
import { useEffect, useState } from "./preact.js";

const RETRY_MS = [250, 5000];
const PING_MS = 5000;
const FIRST_PINGS_MS = [0, 300, 700, 1300, 2100]; // the first answers come late: the page is busy with itself
const LATENCIES = 120;

class Live {
  constructor() {
    this.cameras = null; // until the first message
    this.connected = false;
    this.redis = { connected: true, words: "", refused: "" };
    this.ended = false; // the session has ended
    this.version = ""; // of the files that this page was loaded from
    this.isOutdated = false; // the server has others
    this.offset = null; // ms that the server's clock is ahead of ours
    this.latencies = new Map(); // camera → the last ms from capture to screen
    this.newest = new Map(); // camera → number of the frame drawn last
    this.skipped = 0;
    this.listeners = new Set();
    this.viewers = new Map(); // camera → Set of functions that take frames
    this.retry = RETRY_MS[0];
    this.best = Infinity;
    document.addEventListener("visibilitychange", () => this.watch());
    setInterval(() => this.ping(), PING_MS);
  }

  start() {
    if (this.socket || this.ended) return;
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = new WebSocket(`${scheme}://${location.host}/api/v1/live`);
    socket.binaryType = "arraybuffer";
    this.socket = socket;
    socket.onopen = () => {
      this.connected = true;
      this.retry = RETRY_MS[0];
      this.best = Infinity;
      this.said = undefined;
      this.newest.clear();
      for (const wait of FIRST_PINGS_MS) setTimeout(() => this.ping(), wait);
      this.watch();
      this.tell();
    };
    socket.onmessage = (event) => this.receive(event.data);
    socket.onclose = (event) => this.closed(event.code);
  }

  /** For a login or logout: the connection of before is no longer ours; `isSame`: whoever looks still is who they were. */
  restart(isSame = false) {
    this.ended = false;
    if (!isSame) this.cameras = null;
    if (this.socket) this.socket.close();
    else this.start();
  }

  closed(code) {
    this.socket = null;
    this.connected = false;
    this.ended = code === 4401;
    this.tell();
    if (this.ended) return;
    setTimeout(() => this.start(), this.retry * (0.5 + Math.random() / 2));
    this.retry = Math.min(this.retry * 2, RETRY_MS[1]);
  }

  send(message) {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
  }

  ping() { this.send({ ping: Date.now() }); }

  /** Asks for what somebody looks at: nothing in a tab that is hidden. */
  watch() {
    const names = document.hidden ? [] : [...this.viewers.keys()].sort();
    const said = JSON.stringify(names);
    if (said === this.said || this.socket?.readyState !== WebSocket.OPEN) return;
    this.said = said;
    this.send({ watch: names });
  }

  /** Frames of a camera go to `view` until the function that this returns is called. */
  view(camera, view) {
    const views = this.viewers.get(camera) ?? new Set();
    this.viewers.set(camera, views.add(view));
    queueMicrotask(() => this.watch());
    return () => {
      views.delete(view);
      if (!views.size && this.viewers.get(camera) === views) this.viewers.delete(camera);
      queueMicrotask(() => this.watch());
    };
  }

  receive(data) {
    const { header, parts } = unpack(data);
    if (header.type === "frame") {
      this.frame(header, parts);
    } else if (header.type === "cameras") {
      this.cameras = header.cameras;
      this.tell();
    } else if (header.type === "page") {
      this.version ||= header.version;
      this.isOutdated = this.version !== header.version;
    } else if (header.type === "redis") {
      this.redis = header;
    } else if (header.type === "pong") {
      this.clock(header);
    }
  }

  /** The server's clock, by the ping that was answered soonest. */
  clock({ ping, now }) {
    const roundTrip = Date.now() - ping;
    if (roundTrip > this.best) return;
    this.best = roundTrip;
    this.offset = now - (ping + Date.now()) / 2;
    this.latencies.clear(); // those were by a clock that was further off
  }

  async frame(header, parts) {
    this.skipped += header.skipped;
    try {
      const frame = await decodeFrame(header, parts);
      if (header.number < (this.newest.get(header.camera) ?? 0)) return; // overtaken while decoding
      this.newest.set(header.camera, header.number);
      for (const view of this.viewers.get(header.camera) ?? []) view(frame);
      this.late(frame);
    } catch (error) {
      console.error(`a frame of ${header.camera} cannot be drawn`, error);
    } finally {
      this.send({ drawn: { [header.camera]: header.number } });
    }
  }

  late({ camera, message }) {
    if (this.offset === null) return;
    const late = this.latencies.get(camera) ?? [];
    late.push(Date.now() + this.offset - message.ts * 1000);
    if (late.length > LATENCIES) late.shift();
    this.latencies.set(camera, late);
  }

  tell() { for (const listener of this.listeners) listener(); }
}

export const live = new Live();

/** Draws the component again with each message about cameras and each change of the connection. */
export function useLive() {
  const [, again] = useState(0);
  useEffect(() => {
    const listener = () => again((n) => n + 1);
    live.listeners.add(listener);
    return () => live.listeners.delete(listener);
  }, []);
  return live;
}
