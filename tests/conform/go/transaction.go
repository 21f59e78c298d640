package main

// Transactions: publishes and acknowledgements that count only when committed.

import (
	amqp "github.com/rabbitmq/amqp091-go"
)

var transactionPlays = []play{
	{"tx-commit", txCommit},
	{"tx-rollback", txRollback},
	{"tx-refusals", txRefusals},
}

func (s *scene) txChannel(conn *amqp.Connection) *amqp.Channel {
	ch := s.channel(conn)
	s.await("tx.select-ok")
	s.ok(ch.Tx())
	return ch
}

func txCommit(s *scene) {
	conn, watcher := s.open()
	queue := s.queue(watcher, nil)
	ch := s.txChannel(conn)
	for _, body := range []string{"a", "b"} {
		s.send(ch, "", queue, amqp.Publishing{Body: []byte(body)})
	}
	// Its reply shows that the broker has read the publishes.
	s.equal("ready before the commit", s.count(ch, queue), 0)
	s.await("tx.commit-ok")
	s.ok(ch.TxCommit())
	s.equal("ready after the commit", s.count(watcher, queue), 2)

	delivery := s.get(ch, queue, false)
	s.ok(delivery.Ack(false))
	s.await("tx.commit-ok")
	s.ok(ch.TxCommit())
	s.await("channel.close-ok")
	s.ok(ch.Close())
	s.equal("left", s.drain(watcher, queue), []string{"b"})
}

func txRollback(s *scene) {
	conn, watcher := s.open()
	queue := s.queue(watcher, nil)
	s.put(watcher, "", queue, "stays")
	ch := s.txChannel(conn)
	delivery := s.get(ch, queue, false)
	s.ok(delivery.Ack(false))
	s.send(ch, "", queue, amqp.Publishing{Body: []byte("never")})
	s.await("tx.rollback-ok")
	s.ok(ch.TxRollback())
	s.await("tx.commit-ok")
	s.ok(ch.TxCommit())
	s.equal("published nothing", s.count(watcher, queue), 0)
	// The ack was undone: the message is still out, and can be settled anew.
	s.ok(delivery.Nack(false, true))
	s.ok(ch.TxCommit())
	back := s.get(watcher, queue, true)
	s.equal("back", string(back.Body), "stays")
	s.equal("redelivered", back.Redelivered, true)
	// What was not committed when the channel closes is undone too.
	s.send(ch, "", queue, amqp.Publishing{Body: []byte("never")})
	s.await("channel.close-ok")
	s.ok(ch.Close())
	s.equal("left", s.drain(watcher, queue), []string{})
}

func txRefusals(s *scene) {
	conn := s.connect(amqp.Config{})
	text := "PRECONDITION_FAILED - channel is not transactional"
	s.refused(conn, 406, text, (*amqp.Channel).TxCommit)
	s.refused(conn, 406, text, (*amqp.Channel).TxRollback)
	text = "PRECONDITION_FAILED - cannot switch from tx to confirm mode"
	s.refused(conn, 406, text, func(ch *amqp.Channel) error {
		if err := ch.Tx(); err != nil {
			return err
		}
		return ch.Confirm(false)
	})
	text = "PRECONDITION_FAILED - cannot switch from confirm to tx mode"
	s.refused(conn, 406, text, func(ch *amqp.Channel) error {
		if err := ch.Confirm(false); err != nil {
			return err
		}
		return ch.Tx()
	})
}
