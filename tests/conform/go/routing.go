package main

// Which message reaches which queue: the four exchange types, bindings between exchanges, unbinding.
// Every publish is confirmed before the queues are read, so an empty queue proves
// that nothing was routed to it.

import (
	"fmt"

	amqp "github.com/rabbitmq/amqp091-go"
)

var routingPlays = []play{
	{"bind-direct", bindDirect},
	{"bind-fanout", bindFanout},
	{"bind-topic", bindTopic},
	{"bind-headers", bindHeaders},
	{"exchange-to-exchange", exchangeToExchange},
	{"alternate-exchange", alternateExchange},
}

func bindDirect(s *scene) {
	_, ch := s.open()
	exchange := s.exchange(ch, "direct", nil)
	reds, colours := s.queue(ch, nil), s.queue(ch, nil)
	s.bind(ch, reds, exchange, "red", nil)
	for _, key := range []string{"red", "green", "green"} {
		s.bind(ch, colours, exchange, key, nil)
	}
	for _, key := range []string{"red", "green", "blue", "Red", ""} {
		s.put(ch, exchange, key, "to "+key)
	}
	s.equal("reds", s.drain(ch, reds), []string{"to red"})
	s.equal("colours", s.drain(ch, colours), []string{"to red", "to green"})
	// The second time there is nothing to unbind, which is fine.
	for range []int{1, 2} {
		s.await("queue.unbind-ok")
		s.ok(ch.QueueUnbind(colours, "red", exchange, nil))
	}
	s.put(ch, exchange, "red", "again")
	s.put(ch, exchange, "green", "again")
	s.equal("reds", s.drain(ch, reds), []string{"again"})
	s.equal("colours", s.drain(ch, colours), []string{"again"})
}

func bindFanout(s *scene) {
	_, ch := s.open()
	exchange := s.exchange(ch, "fanout", nil)
	queues := []string{s.queue(ch, nil), s.queue(ch, nil), s.queue(ch, nil)}
	unbound := s.queue(ch, nil)
	for _, queue := range queues {
		s.bind(ch, queue, exchange, "ignored", nil)
	}
	s.bind(ch, queues[0], exchange, "a second binding, one copy all the same", nil)
	s.put(ch, exchange, "any key", "news", "more news")
	for _, queue := range queues {
		s.equal(queue, s.drain(ch, queue), []string{"news", "more news"})
	}
	s.equal("unbound", s.drain(ch, unbound), []string{})
}

func bindTopic(s *scene) {
	_, ch := s.open()
	exchange := s.exchange(ch, "topic", nil)
	keys := []string{"", "a", "a.b", "a.b.c", "b.a", "a..c", ".", "a.b.c.d"}
	expected := map[string][]string{
		"#":       keys,
		"*":       {"a"},
		"a.#":     {"a", "a.b", "a.b.c", "a..c", "a.b.c.d"},
		"a.*":     {"a.b"},
		"*.*":     {"a.b", "b.a", "."},
		"a.*.c":   {"a.b.c", "a..c"},
		"#.c":     {"a.b.c", "a..c"},
		"#.b.#":   {"a.b", "a.b.c", "b.a", "a.b.c.d"},
		"#.*":     {"a", "a.b", "a.b.c", "b.a", "a..c", ".", "a.b.c.d"},
		"*.#.d":   {"a.b.c.d"},
		"a.b.c.d": {"a.b.c.d"},
		"a*":      {},
	}
	queues := map[string]string{}
	for pattern := range expected {
		queues[pattern] = s.queue(ch, nil)
		s.bind(ch, queues[pattern], exchange, pattern, nil)
	}
	for _, key := range keys {
		s.put(ch, exchange, key, key)
	}
	for pattern, want := range expected {
		s.equal("pattern "+pattern, s.drain(ch, queues[pattern]), want)
	}
}

func bindHeaders(s *scene) {
	_, ch := s.open()
	exchange := s.exchange(ch, "headers", nil)
	bindings := map[string]amqp.Table{
		"all":     {"x-match": "all", "format": "pdf", "pages": int32(3)},
		"any":     {"x-match": "any", "format": "pdf", "pages": int32(3)},
		"default": {"format": "pdf", "pages": int32(3)},
		"present": {"x-match": "all", "format": nil},
	}
	queues := map[string]string{}
	for name, table := range bindings {
		queues[name] = s.queue(ch, nil)
		s.bind(ch, queues[name], exchange, "", table)
	}
	for _, message := range []amqp.Publishing{
		{Body: []byte("both"), Headers: amqp.Table{"format": "pdf", "pages": int32(3), "more": true}},
		{Body: []byte("one"), Headers: amqp.Table{"format": "pdf", "pages": int32(4)}},
		{Body: []byte("other"), Headers: amqp.Table{"pages": int32(3)}},
		{Body: []byte("none"), Headers: amqp.Table{"format": "zip"}},
		{Body: []byte("bare")},
	} {
		s.equal("acked", s.publish(ch, exchange, "ignored", false, message), true)
	}
	for name, want := range map[string][]string{
		"all":     {"both"},
		"any":     {"both", "one", "other"},
		"default": {"both"},
		"present": {"both", "one", "none"},
	} {
		s.equal("binding "+name, s.drain(ch, queues[name]), want)
	}
}

func exchangeToExchange(s *scene) {
	conn, ch := s.open()
	source, middle := s.exchange(ch, "topic", nil), s.exchangeName()
	s.await("exchange.declare-ok")
	s.ok(ch.ExchangeDeclare(middle, "fanout", false, false, true, false, nil))
	behind, beside := s.queue(ch, nil), s.queue(ch, nil)
	s.await("exchange.bind-ok")
	s.ok(ch.ExchangeBind(middle, "news.#", source, false, nil))
	// A way back must not make messages go round for ever, nor arrive twice.
	s.ok(ch.ExchangeBind(source, "", middle, false, nil))
	s.bind(ch, behind, middle, "", nil)
	s.bind(ch, beside, source, "#", nil)
	s.put(ch, source, "news.local", "local")
	s.put(ch, source, "weather", "rain")
	s.equal("behind", s.drain(ch, behind), []string{"local"})
	s.equal("beside", s.drain(ch, beside), []string{"local", "rain"})
	s.await("exchange.unbind-ok")
	s.ok(ch.ExchangeUnbind(middle, "news.#", source, false, nil))
	s.put(ch, source, "news.world", "world")
	s.equal("behind", s.drain(ch, behind), []string{})
	text := fmt.Sprintf("ACCESS_REFUSED - cannot publish to internal exchange '%s' in vhost '%s'",
		middle, s.vhost)
	s.refused(conn, 403, text, func(ch *amqp.Channel) error {
		return ch.Publish(middle, "", false, false, amqp.Publishing{})
	})
}

func alternateExchange(s *scene) {
	_, ch := s.open()
	spare := s.exchange(ch, "fanout", nil)
	main := s.exchange(ch, "direct", amqp.Table{"alternate-exchange": spare})
	known, strays := s.queue(ch, nil), s.queue(ch, nil)
	s.bind(ch, known, main, "known", nil)
	s.bind(ch, strays, spare, "", nil)
	s.put(ch, main, "known", "found")
	s.put(ch, main, "unknown", "astray")
	s.equal("known", s.drain(ch, known), []string{"found"})
	s.equal("strays", s.drain(ch, strays), []string{"astray"})
}
