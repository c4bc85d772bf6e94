// The page of a one-time link. Its secret stands behind the #, which no server sees; it is sent in a body only.
import { ask, at, onSubmit, tell, trying } from "/pages/page.js";

const link = location.hash.slice(1);
history.replaceState(null, "", location.pathname);
let person;

async function open() {
  person = await ask("POST", "/v1/link", { link });
  tell(at("who"), `${person.name} · ${person.title} · ${person.township}`, `${person.name} · ${person.role} · ${person.township}`);
  at("secret").textContent = person.secret.replace(/(.{4})(?=.)/g, "$1 ");
  at("qr").src = person.qr;
  at("code").required = person.mandatory;
  at("optional").hidden = person.mandatory;
  at("who").hidden = at("form").hidden = false;
}

async function save() {
  const password = at("password").value;
  if (password !== at("again").value) {
    throw { zh: "两次输入的密码不一样。", en: "The two passwords are not the same." };
  }
  const code = at("code").value.replaceAll(" ", "");
  const body = { link, password, ...(code ? { code } : {}) };
  const { recovery } = await ask("POST", "/v1/link/password", body);
  at("form").hidden = true;
  at("codes").textContent = recovery.join("\n");
  at("recovery").hidden = recovery.length === 0;
  at("on").href = `/sign-in#${new URLSearchParams({ township: person.township, name: person.name })}`;
  at("done").hidden = false;
}

onSubmit(at("form"), save);
trying(open);
