// SPDX-License-Identifier: GPL-2.0
// ws_server.js HOST PORT: echo server on Node's ws.
'use strict';
const { WebSocketServer } = require('ws');

const server = new WebSocketServer({
	host: process.argv[2], port: Number(process.argv[3]),
	maxPayload: 0, perMessageDeflate: false,
});

server.on('connection', (socket) => {
	socket.on('error', () => {});
	socket.on('message', (data, binary) => socket.send(data, { binary }));
});
