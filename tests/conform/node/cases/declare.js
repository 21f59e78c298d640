'use strict';

// Declaring, purging and deleting queues and exchanges, and what is refused with which words.

const assert = require('node:assert/strict');

const QUEUE_DECLARE = [50, 10];
const QUEUE_DELETE = [50, 40];
const EXCHANGE_DECLARE = [40, 10];

async function declare(scene) {
  const connection = await scene.connect();
  const channel = await scene.confirmChannel(connection);
  const name = scene.queueName();
  const first = await channel.assertQueue(name, { durable: true });
  assert.deepEqual({ ...first }, { queue: name, messageCount: 0, consumerCount: 0 });
  await scene.publishAll(channel, '', name, ['a', 'b'], { persistent: true });
  const again = await channel.assertQueue(name, { durable: true });
  assert.deepEqual({ ...again }, { queue: name, messageCount: 2, consumerCount: 0 });
  const passive = await channel.checkQueue(name);
  assert.deepEqual({ ...passive }, { queue: name, messageCount: 2, consumerCount: 0 });
  await scene.takeMany(await scene.consume(channel, name), 2);
  const consumed = await channel.checkQueue(name);
  assert.deepEqual({ ...consumed }, { queue: name, messageCount: 0, consumerCount: 1 });
  const exchange = await scene.exchange(channel, 'topic', { durable: true, internal: true });
  await channel.assertExchange(exchange, 'topic', { durable: true, internal: true });
  await channel.checkExchange(exchange);
  for (const standard of ['amq.direct', 'amq.fanout', 'amq.topic', 'amq.headers', 'amq.match']) {
    await scene.within(`exchange '${standard}'`, channel.checkExchange(standard));
  }
}

async function serverNamed(scene) {
  const channel = await scene.confirmChannel(await scene.connect());
  const one = (await channel.assertQueue('', { exclusive: true })).queue;
  const two = (await channel.assertQueue('', { exclusive: true })).queue;
  assert.match(one, /^amq\.gen-[\w-]{22}$/);
  assert.match(two, /^amq\.gen-[\w-]{22}$/);
  assert.notEqual(one, two);
  // The empty name means the queue that this channel declared last.
  await channel.bindQueue('', 'amq.direct', two);
  await scene.publishAll(channel, 'amq.direct', two, ['for two']);
  assert.deepEqual(await scene.drain(channel, one), []);
  assert.deepEqual(await scene.drain(channel, ''), ['for two']);
}

async function exclusive(scene) {
  const owner = await scene.connect();
  const name = await scene.queue(await scene.channel(owner), { exclusive: true, durable: false });
  const stranger = await scene.connect();
  const text =
    `RESOURCE_LOCKED - cannot obtain exclusive access to locked queue '${name}' in vhost '${scene.vhost}'. ` +
    'It could be originally declared on another connection or the exclusive property value ' +
    'does not match that of the original declaration.';
  const attempts = [
    [QUEUE_DECLARE, (channel) => channel.checkQueue(name)],
    [QUEUE_DECLARE, (channel) => channel.assertQueue(name, { exclusive: true, durable: false })],
    [[50, 20], (channel) => channel.bindQueue(name, 'amq.direct', 'k')],
    [[50, 30], (channel) => channel.purgeQueue(name)],
    [QUEUE_DELETE, (channel) => channel.deleteQueue(name)],
    [[60, 20], (channel) => channel.consume(name, () => {})],
    [[60, 70], (channel) => channel.get(name)],
  ];
  for (const [method, attempt] of attempts) {
    await scene.refused(await scene.channel(stranger), { code: 405, text, method }, attempt);
  }
  await scene.within('connection.close-ok', owner.close());
  const gone = `NOT_FOUND - no queue '${name}' in vhost '${scene.vhost}'`;
  const channel = await scene.channel(stranger);
  await scene.refused(channel, { code: 404, text: gone, method: QUEUE_DECLARE }, (c) => c.checkQueue(name));
}

async function autoDelete(scene) {
  const connection = await scene.connect();
  const channel = await scene.channel(connection);
  const name = await scene.queue(channel, { durable: false, autoDelete: true });
  assert.equal(await scene.count(channel, name), 0, 'it stays until it had a consumer');
  const first = await scene.consume(channel, name);
  const second = await scene.consume(channel, name);
  await channel.cancel(first.tag);
  assert.equal(await scene.count(channel, name), 0, 'it stays while it has a consumer');
  await channel.cancel(second.tag);
  const text = `NOT_FOUND - no queue '${name}' in vhost '${scene.vhost}'`;
  await scene.refused(channel, { code: 404, text, method: QUEUE_DECLARE }, (c) => c.checkQueue(name));
}

