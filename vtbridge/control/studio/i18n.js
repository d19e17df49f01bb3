// The page's languages. A text that is missing in one is shown in English.

const KEPT = "vtbridge.language";
const LANGUAGES = { en: "English", zh: "中文", ja: "日本語" };

let texts = {};
let english = {};
export let language = "en";

export const languages = Object.entries(LANGUAGES);

/** Loads the language that was chosen, or the browser's. */
export async function load(wanted) {
  const preferred = wanted ?? kept() ?? navigator.languages.find((one) => one.slice(0, 2) in LANGUAGES) ?? "en";
  language = preferred.slice(0, 2) in LANGUAGES ? preferred.slice(0, 2) : "en";
  const get = async (code) => (await fetch(`/studio/locales/${code}.json`)).json();
  english = await get("en");
  texts = language === "en" ? english : await get(language);
  document.documentElement.lang = language === "zh" ? "zh-CN" : language;
  if (wanted) keep(wanted);
}

/** Returns a text with {name} replaced by values.name. */
export function t(key, values = {}) {
  const text = texts[key] ?? english[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

/** True if there is a text of that key. */
export const known = (key) => key in english;

/** Fills every element below root that names a text: data-t for its content, data-t-label for its name. */
export function translate(root = document) {
  for (const element of root.querySelectorAll("[data-t]")) element.textContent = t(element.dataset.t);
  for (const element of root.querySelectorAll("[data-t-label]")) element.setAttribute("aria-label", t(element.dataset.tLabel));
  for (const element of root.querySelectorAll("[data-t-title]")) element.title = t(element.dataset.tTitle);
}

function kept() {
  try {
    return localStorage.getItem(KEPT);
  } catch {
    return null; // storage is switched off
  }
}

function keep(code) {
  try {
    localStorage.setItem(KEPT, code);
  } catch {
    // the choice holds for this page only
  }
}
