// Two pictures, names hidden: which is better? Choices are kept by the browser, and exported.
"use strict";
(() => {
  const told = JSON.parse(document.getElementById("cases").textContent);
  const at = (id) => document.getElementById(id);
  const dialog = at("looking");
  const key = `vtbridge-compare-${told.id}`;
  let state = restored();
  let now = null;
  let front = null;

  function restored() {
    try {
      const kept = JSON.parse(localStorage.getItem(key));
      if (kept && Number.isInteger(kept.seed) && Array.isArray(kept.choices)) return kept;
    } catch { /* kept nowhere, or not by us: begin anew */ }
    return { seed: crypto.getRandomValues(new Uint32Array(1))[0], choices: [] };
  }

  function keep() {
    try {
      localStorage.setItem(key, JSON.stringify(state));
    } catch {
      at("kept").textContent = "This browser keeps nothing: export before you close the page.";
    }
  }

  // Mulberry32: the same order again after the page was closed.
  function random(seed) {
    let a = seed >>> 0;
    return () => {
      a = (a + 0x6d2b79f5) >>> 0;
      let t = Math.imul(a ^ (a >>> 15), a | 1);
      t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t;
      return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
    };
  }

  function trials() {
    const next = random(state.seed);
    const all = [];
    for (const [number, one] of told.cases.entries()) {
      const names = Object.keys(one.pictures);
      for (let i = 0; i < names.length; i++) {
        for (let j = i + 1; j < names.length; j++) {
          const flip = next() < 0.5;
          all.push({
            id: `${number}/${names[i]}/${names[j]}`,
            case: one,
            left: names[flip ? j : i],
            right: names[flip ? i : j],
          });
        }
      }
    }
    for (let i = all.length - 1; i > 0; i--) {
      const j = Math.floor(next() * (i + 1));
      [all[i], all[j]] = [all[j], all[i]];
    }
    return all;
  }

  function wanted() {
    const asked = [at("first").value, at("second").value].filter((name) => name !== "");
    return trials().filter((t) => asked.every((name) => name === t.left || name === t.right));
  }

  function show() {
    const all = wanted();
    const done = new Set(state.choices.map((choice) => choice.id));
    const left = all.filter((trial) => !done.has(trial.id));
    now = left[0] ?? null;
    const count = all.length - left.length;
    at("progress").max = Math.max(all.length, 1);
    at("progress").value = count;
    at("count").textContent = `${count} of ${all.length}`;
    at("total").textContent = `${state.choices.length} choices made`;
    at("export").disabled = state.choices.length === 0;
    at("undo").disabled = state.choices.length === 0;
    for (const id of ["choose-left", "choose-tie", "choose-right", "flip"]) at(id).disabled = !now;
    at("finished").hidden = now !== null;
    at("pair").hidden = at("asked").hidden = now === null;
    unflip();
    if (now === null) return;
    at("source").src = now.case.source;
    at("act").textContent = now.case.act;
    at("left").src = now.case.pictures[now.left];
    at("right").src = now.case.pictures[now.right];
  }

  function choose(choice) {
    if (now === null) return;
    const { id, left, right } = now;
    state.choices.push({ id, case: now.case.name, left, right, choice });
    keep();
    show();
  }

  function undo() {
    if (state.choices.pop() === undefined) return;
    keep();
    show();
  }

  function flip() {
    front = front === "left" ? "right" : "left";
    dialog.classList.add("flipping");
    for (const side of ["left", "right"]) at(side).classList.toggle("front", side === front);
    at("side").textContent = `${front} picture`;
  }

  function unflip() {
    front = null;
    dialog.classList.remove("flipping");
    at("side").textContent = "";
  }

  function exported() {
    const quoted = (text) => `"${String(text).replaceAll('"', '""')}"`;
    const lines = state.choices.map((c) => [c.case, c.left, c.right, c.choice].map(quoted).join(","));
    return ["case,left,right,choice", ...lines, ""].join("\r\n");
  }

  const keys = {
    ArrowLeft: () => choose("left"),
    ArrowRight: () => choose("right"),
    ArrowDown: () => choose("tie"),
    " ": flip,
    u: undo,
  };
  dialog.addEventListener("keydown", (event) => {
    const act = keys[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault(); // a focused button would be pressed by the space bar besides
    if (!event.repeat) act();
  });
  at("start").addEventListener("click", () => {
    show();
    dialog.showModal();
    dialog.focus();
  });
  at("choose-left").addEventListener("click", () => choose("left"));
  at("choose-tie").addEventListener("click", () => choose("tie"));
  at("choose-right").addEventListener("click", () => choose("right"));
  at("flip").addEventListener("click", flip);
  at("undo").addEventListener("click", undo);
  at("close").addEventListener("click", () => dialog.close());
  at("export").addEventListener("click", () => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([exported()], { type: "text/csv" }));
    link.download = "choices.csv";
    link.click();
    URL.revokeObjectURL(link.href);
  });
  show();
})();
