// The newest events of one camera, in its page.
import { Best, EventDetail } from "../events/event_card.js";
import { useFeed } from "../events/event_feed.js";
import { eventsHash, filtersOf, queryOf } from "../events/event_filters.js";
import { eventWords, toneOfKind } from "../events/event_words.js";
import { html, useMemo, useRef, useState } from "../lib/preact.js";
import { Notice, moment } from "../lib/ui.js";

export function RecentEvents({ name }) {
  const filters = { ...filtersOf(""), camera: name };
  const query = useMemo(() => queryOf(filters, 0), [name]);
  const list = useRef();
  const mayMove = () => !list.current?.matches(":hover"); // nothing slips away from under the pointer
  const { cards, loaded, error } = useFeed(query, matchMedia("(hover: hover)").matches ? mayMove : undefined);
  const [opened, open] = useState(null);
  const shown = cards.find(({ key }) => key === opened);
  return html`<section class="card recent"><h2>Events <small>newest first</small><span class="grow" />
      <a class="button quiet small" href=${eventsHash(filters)}>All</a></h2>
    ${error && html`<${Notice} icon="alert" tone="wait" title="Events cannot be read">${error.message}</${Notice}>`}
    ${loaded && !cards.length && html`<p class="nothing">No events yet. Objects that come and go, zones entered and lines crossed are listed here.</p>`}
    <ol ref=${list} class="recent-list" tabindex="0" aria-label="Events, newest first">${cards.map((card) => html`<li key=${card.key}>
      <button type="button" class="recent-row ${toneOfKind(card.event.kind)}" onClick=${() => open(card.key)}>
        <span class="recent-image"><${Best} image=${card.image} event=${card.event} /></span>
        <strong>${eventWords(card.event)}</strong><small>${moment(card.event.ts)}</small>
      </button></li>`)}</ol>
    ${shown && html`<${EventDetail} card=${shown} onClose=${() => open(null)} />`}
  </section>`;
}
