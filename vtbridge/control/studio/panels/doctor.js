// The picture doctor: a drawing goes in, it is cut out, placed and tried, and a character comes out.

import { order, read, send } from "../api.js";
import { h, say, showPicture } from "../dom.js";
import { t } from "../i18n.js";
import { HeadBox } from "./headbox.js";

const PERIOD_MS = 300;
const WAYS = ["auto", "keep", "flood", "grabcut", "rembg"];
const TYPES = ["image/png", "image/jpeg", "image/webp"];

export class Doctor {
  constructor(page, choose) {
    this.page = page;
    this.choose = choose;
    this.file = h("input", { type: "file", accept: TYPES.join(), hidden: true, onchange: () => this.take(this.file.files[0]) });
    this.bar = h("progress", { max: 1, value: 0, "aria-label": t("doctor.progress") });
    this.doing = h("p", { class: "hint", role: "status" });
    this.matting = h("select", { id: "matting" }, ...WAYS.map((way) => h("option", { value: way }, t(`matting.${way}`))));
    this.mouth = h("input", { type: "checkbox", id: "fix-mouth" });
    this.byHand = h("input", { type: "checkbox", id: "head-by-hand", onchange: () => this.head.toggle(this.byHand.checked) });
    this.head = new HeadBox();
    this.findings = h("ul", { class: "findings", "aria-label": t("doctor.findings") });
    this.sheet = h("img", { class: "sheet", alt: t("doctor.sheet") });
    this.name = h("input", { type: "text", id: "character-name", maxlength: 64 });
    this.keepButton = h("button", { type: "button", class: "main", id: "keep", onclick: () => this.keep() }, t("doctor.keep"));
    this.work = h("div", { hidden: true },
      this.head.element,
      h("div", { class: "row" },
        h("label", {}, t("doctor.matting"), " ", this.matting),
        h("label", { class: "switch" }, this.byHand, t("doctor.by_hand")),
        h("label", { class: "switch" }, this.mouth, t("doctor.fix_mouth")),
        h("button", { type: "button", id: "examine", onclick: () => this.examine() }, t("doctor.examine")),
      ),
      this.findings,
      this.sheet,
      h("div", { class: "row" }, h("label", {}, t("doctor.name"), " ", this.name), this.keepButton),
    );
    this.element = h("div", { class: "doctor" },
      h("p", { class: "hint" }, t("doctor.hint")),
      h("div", { class: "row" }, h("button", { type: "button", id: "choose-drawing", onclick: () => this.file.click() }, t("doctor.choose")), this.file),
      this.bar, this.doing, this.work);
    this.bar.hidden = true;
  }

  shown(chosen) {
    clearInterval(this.timer);
    if (!chosen) return;
    this.look();
    this.timer = setInterval(() => this.busy && this.look(), PERIOD_MS);
  }

  async take(file) {
    if (!file) return;
    if (!TYPES.includes(file.type)) return this.page.tell(t("doctor.no_picture", { name: file.name }), true);
    this.byHand.checked = false;
    this.head.toggle(false);
    this.mouth.checked = false;
    this.matting.value = "auto";
    this.name.value = file.name.replace(/\.[^.]*$/, "");
    this.shownDrawing = "";
    const path = `drawing?name=${encodeURIComponent(file.name)}`;
    if (await this.page.attempt(() => send("PUT", path, file, file.type))) await this.look();
  }

  async examine() {
    const head = this.byHand.checked ? this.head.box() : null;
    const fixes = this.mouth.checked ? ["mouth"] : [];
    if (await this.page.attempt(() => order("POST", "doctor", { matting: this.matting.value, head, fixes }))) await this.look();
  }

  async look() {
    try {
      await this.show(await read("doctor"));
    } catch {
      this.busy = false; // the connection's own state tells that nobody is there
    }
  }

  async show(patient) {
    const done = this.busy && patient.state !== "busy";
    this.busy = patient.state === "busy";
    this.bar.hidden = !this.busy;
    this.bar.value = patient.share;
    say(this.doing, this.busy ? t(`doctor.doing.${patient.doing.replaceAll(" ", "_") || "waiting"}`) : patient.trouble);
    this.work.hidden = !patient.width;
    this.keepButton.disabled = patient.state !== "done";
    if (patient.width && this.shownDrawing !== patient.name) {
      this.shownDrawing = patient.name;
      this.name.value ||= patient.name.replace(/\.[^.]*$/, "");
      const drawing = await this.page.attempt(() => send("GET", "doctor/drawing"));
      if (drawing) this.head.show(await drawing.blob(), patient.width, patient.height);
    }
    if (patient.state === "none" || (!done && this.told === patient.state)) return;
    this.told = patient.state;
    this.report(patient.state === "done" ? patient.report : null);
    this.sheet.hidden = patient.state !== "done";
    if (patient.state !== "done") return;
    const sheet = await this.page.attempt(() => send("GET", "doctor/sheet"));
    if (sheet) showPicture(this.sheet, await sheet.blob());
  }

  report(report) {
    if (!report) return this.findings.replaceChildren();
    const passed = report.scores.filter((one) => one.passed).length;
    this.findings.replaceChildren(
      h("li", { class: passed === report.scores.length ? "over" : "warning" }, t("doctor.passed", { passed, count: report.scores.length })),
      ...report.done.map((one) => h("li", {}, one)),
      ...report.findings.map((one) => h("li", { class: "warning" }, `${one.sentence}. ${one.remedy}`,
        one.fix ? h("button", { type: "button", class: "small", onclick: () => this.fix(one.fix) }, t("doctor.apply")) : "")),
    );
  }

  fix(name) {
    if (name === "mouth") this.mouth.checked = true;
    return this.examine();
  }

  async keep() {
    const name = this.name.value.trim();
    if (!name) return this.name.focus();
    const kept = await this.page.attempt(() => order("POST", "doctor/keep", { name }), t("doctor.kept", { name }));
    if (kept) await this.choose(kept.character);
  }
}
