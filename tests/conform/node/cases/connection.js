'use strict';

// Opening, tuning and keeping a connection: what the client says of itself and what the broker answers.

const assert = require('node:assert/strict');
const { once } = require('node:events');

const CAPABILITIES = [
  'publisher_confirms',
  'exchange_exchange_bindings',
  'basic.nack',
  'consumer_cancel_notify',
  'connection.blocked',
  'consumer_priorities',
  'authentication_failure_close',
  'per_consumer_qos',
  'direct_reply_to',
];

async function connect(scene) {
  const clientProperties = {
    connection_name: 'conform node',
    purpose: 'conformance',
    nested: { numbers: [1, 70_000, 2.5], deep: { flag: true } },
  };
  const connection = await scene.connect('?heartbeat=7', { clientProperties });
  const { serverProperties, heartbeat, frameMax, channelMax } = connection.connection;
  for (const name of ['product', 'version', 'platform']) {
    assert.equal(typeof serverProperties[name], 'string', name);
    assert.notEqual(serverProperties[name], '', name);
  }
  for (const name of CAPABILITIES) assert.equal(serverProperties.capabilities[name], true, name);
  assert.deepEqual({ heartbeat, frameMax, channelMax }, { heartbeat: 7, frameMax: 131072, channelMax: 2047 });
  await scene.within('connection.close-ok', connection.close());
}

async function tuneDefaults(scene) {
  const connection = await scene.connect();
  assert.equal(connection.connection.heartbeat, 60);
  const small = await scene.connect('?frameMax=4096&channelMax=5&heartbeat=0');
  const { heartbeat, frameMax, channelMax } = small.connection;
  assert.deepEqual({ heartbeat, frameMax, channelMax }, { heartbeat: 0, frameMax: 4096, channelMax: 5 });
  const channel = await scene.confirmChannel(small);
  const queue = await scene.queue(channel);
  await scene.publishAll(channel, '', queue, ['x'.repeat(10_000)]);
  assert.deepEqual(await scene.drain(channel, queue), ['x'.repeat(10_000)]);
}

// An idle client with a heartbeat of 1 s must hear the broker, or it would hang up by itself.
async function heartbeat(scene) {
  const connection = await scene.connect('?heartbeat=1');
  const socket = connection.connection.stream;
  const before = socket.bytesRead;
  const HEARTBEAT_FRAME_BYTES = 8;
  while (socket.bytesRead < before + 3 * HEARTBEAT_FRAME_BYTES) {
    await scene.within('heartbeat frame of the broker', once(socket, 'data'));
  }
  assert.equal((socket.bytesRead - before) % HEARTBEAT_FRAME_BYTES, 0, 'only heartbeats came');
  await scene.channel(connection);
}

async function loginRefused(scene) {
  scene.uri.password = 'certainly not the password';
  await assert.rejects(scene.connect(), (error) => {
    const text =
      'ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN. ' +
      'For details see the broker logfile.';
    assert.ok(error.message.includes(`403 (ACCESS-REFUSED) with message "${text}"`), error.message);
    return true;
  });
}

// The client does not show the text of a refusal at this point, only the method that came.
async function vhostMissing(scene) {
  scene.uri.pathname = '/conform-no-such-vhost';
  await assert.rejects(scene.connect(), /Expected ConnectionOpenOk; got <ConnectionClose /);
}

async function channelErrorIsolated(scene) {
  const connection = await scene.connect();
  const healthy = await scene.confirmChannel(connection);
  const queue = await scene.queue(healthy);
  const inbox = await scene.consume(healthy, queue, { noAck: true });
  for (let round = 0; round < 3; round += 1) {
    const doomed = await scene.channel(connection);
    const text = `NOT_FOUND - no queue 'conform.node.nowhere' in vhost '${scene.vhost}'`;
    await scene.refused(doomed, { code: 404, text, method: [50, 10] }, (channel) =>
      channel.checkQueue('conform.node.nowhere'),
    );
    await scene.publishAll(healthy, '', queue, [`round ${round}`]);
    assert.equal((await scene.take(inbox)).content.toString(), `round ${round}`);
  }
}

async function manyChannels(scene) {
  const connection = await scene.connect();
  const channels = await Promise.all(Array.from({ length: 200 }, () => scene.channel(connection)));
  const echoed = await Promise.all(
    channels.map(async (channel, index) => {
      const { queue } = await channel.assertQueue('', { exclusive: true });
      const echo = await new Promise((resolve, reject) => {
        channel
          .consume(queue, (message) => resolve(message.content.toString()), { noAck: true })
          .then(() => channel.sendToQueue(queue, Buffer.from(`channel ${index}`)), reject);
      });
      await channel.close();
      return echo;
    }),
  );
  assert.deepEqual(
    echoed,
    channels.map((_, index) => `channel ${index}`),
  );
  await scene.channel(connection);
}

async function blockedListener(scene) {
  const connection = await scene.connect();
  const events = [];
  connection.on('blocked', (reason) => events.push(`blocked ${reason}`));
  connection.on('unblocked', () => events.push('unblocked'));
  const channel = await scene.confirmChannel(connection);
  const queue = await scene.queue(channel);
  await scene.publishAll(channel, '', queue, ['one', 'two']);
  assert.deepEqual(await scene.drain(channel, queue), ['one', 'two']);
  assert.deepEqual(events, []);
}

async function updateSecret(scene) {
  const connection = await scene.connect();
  const channel = await scene.confirmChannel(connection);
  await scene.within(
    'connection.update-secret-ok',
    connection.updateSecret(Buffer.from(scene.password), 'conformance'),
  );
  const queue = await scene.queue(channel);
  await scene.publishAll(channel, '', queue, ['after']);
  assert.deepEqual(await scene.drain(channel, queue), ['after']);
}

module.exports = [
  ['connect', connect],
  ['tune', tuneDefaults],
  ['heartbeat', heartbeat],
  ['login-refused', loginRefused],
  ['vhost-missing', vhostMissing],
  ['channel-error-isolated', channelErrorIsolated],
  ['many-channels', manyChannels],
  ['blocked-listener', blockedListener],
  ['update-secret', updateSecret],
];
