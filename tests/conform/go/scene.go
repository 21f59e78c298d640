package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"os"
	"reflect"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// deadline bounds one case; nothing waits a fixed time, so a case that works ends long before it.
const deadline = 20 * time.Second

// confirmsMax is how many confirms of a channel may wait to be read; a full listener blocks the client.
const confirmsMax = 10_000

var runID = func() string {
	id := make([]byte, 4)
	if _, err := rand.Read(id); err != nil {
		panic(err)
	}
	return fmt.Sprintf("%x", id)
}()

// scene is what one case stands on: connections that are cut afterwards, names that no other run uses
// and that are deleted afterwards, and waits that name what they wait for.
type scene struct {
	name      string
	uri       string
	vhost     string
	user      string
	password  string
	queues    []string
	exchanges []string
	confirms  map[*amqp.Channel]<-chan amqp.Confirmation

	mu      sync.Mutex
	sockets []net.Conn
	awaited string
}

// failure is what scene.fail throws and scene.within catches.
type failure struct{ reason string }

func newScene(name string) *scene {
	uri := os.Getenv("AMQP_URI")
	if uri == "" {
		host, port := os.Getenv("AMQP_HOST"), os.Getenv("AMQP_PORT")
		if host == "" {
			host = "127.0.0.1"
		}
		if port == "" {
			port = "5672"
		}
		uri = "amqp://guest:guest@" + net.JoinHostPort(host, port) + "/%2F"
	}
	s := &scene{
		name: name, uri: uri, vhost: "/", user: "guest", password: "guest", awaited: "its first step",
		confirms: map[*amqp.Channel]<-chan amqp.Confirmation{},
	}
	if parsed, err := amqp.ParseURI(uri); err == nil {
		s.vhost, s.user, s.password = parsed.Vhost, parsed.Username, parsed.Password
	}
	return s
}

// within runs steps and returns why they failed, or "" if they did not.
func (s *scene) within(steps func(*scene)) string {
	done := make(chan string, 1)
	go func() {
		defer func() {
			switch thrown := recover().(type) {
			case nil:
				done <- ""
			case failure:
				done <- thrown.reason
			default:
				done <- fmt.Sprint("panic: ", thrown)
			}
		}()
		steps(s)
	}()
	select {
	case reason := <-done:
		return reason
	case <-time.After(deadline):
		s.mu.Lock()
		defer s.mu.Unlock()
		return fmt.Sprintf("no %s in %s", s.awaited, deadline)
	}
}

// clean deletes what the case named. Deleting what is gone already answers delete-ok as well.
func (s *scene) clean() {
	if len(s.queues)+len(s.exchanges) == 0 {
		return
	}
	ch := s.channel(s.connect(amqp.Config{}))
	for _, queue := range s.queues {
		s.await("queue.delete-ok")
		_, err := ch.QueueDelete(queue, false, false, false)
		s.ok(err)
	}
	for _, exchange := range s.exchanges {
		s.await("exchange.delete-ok")
		s.ok(ch.ExchangeDelete(exchange, false, false))
	}
}

// drop cuts every connection, so that a case which failed leaves no consumer behind.
func (s *scene) drop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, socket := range s.sockets {
		socket.Close()
	}
}

// await names what the next steps wait for; the name is told if it does not come.
func (s *scene) await(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.awaited = what
}

func (s *scene) fail(format string, args ...interface{}) {
	panic(failure{fmt.Sprintf(format, args...)})
}

func (s *scene) ok(err error) {
	if err != nil {
		s.mu.Lock()
		awaited := s.awaited
		s.mu.Unlock()
		s.fail("awaiting %s: %v", awaited, err)
	}
}

func (s *scene) equal(what string, got, want interface{}) {
	if !reflect.DeepEqual(got, want) {
		s.fail("%s: got %#v, want %#v", what, got, want)
	}
}

func (s *scene) dial(config amqp.Config) (*amqp.Connection, error) {
	s.await("connection.open-ok")
	if config.Dial == nil {
		config.Dial = func(network, address string) (net.Conn, error) {
			return net.DialTimeout(network, address, deadline)
		}
	}
	dial := config.Dial
	config.Dial = func(network, address string) (net.Conn, error) {
		socket, err := dial(network, address)
		if err == nil {
			s.mu.Lock()
			s.sockets = append(s.sockets, socket)
			s.mu.Unlock()
		}
		return socket, err
	}
	config.Locale = "en_US"
	return amqp.DialConfig(s.uri, config)
}

func (s *scene) connect(config amqp.Config) *amqp.Connection {
	conn, err := s.dial(config)
	s.ok(err)
	return conn
}

func (s *scene) channel(conn *amqp.Connection) *amqp.Channel {
	s.await("channel.open-ok")
	ch, err := conn.Channel()
	s.ok(err)
	return ch
}

func (s *scene) confirmChannel(conn *amqp.Connection) *amqp.Channel {
	ch := s.channel(conn)
	s.await("confirm.select-ok")
	s.ok(ch.Confirm(false))
	s.confirms[ch] = ch.NotifyPublish(make(chan amqp.Confirmation, confirmsMax))
	return ch
}

// open is the usual start of a case: one connection with one channel that confirms.
func (s *scene) open() (*amqp.Connection, *amqp.Channel) {
	conn := s.connect(amqp.Config{})
	return conn, s.confirmChannel(conn)
}

func (s *scene) queueName() string {
	name := fmt.Sprintf("conform.go.%s.%s.q%d", runID, s.name, len(s.queues))
	s.queues = append(s.queues, name)
	return name
}

