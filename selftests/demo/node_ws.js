// SPDX-License-Identifier: GPL-2.0
// Node's ws: text, binary, empty, 1 MB, a fragmented message, pings, Close.
'use strict';
const crypto = require('crypto');
const WebSocket = require('ws');

const socket = new WebSocket(process.argv[2], { perMessageDeflate: false });
const sent = { messages: 0, bytes: 0, pings: 0 };
const expected = [];
const pongs = [];

function fail(why) {
  console.error('node_ws: ' + why);
  process.exit(1);
}

function send(data, parts) {
  const isText = typeof data === 'string';
  const bytes = Buffer.from(data);
  expected.push({ bytes, isText });
  sent.messages++;
  sent.bytes += bytes.length;
  if (!parts) {
    socket.send(data);
    return;
  }
  const step = Math.ceil(bytes.length / parts);
  for (let i = 0; i < parts; i++) {
    socket.send(bytes.subarray(i * step, (i + 1) * step),
      { binary: !isText, fin: i === parts - 1 });
  }
}

function ping(text) {
  pongs.push(text);
  sent.pings++;
  socket.ping(text);
}

socket.on('open', () => {
  ping('first');
  send('text: grüße, мир, 世界');
  send(crypto.randomBytes(1000));
  send('');
  send(crypto.randomBytes(1 << 20));
  ping('second');
  send('in three fragments', 3);
});

socket.on('pong', (data) => {
  if (pongs.shift() !== data.toString()) fail('wrong pong');
});

socket.on('message', (data, isBinary) => {
  const want = expected.shift();
  if (!want || want.isText === isBinary || !want.bytes.equals(data)) {
    fail('a message came back changed');
  }
  if (!expected.length) socket.close(4000, 'done');
});

socket.on('close', (code) => {
  if (expected.length || pongs.length) fail('something did not come back');
  if (code !== 4000) fail('closed with ' + code);
  sent.said = 'text, binary, empty, 1 MiB, 3 fragments, 2 pings, Close 4000';
  console.log(JSON.stringify(sent));
});

socket.on('error', (error) => fail(error.message));
