// Send VMC frames with osc-js as XR Animator lays them out, until killed: the root alone,
// a bundle of bones, a bundle of blendshapes, then Apply and OK alone.
// Usage: node osc_js.cjs PORT FRAMES.json
"use strict";
const fs = require("node:fs");
const OSC = require("osc-js");

const [port, file] = process.argv.slice(2);
const frames = JSON.parse(fs.readFileSync(file, "utf8"));
const osc = new OSC({
  plugin: new OSC.DatagramPlugin({ send: { host: "127.0.0.1", port: Number(port) } }),
});
const still = [0, 0, 0, 0, 0, 0, 1];
let number = 0;

setInterval(() => {
  const { shapes, head } = frames[number++ % frames.length];
  osc.send(new OSC.Message("/VMC/Ext/Root/Pos", "root", ...still));
  const bones = new OSC.Bundle([
    new OSC.Message("/VMC/Ext/Bone/Pos", "Hips", ...still),
    new OSC.Message("/VMC/Ext/Bone/Pos", "Head", 0, 0, 0, ...head),
  ]);
  osc.send(bones);
  const blends = Object.entries(shapes).map(
    ([name, weight]) => new OSC.Message("/VMC/Ext/Blend/Val", name, weight),
  );
  osc.send(new OSC.Bundle(blends));
  osc.send(new OSC.Message("/VMC/Ext/Blend/Apply"));
  osc.send(new OSC.Message("/VMC/Ext/OK", 1));
}, 33);
