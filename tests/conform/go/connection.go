package main

// Opening, tuning and keeping a connection: what the client says of itself and what the broker answers.

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

var connectionPlays = []play{
	{"connect", connect},
	{"tune", tune},
	{"heartbeat", heartbeat},
	{"login-refused", loginRefused},
	{"vhost-missing", vhostMissing},
	{"channel-error-isolated", channelErrorIsolated},
	{"connection-error", connectionError},
	{"many-channels", manyChannels},
	{"blocked-listener", blockedListener},
	{"update-secret", updateSecret},
	{"flow", flow},
}

var capabilities = []string{
	"publisher_confirms", "exchange_exchange_bindings", "basic.nack", "consumer_cancel_notify",
	"connection.blocked", "consumer_priorities", "authentication_failure_close", "per_consumer_qos",
	"direct_reply_to",
}

func connect(s *scene) {
	conn := s.connect(amqp.Config{
		Heartbeat: 7 * time.Second,
		Properties: amqp.Table{
			"connection_name": "conform go",
			"nested":          amqp.Table{"numbers": []interface{}{int8(1), int64(2), 2.5}, "flag": true},
		},
	})
	s.equal("version", []int{conn.Major, conn.Minor}, []int{0, 9})
	s.equal("locales", conn.Locales, []string{"en_US"})
	for _, name := range []string{"product", "version", "platform"} {
		if text, _ := conn.Properties[name].(string); text == "" {
			s.fail("server property %s is %#v", name, conn.Properties[name])
		}
	}
	known, _ := conn.Properties["capabilities"].(amqp.Table)
	for _, name := range capabilities {
		s.equal("capability "+name, known[name], true)
	}
	s.equal("heartbeat", conn.Config.Heartbeat, 7*time.Second)
	s.equal("frame-max", conn.Config.FrameSize, 131072)
	s.equal("channel-max", conn.Config.ChannelMax, 2047)
	s.await("connection.close-ok")
	s.ok(conn.Close())
}

func tune(s *scene) {
	s.equal("heartbeat of the broker", s.connect(amqp.Config{}).Config.Heartbeat, 60*time.Second)
	conn := s.connect(amqp.Config{FrameSize: 4096, ChannelMax: 2, Heartbeat: 5 * time.Second})
	s.equal("frame-max", conn.Config.FrameSize, 4096)
	first, second := s.confirmChannel(conn), s.channel(conn)
	if _, err := conn.Channel(); err == nil {
		s.fail("a third channel was opened")
	}
	s.await("channel.close-ok")
	s.ok(second.Close())
	s.channel(conn)
	queue := s.queue(first, nil)
	body := strings.Repeat("x", 10_000)
	s.put(first, "", queue, body)
	s.equal("bodies", s.drain(first, queue), []string{body})
}

// meter is a socket that tells how many bytes have been read from it.
type meter struct {
	net.Conn
	mu   sync.Mutex
	more *sync.Cond
	read int
}

func (m *meter) Read(into []byte) (int, error) {
	count, err := m.Conn.Read(into)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.read += count
	m.more.Broadcast()
	return count, err
}

// An idle client with a heartbeat of 1 s must hear the broker, or it would hang up by itself.
func heartbeat(s *scene) {
	const frameBytes = 8
	socket := &meter{}
	socket.more = sync.NewCond(&socket.mu)
	conn := s.connect(amqp.Config{Heartbeat: time.Second, Dial: func(network, address string) (net.Conn, error) {
		var err error
		socket.Conn, err = net.DialTimeout(network, address, deadline)
		return socket, err
	}})
	s.await("heartbeat frames of the broker")
	socket.mu.Lock()
	before := socket.read
	for socket.read < before+3*frameBytes {
		socket.more.Wait()
	}
	heard := socket.read - before
	socket.mu.Unlock()
	s.equal("part of a frame", heard%frameBytes, 0)
	s.channel(conn)
}

// The client does not say that it reads authentication failures, so the broker just hangs up.
func loginRefused(s *scene) {
	_, err := s.dial(amqp.Config{SASL: []amqp.Authentication{
		&amqp.PlainAuth{Username: s.user, Password: "certainly not the password"},
	}})
	if !errors.Is(err, amqp.ErrCredentials) {
		s.fail("got %v, want %v", err, amqp.ErrCredentials)
	}
	s.connect(amqp.Config{SASL: []amqp.Authentication{
		&amqp.AMQPlainAuth{Username: s.user, Password: s.password},
	}})
}

