// A short word that something was done, at the foot of the page; it goes by itself.

const SHOWN_MS = 5000;
let place = null, timer = 0;

/** Shows words, and has them read out. */
export function toast(words) {
  if (!place) {
    place = document.createElement("div");
    place.className = "toast";
    place.setAttribute("role", "status");
    document.body.append(place);
  }
  clearTimeout(timer);
  requestAnimationFrame(() => { // a live region is read when it changes, not when it comes
    place.textContent = words;
    place.classList.add("shown");
  });
  timer = setTimeout(() => place.classList.remove("shown"), SHOWN_MS);
}
