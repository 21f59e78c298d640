'use strict';

// Getting messages out: consumers, acknowledgement, prefetch, requeueing, cancelling, basic.get.

const assert = require('node:assert/strict');

const bodiesOf = (messages) => messages.map((message) => message.content.toString());
const numbers = (count) => Array.from({ length: count }, (_, index) => String(index));

async function ackPrefetch(scene) {
  const connection = await scene.connect();
  const publisher = await scene.confirmChannel(connection);
  const queue = await scene.queue(publisher);
  await scene.publishAll(publisher, '', queue, numbers(10));
  const channel = await scene.channel(connection);
  await channel.prefetch(3);
  const inbox = await scene.consume(channel, queue);
  const first = await scene.takeMany(inbox, 3);
  assert.deepEqual(bodiesOf(first), ['0', '1', '2']);
  assert.deepEqual(
    first.map((m) => m.fields.deliveryTag),
    [1, 2, 3],
  );
  assert.ok(first.every((m) => m.fields.redelivered === false && m.fields.exchange === ''));
  assert.ok(first.every((m) => m.fields.routingKey === queue && m.fields.consumerTag === inbox.tag));
  assert.equal(await scene.count(publisher, queue), 7, 'three are out, no more');
  channel.ack(first[1]);
  const fourth = await scene.take(inbox);
  assert.equal(await scene.count(publisher, queue), 6);
  channel.ack(fourth, true);
  const next = await scene.takeMany(inbox, 3);
  assert.deepEqual(bodiesOf([fourth, ...next]), ['3', '4', '5', '6']);
  assert.equal(await scene.count(publisher, queue), 3);
  channel.ackAll();
  const last = await scene.takeMany(inbox, 3);
  channel.ack(last[2], true);
  await channel.close();
  assert.deepEqual(await scene.drain(publisher, queue), [], 'what was acknowledged does not come back');
  assert.equal(inbox.all.length, 10);
}

// Prefetch with `global` counts all consumers of the channel together.
async function prefetchChannel(scene) {
  const connection = await scene.connect();
  const publisher = await scene.confirmChannel(connection);
  const queue = await scene.queue(publisher);
  await scene.publishAll(publisher, '', queue, numbers(6));
  const channel = await scene.channel(connection);
  await channel.prefetch(2, true);
  const inbox = await scene.consume(channel, queue);
  await scene.consume(channel, queue, {}, inbox);
  for (const ready of [4, 2, 0]) {
    const [one, two] = bodiesOf(await scene.takeMany(inbox, 2));
    assert.deepEqual([one, two], [String(4 - ready), String(5 - ready)]);
    assert.equal(await scene.count(publisher, queue), ready, 'two are out at a time');
    channel.ackAll();
  }
}

async function nackRequeue(scene) {
  const connection = await scene.connect();
  const publisher = await scene.confirmChannel(connection);
  const queue = await scene.queue(publisher);
  await scene.publishAll(publisher, '', queue, ['a', 'b', 'c', 'd']);
  const channel = await scene.channel(connection);
  const get = () => scene.within('basic.get-ok', channel.get(queue));
  const show = (message) => `${message.content} ${message.fields.redelivered ? 'again' : 'new'}`;

  const first = await get();
  assert.equal(show(first), 'a new');
  channel.reject(first, true);
  const again = await get();
  assert.equal(show(again), 'a again', 'it goes back to where it was');
  const second = await get();
  const third = await get();
  assert.deepEqual([second, third].map(show), ['b new', 'c new']);
  channel.nack(third, true, true);
  assert.deepEqual([await get(), await get(), await get()].map(show), ['a again', 'b again', 'c again']);
  channel.nackAll(false);
  const fourth = await get();
  assert.equal(show(fourth), 'd new');
  channel.reject(fourth, false);
  assert.equal(await get(), false, 'what is not requeued is gone');
}

