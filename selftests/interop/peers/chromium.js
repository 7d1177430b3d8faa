// SPDX-License-Identifier: GPL-2.0
// README's script in a page, as far as a browser's API goes: a function a case.
'use strict';
globalThis.interop = (() => {
  let socket;

  function open(port) {
    socket = new WebSocket(`ws://127.0.0.1:${port}/`);
    socket.binaryType = 'arraybuffer';
    return next('open');
  }

  function next(event) {
    return new Promise((resolve, reject) => {
      socket['on' + event] = resolve;
      if (event !== 'close') {
        socket.onclose = (e) => reject(new Error('closed with ' + e.code));
      }
    });
  }

  function pattern(n) {
    const bytes = new Uint8Array(n);
    for (let i = 0; i < n; i++) bytes[i] = i * 31 >> 3;
    return bytes;
  }

  function same(a, b) {
    if (typeof a === 'string') return a === b;
    const c = new Uint8Array(b);
    return a.length === c.length && a.every((byte, i) => byte === c[i]);
  }

  async function echo(data) {
    socket.send(data);
    const got = (await next('message')).data;
    if (!same(data, got)) throw new Error('a message came back changed');
  }

  async function expectClose(code, reason) {
    const got = await next('close');
    if (!got.wasClean || got.code !== code ||
        (reason !== undefined && got.reason !== reason)) {
      throw new Error(`closed with ${got.code} ${got.reason}`);
    }
  }

  return {
    open,
    text: () => echo('grüße, мир, 世界, 🌍'),
    binary: () => echo(pattern(70000)),
    async empty() {
      await echo('');
      await echo(new Uint8Array(0));
    },
    large: (n) => echo(pattern(n)),
    async close() {
      socket.close(4001, 'bye');
      await expectClose(4001);
    },
    async closed(port) {
      await open(port);
      socket.send('close 4003 no more');
      await expectClose(4003, 'no more');
    },
  };
})();
undefined;
