// An XMLHttpRequest for Node, over fetch: as much of it as grpc-web uses, the text of an answer as it comes among it.
export class XMLHttpRequest {
    readyState = 0;
    status = 0;
    statusText = "";
    response = "";
    responseText = "";
    responseType = "";
    onreadystatechange = null;
    #ending = new AbortController();
    #fields = new Headers();
    #answered = new Headers();

    open(method, url) {
        this.method = method;
        this.url = url;
        this.#become(1);
    }

    setRequestHeader(name, value) {
        this.#fields.append(name, value);
    }

    getResponseHeader(name) {
        return this.#answered.get(name);
    }

    getAllResponseHeaders() {
        return [...this.#answered].map(([name, value]) => `${name}: ${value}\r\n`).join("");
    }

    abort() {
        this.onreadystatechange = null;
        this.#ending.abort();
    }

    async send(body) {
        try {
            const answer = await fetch(this.url, { method: this.method, headers: this.#fields, body, signal: this.#ending.signal });
            this.status = answer.status;
            this.statusText = answer.statusText;
            this.#answered = answer.headers;
            this.#become(2);
            if (this.responseType === "arraybuffer") {
                this.response = await answer.arrayBuffer();
            } else {
                for await (const part of answer.body.pipeThrough(new TextDecoderStream())) {
                    this.response = this.responseText += part;
                    this.#become(3);
                }
            }
        } catch {
            this.status = 0;
        }
        this.#become(4);
    }

    #become(state) {
        this.readyState = state;
        this.onreadystatechange?.();
    }
}