func vhostMissing(s *scene) {
	_, err := s.dial(amqp.Config{Vhost: "conform-no-such-vhost"})
	if !errors.Is(err, amqp.ErrVhost) {
		s.fail("got %v, want %v", err, amqp.ErrVhost)
	}
}

func channelErrorIsolated(s *scene) {
	conn, healthy := s.open()
	queue := s.queue(healthy, nil)
	deliveries := s.consume(healthy, queue, true, nil)
	for round := 0; round < 3; round++ {
		text := fmt.Sprintf("NOT_FOUND - no queue 'conform.go.nowhere' in vhost '%s'", s.vhost)
		s.refused(conn, 404, text, func(ch *amqp.Channel) error {
			_, err := ch.QueueDeclarePassive("conform.go.nowhere", false, false, false, false, nil)
			return err
		})
		body := fmt.Sprint("round ", round)
		s.put(healthy, "", queue, body)
		s.equal("body", bodies(s.take(deliveries, 1)), []string{body})
	}
}

// Some errors close the whole connection, with the channels on it.
func connectionError(s *scene) {
	conn, ch := s.open()
	closed := conn.NotifyClose(make(chan *amqp.Error, 1))
	channelClosed := ch.NotifyClose(make(chan *amqp.Error, 1))
	s.await("connection.close 540")
	if err := ch.Recover(false); err == nil {
		s.fail("basic.recover without requeue was accepted")
	}
	reply := <-closed
	s.equal("connection.close", reply.Error(), `Exception (540) Reason: "NOT_IMPLEMENTED - requeue=false"`)
	s.equal("reason at the channel", (<-channelClosed).Code, 540)
}

func manyChannels(s *scene) {
	conn := s.connect(amqp.Config{})
	const count = 200
	var all sync.WaitGroup
	wrong := make(chan string, count)
	for index := 0; index < count; index++ {
		ch, body := s.channel(conn), fmt.Sprint("channel ", index)
		all.Add(1)
		go func() {
			defer all.Done()
			if got, err := echo(ch, body); err != nil || got != body {
				wrong <- fmt.Sprintf("%s: got %q, %v", body, got, err)
			}
		}()
	}
	s.await("echo on every channel")
	all.Wait()
	close(wrong)
	for text := range wrong {
		s.fail("%s", text)
	}
	s.channel(conn)
}

// echo sends a body to an exclusive queue of its own and returns what comes out of it.
func echo(ch *amqp.Channel, body string) (string, error) {
	queue, err := ch.QueueDeclare("", false, false, true, false, nil)
	if err != nil {
		return "", err
	}
	deliveries, err := ch.Consume(queue.Name, "", true, false, false, false, nil)
	if err != nil {
		return "", err
	}
	if err := ch.Publish("", queue.Name, false, false, amqp.Publishing{Body: []byte(body)}); err != nil {
		return "", err
	}
	delivery := <-deliveries
	return string(delivery.Body), ch.Close()
}

func blockedListener(s *scene) {
	conn, ch := s.open()
	blockings := conn.NotifyBlocked(make(chan amqp.Blocking, 10))
	queue := s.queue(ch, nil)
	s.put(ch, "", queue, "one", "two")
	s.equal("bodies", s.drain(ch, queue), []string{"one", "two"})
	s.equal("blocked or unblocked events", len(blockings), 0)
}

func updateSecret(s *scene) {
	conn, ch := s.open()
	s.await("connection.update-secret-ok")
	s.ok(conn.UpdateSecret(s.password, "conformance"))
	queue := s.queue(ch, nil)
	s.put(ch, "", queue, "after")
	s.equal("bodies", s.drain(ch, queue), []string{"after"})
}

func flow(s *scene) {
	_, ch := s.open()
	s.await("channel.flow-ok")
	s.ok(ch.Flow(true))
	queue := s.queue(ch, nil)
	s.put(ch, "", queue, "flows")
	s.equal("bodies", s.drain(ch, queue), []string{"flows"})
}
