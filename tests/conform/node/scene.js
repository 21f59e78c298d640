'use strict';

// What one case stands on: where the broker is, connections and channels that are closed afterwards,
// names that no other run uses and that are deleted afterwards, and waits that name what they wait for.
//
// No wait here is a fixed time: each ends when its condition holds, or fails the case at the deadline.

const assert = require('node:assert/strict');
const crypto = require('node:crypto');
const { once } = require('node:events');
const amqp = require('amqplib');

const DEADLINE_MS = 20_000;
const RUN = crypto.randomBytes(4).toString('hex');

// Port and host alone stand for the default user and virtual host.
const BROKER_URI =
  process.env.AMQP_URI ||
  `amqp://guest:guest@${process.env.AMQP_HOST || '127.0.0.1'}:${process.env.AMQP_PORT || '5672'}/%2F`;

// A reply text is a short string: RabbitMQ cuts longer ones to 252 bytes and three dots.
function asReplyText(text) {
  return text.length > 255 ? `${text.slice(0, 252)}...` : text;
}

// Deliveries of one consumer, in the order they came; a null is the broker's basic.cancel.
class Inbox {
  constructor() {
    this.all = [];
    this.unread = [];
    this.readers = [];
  }

  push(message) {
    this.all.push(message);
    const reader = this.readers.shift();
    if (reader) reader(message);
    else this.unread.push(message);
  }

  take() {
    if (this.unread.length > 0) return Promise.resolve(this.unread.shift());
    return new Promise((resolve) => this.readers.push(resolve));
  }
}

class Scene {
  constructor(name) {
    this.name = name;
    this.connections = [];
    this.queues = [];
    this.exchanges = [];
    this.waitingFor = 'its first step';
    this.uri = new URL(BROKER_URI);
    this.vhost = this.uri.pathname.length > 1 ? decodeURIComponent(this.uri.pathname.slice(1)) : '/';
    this.user = decodeURIComponent(this.uri.username || 'guest');
    this.password = decodeURIComponent(this.uri.password || 'guest');
  }

  // Runs the case with the deadline over all of it; the failure tells what was awaited then.
  async play(steps) {
    let timer;
    const late = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new Error(`no ${this.waitingFor} in ${DEADLINE_MS} ms`)), DEADLINE_MS);
    });
    try {
      await Promise.race([steps(this), late]);
    } finally {
      clearTimeout(timer);
    }
  }

  // Deletes what the case named. Deleting what is gone already answers delete-ok as well.
  async clean() {
    if (this.queues.length + this.exchanges.length === 0) return;
    await this.play(async () => {
      const channel = await this.channel(await this.connect());
      for (const queue of this.queues) await this.within('queue.delete-ok', channel.deleteQueue(queue));
      for (const exchange of this.exchanges) {
        await this.within('exchange.delete-ok', channel.deleteExchange(exchange));
      }
    });
  }

  // Ends every connection without ceremony, so that a case which failed leaves no consumer behind.
  drop() {
    for (const connection of this.connections) connection.connection.stream.destroy();
  }

  async within(what, promise) {
    this.waitingFor = what;
    return promise;
  }

  async connect(query = '', options = {}) {
    const uri = new URL(this.uri);
    uri.search = query;
    const connection = await this.within(
      'connection.open-ok',
      amqp.connect(uri.href, { noDelay: true, ...options }),
    );
    // Without a listener an 'error' event would end the whole process.
    connection.on('error', () => {});
    this.connections.push(connection);
    return connection;
  }

  async channel(connection) {
    return this.opened(connection.createChannel());
  }

  async confirmChannel(connection) {
    return this.opened(connection.createConfirmChannel());
  }

  async opened(opening) {
    const channel = await this.within('channel.open-ok', opening);
    channel.on('error', () => {});
    return channel;
  }

  queueName() {
    const name = `conform.node.${RUN}.${this.name}.q${this.queues.length}`;
    this.queues.push(name);
    return name;
  }

  exchangeName() {
    const name = `conform.node.${RUN}.${this.name}.x${this.exchanges.length}`;
    this.exchanges.push(name);
    return name;
  }

  async queue(channel, options = { durable: false, autoDelete: false }) {
    const name = this.queueName();
    await this.within('queue.declare-ok', channel.assertQueue(name, options));
    return name;
  }

  async exchange(channel, type, options = { durable: false }) {
    const name = this.exchangeName();
    await this.within('exchange.declare-ok', channel.assertExchange(name, type, options));
    return name;
  }

  // Publishes each body and returns when the broker has confirmed, hence routed, all of them.
  async publishAll(channel, exchange, key, bodies, options = {}) {
    for (const body of bodies) channel.publish(exchange, key, Buffer.from(body), options);
    await this.within('confirms', channel.waitForConfirms());
  }

  async consume(channel, queue, options = {}, inbox = new Inbox()) {
    const ok = await this.within(
      'basic.consume-ok',
      channel.consume(queue, (message) => inbox.push(message), options),
    );
    inbox.tag = ok.consumerTag;
    return inbox;
  }

  async take(inbox) {
    return this.within(`delivery ${inbox.all.length + 1} of a consumer`, inbox.take());
  }

  async takeMany(inbox, count) {
    const messages = [];
    while (messages.length < count) messages.push(await this.take(inbox));
    return messages;
  }

  // Takes all that is ready in a queue by basic.get and returns the bodies.
  async drain(channel, queue) {
    const bodies = [];
    for (;;) {
      const message = await this.within('basic.get-ok', channel.get(queue, { noAck: true }));
      if (message === false) return bodies;
      bodies.push(message.content.toString());
    }
  }

  async count(channel, queue) {
    const ok = await this.within('queue.declare-ok', channel.checkQueue(queue));
    return ok.messageCount;
  }

  // The operation must make the broker close this channel with exactly this code, text and method.
  async refused(channel, { code, text, method }, operation) {
    const closing = once(channel, 'error');
    const answer = operation(channel);
    if (answer instanceof Promise) {
      await this.within('channel.close', assert.rejects(answer, undefined, `accepted what ${code} refuses`));
    }
    const [error] = await this.within(`channel.close ${code}`, closing);
    assert.equal(error.code, code);
    assert.deepEqual([error.classId, error.methodId], method);
    const said = /with message "(.*)"$/s.exec(error.message);
    assert.equal(said?.[1], asReplyText(text));
  }
}

module.exports = { Scene };
