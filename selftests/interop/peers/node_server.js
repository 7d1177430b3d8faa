// SPDX-License-Identifier: GPL-2.0
// node_server.js: the server of README on Node's ws.
'use strict';
const { once } = require('events');
const { WebSocketServer } = require('ws');

const server = new WebSocketServer({
  host: '127.0.0.1', port: 0, maxPayload: 0, perMessageDeflate: false,
});

async function ping(ws, data) {
  ws.ping(data);
  const [pong] = await once(ws, 'pong');
  if (String(pong) !== data) ws.close(4999, 'wrong pong');
}

async function command(ws, text) {
  const close = /^close (\d+) (.*)$/.exec(text);

  if (text === 'fragments') {
    ws.send('one ', { fin: false });
    ws.send('two ', { fin: false });
    ws.ping('between');
    ws.send('three');
  } else if (text === 'pings') {
    for (const data of ['', 'ping', 'p'.repeat(125)]) await ping(ws, data);
    ws.send('3 pongs');
  } else if (close) {
    ws.close(Number(close[1]), close[2]);
  } else {
    ws.send(text);
  }
}

server.on('connection', (ws) => {
  ws.on('error', (error) => console.error('node_server: ' + error.message));
  ws.on('message', (data, binary) => {
    if (binary) ws.send(data);
    else command(ws, data.toString());
  });
  ws.on('close', (code, reason) => console.log(`closed ${code} ${reason}`));
});

server.on('listening', () =>
  console.log('listening on ' + server.address().port));
