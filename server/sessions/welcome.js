// The page of a one-time link. Its secret stands behind the #, which no server sees; it is sent in a body only.
"use strict";

const link = location.hash.slice(1);
history.replaceState(null, "", location.pathname);
const at = (id) => document.getElementById(id);

async function ask(path, body) {
  const answer = await fetch(path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  const said = await answer.json();
  if (!answer.ok) throw new Error(`${said.title_zh} / ${said.detail}. ${said.next_zh} / ${said.next}`);
  return said;
}

async function open() {
  const offer = await ask("/v1/link", { link });
  at("who").textContent = `${offer.name} · ${offer.township} · ${offer.role}`;
  at("secret").textContent = offer.secret;
  at("uri").href = offer.uri;
  at("code").required = offer.mandatory;
  at("form").hidden = false;
}

async function save(event) {
  event.preventDefault();
  const code = at("code").value.trim();
  const body = { link, password: at("password").value, ...(code ? { code } : {}) };
  const { recovery } = await ask("/v1/link/password", body);
  at("form").hidden = true;
  at("who").textContent = "密码已设置 / the password is set";
  at("codes").textContent = recovery.join("\n");
  at("recovery").hidden = recovery.length === 0;
}

const tell = (error) => { at("who").textContent = error.message; };
at("form").addEventListener("submit", (event) => save(event).catch(tell));
open().catch(tell);
