// Talks to the daemon: requests, the socket of events and commands, and the socket of frames.

export const token = new URLSearchParams(location.hash.slice(1)).get("token") ?? "";

const HEADER_BYTES = 16;
const RETRY_MS = 1000;

/** What the daemon refused: a sentence and the remedy (RFC 9457). */
export class Refused extends Error {
  constructor(problem) {
    super(problem.detail ?? problem.title ?? "refused");
    this.problem = problem;
    this.remedy = problem.remedy ?? "";
  }
}

/** Returns the answer to a request below /api/v1; throws Refused, or TypeError while nobody is there. */
export async function send(method, path, body, type = "application/json") {
  const answer = await fetch(`/api/v1/${path}`, {
    method,
    headers: {
      Authorization: `Bearer ${token}`,
      ...(method === "GET" ? {} : { "Content-Type": type }),
    },
    body: method === "GET" ? undefined : type === "application/json" ? JSON.stringify(body ?? {}) : body,
  });
  if (!answer.ok) throw new Refused(await answer.json().catch(() => ({ detail: `HTTP ${answer.status}` })));
  return answer;
}

export const read = async (path) => (await send("GET", path)).json();
export const order = async (method, path, body) => (await send(method, path, body)).json();

/** Tells how the connection is: "connecting", "live", "lost", "no-token" or "other-token". */
export class Connection extends EventTarget {
  constructor() {
    super();
    this.state = "connecting";
    this.id = 0;
    this.latest = null; // a pose that waits for the answer to the one before it
    this.poseUnderway = false;
  }

  open() {
    if (!token) return this.become("no-token");
    this.openFrames();
    this.openEvents();
  }

  become(state) {
    this.state = state;
    this.dispatchEvent(new CustomEvent("state", { detail: state }));
  }

  socket(path, protocol) {
    return new WebSocket(`ws://${location.host}/api/v1/${path}`, [protocol, `token.${token}`]);
  }

  /** Pulls frames one at a time, so that nothing queues and a hidden page costs nothing. */
  openFrames() {
    const socket = this.socket("preview", "vtbridge.preview");
    socket.binaryType = "arraybuffer";
    socket.onopen = () => {
      this.become("live");
      socket.send("next");
    };
    socket.onmessage = ({ data }) => {
      if (typeof data === "string") {
        this.dispatchEvent(new CustomEvent("status", { detail: JSON.parse(data) }));
        return;
      }
      const header = new DataView(data, 0, HEADER_BYTES);
      const [width, height, flags, number] = [0, 4, 8, 12].map((at) => header.getUint32(at, true));
      const rgba = new Uint8Array(data, HEADER_BYTES);
      this.dispatchEvent(new CustomEvent("frame", { detail: { width, height, flags, number, rgba } }));
      requestAnimationFrame(() => socket.readyState === WebSocket.OPEN && socket.send("next"));
    };
    socket.onclose = () => this.retry(() => this.openFrames());
  }

  openEvents() {
    const socket = (this.events = this.socket("events", "vtbridge.v1"));
    socket.onmessage = ({ data }) => {
      const message = JSON.parse(data);
      if (message.event) this.dispatchEvent(new CustomEvent(message.event, { detail: message.data }));
      else this.answered(message);
    };
    socket.onclose = () => {
      this.poseUnderway = false;
      setTimeout(() => this.state === "live" && this.openEvents(), RETRY_MS);
    };
  }

  /** Waits while the daemon is away; one that was started anew wants its own token. */
  async retry(open) {
    this.become("lost");
    const answer = await fetch("/api/v1/status", { headers: { Authorization: `Bearer ${token}` } }).catch(() => null);
    if (answer?.status === 401) return this.become("other-token");
    setTimeout(() => {
      open();
      if (this.events?.readyState !== WebSocket.OPEN) this.openEvents();
    }, RETRY_MS);
  }

  /** Shows a pose; while one is on its way only the newest is kept. */
  pose(values) {
    this.latest = values;
    this.sendPose();
  }

  sendPose() {
    if (this.poseUnderway || !this.latest || this.events?.readyState !== WebSocket.OPEN) return;
    const pose = this.latest;
    this.latest = null;
    this.poseUnderway = true;
    this.events.send(JSON.stringify({ command: "pose", id: `pose-${++this.id}`, pose }));
  }

  releasePose() {
    this.latest = null;
    if (this.events?.readyState !== WebSocket.OPEN) return;
    this.events.send(JSON.stringify({ command: "release-pose", id: `release-${++this.id}` }));
  }

  answered(reply) {
    if (String(reply.id).startsWith("pose-")) {
      this.poseUnderway = false;
      this.sendPose();
    }
    if (!reply.ok) this.dispatchEvent(new CustomEvent("refused", { detail: new Refused(reply.problem) }));
  }
}
