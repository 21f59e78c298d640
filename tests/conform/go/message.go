package main

// What a message carries: bodies of every size, all properties, headers of every type the client can write,
// and what queue arguments do to messages.

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

var messagePlays = []play{
	{"body-sizes", bodySizes},
	{"large-message", largeMessage},
	{"properties", properties},
	{"header-types", headerTypes},
	{"dead-letter", deadLetter},
}

// patterned returns a body whose every part differs, so that lost or swapped frames show.
func patterned(size int) []byte {
	body := make([]byte, size)
	for offset := 0; offset+4 <= size; offset += 4 {
		binary.BigEndian.PutUint32(body[offset:], uint32(offset))
	}
	return body
}

func (s *scene) roundTrip(ch *amqp.Channel, queue string, message amqp.Publishing) amqp.Delivery {
	s.equal("acked", s.publish(ch, "", queue, false, message), true)
	return s.get(ch, queue, true)
}

func bodySizes(s *scene) {
	conn, ch := s.open()
	queue := s.queue(ch, nil)
	frame := conn.Config.FrameSize - 8
	for _, size := range []int{0, 1, frame - 1, frame, frame + 1, 2 * frame, 2*frame + 1} {
		body := patterned(size)
		if got := s.roundTrip(ch, queue, amqp.Publishing{Body: body}).Body; !bytes.Equal(got, body) {
			s.fail("a body of %d bytes came back otherwise, as %d bytes", size, len(got))
		}
	}
}

func largeMessage(s *scene) {
	conn, ch := s.open()
	queue := s.queue(ch, nil)
	deliveries := s.consume(s.channel(conn), queue, true, nil)
	body := patterned(5 << 20)
	s.send(ch, "", queue, amqp.Publishing{DeliveryMode: amqp.Persistent, Body: body})
	// A small one behind it must not overtake nor be mixed in.
	s.equal("acked", s.confirmed(ch), true)
	s.put(ch, "", queue, "small")
	taken := s.take(deliveries, 2)
	if !bytes.Equal(taken[0].Body, body) {
		s.fail("a body of %d bytes came back otherwise, as %d bytes", len(body), len(taken[0].Body))
	}
	s.equal("second body", string(taken[1].Body), "small")
}

// sentBack is a delivery as the message that was published.
func sentBack(d amqp.Delivery) amqp.Publishing {
	return amqp.Publishing{
		Headers: d.Headers, ContentType: d.ContentType, ContentEncoding: d.ContentEncoding,
		DeliveryMode: d.DeliveryMode, Priority: d.Priority, CorrelationId: d.CorrelationId, ReplyTo: d.ReplyTo,
		Expiration: d.Expiration, MessageId: d.MessageId, Timestamp: d.Timestamp, Type: d.Type,
		UserId: d.UserId, AppId: d.AppId, Body: d.Body,
	}
}

func properties(s *scene) {
	conn, ch := s.open()
	queue := s.queue(ch, nil)
	full := amqp.Publishing{
		Headers:         amqp.Table{"key": "value"},
		ContentType:     "application/json",
		ContentEncoding: "identity",
		DeliveryMode:    amqp.Persistent,
		Priority:        9,
		CorrelationId:   "correlation ü",
		ReplyTo:         "somewhere",
		Expiration:      "600000",
		MessageId:       "message-1",
		Timestamp:       time.Unix(1_700_000_000, 0),
		Type:            "greeting",
		UserId:          s.user,
		AppId:           "conform",
		Body:            []byte("{}"),
	}
	s.equal("full message", sentBack(s.roundTrip(ch, queue, full)), full)
	bare := sentBack(s.roundTrip(ch, queue, amqp.Publishing{Body: []byte("bare")}))
	s.equal("bare message", bare, amqp.Publishing{Body: []byte("bare")})
	text := fmt.Sprintf("PRECONDITION_FAILED - user_id property set to 'impostor' "+
		"but authenticated user was '%s'", s.user)
	s.refused(conn, 406, text, func(ch *amqp.Channel) error {
		return ch.Publish("", queue, false, false, amqp.Publishing{UserId: "impostor"})
	})
}

func headerTypes(s *scene) {
	_, ch := s.open()
	queue := s.queue(ch, nil)
	headers := amqp.Table{
		"bool":        true,
		"false":       false,
		"uint8":       byte(200),
		"int8":        int8(-5),
		"int16":       int16(-3000),
		"int32":       int32(math.MinInt32),
		"int64":       int64(math.MinInt64),
		"large":       int64(math.MaxInt64),
		"float32":     float32(0.1),
		"float64":     math.Pi,
		"decimal":     amqp.Decimal{Scale: 2, Value: 314},
		"string":      "text ü €",
		"empty":       "",
		"bytes":       []byte{0, 255, 1, 254},
		"time":        time.Unix(1_700_000_000, 0),
		"nothing":     nil,
		"array":       []interface{}{"a", int32(1), true, nil, 2.5, []interface{}{int8(1)}, amqp.Table{"in": "a"}},
		"table":       amqp.Table{"one": int32(1), "two": amqp.Table{"three": amqp.Table{"deep": []byte("x")}}},
		"empty table": amqp.Table{},
	}
	got := s.roundTrip(ch, queue, amqp.Publishing{Headers: headers, Body: []byte("typed")}).Headers
	for name, want := range headers {
		s.equal("header "+name, got[name], want)
	}
	s.equal("headers", got, headers)
}

func deadLetter(s *scene) {
	_, ch := s.open()
	exchange, graves := s.exchange(ch, "direct", nil), s.queue(ch, nil)
	s.bind(ch, graves, exchange, "dead", nil)
	queue := s.queue(ch, amqp.Table{
		"x-dead-letter-exchange": exchange, "x-dead-letter-routing-key": "dead", "x-max-length": int32(2),
	})
	deliveries := s.consume(ch, graves, true, nil)
	expect := func(body, reason string) {
		delivery := s.take(deliveries, 1)[0]
		s.equal("body", string(delivery.Body), body)
		deaths, _ := delivery.Headers["x-death"].([]interface{})
		s.equal("deaths", len(deaths), 1)
		death, _ := deaths[0].(amqp.Table)
		for name, want := range map[string]interface{}{
			"reason": reason, "queue": queue, "count": int64(1), "exchange": "",
			"routing-keys": []interface{}{queue},
		} {
			s.equal("x-death "+name, death[name], want)
		}
		if _, is := death["time"].(time.Time); !is {
			s.fail("x-death time is %#v", death["time"])
		}
		s.equal("first death", delivery.Headers["x-first-death-reason"], reason)
	}
	s.put(ch, "", queue, "first", "second", "third")
	expect("first", "maxlen")
	rejected := s.get(ch, queue, false)
	s.ok(rejected.Reject(false))
	expect("second", "rejected")
	nacked := s.get(ch, queue, false)
	s.ok(nacked.Nack(false, false))
	expect("third", "rejected")
	brief := amqp.Publishing{Expiration: "1", Body: []byte("brief")}
	s.equal("acked", s.publish(ch, "", queue, false, brief), true)
	expect("brief", "expired")
}
