// The page: the avatar at its side, and the panels behind their tabs.

import { Connection, Refused, token } from "./api.js";
import { h, say } from "./dom.js";
import { language, languages, load, t, translate } from "./i18n.js";
import { Painter } from "./painter.js";
import { CharacterPanel } from "./panels/character.js";
import { ExpressionsPanel } from "./panels/expressions.js";
import { FacePanel } from "./panels/face.js";
import { LivePanel } from "./panels/live.js";
import { ObsPanel } from "./panels/obs.js";
import { PosePanel } from "./panels/pose.js";

const PANELS = {
  live: LivePanel,
  pose: PosePanel,
  face: FacePanel,
  expressions: ExpressionsPanel,
  character: CharacterPanel,
  obs: ObsPanel,
};
const ANSWER_MS = 6000;

const $ = (id) => document.getElementById(id);

await load();
translate();

const connection = new Connection();
const painter = new Painter($("avatar"));
const page = { connection, tell, attempt, show: choose };
const panels = Object.fromEntries(
  Object.entries(PANELS).map(([name, Panel]) => [name, new Panel($(`panel-${name}`), page)]),
);

/** Tells how an order went; it is read out too. */
function tell(text, wrong = false) {
  say($("answer"), text);
  $("answer").dataset.wrong = wrong;
  clearTimeout(tell.timer);
  tell.timer = setTimeout(() => say($("answer"), ""), ANSWER_MS);
}

/** Runs what may be refused, and tells why and the remedy if it is. */
async function attempt(act, done = "") {
  try {
    const result = await act();
    if (done) tell(done);
    return result;
  } catch (error) {
    if (error instanceof Refused) tell(`${error.message}. ${error.remedy}`, true);
    else if (error instanceof TypeError) tell(t("connection.lost"), true);
    else throw error;
    return null;
  }
}

/** Shows one panel; the others get neither time nor messages. */
function choose(name) {
  for (const tab of document.querySelectorAll("[role=tab]")) {
    const chosen = tab.id === `tab-${name}`;
    tab.setAttribute("aria-selected", chosen);
    tab.tabIndex = chosen ? 0 : -1;
    $(tab.getAttribute("aria-controls")).hidden = !chosen;
  }
  for (const [other, panel] of Object.entries(panels)) panel.shown?.(other === name);
  const hash = new URLSearchParams({ token, panel: name });
  history.replaceState(null, "", `#${hash}`);
}

function chooseByKey(event) {
  const tabs = [...document.querySelectorAll("[role=tab]")];
  const at = tabs.indexOf(document.activeElement);
  const next = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: tabs.length - 1 }[event.key];
  if (next === undefined || at < 0) return;
  event.preventDefault();
  const tab = tabs[(next + tabs.length) % tabs.length];
  tab.focus();
  choose(tab.id.replace("tab-", ""));
}

/** Lists what needs attention; a list that stays the same is not read out again. */
function warn(warnings) {
  const list = $("warnings");
  const told = warnings.map((one) => one.text);
  if (list.dataset.told === told.join("\n")) return;
  list.dataset.told = told.join("\n");
  list.replaceChildren(...told.map((text) => h("li", {}, text)));
}

connection.addEventListener("state", ({ detail }) => {
  say($("connection"), t(`connection.${detail}`));
  $("connection").dataset.state = detail;
});
connection.addEventListener("frame", ({ detail: frame }) => {
  painter.draw(frame.width, frame.height, frame.rgba);
  document.body.dataset.frame = frame.number;
  document.body.dataset.flags = frame.flags;
});
connection.addEventListener("status", ({ detail: status }) => {
  warn(status.warnings);
  say($("credit"), status.credit);
});
connection.addEventListener("refused", ({ detail }) => tell(`${detail.message}. ${detail.remedy}`, true));

for (const tab of document.querySelectorAll("[role=tab]")) {
  tab.addEventListener("click", () => choose(tab.id.replace("tab-", "")));
  tab.addEventListener("keydown", chooseByKey);
}

for (const choice of document.querySelectorAll("input[name=background]")) {
  choice.addEventListener("change", () => {
    $("avatar").dataset.background = choice.value;
    if (choice.value === "picture") $("background-picture").click();
  });
}
$("background-picture").addEventListener("change", ({ target }) => {
  if (target.files.length) $("avatar").style.setProperty("--picture", `url("${URL.createObjectURL(target.files[0])}")`);
});

$("language").append(...languages.map(([code, name]) => h("option", { value: code, lang: code }, name)));
$("language").value = language;
$("language").addEventListener("change", async ({ target }) => {
  await load(target.value);
  location.reload(); // the panels are made of texts
});

for (const kind of ["dragover", "drop"]) {
  document.addEventListener(kind, (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    if (kind === "dragover" || !event.dataTransfer.files.length) return;
    choose("character");
    panels.character.take(event.dataTransfer.files[0]);
  });
}

const wanted = new URLSearchParams(location.hash.slice(1)).get("panel");
choose(wanted in PANELS ? wanted : "live");
connection.open();
