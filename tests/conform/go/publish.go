package main

// Putting messages in: publisher confirms, mandatory messages that come back, request and reply.

import (
	"regexp"

	amqp "github.com/rabbitmq/amqp091-go"
)

var publishPlays = []play{
	{"confirms-single", confirmsSingle},
	{"confirms-window", confirmsWindow},
	{"confirms-nack", confirmsNack},
	{"mandatory-return", mandatoryReturn},
	{"direct-reply-to", directReplyTo},
}

func confirmsSingle(s *scene) {
	_, ch := s.open()
	queue := s.queueName()
	s.await("queue.declare-ok")
	_, err := ch.QueueDeclare(queue, true, false, false, false, nil)
	s.ok(err)
	for index, body := range numbers(0, 20) {
		message := amqp.Publishing{DeliveryMode: amqp.Persistent, Body: []byte(body)}
		s.equal("acked", s.publish(ch, "", queue, false, message), true)
		s.equal("confirmed means enqueued", s.count(ch, queue), index+1)
	}
	s.equal("unroutable is confirmed too", s.publish(ch, "", nowhere, false, amqp.Publishing{}), true)
	s.equal("bodies", s.drain(ch, queue), numbers(0, 20))
}

func confirmsWindow(s *scene) {
	const count = confirmsMax
	conn, ch := s.open()
	queue := s.queue(ch, nil)
	for _, body := range numbers(0, count) {
		s.send(ch, "", queue, amqp.Publishing{Body: []byte(body)})
	}
	for tag := uint64(1); tag <= count; tag++ {
		s.await("confirm of 10,000")
		s.equal("confirm", <-s.confirms[ch], amqp.Confirmation{DeliveryTag: tag, Ack: true})
	}
	s.equal("messages", s.count(ch, queue), count)
	deliveries := s.consume(s.channel(conn), queue, true, nil)
	s.equal("bodies", bodies(s.take(deliveries, count)), numbers(0, count))
}

// A full queue that rejects answers basic.nack.
func confirmsNack(s *scene) {
	_, ch := s.open()
	queue := s.queue(ch, amqp.Table{"x-max-length": int32(1), "x-overflow": "reject-publish"})
	s.put(ch, "", queue, "fits")
	s.equal("acked", s.publish(ch, "", queue, false, amqp.Publishing{Body: []byte("too much")}), false)
	s.equal("bodies", s.drain(ch, queue), []string{"fits"})
	s.put(ch, "", queue, "fits again")
}

func mandatoryReturn(s *scene) {
	_, ch := s.open()
	exchange, queue := s.exchange(ch, "direct", nil), s.queue(ch, nil)
	s.bind(ch, queue, exchange, "known", nil)
	returns := ch.NotifyReturn(make(chan amqp.Return, 10))
	message := amqp.Publishing{MessageId: "m-1", Headers: amqp.Table{"n": int32(7)}, Body: []byte("comes back")}
	s.equal("acked", s.publish(ch, exchange, "known", true, message), true)
	s.equal("acked", s.publish(ch, exchange, "unknown", false, message), true)
	s.equal("returns of what was routed or not mandatory", len(returns), 0)
	s.equal("acked", s.publish(ch, exchange, "unknown", true, message), true)
	// The return is here before the confirm.
	s.equal("returns", len(returns), 1)
	returned := <-returns
	s.equal("code", returned.ReplyCode, uint16(312))
	s.equal("where", []string{returned.ReplyText, returned.Exchange, returned.RoutingKey},
		[]string{"NO_ROUTE", exchange, "unknown"})
	s.equal("message", []interface{}{returned.MessageId, returned.Headers, string(returned.Body)},
		[]interface{}{"m-1", message.Headers, "comes back"})
	s.equal("acked", s.publish(ch, "", nowhere, true, amqp.Publishing{}), true)
	s.equal("body of an empty return", len((<-returns).Body), 0)
	s.equal("routed", s.drain(ch, queue), []string{"comes back"})
}

func directReplyTo(s *scene) {
	const address = "amq.rabbitmq.reply-to"
	caller, server := s.channel(s.connect(amqp.Config{})), s.channel(s.connect(amqp.Config{}))
	requests := s.queue(server, nil)
	work := s.consume(server, requests, true, nil)
	replies := s.consume(caller, address, true, nil)
	var replyTo string
	for _, call := range []string{"one", "two"} {
		s.send(caller, "", requests, amqp.Publishing{ReplyTo: address, CorrelationId: call, Body: []byte(call)})
		request := s.take(work, 1)[0]
		replyTo = request.ReplyTo
		if !regexp.MustCompile(`^amq\.rabbitmq\.reply-to\..+`).MatchString(replyTo) {
			s.fail("the reply address is %q", replyTo)
		}
		answer := append([]byte("re: "), request.Body...)
		s.send(server, "", replyTo, amqp.Publishing{CorrelationId: request.CorrelationId, Body: answer})
		reply := s.take(replies, 1)[0]
		s.equal("reply", []string{string(reply.Body), reply.CorrelationId}, []string{"re: " + call, call})
		s.equal("routing key", reply.RoutingKey, replyTo)
	}
	s.await("channel.close-ok")
	s.ok(caller.Close())
	returns := server.NotifyReturn(make(chan amqp.Return, 1))
	s.await("basic.return of a reply that nobody awaits")
	s.ok(server.Publish("", replyTo, true, false, amqp.Publishing{Body: []byte("too late")}))
	s.equal("returned", (<-returns).ReplyText, "NO_ROUTE")

	conn := s.connect(amqp.Config{})
	text := "PRECONDITION_FAILED - reply consumer cannot acknowledge"
	s.refused(conn, 406, text, func(ch *amqp.Channel) error {
		_, err := ch.Consume(address, "", false, false, false, false, nil)
		return err
	})
	text = "PRECONDITION_FAILED - fast reply consumer does not exist"
	s.refused(conn, 406, text, func(ch *amqp.Channel) error {
		return ch.Publish("", nowhere, false, false, amqp.Publishing{ReplyTo: address})
	})
}
