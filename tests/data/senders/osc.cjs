// Send VMC frames with osc.js, one bundle a frame and never Apply, until killed.
// Usage: node osc.cjs PORT FRAMES.json
"use strict";
const fs = require("node:fs");
const osc = require("osc");

const [port, file] = process.argv.slice(2);
const frames = JSON.parse(fs.readFileSync(file, "utf8"));
const udp = new osc.UDPPort({
  localAddress: "127.0.0.1",
  localPort: 0,
  remoteAddress: "127.0.0.1",
  remotePort: Number(port),
});
const float = (value) => ({ type: "f", value });
const text = (value) => ({ type: "s", value });
let number = 0;

udp.on("ready", () => {
  setInterval(() => {
    const { shapes, head } = frames[number++ % frames.length];
    const bone = [text("Head"), float(0), float(0), float(0), ...head.map(float)];
    const packets = [{ address: "/VMC/Ext/Bone/Pos", args: bone }];
    for (const [name, weight] of Object.entries(shapes)) {
      packets.push({ address: "/VMC/Ext/Blend/Val", args: [text(name), float(weight)] });
    }
    udp.send({ timeTag: osc.timeTag(0), packets });
  }, 33);
});
udp.open();
