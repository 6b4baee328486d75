// A person drops a file on the gate's page, in a real browser: the decision and
// the report appear, a hostile name stays text, and the report's frame reaches
// nothing of the page.
//
//     node page.mjs DEVTOOLS_PORT GATE_PORT FILE SCREENSHOT
import { readFileSync, writeFileSync } from "node:fs";

const [devtools, port, file, screenshot] = process.argv.slice(2);
const bytes = readFileSync(file).toString("base64");
const name = "<img src=x onerror=document.title='obeyed'>.pkl";

const targets = await (await fetch(`http://127.0.0.1:${devtools}/json/list`)).json();
const socket = new WebSocket(targets.find((target) => target.type === "page").webSocketDebuggerUrl);
await new Promise((open) => socket.addEventListener("open", open));
let last = 0;
const waiting = new Map();
const complaints = [];
// Frames without an origin run in a process of their own, or not: as the browser likes.
let contexts = [];
const sessions = [];
socket.addEventListener("message", ({ data }) => {
  const message = JSON.parse(data);
  if (message.id) {
    const [done, failed] = waiting.get(message.id);
    message.error ? failed(new Error(message.error.message)) : done(message.result);
  } else if (message.method === "Log.entryAdded" && message.params.entry.level === "error") {
    complaints.push(message.params.entry.text);
  } else if (message.method === "Runtime.executionContextCreated") {
    contexts.push(message.params.context);
  } else if (message.method === "Runtime.executionContextDestroyed") {
    contexts = contexts.filter((context) => context.uniqueId !== message.params.executionContextUniqueId);
  } else if (message.method === "Target.attachedToTarget") {
    sessions.push(message.params.sessionId);
  }
});
const call = (method, params = {}, sessionId = undefined) =>
  new Promise((done, failed) => {
    waiting.set(++last, [done, failed]);
    socket.send(JSON.stringify({ id: last, method, params, sessionId }));
  });
const run = async (expression, contextId, sessionId) => {
  const how = { expression, contextId, awaitPromise: true, returnByValue: true };
  const told = await call("Runtime.evaluate", how, sessionId);
  if (told.exceptionDetails) throw new Error(JSON.stringify(told.exceptionDetails));
  return told.result.value;
};
const until = async (expression) => {
  for (let tries = 0; tries < 200; tries++) {
    if (await run(expression)) return;
    await new Promise((go) => setTimeout(go, 50));
  }
  throw new Error(`never: ${expression}; complaints: ${complaints}`);
};
const check = (ok, what) => {
  if (!ok) throw new Error(what);
  console.log("page:", what);
};

await call("Runtime.enable");
await call("Log.enable");
await call("Target.setAutoAttach", { autoAttach: true, waitForDebuggerOnStart: false, flatten: true });
await call("Page.enable");
await call("Page.navigate", { url: `http://127.0.0.1:${port}/` });
await until("document.readyState === 'complete' && !!document.getElementById('drop')");
await run(`{
  const bytes = Uint8Array.from(atob("${bytes}"), (c) => c.charCodeAt(0));
  const transfer = new DataTransfer();
  transfer.items.add(new File([bytes], ${JSON.stringify(name)}));
  document.getElementById("drop").dispatchEvent(new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true }));
}`);
await until("!document.getElementById('report').hidden");
check((await run("document.getElementById('decision').textContent")) === "Denied", "a malicious file is denied");
check((await run("document.getElementById('message').textContent")).includes("PKL002"), "the reason is told");
check((await run("document.title")) !== "obeyed", "a hostile name is obeyed nowhere");
await new Promise((go) => setTimeout(go, 1000));
const frame = contexts.findLast((context) => context.auxData && context.auxData.frameId !== contexts[0].auxData.frameId);
const inside = (expression) => run(expression, sessions.length ? undefined : frame?.id, sessions.at(-1));
check((await inside("self.origin")) === "null", "the report is in a frame without an origin");
check((await inside("document.querySelector('h1').textContent")).length > 0, "the frame has the report");
check((await inside("getComputedStyle(document.querySelector('.wrap')).maxWidth")) !== "none", "its style applies");
check((await inside("document.querySelectorAll('#files th button').length")) > 0, "its script runs");
check((await inside("document.querySelectorAll('img, iframe').length")) === 0, "the hostile name is text there too");
check(await inside("(() => { try { return !parent.document } catch { return true } })()"), "it does not reach the page");
check(
  await inside(`fetch("http://127.0.0.1:${port}/healthz").then(() => false, () => true)`),
  "it does not reach the gate",
);
const expected = complaints.filter((text) => !text.includes("healthz") && !text.includes("403"));
check(expected.length === 0, `the browser complains of nothing else: ${expected}`);
const shot = await call("Page.captureScreenshot", { format: "png" });
writeFileSync(screenshot, Buffer.from(shot.data, "base64"));
socket.close();
