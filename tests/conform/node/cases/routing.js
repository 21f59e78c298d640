'use strict';

// Which message reaches which queue: the four exchange types, bindings between exchanges, unbinding.
// Every publish is confirmed before the queues are read, so an empty queue proves
// that nothing was routed to it.

const assert = require('node:assert/strict');

async function direct(scene) {
  const channel = await scene.confirmChannel(await scene.connect());
  const exchange = await scene.exchange(channel, 'direct');
  const [reds, colours] = [await scene.queue(channel), await scene.queue(channel)];
  await channel.bindQueue(reds, exchange, 'red');
  for (const key of ['red', 'green', 'green']) await channel.bindQueue(colours, exchange, key);
  for (const key of ['red', 'green', 'blue', 'Red', ''])
    await scene.publishAll(channel, exchange, key, [`to ${key}`]);
  assert.deepEqual(await scene.drain(channel, reds), ['to red']);
  assert.deepEqual(await scene.drain(channel, colours), ['to red', 'to green']);
  await channel.unbindQueue(colours, exchange, 'red');
  await channel.unbindQueue(colours, exchange, 'red');
  await scene.publishAll(channel, exchange, 'red', ['again']);
  await scene.publishAll(channel, exchange, 'green', ['again']);
  assert.deepEqual(await scene.drain(channel, reds), ['again']);
  assert.deepEqual(await scene.drain(channel, colours), ['again']);
}

async function fanout(scene) {
  const channel = await scene.confirmChannel(await scene.connect());
  const exchange = await scene.exchange(channel, 'fanout');
  const queues = [await scene.queue(channel), await scene.queue(channel), await scene.queue(channel)];
  for (const queue of queues) await channel.bindQueue(queue, exchange, 'ignored');
  const unbound = await scene.queue(channel);
  await channel.bindQueue(queues[0], exchange, 'a second binding, one copy all the same');
  await scene.publishAll(channel, exchange, 'any key', ['news', 'more news']);
  for (const queue of queues) assert.deepEqual(await scene.drain(channel, queue), ['news', 'more news']);
  assert.deepEqual(await scene.drain(channel, unbound), []);
}

async function topic(scene) {
  const channel = await scene.confirmChannel(await scene.connect());
  const exchange = await scene.exchange(channel, 'topic');
  const keys = ['', 'a', 'a.b', 'a.b.c', 'b.a', 'a..c', '.', 'quick.orange.rabbit', 'a.b.c.d'];
  const expected = {
    '#': keys,
    '*': ['a'],
    'a.#': ['a', 'a.b', 'a.b.c', 'a..c', 'a.b.c.d'],
    'a.*': ['a.b'],
    '*.*': ['a.b', 'b.a', '.'],
    'a.*.c': ['a.b.c', 'a..c'],
    '#.c': ['a.b.c', 'a..c'],
    'a.#.c': ['a.b.c', 'a..c'],
    '#.b.#': ['a.b', 'a.b.c', 'b.a', 'a.b.c.d'],
    '*.orange.*': ['quick.orange.rabbit'],
    'a.b': ['a.b'],
    'a*': [],
  };
  const queues = new Map();
  for (const pattern of Object.keys(expected)) {
    const queue = await scene.queue(channel);
    await channel.bindQueue(queue, exchange, pattern);
    queues.set(pattern, queue);
  }
  for (const key of keys) await scene.publishAll(channel, exchange, key, [key]);
  for (const [pattern, queue] of queues) {
    assert.deepEqual(await scene.drain(channel, queue), expected[pattern], `pattern ${pattern}`);
  }
}

