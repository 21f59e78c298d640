'use strict';

// What a message carries: bodies of every size, all properties, headers of every type the client can write,
// and what queue arguments do to messages.

const assert = require('node:assert/strict');
const crypto = require('node:crypto');

const sha256 = (bytes) => crypto.createHash('sha256').update(bytes).digest('hex');

// A body whose every part differs, so that lost or swapped frames show.
function bodyOf(bytes) {
  const body = Buffer.alloc(bytes);
  for (let offset = 0; offset + 4 <= bytes; offset += 4) body.writeUInt32BE(offset, offset);
  return body;
}

async function roundTrip(scene, channel, queue, body, options) {
  channel.publish('', queue, body, options);
  await scene.within('confirm', channel.waitForConfirms());
  return scene.within('basic.get-ok', channel.get(queue, { noAck: true }));
}

async function bodySizes(scene) {
  const connection = await scene.connect();
  const channel = await scene.confirmChannel(connection);
  const queue = await scene.queue(channel);
  const frame = connection.connection.frameMax - 8;
  for (const bytes of [0, 1, frame - 1, frame, frame + 1, 2 * frame, 2 * frame + 1]) {
    const body = bodyOf(bytes);
    const message = await roundTrip(scene, channel, queue, body, {});
    assert.equal(message.content.length, bytes);
    assert.equal(sha256(message.content), sha256(body), `${bytes} bytes`);
  }
}

async function largeMessage(scene) {
  const connection = await scene.connect();
  const channel = await scene.confirmChannel(connection);
  const queue = await scene.queue(channel, { durable: true });
  const body = bodyOf(5 * 1024 * 1024);
  channel.publish('', queue, body, { persistent: true });
  // A small one behind it must not overtake nor be mixed in.
  channel.publish('', queue, Buffer.from('small'), {});
  await scene.within('confirms', channel.waitForConfirms());
  const inbox = await scene.consume(channel, queue, { noAck: true });
  const [large, small] = await scene.takeMany(inbox, 2);
  assert.equal(sha256(large.content), sha256(body));
  assert.equal(small.content.toString(), 'small');
}

async function properties(scene) {
  const channel = await scene.confirmChannel(await scene.connect());
  const queue = await scene.queue(channel);
  const sent = {
    contentType: 'application/json',
    contentEncoding: 'identity',
    headers: { key: 'value' },
    deliveryMode: 2,
    priority: 9,
    correlationId: 'correlation ü',
    replyTo: 'somewhere',
    expiration: '600000',
    messageId: 'message-1',
    timestamp: 1_700_000_000,
    type: 'greeting',
    userId: scene.user,
    appId: 'conform',
    clusterId: undefined,
  };
  const full = await roundTrip(scene, channel, queue, Buffer.from('{}'), sent);
  assert.deepEqual({ ...full.properties }, sent);
  const bare = await roundTrip(scene, channel, queue, Buffer.from('bare'), {});
  const present = Object.entries(bare.properties).filter(([, value]) => value !== undefined);
  assert.deepEqual(Object.fromEntries(present), { headers: {} }, 'nothing is added');
}

async function headerTypes(scene) {
  const channel = await scene.confirmChannel(await scene.connect());
  const queue = await scene.queue(channel);
  const typed = (type, value) => ({ '!': type, value });
  const decimal = typed('decimal', { places: 2, digits: 314 });
  const timestamp = typed('timestamp', 1_700_000_000);
  const plain = {
    string: 'text ü €',
    empty: '',
    yes: true,
    no: false,
    nothing: null,
    int8: -5,
    int16: -3000,
    int32: -2_000_000_000,
    int64: Number.MIN_SAFE_INTEGER,
    large: Number.MAX_SAFE_INTEGER,
    double: Math.PI,
    bytes: Buffer.from([0, 255, 1, 254]),
    decimal,
    timestamp,
    array: ['a', 1, true, null, 2.5, [1, [2]], { in: 'array' }],
    emptyArray: [],
    table: { one: 1, two: { three: { four: ['deep'] } }, bytes: Buffer.from('b') },
    emptyTable: {},
  };
  const forced = {
    float: [typed('float', 0.5), 0.5],
    uint8: [typed('uint8', 200), 200],
    uint16: [typed('uint16', 60_000), 60_000],
    uint32: [typed('uint32', 4_000_000_000), 4_000_000_000],
    int64small: [typed('int64', 7), 7],
    int32small: [typed('int32', 7), 7],
    int16small: [typed('int16', 7), 7],
  };
  const sent = { ...plain };
  const expected = { ...plain };
  for (const [name, [written, read]] of Object.entries(forced)) {
    sent[name] = written;
    expected[name] = read;
  }
  const message = await roundTrip(scene, channel, queue, Buffer.from('typed'), { headers: sent });
  assert.deepEqual({ ...message.properties.headers }, expected);
}

