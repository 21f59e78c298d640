package main

// Declaring, purging and deleting queues and exchanges, and what is refused with which words.

import (
	"fmt"
	"regexp"

	amqp "github.com/rabbitmq/amqp091-go"
)

var declarePlays = []play{
	{"queue-declare", queueDeclare},
	{"queue-server-named", queueServerNamed},
	{"queue-exclusive", queueExclusive},
	{"queue-auto-delete", queueAutoDelete},
	{"no-wait", noWait},
	{"declare-mismatch", declareMismatch},
	{"missing", missing},
	{"purge", purge},
	{"delete-conditions", deleteConditions},
}

const nowhere = "conform.go.nowhere"

// refusal is an attempt on a channel of its own and the text that must answer it.
type refusal struct {
	text    string
	attempt func(*amqp.Channel) error
}

// passive declares a queue passively.
func passive(ch *amqp.Channel, queue string) error {
	_, err := ch.QueueDeclarePassive(queue, false, false, false, false, nil)
	return err
}

func queueDeclare(s *scene) {
	_, ch := s.open()
	name := s.queueName()
	declare := func() amqp.Queue {
		s.await("queue.declare-ok")
		queue, err := ch.QueueDeclare(name, true, false, false, false, nil)
		s.ok(err)
		return queue
	}
	s.equal("new queue", declare(), amqp.Queue{Name: name})
	s.put(ch, "", name, "a", "b")
	s.equal("declared again", declare(), amqp.Queue{Name: name, Messages: 2})
	deliveries := s.consume(ch, name, false, nil)
	s.take(deliveries, 2)
	s.equal("with a consumer", declare(), amqp.Queue{Name: name, Consumers: 1})
	s.await("passive queue.declare-ok")
	state, err := ch.QueueDeclarePassive(name, false, false, false, false, nil)
	s.ok(err)
	s.equal("passively", state, amqp.Queue{Name: name, Consumers: 1})

	exchange := s.exchangeName()
	for range []int{1, 2} {
		s.await("exchange.declare-ok")
		s.ok(ch.ExchangeDeclare(exchange, "topic", true, false, false, false, nil))
	}
	standards := []string{"amq.direct", "amq.fanout", "amq.topic", "amq.headers", "amq.match"}
	for _, standard := range append(standards, exchange) {
		s.await("passive exchange.declare-ok of " + standard)
		s.ok(ch.ExchangeDeclarePassive(standard, "direct", true, false, false, false, nil))
	}
}

func queueServerNamed(s *scene) {
	_, ch := s.open()
	var names []string
	for range []int{1, 2} {
		s.await("queue.declare-ok")
		queue, err := ch.QueueDeclare("", false, false, true, false, nil)
		s.ok(err)
		if !regexp.MustCompile(`^amq\.gen-[\w-]{22}$`).MatchString(queue.Name) {
			s.fail("the broker's name is %q", queue.Name)
		}
		names = append(names, queue.Name)
	}
	if names[0] == names[1] {
		s.fail("the same name twice: %s", names[0])
	}
	// The empty name and an empty key mean the queue that this channel declared last.
	s.bind(ch, "", "amq.direct", "", nil)
	s.put(ch, "amq.direct", names[1], "for the second")
	s.equal("first queue", s.drain(ch, names[0]), []string{})
	s.equal("second queue", s.drain(ch, ""), []string{"for the second"})
}

func queueExclusive(s *scene) {
	owner, stranger := s.connect(amqp.Config{}), s.connect(amqp.Config{})
	name := s.queueName()
	s.await("queue.declare-ok")
	_, err := s.channel(owner).QueueDeclare(name, false, false, true, false, nil)
	s.ok(err)
	text := fmt.Sprintf("RESOURCE_LOCKED - cannot obtain exclusive access to locked queue '%s' in vhost '%s'. "+
		"It could be originally declared on another connection or the exclusive property value "+
		"does not match that of the original declaration.", name, s.vhost)
	s.refused(stranger, 405, text, func(ch *amqp.Channel) error { return passive(ch, name) })
	s.refused(stranger, 405, text, func(ch *amqp.Channel) error {
		_, err := ch.Consume(name, "", true, false, false, false, nil)
		return err
	})
	s.refused(stranger, 405, text, func(ch *amqp.Channel) error {
		_, err := ch.QueueDelete(name, false, false, false)
		return err
	})
	s.await("connection.close-ok")
	s.ok(owner.Close())
	gone := fmt.Sprintf("NOT_FOUND - no queue '%s' in vhost '%s'", name, s.vhost)
	s.refused(stranger, 404, gone, func(ch *amqp.Channel) error { return passive(ch, name) })
}