async function headers(scene) {
  const channel = await scene.confirmChannel(await scene.connect());
  const exchange = await scene.exchange(channel, 'headers');
  const bindings = {
    all: { 'x-match': 'all', format: 'pdf', pages: 3 },
    any: { 'x-match': 'any', format: 'pdf', pages: 3 },
    byDefault: { format: 'pdf', pages: 3 },
    present: { 'x-match': 'all', format: null },
    ignoresX: { 'x-match': 'all', 'x-kind': 'k', format: 'pdf' },
    seesX: { 'x-match': 'all-with-x', 'x-kind': 'k', format: 'pdf' },
    anyX: { 'x-match': 'any-with-x', 'x-kind': 'k' },
  };
  const queues = {};
  for (const [name, table] of Object.entries(bindings)) {
    queues[name] = await scene.queue(channel);
    await channel.bindQueue(queues[name], exchange, '', table);
  }
  const messages = {
    both: { format: 'pdf', pages: 3 },
    one: { format: 'pdf', pages: 4 },
    other: { pages: 3 },
    none: { format: 'zip' },
    kind: { format: 'pdf', 'x-kind': 'k' },
    bare: {},
  };
  for (const [body, table] of Object.entries(messages)) {
    await scene.publishAll(channel, exchange, 'ignored', [body], { headers: table });
  }
  const expected = {
    all: ['both'],
    any: ['both', 'one', 'other', 'kind'],
    byDefault: ['both'],
    present: ['both', 'one', 'none', 'kind'],
    ignoresX: ['both', 'one', 'kind'],
    seesX: ['kind'],
    anyX: ['kind'],
  };
  for (const [name, bodies] of Object.entries(expected)) {
    assert.deepEqual(await scene.drain(channel, queues[name]), bodies, `binding ${name}`);
  }
}

async function defaultExchange(scene) {
  const connection = await scene.connect();
  const channel = await scene.confirmChannel(connection);
  const queue = await scene.queue(channel);
  await scene.publishAll(channel, '', queue, ['by name']);
  assert.deepEqual(await scene.drain(channel, queue), ['by name']);
  const text = 'ACCESS_REFUSED - operation not permitted on the default exchange';
  const attempts = [
    [[50, 20], (c) => c.bindQueue(queue, '', 'key')],
    [[50, 50], (c) => c.unbindQueue(queue, '', 'key')],
    [[40, 20], (c) => c.deleteExchange('')],
  ];
  for (const [method, attempt] of attempts) {
    await scene.refused(await scene.channel(connection), { code: 403, text, method }, attempt);
  }
}

async function exchangeToExchange(scene) {
  const connection = await scene.connect();
  const channel = await scene.confirmChannel(connection);
  const source = await scene.exchange(channel, 'topic');
  const middle = await scene.exchange(channel, 'fanout', { durable: false, internal: true });
  const [behind, beside] = [await scene.queue(channel), await scene.queue(channel)];
  await channel.bindExchange(middle, source, 'news.#');
  await channel.bindQueue(behind, middle, '');
  await channel.bindQueue(beside, source, '#');
  // A way back must not make messages go round for ever, nor arrive twice.
  await channel.bindExchange(source, middle, '');
  await scene.publishAll(channel, source, 'news.local', ['local']);
  await scene.publishAll(channel, source, 'weather', ['rain']);
  assert.deepEqual(await scene.drain(channel, behind), ['local']);
  assert.deepEqual(await scene.drain(channel, beside), ['local', 'rain']);
  await channel.unbindExchange(middle, source, 'news.#');
  await scene.publishAll(channel, source, 'news.world', ['world']);
  assert.deepEqual(await scene.drain(channel, behind), []);
  const text = `ACCESS_REFUSED - cannot publish to internal exchange '${middle}' in vhost '${scene.vhost}'`;
  await scene.refused(await scene.channel(connection), { code: 403, text, method: [60, 40] }, (c) =>
    c.publish(middle, '', Buffer.from('from outside')),
  );
}

async function alternateExchange(scene) {
  const channel = await scene.confirmChannel(await scene.connect());
  const spare = await scene.exchange(channel, 'fanout');
  const main = await scene.exchange(channel, 'direct', { durable: false, alternateExchange: spare });
  const [known, strays] = [await scene.queue(channel), await scene.queue(channel)];
  await channel.bindQueue(known, main, 'known');
  await channel.bindQueue(strays, spare, '');
  await scene.publishAll(channel, main, 'known', ['found']);
  await scene.publishAll(channel, main, 'unknown', ['astray']);
  assert.deepEqual(await scene.drain(channel, known), ['found']);
  assert.deepEqual(await scene.drain(channel, strays), ['astray']);
}

module.exports = [
  ['bind-direct', direct],
  ['bind-fanout', fanout],
  ['bind-topic', topic],
  ['bind-headers', headers],
  ['default-exchange', defaultExchange],
  ['exchange-to-exchange', exchangeToExchange],
  ['alternate-exchange', alternateExchange],
];
