package main

// Getting messages out: consumers, acknowledgement, prefetch, requeueing, cancelling, basic.get.

import (
	"fmt"
	"sort"
	"strconv"

	amqp "github.com/rabbitmq/amqp091-go"
)

var deliveryPlays = []play{
	{"ack-prefetch", ackPrefetch},
	{"nack-requeue", nackRequeue},
	{"recover", recoverUnacked},
	{"unknown-delivery-tag", unknownDeliveryTag},
	{"round-robin", roundRobin},
	{"consumer-cancel", consumerCancel},
	{"consumer-cancel-notify", consumerCancelNotify},
	{"consumer-exclusive", consumerExclusive},
	{"close-returns-unacked", closeReturnsUnacked},
	{"get-counts", getCounts},
}

func ackPrefetch(s *scene) {
	conn, publisher := s.open()
	queue := s.queue(publisher, nil)
	s.put(publisher, "", queue, numbers(0, 10)...)
	ch := s.channel(conn)
	s.await("basic.qos-ok")
	s.ok(ch.Qos(3, 0, false))
	deliveries := s.consume(ch, queue, false, nil)
	first := s.take(deliveries, 3)
	s.equal("first", bodies(first), numbers(0, 3))
	for index, delivery := range first {
		s.equal("tag", delivery.DeliveryTag, uint64(index+1))
		s.equal("redelivered", delivery.Redelivered, false)
		s.equal("from", []string{delivery.Exchange, delivery.RoutingKey}, []string{"", queue})
	}
	s.equal("ready while three are out", s.count(publisher, queue), 7)
	s.ok(first[1].Ack(false))
	fourth := s.take(deliveries, 1)[0]
	s.equal("ready after one ack", s.count(publisher, queue), 6)
	s.ok(fourth.Ack(true))
	s.equal("after an ack of all", bodies(s.take(deliveries, 3)), numbers(4, 7))
	s.equal("ready", s.count(publisher, queue), 3)
	s.ok(ch.Ack(0, true))
	last := s.take(deliveries, 3)
	s.equal("last", bodies(last), numbers(7, 10))
	s.ok(last[2].Ack(true))
	s.await("channel.close-ok")
	s.ok(ch.Close())
	s.equal("left", s.drain(publisher, queue), []string{})
}

func nackRequeue(s *scene) {
	conn, publisher := s.open()
	queue := s.queue(publisher, nil)
	s.put(publisher, "", queue, "a", "b", "c", "d")
	ch := s.channel(conn)
	expect := func(body string, redelivered bool) amqp.Delivery {
		delivery := s.get(ch, queue, false)
		s.equal("body", string(delivery.Body), body)
		s.equal("redelivered of "+body, delivery.Redelivered, redelivered)
		return delivery
	}
	first := expect("a", false)
	s.ok(first.Reject(true))
	expect("a", true)
	expect("b", false)
	third := expect("c", false)
	s.ok(third.Nack(true, true))
	for _, body := range []string{"a", "b", "c"} {
		expect(body, true)
	}
	s.ok(ch.Nack(0, true, false))
	fourth := expect("d", false)
	s.ok(fourth.Reject(false))
	s.equal("what is not requeued is gone", s.drain(ch, queue), []string{})
}

func recoverUnacked(s *scene) {
	_, ch := s.open()
	queue := s.queue(ch, nil)
	s.put(ch, "", queue, "a", "b", "c")
	deliveries := s.consume(ch, queue, false, nil)
	s.ok(s.take(deliveries, 3)[0].Ack(false))
	s.await("basic.recover-ok")
	s.ok(ch.Recover(true))
	again := s.take(deliveries, 2)
	s.equal("recovered", bodies(again), []string{"b", "c"})
	s.equal("redelivered", again[0].Redelivered && again[1].Redelivered, true)
}

func unknownDeliveryTag(s *scene) {
	conn := s.connect(amqp.Config{})
	text := "PRECONDITION_FAILED - unknown delivery tag 99"
	s.refused(conn, 406, text, func(ch *amqp.Channel) error { return ch.Ack(99, false) })
	s.refused(conn, 406, text, func(ch *amqp.Channel) error { return ch.Nack(99, false, true) })
	s.refused(conn, 406, text, func(ch *amqp.Channel) error { return ch.Reject(99, true) })
	_, confirming := s.open()
	queue := s.queue(confirming, nil)
	s.put(confirming, "", queue, "once")
	// The tag of an acknowledged message is as unknown as any other.
	twice := "PRECONDITION_FAILED - unknown delivery tag 1"
	s.refused(conn, 406, twice, func(ch *amqp.Channel) error {
		delivery, _, err := ch.Get(queue, false)
		if err == nil {
			err = delivery.Ack(false)
		}
		if err == nil {
			err = delivery.Ack(false)
		}
		return err
	})
}

