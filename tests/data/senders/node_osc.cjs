// Send VMC frames with node-osc, one message a datagram, until killed.
// Usage: node node_osc.cjs PORT FRAMES.json
"use strict";
const fs = require("node:fs");
const { Client } = require("node-osc");

const [port, file] = process.argv.slice(2);
const frames = JSON.parse(fs.readFileSync(file, "utf8"));
const client = new Client("127.0.0.1", Number(port));
let number = 0;

setInterval(() => {
  const { shapes, head } = frames[number++ % frames.length];
  client.send("/VMC/Ext/OK", 1);
  client.send("/VMC/Ext/Bone/Pos", "Head", 0, 0, 0, ...head);
  for (const [name, weight] of Object.entries(shapes)) {
    client.send("/VMC/Ext/Blend/Val", name, weight);
  }
  client.send("/VMC/Ext/Blend/Apply");
}, 33);
