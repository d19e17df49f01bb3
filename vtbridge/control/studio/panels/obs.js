// The connection to OBS, and setting up its scene.

import { order } from "../api.js";
import { h, say } from "../dom.js";
import { t } from "../i18n.js";

export class ObsPanel {
  constructor(element, page) {
    this.page = page;
    this.state = h("p", { id: "obs-state", role: "status" });
    element.append(
      this.state,
      h("p", { class: "hint" }, t("obs.hint")),
      h("p", {}, h("code", {}, "vtbridge obs setup")),
      h("p", { class: "hint" }, t("obs.dock")),
    );
    page.connection.addEventListener("obs", ({ detail }) => this.show(detail));
  }

  show({ state, trouble }) {
    say(this.state, trouble || t(`obs.${state}`));
    this.state.dataset.state = state;
  }
}
