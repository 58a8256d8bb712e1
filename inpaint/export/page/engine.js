// The worker that fills, seen from the page: starts it, asks it, and replaces it after Stop and after an error.

/** The user has stopped it. */
export class StoppedError extends Error {}

export class Engine {
  /** files: {model, runtime, wasm, total} as the worker wants them; tell: called whenever there is something new. */
  constructor(files, tell) {
    this.files = files;
    this.tell = tell;
    this.total = files.total;
    this.forget();
  }

  forget() {
    this.worker?.terminate();
    this.worker = this.loading = null;
    this.loaded = 0;
    this.ready = false;
    this.waiting = {}; // what is to be called when the worker has "ready" or "filled" to say
  }

  /** Load the model, once. Rejects with an Error of one line; the next call tries again. */
  load() {
    if (!this.loading) {
      // A worker of an address has no policy but that of the server's answer. One of a blob has the page's: it reaches no
      // other host.
      const main = JSON.stringify(new URL("worker.js", location.href).href);
      const address = URL.createObjectURL(new Blob([`import ${main};`], { type: "text/javascript" }));
      this.worker = new Worker(address, { type: "module" });
      this.worker.onmessage = ({ data }) => this.hear(data);
      this.worker.onerror = (event) => {
        event.preventDefault();
        this.fail(new Error(event.message || "a file of this page could not be loaded: is its folder whole?"));
      };
      this.loading = this.asked("ready");
      this.loading.finally(() => URL.revokeObjectURL(address)).catch(() => {});
    }
    return this.loading;
  }

  /** Fill where hole (one byte a pixel) is above 127. pixels: ImageData. Returns ImageData; rejects as load. */
  async fill(pixels, hole) {
    await this.load();
    const data = pixels.data.slice(), holes = hole.slice();
    const filled = this.asked("filled");
    this.worker.postMessage({ width: pixels.width, height: pixels.height, data, hole: holes }, [data.buffer, holes.buffer]);
    return new ImageData((await filled).data, pixels.width, pixels.height);
  }

  /** End what is at work, and the worker with it, since it answers nothing before it has finished. */
  stop() {
    this.fail(new StoppedError("stopped"));
  }

  asked(name) {
    return new Promise((resolve, reject) => (this.waiting[name] = { resolve, reject }));
  }

  hear(news) {
    if (news.kind === "started") this.worker.postMessage({ files: this.files });
    else if (news.kind === "loading") this.loaded = Math.min(news.loaded, this.total);
    else if (news.kind === "failed") return this.fail(new Error(news.error));
    else {
      if (news.kind === "ready") {
        this.loaded = this.total;
        this.ready = true;
      }
      this.waiting[news.kind]?.resolve(news);
    }
    this.tell();
  }

  fail(error) {
    const waiting = Object.values(this.waiting);
    this.forget();
    for (const { reject } of waiting) reject(error);
    this.tell();
  }
}