async function mismatch(scene) {
  const connection = await scene.connect();
  const channel = await scene.channel(connection);
  const queue = await scene.queue(channel, { durable: false });
  const exchange = await scene.exchange(channel, 'direct', { durable: false });
  const on = (kind, name, argument, rest) =>
    `PRECONDITION_FAILED - inequivalent arg '${argument}' for ${kind} '${name}' ` +
    `in vhost '${scene.vhost}': ${rest}`;
  const attempts = [
    [
      QUEUE_DECLARE,
      on('queue', queue, 'durable', "received 'true' but current is 'false'"),
      (c) => c.assertQueue(queue, { durable: true }),
    ],
    [
      QUEUE_DECLARE,
      on('queue', queue, 'auto_delete', "received 'true' but current is 'false'"),
      (c) => c.assertQueue(queue, { durable: false, autoDelete: true }),
    ],
    [
      QUEUE_DECLARE,
      on(
        'queue',
        queue,
        'x-max-length',
        "received the value '70000' of type 'signedint' but current is none",
      ),
      (c) => c.assertQueue(queue, { durable: false, maxLength: 70_000 }),
    ],
    [
      EXCHANGE_DECLARE,
      on('exchange', exchange, 'type', "received 'fanout' but current is 'direct'"),
      (c) => c.assertExchange(exchange, 'fanout', { durable: false }),
    ],
    [
      EXCHANGE_DECLARE,
      on('exchange', exchange, 'durable', "received 'true' but current is 'false'"),
      (c) => c.assertExchange(exchange, 'direct', { durable: true }),
    ],
  ];
  for (const [method, text, attempt] of attempts) {
    await scene.refused(await scene.channel(connection), { code: 406, text, method }, attempt);
  }
}

async function missing(scene) {
  const connection = await scene.connect();
  const name = 'conform.node.nowhere';
  const queueText = `NOT_FOUND - no queue '${name}' in vhost '${scene.vhost}'`;
  const exchangeText = `NOT_FOUND - no exchange '${name}' in vhost '${scene.vhost}'`;
  const attempts = [
    [queueText, QUEUE_DECLARE, (c) => c.checkQueue(name)],
    [exchangeText, EXCHANGE_DECLARE, (c) => c.checkExchange(name)],
    [queueText, [50, 30], (c) => c.purgeQueue(name)],
    [queueText, [60, 20], (c) => c.consume(name, () => {})],
    [queueText, [60, 70], (c) => c.get(name)],
    [exchangeText, [60, 40], (c) => c.publish(name, 'key', Buffer.from('lost'))],
  ];
  for (const [text, method, attempt] of attempts) {
    await scene.refused(await scene.channel(connection), { code: 404, text, method }, attempt);
  }
  const channel = await scene.channel(connection);
  const ok = await scene.within('queue.delete-ok', channel.deleteQueue(name));
  assert.equal(ok.messageCount, 0, 'deleting what is missing succeeds');
  await scene.within('exchange.delete-ok', channel.deleteExchange(name));
}

async function reservedNames(scene) {
  const connection = await scene.connect();
  const refusals = [
    [QUEUE_DECLARE, 'queue', (c) => c.assertQueue('amq.mine')],
    [EXCHANGE_DECLARE, 'exchange', (c) => c.assertExchange('amq.mine', 'direct')],
  ];
  for (const [method, kind, attempt] of refusals) {
    const text = `ACCESS_REFUSED - ${kind} name 'amq.mine' contains reserved prefix 'amq.*'`;
    await scene.refused(await scene.channel(connection), { code: 403, text, method }, attempt);
  }
}

async function purge(scene) {
  const connection = await scene.connect();
  const channel = await scene.confirmChannel(connection);
  const queue = await scene.queue(channel);
  await scene.publishAll(channel, '', queue, ['held', 'b', 'c', 'd']);
  const held = await scene.within('basic.get-ok', channel.get(queue));
  assert.equal((await channel.purgeQueue(queue)).messageCount, 3);
  assert.equal((await channel.purgeQueue(queue)).messageCount, 0);
  channel.nack(held);
  assert.deepEqual(await scene.drain(channel, queue), ['held'], 'purge spares what awaits its ack');
}

async function deleteConditions(scene) {
  const connection = await scene.connect();
  const channel = await scene.confirmChannel(connection);
  const queue = await scene.queue(channel);
  await scene.publishAll(channel, '', queue, ['a', 'b']);
  const notEmpty = `PRECONDITION_FAILED - queue '${queue}' in vhost '${scene.vhost}' not empty`;
  await scene.refused(
    await scene.channel(connection),
    { code: 406, text: notEmpty, method: QUEUE_DELETE },
    (c) => c.deleteQueue(queue, { ifEmpty: true }),
  );
  const inbox = await scene.consume(channel, queue);
  await scene.takeMany(inbox, 2);
  const inUse = `PRECONDITION_FAILED - queue '${queue}' in vhost '${scene.vhost}' in use`;
  await scene.refused(
    await scene.channel(connection),
    { code: 406, text: inUse, method: QUEUE_DELETE },
    (c) => c.deleteQueue(queue, { ifUnused: true }),
  );
  await channel.cancel(inbox.tag);
  channel.nackAll(true);
  const ok = await scene.within('queue.delete-ok', channel.deleteQueue(queue, { ifUnused: true }));
  assert.equal(ok.messageCount, 2);

  const exchange = await scene.exchange(channel, 'fanout');
  const bound = await scene.queue(channel);
  await channel.bindQueue(bound, exchange, '');
  const used = `PRECONDITION_FAILED - exchange '${exchange}' in vhost '${scene.vhost}' in use`;
  await scene.refused(await scene.channel(connection), { code: 406, text: used, method: [40, 20] }, (c) =>
    c.deleteExchange(exchange, { ifUnused: true }),
  );
  await channel.unbindQueue(bound, exchange, '');
  await scene.within('exchange.delete-ok', channel.deleteExchange(exchange, { ifUnused: true }));
}

module.exports = [
  ['queue-declare', declare],
  ['queue-server-named', serverNamed],
  ['queue-exclusive', exclusive],
  ['queue-auto-delete', autoDelete],
  ['declare-mismatch', mismatch],
  ['missing', missing],
  ['reserved-names', reservedNames],
  ['purge', purge],
  ['delete-conditions', deleteConditions],
];
