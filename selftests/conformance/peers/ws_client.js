// SPDX-License-Identifier: GPL-2.0
// ws_client.js HOST PORT: echo client on Node's ws, which connects until it is
// turned away.
'use strict';
const WebSocket = require('ws');

const url = `ws://${process.argv[2]}:${process.argv[3]}/`;

function connect() {
	const socket = new WebSocket(url, { maxPayload: 0,
					    perMessageDeflate: false });
	let opened = false;

	socket.on('open', () => { opened = true; });
	socket.on('error', () => {});
	socket.on('message', (data, binary) => socket.send(data, { binary }));
	socket.on('close', () => { if (opened) connect(); });
}

connect();