async function senderSelected(scene) {
  const channel = await scene.confirmChannel(await scene.connect());
  const [to, cc, bcc] = [await scene.queue(channel), await scene.queue(channel), await scene.queue(channel)];
  channel.publish('', to, Buffer.from('to many'), { CC: [cc], BCC: [bcc] });
  await scene.within('confirm', channel.waitForConfirms());
  for (const queue of [to, cc, bcc]) {
    const message = await scene.within('basic.get-ok', channel.get(queue, { noAck: true }));
    assert.equal(message.content.toString(), 'to many');
    assert.deepEqual({ ...message.properties.headers }, { CC: [cc] }, 'BCC is not shown to anyone');
  }
}

async function userIdRefused(scene) {
  const connection = await scene.connect();
  const text =
    "PRECONDITION_FAILED - user_id property set to 'impostor' " +
    `but authenticated user was '${scene.user}'`;
  await scene.refused(await scene.channel(connection), { code: 406, text, method: [60, 40] }, (c) =>
    c.publish('', 'anywhere', Buffer.alloc(0), { userId: 'impostor' }),
  );
}

async function deadLetter(scene) {
  const connection = await scene.connect();
  const channel = await scene.confirmChannel(connection);
  const exchange = await scene.exchange(channel, 'direct');
  const graves = await scene.queue(channel);
  await channel.bindQueue(graves, exchange, 'dead');
  const queue = await scene.queue(channel, {
    durable: false,
    maxLength: 2,
    deadLetterExchange: exchange,
    deadLetterRoutingKey: 'dead',
  });
  const inbox = await scene.consume(channel, graves, { noAck: true });
  const death = async (body, reason) => {
    const message = await scene.take(inbox);
    assert.equal(message.content.toString(), body);
    const { headers } = message.properties;
    const [first] = headers['x-death'];
    assert.deepEqual(
      [first.reason, first.queue, first.count, first.exchange, first['routing-keys']],
      [reason, queue, 1, '', [queue]],
    );
    assert.equal(first.time['!'], 'timestamp');
    assert.deepEqual(
      [headers['x-first-death-reason'], headers['x-first-death-queue'], headers['x-first-death-exchange']],
      [reason, queue, ''],
    );
  };
  await scene.publishAll(channel, '', queue, ['first', 'second', 'third']);
  await death('first', 'maxlen');
  channel.reject(await scene.within('basic.get-ok', channel.get(queue)), false);
  await death('second', 'rejected');
  channel.nack(await scene.within('basic.get-ok', channel.get(queue)), false, false);
  await death('third', 'rejected');
  await scene.publishAll(channel, '', queue, ['brief'], { expiration: 1 });
  await death('brief', 'expired');
}

async function priorities(scene) {
  const channel = await scene.confirmChannel(await scene.connect());
  const queue = await scene.queue(channel, { durable: false, maxPriority: 5 });
  for (const [body, priority] of [
    ['low', 1],
    ['none', undefined],
    ['high', 5],
    ['middle', 3],
    ['high too', 9],
  ]) {
    await scene.publishAll(channel, '', queue, [body], { priority });
  }
  assert.deepEqual(await scene.drain(channel, queue), ['high', 'high too', 'middle', 'low', 'none']);
}

module.exports = [
  ['body-sizes', bodySizes],
  ['large-message', largeMessage],
  ['properties', properties],
  ['header-types', headerTypes],
  ['sender-selected', senderSelected],
  ['user-id-refused', userIdRefused],
  ['dead-letter', deadLetter],
  ['priorities', priorities],
];