func queueAutoDelete(s *scene) {
	conn, ch := s.open()
	name := s.queueName()
	s.await("queue.declare-ok")
	_, err := ch.QueueDeclare(name, false, true, false, false, nil)
	s.ok(err)
	s.consume(ch, name, true, nil)
	s.equal("messages while it has a consumer", s.count(ch, name), 0)
	s.await("channel.close-ok")
	s.ok(ch.Close())
	gone := fmt.Sprintf("NOT_FOUND - no queue '%s' in vhost '%s'", name, s.vhost)
	s.refused(conn, 404, gone, func(ch *amqp.Channel) error { return passive(ch, name) })
}

// Methods with no-wait are carried out in order and not answered.
func noWait(s *scene) {
	conn, ch := s.open()
	queue, exchange := s.queueName(), s.exchangeName()
	s.ok(ch.ExchangeDeclare(exchange, "direct", false, false, false, true, nil))
	_, err := ch.QueueDeclare(queue, false, false, false, true, nil)
	s.ok(err)
	s.ok(ch.QueueBind(queue, "key", exchange, true, nil))
	s.put(ch, exchange, "key", "a", "b")
	s.equal("messages", s.count(ch, queue), 2)
	_, err = ch.QueuePurge(queue, true)
	s.ok(err)
	s.equal("messages after the purge", s.count(ch, queue), 0)
	deliveries, err := ch.Consume(queue, "tag", true, false, false, true, nil)
	s.ok(err)
	s.put(ch, exchange, "key", "c")
	s.equal("delivered", bodies(s.take(deliveries, 1)), []string{"c"})
	s.ok(ch.Cancel("tag", true))
	s.put(ch, exchange, "key", "d")
	s.equal("left after the cancel", s.drain(ch, queue), []string{"d"})
	_, err = ch.QueueDelete(queue, false, false, true)
	s.ok(err)
	s.ok(ch.ExchangeDelete(exchange, false, true))
	s.await("reply after no-wait methods")
	s.ok(ch.Qos(1, 0, false))
	gone := fmt.Sprintf("NOT_FOUND - no queue '%s' in vhost '%s'", queue, s.vhost)
	s.refused(conn, 404, gone, func(ch *amqp.Channel) error { return passive(ch, queue) })
}

func declareMismatch(s *scene) {
	conn, ch := s.open()
	queue, exchange := s.queue(ch, nil), s.exchange(ch, "direct", nil)
	inequivalent := func(kind, name, argument, rest string) string {
		return fmt.Sprintf("PRECONDITION_FAILED - inequivalent arg '%s' for %s '%s' in vhost '%s': %s",
			argument, kind, name, s.vhost, rest)
	}
	declare := func(durable, autoDelete bool, args amqp.Table) func(*amqp.Channel) error {
		return func(ch *amqp.Channel) error {
			_, err := ch.QueueDeclare(queue, durable, autoDelete, false, false, args)
			return err
		}
	}
	declareExchange := func(kind string, durable bool) func(*amqp.Channel) error {
		return func(ch *amqp.Channel) error {
			return ch.ExchangeDeclare(exchange, kind, durable, false, false, false, nil)
		}
	}
	flipped := "received 'true' but current is 'false'"
	for _, r := range []refusal{
		{inequivalent("queue", queue, "durable", flipped), declare(true, false, nil)},
		{inequivalent("queue", queue, "auto_delete", flipped), declare(false, true, nil)},
		{
			inequivalent("queue", queue, "x-message-ttl",
				"received the value '60000' of type 'signedint' but current is none"),
			declare(false, false, amqp.Table{"x-message-ttl": int32(60_000)}),
		},
		{
			inequivalent("exchange", exchange, "type", "received 'fanout' but current is 'direct'"),
			declareExchange("fanout", false),
		},
		{inequivalent("exchange", exchange, "durable", flipped), declareExchange("direct", true)},
	} {
		s.refused(conn, 406, r.text, r.attempt)
	}
	s.refused(conn, 406, "PRECONDITION_FAILED - unknown exchange type 'x-nope'", func(ch *amqp.Channel) error {
		return ch.ExchangeDeclare(s.exchangeName(), "x-nope", false, false, false, false, nil)
	})
}