func (s *scene) exchangeName() string {
	name := fmt.Sprintf("conform.go.%s.%s.x%d", runID, s.name, len(s.exchanges))
	s.exchanges = append(s.exchanges, name)
	return name
}

func (s *scene) queue(ch *amqp.Channel, args amqp.Table) string {
	name := s.queueName()
	s.await("queue.declare-ok")
	_, err := ch.QueueDeclare(name, false, false, false, false, args)
	s.ok(err)
	return name
}

func (s *scene) exchange(ch *amqp.Channel, kind string, args amqp.Table) string {
	name := s.exchangeName()
	s.await("exchange.declare-ok")
	s.ok(ch.ExchangeDeclare(name, kind, false, false, false, false, args))
	return name
}

func (s *scene) bind(ch *amqp.Channel, queue, exchange, key string, args amqp.Table) {
	s.await("queue.bind-ok")
	s.ok(ch.QueueBind(queue, key, exchange, false, args))
}

// send publishes without waiting for anything.
func (s *scene) send(ch *amqp.Channel, exchange, key string, message amqp.Publishing) {
	s.ok(ch.PublishWithContext(context.Background(), exchange, key, false, false, message))
}

// publish publishes one message on a confirming channel and returns whether the broker acked it.
// The listener is asked, since the client's deferred confirmations miss an ack that comes at once.
func (s *scene) publish(
	ch *amqp.Channel, exchange, key string, mandatory bool, message amqp.Publishing,
) bool {
	s.ok(ch.PublishWithContext(context.Background(), exchange, key, mandatory, false, message))
	return s.confirmed(ch)
}

// confirmed returns whether the next confirm of the channel is an ack.
func (s *scene) confirmed(ch *amqp.Channel) bool {
	s.await("confirm")
	confirm, open := <-s.confirms[ch]
	if !open {
		s.fail("the channel ended before its confirm")
	}
	return confirm.Ack
}

// put publishes each body and returns when the broker has confirmed, hence routed, all of them.
func (s *scene) put(ch *amqp.Channel, exchange, key string, bodies ...string) {
	for _, body := range bodies {
		if !s.publish(ch, exchange, key, false, amqp.Publishing{Body: []byte(body)}) {
			s.fail("the publish of %q to %q was not acked", body, key)
		}
	}
}

func (s *scene) consume(ch *amqp.Channel, queue string, autoAck bool, args amqp.Table) <-chan amqp.Delivery {
	s.await("basic.consume-ok")
	deliveries, err := ch.Consume(queue, "", autoAck, false, false, false, args)
	s.ok(err)
	return deliveries
}

func (s *scene) take(deliveries <-chan amqp.Delivery, count int) (taken []amqp.Delivery) {
	for len(taken) < count {
		s.await(fmt.Sprintf("delivery %d of %d", len(taken)+1, count))
		delivery, open := <-deliveries
		if !open {
			s.fail("the deliveries ended after %d of %d", len(taken), count)
		}
		taken = append(taken, delivery)
	}
	return taken
}

func (s *scene) get(ch *amqp.Channel, queue string, autoAck bool) amqp.Delivery {
	s.await("basic.get-ok")
	delivery, found, err := ch.Get(queue, autoAck)
	s.ok(err)
	if !found {
		s.fail("queue %s is empty", queue)
	}
	return delivery
}

// drain takes all that is ready in a queue by basic.get and returns the bodies.
func (s *scene) drain(ch *amqp.Channel, queue string) []string {
	bodies := []string{}
	for {
		s.await("basic.get-ok")
		delivery, found, err := ch.Get(queue, true)
		s.ok(err)
		if !found {
			return bodies
		}
		bodies = append(bodies, string(delivery.Body))
	}
}

// count returns how many messages are ready in a queue.
func (s *scene) count(ch *amqp.Channel, queue string) int {
	s.await("queue.declare-ok")
	state, err := ch.QueueDeclarePassive(queue, false, false, false, false, nil)
	s.ok(err)
	return state.Messages
}

// refused runs an attempt on a channel of its own, which the broker must close with this code and text.
// A publish has no reply, so a synchronous method is sent behind it: it fails when the channel is closed.
func (s *scene) refused(conn *amqp.Connection, code int, text string, attempt func(*amqp.Channel) error) {
	ch := s.channel(conn)
	closed := ch.NotifyClose(make(chan *amqp.Error, 1))
	s.await(fmt.Sprintf("channel.close %d", code))
	if attempt(ch) == nil && ch.Qos(1, 0, false) == nil {
		s.fail("accepted what must be refused with %d %s", code, text)
	}
	reply := <-closed
	if reply == nil {
		s.fail("the channel ended without a reason, not with %d %s", code, text)
	}
	// A reply text is a short string: RabbitMQ cuts longer ones to 252 bytes and three dots.
	if len(text) > 255 {
		text = text[:252] + "..."
	}
	s.equal("channel.close", fmt.Sprintf("%d %s", reply.Code, reply.Reason), fmt.Sprintf("%d %s", code, text))
}

func bodies(deliveries []amqp.Delivery) (texts []string) {
	for _, delivery := range deliveries {
		texts = append(texts, string(delivery.Body))
	}
	return texts
}

// numbers returns the decimal numbers from first to before end.
func numbers(first, end int) (texts []string) {
	for number := first; number < end; number++ {
		texts = append(texts, fmt.Sprint(number))
	}
	return texts
}
