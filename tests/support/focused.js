// What has the focus: its name, whether it is on the screen and whether a ring shows it.
() => {
  const e = document.activeElement;
  const style = getComputedStyle(e);
  const rect = e.getBoundingClientRect();
  return {
    name: e.ariaLabel ?? e.innerText, href: e.getAttribute("href"),
    ringed: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0 || style.boxShadow !== "none",
    seen: rect.width > 0 && rect.bottom > 0 && rect.top < innerHeight,
  };
}