func missing(s *scene) {
	conn := s.connect(amqp.Config{})
	noQueue := fmt.Sprintf("NOT_FOUND - no queue '%s' in vhost '%s'", nowhere, s.vhost)
	noExchange := fmt.Sprintf("NOT_FOUND - no exchange '%s' in vhost '%s'", nowhere, s.vhost)
	for _, r := range []refusal{
		{noQueue, func(ch *amqp.Channel) error { return passive(ch, nowhere) }},
		{noExchange, func(ch *amqp.Channel) error {
			return ch.ExchangeDeclarePassive(nowhere, "direct", false, false, false, false, nil)
		}},
		{noQueue, func(ch *amqp.Channel) error { _, err := ch.QueuePurge(nowhere, false); return err }},
		{noQueue, func(ch *amqp.Channel) error { return ch.QueueBind(nowhere, "k", "amq.direct", false, nil) }},
		{noQueue, func(ch *amqp.Channel) error { _, _, err := ch.Get(nowhere, true); return err }},
		{noQueue, func(ch *amqp.Channel) error {
			_, err := ch.Consume(nowhere, "", true, false, false, false, nil)
			return err
		}},
		{noExchange, func(ch *amqp.Channel) error {
			return ch.Publish(nowhere, "key", false, false, amqp.Publishing{Body: []byte("lost")})
		}},
	} {
		s.refused(conn, 404, r.text, r.attempt)
	}
	ch := s.channel(conn)
	s.await("delete-ok of what is missing")
	count, err := ch.QueueDelete(nowhere, false, false, false)
	s.ok(err)
	s.equal("messages of a missing queue", count, 0)
	s.ok(ch.ExchangeDelete(nowhere, false, false))
}

func purge(s *scene) {
	_, ch := s.open()
	queue := s.queue(ch, nil)
	s.put(ch, "", queue, "held", "b", "c", "d")
	held := s.get(ch, queue, false)
	for _, want := range []int{3, 0} {
		s.await("queue.purge-ok")
		count, err := ch.QueuePurge(queue, false)
		s.ok(err)
		s.equal("purged", count, want)
	}
	s.ok(held.Nack(false, true))
	s.equal("purge spares what awaits its ack", s.drain(ch, queue), []string{"held"})
}

func deleteConditions(s *scene) {
	conn, ch := s.open()
	queue := s.queue(ch, nil)
	s.put(ch, "", queue, "a", "b")
	text := func(kind, name, rest string) string {
		return fmt.Sprintf("PRECONDITION_FAILED - %s '%s' in vhost '%s' %s", kind, name, s.vhost, rest)
	}
	remove := func(unused, empty bool) func(*amqp.Channel) error {
		return func(ch *amqp.Channel) error {
			_, err := ch.QueueDelete(queue, unused, empty, false)
			return err
		}
	}
	s.refused(conn, 406, text("queue", queue, "not empty"), remove(false, true))
	consumer := s.channel(conn)
	s.take(s.consume(consumer, queue, false, nil), 2)
	s.refused(conn, 406, text("queue", queue, "in use"), remove(true, false))
	s.await("channel.close-ok")
	s.ok(consumer.Close())
	s.await("queue.delete-ok")
	count, err := ch.QueueDelete(queue, true, false, false)
	s.ok(err)
	s.equal("messages deleted", count, 2)

	exchange, bound := s.exchange(ch, "fanout", nil), s.queue(ch, nil)
	s.bind(ch, bound, exchange, "", nil)
	s.refused(conn, 406, text("exchange", exchange, "in use"), func(ch *amqp.Channel) error {
		return ch.ExchangeDelete(exchange, true, false)
	})
	s.ok(ch.QueueUnbind(bound, "", exchange, nil))
	s.await("exchange.delete-ok")
	s.ok(ch.ExchangeDelete(exchange, true, false))
}
