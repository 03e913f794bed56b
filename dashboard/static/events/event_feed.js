// Events from the API: the newest, older ones as they are asked for, and those that arrive meanwhile.
import { get } from "../lib/api.js";
import { useEffect, useRef, useState } from "../lib/preact.js";
import { repeat } from "../lib/polled.js";
import { newCards, withEvents } from "./event_words.js";

const PAGE = 40;
const ARRIVED = 200, ARRIVED_PAGES = 3; // events of one answer, and answers, that have come; after more the list begins anew
const KEPT = 200; // cards, while nobody looks further down
const LATE_S = 30; // events of one camera may be published so much later than those of another

const EMPTY = { asked: null, cards: [], next: null, error: null, loaded: false, busy: false, waiting: [] };
const secondsOf = ({ entry }) => Number(entry.split("-")[0]) / 1000;

/**
 * `query`: [[key, value]] of GET /events; `mayMove()`: whether new cards may come before the others now, else they wait.
 * Returns {cards, error, loaded, waiting: how many cards wait, next: null where there are no older ones, more(), show() begins anew}.
 */
export function useFeed(query, mayMove = () => true) {
  const asked = new URLSearchParams(query).toString();
  const [state, set] = useState(EMPTY);
  const [round, again] = useState(0);
  const now = useRef(state), may = useRef(mayMove);
  now.current = state;
  may.current = mayMove;
  useEffect(() => follow(query, asked, now, may, set), [asked, round]);
  const more = async () => {
    if (state.busy || !state.next) return;
    set((one) => ({ ...one, busy: true }));
    try {
      const page = await get(`/events?${search(query, { limit: PAGE, before: state.next })}`);
      set((one) => ({ ...one, busy: false, error: null, next: page.next, cards: withEvents(one.cards, page.events, false) }));
    } catch (error) {
      set((one) => ({ ...one, busy: false, error }));
    }
  };
  return {
    cards: state.cards, error: state.error, loaded: state.loaded, next: state.next,
    waiting: newCards(state.cards, state.waiting), more, show: () => again(round + 1),
  };
}

function search(query, more) {
  const given = query.filter(([key]) => !(key in more));
  return new URLSearchParams([...given, ...Object.entries(more)]).toString();
}

const withArrived = (state, events) => ({ ...state, error: null, cards: withEvents(state.cards, events, true), waiting: [] });

/** Without the oldest cards of many, which are asked for again where they are wanted. */
function bounded(state, isAtTop) {
  if (!isAtTop || state.cards.length <= KEPT) return state;
  const cards = state.cards.slice(0, KEPT);
  return { ...state, cards, next: cards.at(-1).event.entry };
}

/** Asks for the newest, and again and again for what has come, until the function that it returns is called. */
function follow(query, asked, now, may, set) {
  let newest = null;
  const since = Number(query.find(([key]) => key === "since")?.[1] ?? 0);
  const first = async (isOver) => {
    const page = await get(`/events?${search(query, { limit: PAGE })}`);
    if (isOver()) return;
    newest = Math.max(0, ...page.events.map(secondsOf));
    set({ ...EMPTY, asked, loaded: true, cards: withEvents([], page.events, false), next: page.next });
  };
  const arrived = async (isOver) => {
    const after = Math.max(since, newest - LATE_S, 0).toFixed(3);
    const events = [];
    let before = {};
    for (let pages = 0; before; pages += 1) {
      if (pages === ARRIVED_PAGES && may.current()) return first(isOver);
      if (pages === ARRIVED_PAGES) break;
      const page = await get(`/events?${search(query, { since: after, limit: ARRIVED, ...before })}`);
      if (isOver()) return undefined;
      events.push(...page.events);
      before = page.next && { before: page.next };
    }
    newest = Math.max(newest, ...events.map(secondsOf));
    const isAtTop = may.current();
    if (isAtTop || newCards(now.current.cards, events) === 0) set((one) => bounded(withArrived(one, events), isAtTop));
    else set((one) => ({ ...one, error: null, waiting: events }));
    return undefined;
  };
  set((before) => ({ ...before, next: null, waiting: [] })); // what is shown stays until other things are known
  return repeat(
    (isOver) => (newest === null ? first(isOver) : arrived(isOver)),
    (error) => set((one) => ({ ...(one.asked === asked ? one : EMPTY), error })), // cards of another query are dropped
  );
}
