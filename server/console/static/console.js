// What every page needs beside htmx: the language, the way out, refusals beside their form, and keys.
const body = document.body;
const LANGUAGE = "roundbook-language";

const at = (id) => document.getElementById(id);

/** Where a form says what was refused: in itself when it has a place for that, else at the foot of the page. */
function said(element) {
  return element?.closest("form, [data-part]")?.querySelector("[data-said]") ?? at("said");
}

function tell(place, html) {
  place.innerHTML = html; // the server's own part of a page, escaped there
  place.scrollIntoView({ block: "nearest" });
}

async function json(method, path, content) {
  const headers = { ...JSON.parse(body.getAttribute("hx-headers")), ...(content ? { "content-type": "application/json" } : {}) };
  return fetch(path, { method, headers, body: content && JSON.stringify(content) });
}

at("language")?.addEventListener("click", (event) => {
  document.cookie = `${LANGUAGE}=${event.target.dataset.other}; path=/; max-age=31536000; samesite=lax`;
  location.reload();
});

at("leave")?.addEventListener("click", async () => {
  await json("DELETE", "/v1/session");
  location.assign("/sign-in");
});

const menu = document.querySelector("button.menu");
menu?.addEventListener("click", () => {
  const open = at("sections").classList.toggle("open");
  menu.setAttribute("aria-expanded", String(open));
});

// A session that ended while a form was being filled in: sign in over the page, and go on.
const again = at("again");
again?.querySelector("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = event.target;
  const wrong = form.querySelector("[data-said]");
  wrong.textContent = "";
  const given = Object.fromEntries([...new FormData(form)].filter(([, value]) => value !== ""));
  let answer;
  try {
    answer = await json("POST", "/v1/sign-in", given);
  } catch {
    wrong.textContent = body.dataset.unreachable;
    return;
  }
  const told = await answer.json();
  if (answer.ok) {
    body.setAttribute("hx-headers", JSON.stringify({ "roundbook-csrf": told.csrf }));
    form.password.value = form.code.value = "";
    again.close();
  } else if (told.code === "second_factor_required") {
    form.querySelector("[data-factor]").hidden = false;
    form.code.focus();
  } else {
    wrong.textContent = document.documentElement.lang === "zh" ? `${told.title_zh}。${told.next_zh}。` : `${told.title}. ${told.next}.`;
  }
});

/** Whether a page asks by itself: then it takes neither the keys of somebody who types nor what they were told. */
const byItself = (element) => element.matches("[hx-trigger]");

body.addEventListener("htmx:beforeRequest", (event) => {
  const place = said(event.detail.elt);
  if (!byItself(event.detail.elt) || place.dataset.byItself) place.replaceChildren();
});
body.addEventListener("htmx:responseError", (event) => {
  if (event.detail.xhr.status === 401) byItself(event.detail.elt) || again.showModal(); // their next press tells
  else if (event.detail.xhr.getResponseHeader("roundbook-refusal")) tell(said(event.detail.elt), `<div class="refused" role="alert">${event.detail.xhr.responseText}</div>`);
  else unreachable(event);
});
for (const name of ["htmx:sendError", "htmx:timeout"]) body.addEventListener(name, unreachable);

/** No answer, or that of something in between: a proxy's page is nothing to show here. */
function unreachable(event) {
  const place = said(event.detail.elt), alone = byItself(event.detail.elt);
  if (alone && place.firstChild && !place.dataset.byItself) return;
  place.dataset.byItself = alone ? "yes" : "";
  place.innerHTML = '<div class="refused" role="alert"></div>';
  place.firstChild.textContent = body.dataset.unreachable;
}

// A dialog is opened by a button that names it, and closed by one inside it.
body.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-opens]");
  if (opener) at(opener.dataset.opens).showModal();
  event.target.closest("[data-closes]")?.closest("dialog").close();
});

// Rows: j and k move, Enter opens; / goes to the search.
body.addEventListener("keydown", (event) => {
  if (event.target.closest("input, textarea, select, dialog") || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "/") {
    const search = document.querySelector("[data-search]");
    if (search) event.preventDefault();
    search?.focus();
  }
  if (event.key !== "j" && event.key !== "k") return;
  const rows = [...document.querySelectorAll("[data-rows] a[data-row]")];
  const now = rows.indexOf(document.activeElement);
  rows[event.key === "j" ? Math.min(now + 1, rows.length - 1) : Math.max(now - 1, 0)]?.focus();
});
