// Sends a weblog in pieces, so that the server can seal each one in memory before it is stored.

const TRIES = 5;

// The server's no: trying again would not help.
class RefusedError extends Error {}

const form = document.getElementById("upload");

function show(messages) {
  const box = form.querySelector("[data-errors]");
  const list = document.createElement("ul");
  list.replaceChildren(
    ...messages.map((words) => {
      const item = document.createElement("li");
      item.textContent = words;
      return item;
    }),
  );
  box.replaceChildren(list);
  box.hidden = messages.length === 0;
}

function pause(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

function token() {
  return form.querySelector("[name=csrfmiddlewaretoken]").value;
}

async function begin(file) {
  const data = new FormData(form);
  data.set("name", file.name);
  data.set("size", String(file.size));
  const reply = await fetch(form.dataset.begin, { method: "POST", body: data });
  if (reply.status === 201) return reply.json();
  if (reply.status !== 422) throw new Error("The server could not take the file. Try again.");
  const { errors } = await reply.json();
  throw new Error(Object.values(errors).flat().join(" "));
}

// The server says how much it has, so a piece whose answer was lost is not sent into the wrong place.
async function sendPiece(url, file, offset, size) {
  for (let attempt = 1; ; attempt += 1) {
    try {
      const reply = await fetch(`${url}?offset=${offset}`, {
        method: "POST",
        body: file.slice(offset, offset + size),
        headers: { "Content-Type": "application/octet-stream", "X-CSRFToken": token() },
      });
      if (reply.ok) return (await reply.json()).received;
      if (reply.status < 500) {
        const said = await reply.json().catch(() => ({}));
        throw new RefusedError(said.error || "The server refused the file. Begin again.");
      }
    } catch (error) {
      if (error instanceof RefusedError) throw error;
    }
    if (attempt === TRIES) throw new Error("The connection is lost. Try again: nothing is stored twice.");
    await pause(500 * 2 ** attempt);
  }
}

async function send(file) {
  const { piece_url: pieceUrl, page_url: pageUrl } = await begin(file);
  const bar = form.querySelector("progress");
  const words = form.querySelector("[data-words]");
  const size = Number(form.dataset.pieceBytes);
  const began = performance.now();
  let offset = 0;
  while (offset < file.size) {
    offset = await sendPiece(pieceUrl, file, offset, size);
    bar.value = (100 * offset) / file.size;
    const rate = offset / 1e6 / ((performance.now() - began) / 1000);
    words.textContent = `${Math.round(bar.value)}%, ${rate.toFixed(1)} MB a second.`;
  }
  window.location.assign(pageUrl);
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const file = form.querySelector("[type=file]").files[0];
  if (!file) return show(["Choose the log file first."]);
  if (file.size === 0) return show(["The file is empty: choose another one."]);
  if (file.size > Number(form.dataset.limit)) {
    return show(["The file is too large. Compress it (gzip, xz, zstd) or split it."]);
  }
  show([]);
  const button = form.querySelector("button[type=submit]");
  const sending = form.querySelector("[data-sending]");
  button.disabled = true;
  sending.hidden = false;
  try {
    await send(file);
  } catch (error) {
    show([error.message]);
    sending.hidden = true;
    button.disabled = false;
  }
  return undefined;
});
