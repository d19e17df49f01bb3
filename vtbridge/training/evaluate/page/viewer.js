// Two configurations of the same picture, names hidden, sides drawn by lot; answers stay in this browser.
"use strict";

(() => {
  const root = document.getElementById("viewer");
  const items = JSON.parse(document.getElementById("comparisons").textContent);
  if (!root || items.length === 0) return;
  const names = Object.keys(items[0].files);
  const store = `vtbridge-comparison-${root.dataset.key}`;

  // The same key gives the same order, so that a page that is opened again goes on.
  function lots(seed) {
    let state = seed >>> 0;
    return () => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return state / 4294967296;
    };
  }

  function plan() {
    const draw = lots([...root.dataset.key].reduce((sum, c) => (sum * 31 + c.charCodeAt(0)) | 0, 7));
    const pairs = [];
    for (let a = 0; a < names.length; a += 1) {
      for (let b = a + 1; b < names.length; b += 1) pairs.push([names[a], names[b]]);
    }
    const asked = [];
    items.forEach((item, number) => {
      // Every pair comes about equally often; not every picture with every pair.
      for (let step = 0; step < Math.min(pairs.length, 4); step += 1) {
        const [one, other] = pairs[(number * 4 + step) % pairs.length];
        asked.push(draw() < 0.5 ? { item, left: one, right: other } : { item, left: other, right: one });
      }
    });
    for (let i = asked.length - 1; i > 0; i -= 1) {
      const j = Math.floor(draw() * (i + 1));
      [asked[i], asked[j]] = [asked[j], asked[i]];
    }
    return asked;
  }

  function kept() {
    try {
      const read = JSON.parse(localStorage.getItem(store) ?? "[]");
      return Array.isArray(read) ? read.filter((choice) => ["left", "right", "tie"].includes(choice)) : [];
    } catch {
      return [];
    }
  }

  const asked = plan();
  let choices = kept().slice(0, asked.length);
  const part = (name) => root.querySelector(`[data-part="${name}"]`);

  function show() {
    const at = choices.length;
    const done = at >= asked.length;
    part("progress").textContent = `${at} / ${asked.length}`;
    part("pair").hidden = done;
    part("done").hidden = !done;
    if (done) return;
    const { item, left, right } = asked[at];
    part("left").src = item.files[left];
    part("right").src = item.files[right];
    part("source").src = item.source;
  }

  function choose(choice) {
    if (choices.length >= asked.length) return;
    choices.push(choice);
    keep();
  }

  function undo() {
    choices.pop();
    keep();
  }

  function keep() {
    try {
      localStorage.setItem(store, JSON.stringify(choices));
    } catch {
      // A page opened as a file may be forbidden to; the answers last as long as it is open.
    }
    show();
  }

  function flip() {
    const [left, right] = [part("left"), part("right")];
    [left.src, right.src] = [right.src, left.src];
  }

  function csv() {
    const cell = (text) => `"${String(text).replaceAll('"', '""')}"`;
    const rows = choices.map((choice, i) => [asked[i].item.picture, asked[i].left, asked[i].right, choice]);
    return [["picture", "left", "right", "choice"], ...rows].map((row) => row.map(cell).join(",")).join("\n");
  }

  function save() {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([`${csv()}\n`], { type: "text/csv" }));
    link.download = "results.csv";
    link.click();
    URL.revokeObjectURL(link.href);
  }

  const keys = {
    ArrowLeft: () => choose("left"),
    ArrowRight: () => choose("right"),
    ArrowDown: () => choose("tie"),
    u: undo,
  };
  root.addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.key === " " && event.target.tagName !== "BUTTON") {
      if (!event.repeat) flip();
    } else if (keys[event.key]) {
      keys[event.key]();
    } else {
      return;
    }
    event.preventDefault();
  });
  root.addEventListener("keyup", (event) => {
    // Held, the pictures have changed sides; what is chosen is meant where it was first seen.
    if (event.key === " " && event.target.tagName !== "BUTTON") {
      show();
      event.preventDefault();
    }
  });
  const actions = { left: () => choose("left"), right: () => choose("right"), tie: () => choose("tie"), undo, save };
  root.addEventListener("click", (event) => {
    const action = actions[event.target.dataset?.action];
    if (action) action();
    root.focus();
  });
  show();
})();
