'use strict';

// Putting messages in: publisher confirms, mandatory messages that come back, request and reply.

const assert = require('node:assert/strict');
const { once } = require('node:events');

const numbers = (count) => Array.from({ length: count }, (_, index) => String(index));

// Publishes one message and returns when its own confirm is here; rejects if it was nacked.
function confirmed(scene, channel, exchange, key, body, options) {
  const answer = new Promise((resolve, reject) => {
    channel.publish(exchange, key, Buffer.from(body), options, (error) =>
      error ? reject(error) : resolve(),
    );
  });
  return scene.within('confirm', answer);
}

async function confirmsSingle(scene) {
  const channel = await scene.confirmChannel(await scene.connect());
  const durable = await scene.queue(channel, { durable: true });
  for (let index = 0; index < 20; index += 1) {
    await confirmed(scene, channel, '', durable, String(index), { persistent: true });
    assert.equal(await scene.count(channel, durable), index + 1, 'confirmed means enqueued');
  }
  await confirmed(scene, channel, '', 'conform.node.nowhere', 'unroutable is confirmed too', {});
  assert.deepEqual(await scene.drain(channel, durable), numbers(20));
}

async function confirmsWindow(scene) {
  const connection = await scene.connect();
  const channel = await scene.confirmChannel(connection);
  const queue = await scene.queue(channel);
  const COUNT = 10_000;
  let acks = 0;
  let nacks = 0;
  for (const body of numbers(COUNT)) {
    channel.publish('', queue, Buffer.from(body), {}, (error) => (error ? (nacks += 1) : (acks += 1)));
  }
  await scene.within('10,000 confirms', channel.waitForConfirms());
  assert.deepEqual({ acks, nacks }, { acks: COUNT, nacks: 0 });
  assert.equal(await scene.count(channel, queue), COUNT);
  const inbox = await scene.consume(channel, queue, { noAck: true });
  for (const body of numbers(COUNT)) assert.equal((await scene.take(inbox)).content.toString(), body);
}

// A full queue that rejects answers basic.nack.
async function confirmsNack(scene) {
  const channel = await scene.confirmChannel(await scene.connect());
  const queue = await scene.queue(channel, { durable: false, maxLength: 1, overflow: 'reject-publish' });
  await confirmed(scene, channel, '', queue, 'fits', {});
  await assert.rejects(confirmed(scene, channel, '', queue, 'does not fit', {}), /message nacked/);
  assert.deepEqual(await scene.drain(channel, queue), ['fits']);
  await confirmed(scene, channel, '', queue, 'fits again', {});
}

async function mandatoryReturn(scene) {
  const channel = await scene.confirmChannel(await scene.connect());
  const exchange = await scene.exchange(channel, 'direct');
  const queue = await scene.queue(channel);
  await channel.bindQueue(queue, exchange, 'known');
  const events = [];
  channel.on('return', (message) => events.push(message));
  const mandatory = { mandatory: true, messageId: 'm-1', headers: { n: 7 } };
  await confirmed(scene, channel, exchange, 'known', 'routed', mandatory);
  await confirmed(scene, channel, exchange, 'unknown', 'not mandatory', {});
  assert.equal(events.length, 0);
  await confirmed(scene, channel, exchange, 'unknown', 'comes back', mandatory);
  assert.equal(events.length, 1, 'the return is here before the confirm');
  const { fields, properties, content } = events[0];
  const said = { replyCode: 312, replyText: 'NO_ROUTE', exchange, routingKey: 'unknown' };
  assert.deepEqual({ ...fields }, said);
  assert.equal(content.toString(), 'comes back');
  assert.deepEqual([properties.messageId, properties.headers], ['m-1', { n: 7 }]);
  const returning = once(channel, 'return');
  channel.publish('', 'conform.node.nowhere', Buffer.alloc(0), { mandatory: true });
  const [empty] = await scene.within('basic.return', returning);
  assert.equal(empty.content.length, 0);
  assert.deepEqual(await scene.drain(channel, queue), ['routed']);
}

async function directReplyTo(scene) {
  const caller = await scene.channel(await scene.connect());
  const server = await scene.confirmChannel(await scene.connect());
  const requests = await scene.queue(server);
  const work = await scene.consume(server, requests, { noAck: true });
  const replies = await scene.consume(caller, 'amq.rabbitmq.reply-to', { noAck: true });
  let replyTo;
  for (const number of [3, 4]) {
    const options = { replyTo: 'amq.rabbitmq.reply-to', correlationId: `call ${number}` };
    caller.publish('', requests, Buffer.from(String(number)), options);
    const request = await scene.take(work);
    ({ replyTo } = request.properties);
    assert.match(replyTo, /^amq\.rabbitmq\.reply-to\..+/);
    await scene.within('queue.declare-ok of the reply address', server.checkQueue(replyTo));
    const answer = Buffer.from(String(Number(request.content) ** 2));
    server.publish('', replyTo, answer, { correlationId: request.properties.correlationId });
    const reply = await scene.take(replies);
    assert.deepEqual(
      [reply.content.toString(), reply.properties.correlationId],
      [String(number ** 2), `call ${number}`],
    );
    assert.deepEqual([reply.fields.exchange, reply.fields.routingKey], ['', replyTo]);
  }
  await scene.within('channel.close-ok', caller.close());
  const returning = once(server, 'return');
  server.publish('', replyTo, Buffer.from('too late'), { mandatory: true });
  const [late] = await scene.within('basic.return of a reply that nobody awaits', returning);
  assert.equal(late.fields.replyText, 'NO_ROUTE');
}

async function directReplyToRefusals(scene) {
  const connection = await scene.connect();
  const address = 'amq.rabbitmq.reply-to';
  const refusal = (text, method) => ({ code: 406, text: `PRECONDITION_FAILED - ${text}`, method });
  await scene.refused(
    await scene.channel(connection),
    refusal('reply consumer cannot acknowledge', [60, 20]),
    (c) => c.consume(address, () => {}),
  );
  await scene.refused(
    await scene.channel(connection),
    refusal('fast reply consumer does not exist', [60, 40]),
    (c) => c.publish('', 'anywhere', Buffer.alloc(0), { replyTo: address }),
  );
  const channel = await scene.channel(connection);
  await scene.consume(channel, address, { noAck: true });
  await scene.refused(channel, refusal('reply consumer already set', [60, 20]), (c) =>
    c.consume(address, () => {}, { noAck: true }),
  );
}

// Request and reply over an exclusive queue with a name from the broker.
async function rpc(scene) {
  const client = await scene.channel(await scene.connect());
  const server = await scene.channel(await scene.connect());
  const requests = await scene.queue(server);
  await server.consume(requests, (request) => {
    const { replyTo, correlationId } = request.properties;
    server.publish('', replyTo, Buffer.from(`${request.content}!`), { correlationId });
    server.ack(request);
  });
  const { queue } = await client.assertQueue('', { exclusive: true });
  const replies = await scene.consume(client, queue, { noAck: true });
  for (const body of ['one', 'two', 'three']) {
    client.publish('', requests, Buffer.from(body), { replyTo: queue, correlationId: body });
    const reply = await scene.take(replies);
    assert.deepEqual([reply.content.toString(), reply.properties.correlationId], [`${body}!`, body]);
  }
}

module.exports = [
  ['confirms-single', confirmsSingle],
  ['confirms-window', confirmsWindow],
  ['confirms-nack', confirmsNack],
  ['mandatory-return', mandatoryReturn],
  ['direct-reply-to', directReplyTo],
  ['direct-reply-to-refusals', directReplyToRefusals],
  ['rpc', rpc],
];
