// What both pages need: the language, a request, and how a refusal is told.
// The pages of the office read the same cookie.
const LANGUAGE = "roundbook-language";
const root = document.documentElement;

export const at = (id) => document.getElementById(id);

/** Fills an element with one text in two languages, of which the style sheet shows one. */
export function tell(element, zh, en) {
  const parts = [["zh", zh], ["en", en]].map(([lang, text]) => {
    const part = document.createElement("span");
    part.lang = lang;
    part.textContent = text;
    return part;
  });
  element.replaceChildren(...parts);
}

/** Sends JSON; throws what was refused, in both languages. */
export async function ask(method, path, body, csrf) {
  const headers = { ...(body ? { "content-type": "application/json" } : {}), ...(csrf ? { "roundbook-csrf": csrf } : {}) };
  let answer;
  try {
    answer = await fetch(path, { method, headers, body: body && JSON.stringify(body) });
  } catch {
    throw refusal("连不上服务器，请稍后再试。", "The server cannot be reached: try again later.");
  }
  if (answer.status === 204) return null;
  const said = await answer.json();
  if (answer.ok) return said;
  const wait = answer.headers.get("retry-after");
  throw refusal(
    `${said.title_zh}。${said.next_zh}${wait ? `（${wait} 秒后）` : ""}。`,
    `${sentence(said.detail)} ${sentence(said.next + (wait ? ` (in ${wait} s)` : ""))}`,
    said.code,
  );
}

/** Runs what a form is for, once at a time, and tells under it what was refused. */
export function onSubmit(form, work) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = form.querySelector("button.deed");
    button.disabled = true;
    await trying(work);
    button.disabled = false;
  });
}

/** Runs something, and tells what was refused. */
export async function trying(work) {
  at("wrong").replaceChildren();
  try {
    await work();
  } catch (error) {
    tell(at("wrong"), error.zh ?? "出错了，请重试。", error.en ?? "Something went wrong: try again.");
    if (error.zh === undefined) console.error(error);
  }
}

function sentence(text) {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}

function refusal(zh, en, code) {
  return Object.assign(new Error(en), { zh, en, code });
}

function speak(language) {
  root.lang = language;
  at("language").textContent = language === "zh" ? "English" : "中文";
}

function remembered() {
  return document.cookie.split("; ").includes(`${LANGUAGE}=en`) ? "en" : "zh";
}

at("language").addEventListener("click", () => {
  const other = root.lang === "zh" ? "en" : "zh";
  document.cookie = `${LANGUAGE}=${other}; path=/; max-age=31536000; samesite=lax`;
  speak(other);
});
speak(remembered());
