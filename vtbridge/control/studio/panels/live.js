// The state of the stream: figures, plots, quality, and what happened.

import { order } from "../api.js";
import { h, say } from "../dom.js";
import { t } from "../i18n.js";
import { Plot } from "../plot.js";

const FIGURES = ["fps", "tracker", "obs", "runtime", "preparation", "latency", "dropped", "watchers"];
const STAGES = ["retarget", "expressions", "render", "publish"];
const LOG_LINES = 100;

export class LivePanel {
  constructor(element, page) {
    this.page = page;
    this.figures = Object.fromEntries(FIGURES.map((name) => [name, h("dd", { id: name }, "–")]));
    this.quality = h("select", { id: "quality", onchange: () => this.choose() });
    this.fps = new Plot(t("live.fps"), { unit: "", floor: 60 });
    this.latency = new Plot(t("live.latency"), { unit: "ms", floor: 50 });
    this.stages = h("dl", { class: "bars", "aria-label": t("live.stages") });
    this.log = h("ol", { class: "log", "aria-label": t("live.log") });
    this.told = new Map();
    element.append(
      h("dl", { class: "figures" }, ...FIGURES.flatMap((name) => [h("dt", {}, t(`live.${name}`)), this.figures[name]])),
      h("p", { class: "row" },
        h("label", {}, t("live.quality"), " ", this.quality),
      ),
      h("div", { class: "plots" }, this.fps.element, this.latency.element),
      h("h2", {}, t("live.stages")),
      this.stages,
      h("h2", {}, t("live.log")),
      this.log,
    );
    this.note(t("live.opened"));
    page.connection.addEventListener("status", ({ detail }) => this.show(detail));
    page.connection.addEventListener("quality", ({ detail }) => this.offer(detail));
    page.connection.addEventListener("warnings", ({ detail }) => this.warn(detail));
    page.connection.addEventListener("tracking", ({ detail }) =>
      this.note(detail.tracked ? t("log.tracked", { source: detail.source }) : t("log.lost")));
  }

  show(status) {
    const { figures } = this;
    const total = status.latency_ms?.face_to_frame;
    say(figures.fps, status.shown ? t("live.fps_of", { fps: status.fps.toFixed(1), wanted: status.live?.fps ?? status.fps_wanted }) : t("live.rests"));
    say(figures.tracker, status.tracker);
    say(figures.obs, status.obs);
    say(figures.runtime, status.runtime);
    say(figures.preparation, status.preparation?.text || t("live.not_prepared"));
    say(figures.latency, total ? t("live.p50_p99", { p50: total.p50.toFixed(0), p99: total.p99.toFixed(0) }) : "–");
    say(figures.dropped, `${status.dropped} / ${status.beats}`);
    say(figures.watchers, Object.keys(status.watchers).join(", ") || "–");
    this.fps.add(status.fps);
    this.latency.add(total?.p50);
    this.bars(status.latency_ms);
  }

  bars(latency) {
    const longest = Math.max(1, ...STAGES.map((name) => latency[name]?.p99 ?? 0));
    this.stages.replaceChildren(...STAGES.filter((name) => latency[name]).flatMap((name) => [
      h("dt", {}, t(`stage.${name}`)),
      h("dd", {}, h("meter", { min: 0, max: longest, value: latency[name].p50, "aria-label": t(`stage.${name}`) }),
        ` ${latency[name].p50.toFixed(1)} ms`),
    ]));
  }

  offer({ quality, wanted, choices, runtime }) {
    if (this.shownChoices !== choices.join()) {
      this.shownChoices = choices.join();
      this.quality.replaceChildren(...choices.map((one) => h("option", { value: one }, t(`quality.${one}`))));
      if (!choices.length) this.quality.append(h("option", {}, t(`quality.${quality || "elsewhere"}`)));
      this.quality.disabled = !choices.length;
    }
    if (choices.length) this.quality.value = wanted;
    this.note(t("log.quality", { quality: t(`quality.${quality || "elsewhere"}`), runtime }));
  }

  choose() {
    return this.page.attempt(() => order("PUT", "quality", { quality: this.quality.value }));
  }

  warn(warnings) {
    const now = new Map(warnings.map((one) => [one.about + one.text, one.text]));
    for (const [key, text] of now) if (!this.told.has(key)) this.note(text, "warning");
    for (const [key, text] of this.told) if (!now.has(key)) this.note(t("log.over", { text }), "over");
    this.told = now;
  }

  note(text, kind = "") {
    const time = new Date();
    this.log.prepend(h("li", { class: kind }, h("time", { datetime: time.toISOString() }, time.toLocaleTimeString()), " ", text));
    while (this.log.children.length > LOG_LINES) this.log.lastChild.remove();
  }
}
