// What happened at all cameras, newest first.
import { useLive } from "../lib/live.js";
import { html, useEffect, useMemo, useRef, useState } from "../lib/preact.js";
import { Button, Icon, Notice } from "../lib/ui.js";
import { EventCard, EventDetail } from "./event_card.js";
import { useFeed } from "./event_feed.js";
import { Filters, eventsHash, filtersOf, queryOf } from "./event_filters.js";

const TOP = 60; // px: so far down the newest are still looked at

/** `search`: the query of the address. */
export function EventsPage({ search }) {
  const { cameras } = useLive();
  const filters = filtersOf(search);
  const query = useMemo(() => queryOf(filters, Date.now() / 1000), [search]);
  const list = useRef();
  const mayMove = () => scrollY < TOP && !list.current?.matches(":hover, :focus-within");
  const feed = useFeed(query, mayMove);
  const change = (part) => { location.hash = eventsHash({ ...filters, ...part }); };
  const show = () => {
    feed.show();
    scrollTo({ top: 0 });
  };
  return html`<main class="events-page">
    <div class="bar"><h1>Events</h1></div>
    <${Filters} filters=${filters} cameras=${cameras ?? []} onChange=${change} />
    ${feed.error && html`<${Notice} icon="alert" tone="wait" title="Events cannot be read">${feed.error.message}</${Notice}>`}
    <div class="arrivals" role="status">${feed.waiting > 0 && html`<${Button} icon="up" kind="primary" onClick=${show}>
      ${feed.waiting === 1 ? "1 new event" : `${feed.waiting} new events`}</${Button}>`}</div>
    <div ref=${list}><${Cards} feed=${feed} isFiltered=${search !== ""} onClear=${() => change(filtersOf(""))} /></div>
  </main>`;
}

function Cards({ feed, isFiltered, onClear }) {
  const { cards } = feed;
  const [opened, open] = useState(null); // the key of a card
  const end = useEnd(feed.more, `${cards.length} ${feed.next}`);
  const shown = cards.find(({ key }) => key === opened);
  if (!feed.loaded) return html`<div class="event-grid" aria-busy="true">${!feed.error && Array.from({ length: 8 }, () => html`<div class="event ghost-event" />`)}</div>`;
  if (!cards.length && feed.error) return null; // what was not read is not known to be none
  if (!cards.length && !feed.next) return html`<${Nothing} isFiltered=${isFiltered} onClear=${onClear} />`;
  return html`<div class="event-grid" role="feed" aria-label="Events, newest first">
      ${cards.map((card) => html`<${EventCard} key=${card.key} card=${card} onOpen=${() => open(card.key)} />`)}
    </div>
    <div class="event-end" ref=${end}>${feed.next && html`<${Button} onClick=${feed.more}>Older events</${Button}>`}</div>
    ${shown && html`<${EventDetail} card=${shown} onClose=${() => open(null)} />`}`;
}

/** A ref for the foot of the list: more is loaded while it is near the screen; `state`: other after each loading. */
function useEnd(more, state) {
  const ref = useRef(), load = useRef();
  load.current = more;
  useEffect(() => {
    if (!ref.current) return undefined;
    const near = new IntersectionObserver(([entry]) => entry.isIntersecting && load.current(), { rootMargin: "600px" });
    near.observe(ref.current);
    return () => near.disconnect();
  }, [state]);
  return ref;
}

function Nothing({ isFiltered, onClear }) {
  return html`<div class="middle"><div class="empty"><${Icon} name="bell" />
    ${isFiltered
      ? html`<h2>No events match</h2><p>Nothing that is kept fits these filters.</p><${Button} onClick=${onClear}>Clear the filters</${Button}>`
      : html`<h2>No events yet</h2><p>Cameras whose stages track objects report here who came and went, who entered a zone and who crossed a line.</p>`}
  </div></div>`;
}
