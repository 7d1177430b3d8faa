// SPDX-License-Identifier: GPL-2.0
// node_client.js PORT CLOSING_PORT LARGE: the script of README on Node's ws.
'use strict';
const { once } = require('events');
const WebSocket = require('ws');

const [port, closingPort, large] = process.argv.slice(2).map(Number);
const TIMEOUT = 600000;

function fail(why) {
  console.error('node_client: ' + why);
  process.exit(1);
}

function check(good, why) {
  if (!good) fail(why);
}

function next(ws, event) {
  return once(ws, event, { signal: AbortSignal.timeout(TIMEOUT) });
}

async function open(to) {
  const ws = new WebSocket(`ws://127.0.0.1:${to}/`,
    { perMessageDeflate: false, maxPayload: 0 });
  await next(ws, 'open');
  return ws;
}

function pattern(n) {
  return Buffer.alloc(n).map((_, i) => i * 31 >> 3);
}

async function expectMessage(ws, wanted) {
  const [data, binary] = await next(ws, 'message');
  check(binary !== (typeof wanted === 'string'), 'wrong type');
  check(Buffer.from(wanted).equals(data), 'a message came back changed');
}

async function echo(ws, data) {
  ws.send(data);
  await expectMessage(ws, data);
}

async function ping(ws, data) {
  ws.ping(data);
  check(data === String((await next(ws, 'pong'))[0]), 'wrong pong');
}

async function fragmented(ws) {
  const pong = next(ws, 'pong');
  ws.send('in ', { fin: false });
  ws.send('three ', { fin: false });
  ws.ping('between');
  ws.send('fragments');
  await expectMessage(ws, 'in three fragments');
  check(String((await pong)[0]) === 'between', 'wrong pong');
}

async function pings(ws) {
  for (const data of ['', 'ping', 'p'.repeat(125)]) await ping(ws, data);
  await echo(ws, 'after the pings');
}

async function expectClose(ws, code, reason) {
  const [gotCode, gotReason] = await next(ws, 'close');
  check(gotCode === code, 'closed with ' + gotCode);
  check(reason === undefined || reason === String(gotReason), 'wrong reason');
}

async function main() {
  let ws = await open(port);

  await echo(ws, 'grüße, мир, 世界, 🌍');
  console.log('text');
  await echo(ws, pattern(70000));
  console.log('binary');
  await echo(ws, '');
  await echo(ws, Buffer.alloc(0));
  console.log('empty');
  await echo(ws, pattern(large));
  console.log('large');
  await fragmented(ws);
  console.log('fragmented');
  await pings(ws);
  console.log('pings');
  ws.close(4001, 'bye');
  await expectClose(ws, 4001);
  console.log('close');

  ws = await open(closingPort);
  ws.send('close 4003 no more');
  await expectClose(ws, 4003, 'no more');
  console.log('closed');
}

main().catch((error) => fail(error.message));