func roundRobin(s *scene) {
	conn, publisher := s.open()
	queue := s.queue(publisher, nil)
	one := s.consume(s.channel(conn), queue, true, nil)
	two := s.consume(s.channel(conn), queue, false, nil)
	s.put(publisher, "", queue, numbers(0, 10)...)
	var all []int
	for _, deliveries := range []<-chan amqp.Delivery{one, two} {
		var share []int
		for _, body := range bodies(s.take(deliveries, 5)) {
			number, err := strconv.Atoi(body)
			s.ok(err)
			share = append(share, number)
		}
		for index := 1; index < len(share); index++ {
			if share[index]-share[index-1] != 2 {
				s.fail("not in turn: one consumer got %v", share)
			}
		}
		all = append(all, share...)
	}
	sort.Ints(all)
	s.equal("both shares", all, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9})
}

// After basic.cancel-ok nothing more comes, and what was out stays out until it is settled.
func consumerCancel(s *scene) {
	_, ch := s.open()
	queue := s.queue(ch, nil)
	s.ok(ch.Qos(1, 0, false))
	s.await("basic.consume-ok")
	deliveries, err := ch.Consume(queue, "chosen by the client", false, false, false, false, nil)
	s.ok(err)
	s.put(ch, "", queue, "held", "waits")
	held := s.take(deliveries, 1)[0]
	s.equal("tag", held.ConsumerTag, "chosen by the client")
	s.await("basic.cancel-ok")
	s.ok(ch.Cancel("chosen by the client", false))
	if extra, open := <-deliveries; open {
		s.fail("%q came after the cancel", extra.Body)
	}
	s.ok(held.Ack(false))
	s.equal("left", s.drain(ch, queue), []string{"waits"})
}

func consumerCancelNotify(s *scene) {
	conn, ch := s.open()
	queue := s.queue(ch, nil)
	cancelled := ch.NotifyCancel(make(chan string, 1))
	s.await("basic.consume-ok")
	deliveries, err := ch.Consume(queue, "doomed", false, false, false, false, nil)
	s.ok(err)
	s.await("queue.delete-ok")
	_, err = s.channel(conn).QueueDelete(queue, false, false, false)
	s.ok(err)
	s.await("basic.cancel of the broker")
	s.equal("cancelled", <-cancelled, "doomed")
	if _, open := <-deliveries; open {
		s.fail("a delivery came from a deleted queue")
	}
	next := s.queue(ch, nil)
	s.put(ch, "", next, "the channel lives")
	s.equal("bodies", s.drain(ch, next), []string{"the channel lives"})
}

func consumerExclusive(s *scene) {
	conn, ch := s.open()
	queue := s.queue(ch, nil)
	s.await("basic.consume-ok")
	_, err := ch.Consume(queue, "only", false, true, false, false, nil)
	s.ok(err)
	text := fmt.Sprintf("ACCESS_REFUSED - queue '%s' in vhost '%s' in exclusive use", queue, s.vhost)
	s.refused(conn, 403, text, func(ch *amqp.Channel) error {
		_, err := ch.Consume(queue, "", false, false, false, false, nil)
		return err
	})
	s.ok(ch.Cancel("only", false))
	s.consume(s.channel(conn), queue, false, nil)
}

func closeReturnsUnacked(s *scene) {
	_, ch := s.open()
	queue := s.queue(ch, nil)
	s.put(ch, "", queue, numbers(0, 5)...)
	leaver := s.connect(amqp.Config{})
	held := s.take(s.consume(s.channel(leaver), queue, false, nil), 5)
	s.ok(held[0].Ack(false))
	s.await("connection.close-ok")
	s.ok(leaver.Close())
	back := s.take(s.consume(ch, queue, false, nil), 4)
	s.equal("back", bodies(back), numbers(1, 5))
	for _, delivery := range back {
		s.equal("redelivered", delivery.Redelivered, true)
	}
}

func getCounts(s *scene) {
	_, ch := s.open()
	queue := s.queue(ch, nil)
	s.equal("in a new queue", s.drain(ch, queue), []string{})
	s.put(ch, "", queue, "a", "b", "c")
	for index, body := range []string{"a", "b", "c"} {
		delivery := s.get(ch, queue, false)
		s.equal("body", string(delivery.Body), body)
		s.equal("left", delivery.MessageCount, uint32(2-index))
		s.equal("tag", delivery.DeliveryTag, uint64(index+1))
		s.equal("from", []string{delivery.Exchange, delivery.RoutingKey}, []string{"", queue})
	}
	s.equal("when all are out", s.drain(ch, queue), []string{})
	s.ok(ch.Nack(0, true, true))
	back := s.get(ch, queue, true)
	s.equal("back", string(back.Body), "a")
	s.equal("redelivered", back.Redelivered, true)
	s.equal("left", back.MessageCount, uint32(2))
}
