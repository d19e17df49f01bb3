// Draws premultiplied RGBA frames with their alpha, and reads pixels back for pictures.

const VERTEX = `
  attribute vec2 corner; varying vec2 at;
  void main() { at = vec2(corner.x, 1.0 - corner.y); gl_Position = vec4(corner * 2.0 - 1.0, 0.0, 1.0); }`;
const FRAGMENT = `
  precision mediump float; varying vec2 at; uniform sampler2D frame;
  void main() { gl_FragColor = texture2D(frame, at); }`;

/** WebGL hands premultiplied colours to the page's compositor as they are; without it they are divided first. */
export class Painter {
  constructor(canvas) {
    this.canvas = canvas;
    this.gl = canvas.getContext("webgl", { premultipliedAlpha: true, antialias: false });
    if (!this.gl) {
      this.flat = canvas.getContext("2d");
      return;
    }
    const gl = this.gl;
    const program = gl.createProgram();
    for (const [kind, source] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]]) {
      const shader = gl.createShader(kind);
      gl.shaderSource(shader, source);
      gl.compileShader(shader);
      gl.attachShader(program, shader);
    }
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
    this.flat.putImageData(new ImageData(straight(rgba), width, height), 0, 0);
  }
}

/** Returns premultiplied pixels with straight alpha. */
function straight(rgba) {
  const pixels = new Uint8ClampedArray(rgba);
  for (let i = 0; i < pixels.length; i += 4) {
    const alpha = pixels[i + 3];
    if (alpha > 0 && alpha < 255) {
      for (let c = i; c < i + 3; c++) pixels[c] = Math.round((pixels[c] * 255) / alpha);
    }
  }
  return pixels;
}
