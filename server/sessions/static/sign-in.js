// Signing in and out. Who it is about may stand behind the #, so that nobody types it twice; nothing secret does.
import { ask, at, onSubmit, tell, trying } from "/pages/page.js";

const given = new URLSearchParams(location.hash.slice(1));
history.replaceState(null, "", location.pathname);
// Only a page of the office: nobody is sent from here to anywhere else.
const next = /^\/office(\/[\w./-]*)?$/.test(given.get("next") ?? "") ? given.get("next") : "/office";
let csrf;

function show(person) {
  csrf = person?.csrf;
  at("form").hidden = person !== null;
  at("inside").hidden = person === null;
  if (person === null) return;
  at("me").textContent = person.name;
  at("office").textContent = person.township;
  tell(at("role"), person.title, person.role);
  at("onwards").hidden = !person.actions.includes("console.open");
}

async function enter() {
  const said = ["township", "name", "password"].map((id) => [id, at(id).value.trim()]);
  const code = at("code").value.trim();
  try {
    const person = await ask("POST", "/v1/sign-in", { ...Object.fromEntries(said), ...(code ? { code } : {}) });
    at("password").value = at("code").value = "";
    if (person.actions.includes("console.open")) location.assign(next);
    else show(person);
  } catch (error) {
    if (error.code !== "second_factor_required") throw error;
    at("factor").hidden = false;
    at("code").required = true;
    at("code").focus();
  }
}

async function leave() {
  await ask("DELETE", "/v1/session", undefined, csrf);
  show(null);
}

for (const id of ["township", "name"]) at(id).value = given.get(id) ?? "";
onSubmit(at("form"), enter);
at("out").addEventListener("click", () => trying(leave));
ask("GET", "/v1/session").then(show, () => show(null));
