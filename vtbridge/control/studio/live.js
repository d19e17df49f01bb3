// The live preview: pulls frames, one at a time, and draws them with their alpha.

const token = new URLSearchParams(location.hash.slice(1)).get("token") ?? "";
const authorization = { Authorization: `Bearer ${token}` };
const $ = (id) => document.getElementById(id);
const HEADER_BYTES = 16;

/** Draws premultiplied RGBA, which is what WebGL hands to the page's compositor. */
class Painter {
  constructor(canvas) {
    this.canvas = canvas;
    this.gl = canvas.getContext("webgl", { premultipliedAlpha: true, antialias: false });
    if (!this.gl) {
      this.flat = canvas.getContext("2d");
      return;
    }
    const gl = this.gl;
    const program = gl.createProgram();
    this.attach(program, gl.VERTEX_SHADER, `
      attribute vec2 corner; varying vec2 at;
      void main() { at = vec2(corner.x, 1.0 - corner.y); gl_Position = vec4(corner * 2.0 - 1.0, 0.0, 1.0); }`);
    this.attach(program, gl.FRAGMENT_SHADER, `
      precision mediump float; varying vec2 at; uniform sampler2D frame;
      void main() { gl_FragColor = texture2D(frame, at); }`);
    gl.linkProgram(program);
    gl.useProgram(program);
    gl.bindBuffer(gl.ARRAY_BUFFER, gl.createBuffer());
    gl.bufferData(gl.ARRAY_BUFFER, new Float32Array([0, 0, 1, 0, 0, 1, 1, 1]), gl.STATIC_DRAW);
    gl.enableVertexAttribArray(0);
    gl.bindAttribLocation(program, 0, "corner");
    gl.vertexAttribPointer(0, 2, gl.FLOAT, false, 0, 0);
    gl.bindTexture(gl.TEXTURE_2D, gl.createTexture());
    for (const side of [gl.TEXTURE_WRAP_S, gl.TEXTURE_WRAP_T]) gl.texParameteri(gl.TEXTURE_2D, side, gl.CLAMP_TO_EDGE);
    for (const way of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER]) gl.texParameteri(gl.TEXTURE_2D, way, gl.LINEAR);
  }

  attach(program, kind, source) {
    const shader = this.gl.createShader(kind);
    this.gl.shaderSource(shader, source);
    this.gl.compileShader(shader);
    this.gl.attachShader(program, shader);
  }

  draw(width, height, rgba) {
    if (this.canvas.width !== width || this.canvas.height !== height) {
      this.canvas.width = width;
      this.canvas.height = height;
    }
    if (this.gl) {
      const gl = this.gl;
      gl.viewport(0, 0, width, height);
      gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, width, height, 0, gl.RGBA, gl.UNSIGNED_BYTE, rgba);
      gl.drawArrays(gl.TRIANGLE_STRIP, 0, 4);
      return;
    }
    const straight = new Uint8ClampedArray(rgba);
    for (let i = 0; i < straight.length; i += 4) {
      const alpha = straight[i + 3];
      if (alpha > 0 && alpha < 255) {
        for (let c = i; c < i + 3; c++) straight[c] = Math.round((straight[c] * 255) / alpha);
      }
    }
    this.flat.putImageData(new ImageData(straight, width, height), 0, 0);
  }
}

const painter = new Painter($("avatar"));

function show(status) {
  $("fps").textContent = status.fps.toFixed(1);
  $("tracker").textContent = status.tracker;
  $("obs").textContent = status.obs;
  $("runtime").textContent = status.runtime;
  $("dropped").textContent = status.dropped;
  $("preparation").textContent = status.preparation?.text || "not prepared";
  if (!status.shown) $("fps").textContent += " (nobody looks: the networks rest)";
  warn(status.warnings.map((one) => one.text));
  $("credit").textContent = status.credit;
  const total = status.latency_ms?.face_to_frame;
  $("latency").textContent = total ? `${total.p50.toFixed(0)} ms (p99 ${total.p99.toFixed(0)})` : "–";
}

/** Lists what needs attention; a list that stays the same is not read out again. */
function warn(texts) {
  const list = $("warnings");
  if (list.dataset.told === texts.join("\n")) return;
  list.dataset.told = texts.join("\n");
  list.replaceChildren(...texts.map((text) => Object.assign(document.createElement("li"), { textContent: text })));
}

function connect() {
  const socket = new WebSocket(`ws://${location.host}/api/v1/preview`, ["vtbridge.preview", `token.${token}`]);
  socket.binaryType = "arraybuffer";
  socket.onopen = () => {
    $("connection").textContent = "live";
    socket.send("next");
  };
  socket.onmessage = ({ data }) => {
    if (typeof data === "string") {
      show(JSON.parse(data));
      return;
    }
    const header = new DataView(data, 0, HEADER_BYTES);
    const [width, height, flags, number] = [0, 4, 8, 12].map((at) => header.getUint32(at, true));
    painter.draw(width, height, new Uint8Array(data, HEADER_BYTES));
    document.body.dataset.frame = number;
    document.body.dataset.flags = flags;
    // A hidden page gets no animation frames, so it stops asking by itself.
    requestAnimationFrame(() => socket.readyState === WebSocket.OPEN && socket.send("next"));
  };
  socket.onclose = reconnect;
}

/** Tries again while the daemon is away; a daemon started anew wants its own token. */
async function reconnect() {
  if (!token) {
    $("connection").textContent = "the address lacks its token: open the one that vtbridge printed";
    return;
  }
  $("connection").textContent = "no connection; trying again …";
  const answer = await fetch("/api/v1/status", { headers: authorization }).catch(() => null);
  if (answer?.status === 401) {
    $("connection").textContent = "vtbridge was started anew: open the address that it printed";
    return;
  }
  setTimeout(connect, 1000);
}

$("calibrate").addEventListener("click", async () => {
  const answer = await fetch("/api/v1/calibrate", {
    method: "POST",
    headers: { ...authorization, "Content-Type": "application/json" },
    body: "{}",
  });
  $("answer").textContent = answer.ok ? "hold still for a second …" : (await answer.json()).remedy;
  setTimeout(() => ($("answer").textContent = ""), 3000);
});

for (const choice of document.querySelectorAll("input[name=background]")) {
  choice.addEventListener("change", () => ($("avatar").dataset.background = choice.value));
}

connect();
