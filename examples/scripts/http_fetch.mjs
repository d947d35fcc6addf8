// Downloads a URL to a file.

import { writeSync } from "node:fs";
import { open, rename, rm } from "node:fs/promises";
import { text } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";

const PERMANENT = 3, RETRY = 75; // as exit_codes in http_fetch.component.yml has them

// Tells Outrider something: one JSON object a line on descriptor 3.
const tell = (event) => writeSync(3, JSON.stringify({ outrider: 1, ...event }) + "\n");

const fail = (code, message, status) => {
  tell({ error: { code, message } });
  process.exitCode = status;
};

const { url, to, token } = JSON.parse(await text(process.stdin));
const partial = `${to}.part`;
try {
  const headers = token ? { authorization: `Bearer ${token}` } : {};
  const response = await fetch(url, { headers });
  console.log(`${url}: ${response.status} ${response.statusText}`);
  if (response.ok) {
    await save(response);
  } else {
    const again = response.status >= 500 || [408, 425, 429].includes(response.status);
    fail(`http_${response.status}`, `the server answered ${response.status}`, again ? RETRY : PERMANENT);
  }
} catch (err) {
  await rm(partial, { force: true });
  fail("no_answer", `${err.message}${err.cause ? `: ${err.cause.message}` : ""}`, RETRY);
}

async function save(response) {
  const total = Number(response.headers.get("content-length")) || 0;
  let done = 0;
  const count = async function* (chunks) {
    for await (const chunk of chunks) {
      done += chunk.length;
      tell({ progress: { done, total } });
      yield chunk;
    }
  };
  const file = await open(partial, "w");
  await pipeline(response.body, count, file.createWriteStream());
  await rename(partial, to); // so that nobody reads half a file
  tell({ output: { file: to, bytes: done } });
}