async function recover(scene) {
  const connection = await scene.connect();
  const channel = await scene.confirmChannel(connection);
  const queue = await scene.queue(channel);
  const inbox = await scene.consume(channel, queue);
  await scene.publishAll(channel, '', queue, ['a', 'b', 'c']);
  const [first] = await scene.takeMany(inbox, 3);
  channel.ack(first);
  await scene.within('basic.recover-ok', channel.recover());
  const again = await scene.takeMany(inbox, 2);
  assert.deepEqual(bodiesOf(again), ['b', 'c']);
  assert.ok(again.every((m) => m.fields.redelivered));
}

async function unknownTag(scene) {
  const connection = await scene.connect();
  const message = { fields: { deliveryTag: 99 } };
  const text = 'PRECONDITION_FAILED - unknown delivery tag 99';
  const attempts = [
    [[60, 80], (c) => c.ack(message)],
    [[60, 120], (c) => c.nack(message)],
    [[60, 90], (c) => c.reject(message)],
  ];
  for (const [method, attempt] of attempts) {
    await scene.refused(await scene.channel(connection), { code: 406, text, method }, attempt);
  }
}

async function roundRobin(scene) {
  const connection = await scene.connect();
  const publisher = await scene.confirmChannel(connection);
  const queue = await scene.queue(publisher);
  const inboxes = [];
  for (let index = 0; index < 2; index += 1) {
    inboxes.push(await scene.consume(await scene.channel(connection), queue));
  }
  await scene.publishAll(publisher, '', queue, numbers(10));
  const shares = [];
  for (const inbox of inboxes) shares.push(bodiesOf(await scene.takeMany(inbox, 5)).map(Number));
  for (const share of shares) {
    for (let index = 1; index < 5; index += 1) assert.equal(share[index] - share[index - 1], 2, `${shares}`);
  }
  assert.deepEqual(shares.flat().sort(), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
}

async function cancelNotify(scene) {
  const connection = await scene.connect();
  const channel = await scene.confirmChannel(connection);
  const queue = await scene.queue(channel);
  const [one, two] = [await scene.consume(channel, queue), await scene.consume(channel, queue)];
  const other = await scene.channel(connection);
  await scene.within('queue.delete-ok', other.deleteQueue(queue));
  assert.equal(await scene.take(one), null);
  assert.equal(await scene.take(two), null);
  const next = await scene.queue(channel);
  await scene.publishAll(channel, '', next, ['the channel lives']);
  assert.deepEqual(await scene.drain(channel, next), ['the channel lives']);
}

// After basic.cancel-ok nothing more comes, and what was out stays out until it is settled.
async function cancel(scene) {
  const connection = await scene.connect();
  const channel = await scene.confirmChannel(connection);
  const queue = await scene.queue(channel);
  await channel.prefetch(1);
  const inbox = await scene.consume(channel, queue, { consumerTag: 'chosen by the client' });
  assert.equal(inbox.tag, 'chosen by the client');
  await scene.publishAll(channel, '', queue, ['held', 'waits']);
  const held = await scene.take(inbox);
  assert.equal((await channel.cancel(inbox.tag)).consumerTag, inbox.tag);
  channel.ack(held);
  assert.deepEqual(await scene.drain(channel, queue), ['waits']);
  assert.equal(inbox.all.length, 1);
  const ok = await scene.within('basic.cancel-ok', channel.cancel('nobody'));
  assert.equal(ok.consumerTag, 'nobody', 'cancelling an unknown consumer succeeds');
}

async function exclusiveConsumer(scene) {
  const connection = await scene.connect();
  const channel = await scene.channel(connection);
  const queue = await scene.queue(channel);
  const inbox = await scene.consume(channel, queue, { exclusive: true });
  const text = `ACCESS_REFUSED - queue '${queue}' in vhost '${scene.vhost}' in exclusive use`;
  await scene.refused(await scene.channel(connection), { code: 403, text, method: [60, 20] }, (c) =>
    c.consume(queue, () => {}),
  );
  await channel.cancel(inbox.tag);
  await scene.consume(await scene.channel(connection), queue);
}

async function consumerPriority(scene) {
  const connection = await scene.connect();
  const publisher = await scene.confirmChannel(connection);
  const queue = await scene.queue(publisher);
  const low = await scene.consume(await scene.channel(connection), queue, { priority: 1 });
  const channel = await scene.channel(connection);
  await channel.prefetch(2);
  const high = await scene.consume(channel, queue, { priority: 10 });
  await scene.publishAll(publisher, '', queue, numbers(4));
  assert.deepEqual(bodiesOf(await scene.takeMany(high, 2)), ['0', '1']);
  assert.deepEqual(bodiesOf(await scene.takeMany(low, 2)), ['2', '3']);
}

async function closeReturnsUnacked(scene) {
  const keeper = await scene.connect();
  const channel = await scene.confirmChannel(keeper);
  const queue = await scene.queue(channel);
  await scene.publishAll(channel, '', queue, numbers(5));
  const leaver = await scene.connect();
  const leaving = await scene.channel(leaver);
  const held = await scene.takeMany(await scene.consume(leaving, queue), 5);
  leaving.ack(held[0]);
  // The client may send connection.close before the ack of a channel; a reply on it settles the order.
  assert.equal(await scene.count(leaving, queue), 0);
  await scene.within('connection.close-ok', leaver.close());
  const inbox = await scene.consume(channel, queue);
  const back = await scene.takeMany(inbox, 4);
  assert.deepEqual(bodiesOf(back), ['1', '2', '3', '4']);
  assert.ok(back.every((m) => m.fields.redelivered));

  // A socket that just breaks has the same effect.
  const victim = await scene.connect();
  channel.nackAll(true);
  await channel.cancel(inbox.tag);
  channel.nackAll(true);
  await scene.takeMany(await scene.consume(await scene.channel(victim), queue), 4);
  victim.connection.stream.destroy();
  const rest = await scene.takeMany(await scene.consume(channel, queue), 4);
  assert.deepEqual(bodiesOf(rest), ['1', '2', '3', '4']);
}

async function getCounts(scene) {
  const connection = await scene.connect();
  const channel = await scene.confirmChannel(connection);
  const queue = await scene.queue(channel);
  assert.equal(await channel.get(queue), false);
  await scene.publishAll(channel, '', queue, ['a', 'b', 'c']);
  const seen = [];
  const tags = [];
  for (let index = 0; index < 3; index += 1) {
    const message = await scene.within('basic.get-ok', channel.get(queue));
    const { deliveryTag, redelivered, exchange, routingKey, messageCount } = message.fields;
    assert.deepEqual(
      { redelivered, exchange, routingKey },
      { redelivered: false, exchange: '', routingKey: queue },
    );
    seen.push(`${message.content} ${messageCount} left`);
    tags.push(deliveryTag);
  }
  assert.deepEqual(seen, ['a 2 left', 'b 1 left', 'c 0 left']);
  assert.deepEqual(tags, [1, 2, 3]);
  assert.equal(await channel.get(queue), false);
  channel.nackAll(true);
  const back = await scene.within('basic.get-ok', channel.get(queue, { noAck: true }));
  assert.deepEqual(
    [back.content.toString(), back.fields.redelivered, back.fields.messageCount],
    ['a', true, 2],
  );
}

module.exports = [
  ['ack-prefetch', ackPrefetch],
  ['prefetch-channel', prefetchChannel],
  ['nack-requeue', nackRequeue],
  ['recover', recover],
  ['unknown-delivery-tag', unknownTag],
  ['round-robin', roundRobin],
  ['consumer-cancel', cancel],
  ['consumer-cancel-notify', cancelNotify],
  ['consumer-exclusive', exclusiveConsumer],
  ['consumer-priority', consumerPriority],
  ['close-returns-unacked', closeReturnsUnacked],
  ['get-counts', getCounts],
];
