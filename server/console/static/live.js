// Keeps a page that stands open fresh: asks every few seconds whether anything has moved, while somebody looks.
const EVERY_MS = 5000;
const WHOLE_EVERY = 12; // dates pass without anything being written, so now and then everything is asked
let mark = "";
let beats = 0;
let signedOut = false;

async function beat() {
  if (document.hidden || signedOut) return;
  const list = document.querySelector("[data-list]");
  const asked = new URLSearchParams({ since: beats++ % WHOLE_EVERY ? mark : "" });
  if (list) {
    asked.set("queue", list.dataset.list);
    asked.set("seen", list.dataset.mark);
  }
  let answer;
  try {
    // As htmx asks: a session that is over is answered with 401, not with the way to the sign-in page.
    answer = await fetch(`/office/pulse?${asked}`, { headers: { "hx-request": "true" } });
  } catch {
    return; // out of reach: the next beat asks again
  }
  signedOut = answer.status === 401;
  if (answer.status === 200) show(await answer.json());
}

function show(told) {
  for (const place of document.querySelectorAll("[data-count]")) {
    const count = told.counts[place.dataset.count];
    if (count !== undefined) place.textContent = count;
  }
  for (const place of document.querySelectorAll("[data-page-count]")) {
    const count = told.pages[place.dataset.pageCount];
    place.hidden = count === undefined;
    place.textContent = count ?? "";
  }
  // A list is never reordered under somebody's hands: a line offers what is new.
  const fresh = document.querySelector("[data-fresh]");
  if (fresh) {
    fresh.hidden = told.newer === 0;
    fresh.querySelector("[data-fresh-count]").textContent = told.newer;
  }
  const live = document.querySelector("[data-live]");
  if (live && live.dataset.mark !== told.mark && !live.contains(document.activeElement)) {
    live.dataset.mark = told.mark;
    live.dispatchEvent(new CustomEvent("moved"));
  }
  mark = told.mark;
}

setInterval(beat, EVERY_MS);
document.addEventListener("visibilitychange", beat);
document.body.addEventListener("htmx:afterOnLoad", () => { signedOut = false; });
beat();

// One tick for all of a list.
document.body.addEventListener("change", (event) => {
  const name = event.target.dataset?.all;
  if (!name) return;
  for (const one of event.target.form.querySelectorAll(`input[type="checkbox"][name="${name}"]`)) one.checked = event.target.checked;
});
