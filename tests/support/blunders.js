// What is wrong with a page for those who do not see it or have no mouse, as far as that can be told
// without a library: names of what can be used or seen, one heading above all, no id twice, and
// nothing wider than the screen. Returns words, none where all is well.
() => {
  const found = [];
  const shown = (e) => e.checkVisibility({ visibilityProperty: true });
  const tell = (what, e) => found.push(`${what}: ${e.outerHTML.slice(0, 160)}`);
  const named = (e) => {
    const by = (e.getAttribute("aria-labelledby") ?? "").split(" ").filter(Boolean)
      .map((id) => document.getElementById(id)?.textContent ?? "").join("");
    const labels = [...(e.labels ?? [])].map((label) => label.textContent).join("");
    return (e.getAttribute("aria-label") || by || labels || e.textContent || e.title || "").trim() !== "";
  };
  for (const e of document.querySelectorAll("button, a[href], input, select, textarea, summary, [role=img], dialog"))
    if (shown(e) && !named(e)) tell("no name", e);
  for (const e of document.querySelectorAll("img"))
    if (!e.hasAttribute("alt")) tell("no alt", e);
  for (const e of document.querySelectorAll("canvas"))
    if (shown(e) && e.getAttribute("role") !== "img" && !e.closest("[role=img], [aria-hidden=true]")) tell("no role", e);
  for (const e of document.querySelectorAll("a[href], button, [tabindex]"))
    if (e.tabIndex > 0) tell("an order of its own", e);
  for (const e of document.querySelectorAll("[aria-hidden=true] button, [aria-hidden=true] a[href]")) tell("hidden, yet reached", e);
  for (const e of document.querySelectorAll("button button, a a, a button, button a")) tell("one in another", e);
  const ids = [...document.querySelectorAll("[id]")].map((e) => e.id);
  for (const id of new Set(ids)) if (ids.filter((one) => one === id).length > 1) found.push(`id twice: ${id}`);
  const heads = [...document.querySelectorAll("h1")].filter(shown);
  if (heads.length !== 1) found.push(`h1: ${heads.length}`);
  if (document.querySelectorAll("main").length !== 1) found.push("not one main");
  if (!document.documentElement.lang) found.push("no language");
  if (!document.title) found.push("no title");
  const wide = document.documentElement.scrollWidth - innerWidth;
  if (wide > 0) found.push(`${wide} px wider than the screen`);
  return found;
}
