//! `basic.ack`, `basic.nack`, `basic.reject`, `basic.recover`, and the tx class.

use super::channel::{Channel, Mode, Unacked};
use super::declare::client;
use super::refusal::{self, Failure};
use super::shared::Shared;
use super::transaction::{Settlement, Transaction};
use warren_protocol::amqp091::method::{basic, confirm, tx};

type Outcome = Result<(), Failure>;

impl Channel {
    pub(super) fn ack(&mut self, shared: &mut Shared, m: &basic::Ack) -> Outcome {
        self.settle(shared, m.delivery_tag, m.multiple, Settlement::Done)
    }

    pub(super) fn nack(&mut self, shared: &mut Shared, m: &basic::Nack) -> Outcome {
        let settlement = match m.requeue {
            true => Settlement::Back,
            false => Settlement::Rejected,
        };
        self.settle(shared, m.delivery_tag, m.multiple, settlement)
    }

    pub(super) fn reject(&mut self, shared: &mut Shared, m: &basic::Reject) -> Outcome {
        let settlement = match m.requeue {
            true => Settlement::Failed,
            false => Settlement::Rejected,
        };
        self.settle(shared, m.delivery_tag, false, settlement)
    }

    pub(super) fn recover(&mut self, shared: &mut Shared, requeue: bool) -> Outcome {
        if !requeue {
            return Err(Failure::connection(refusal::NOT_IMPLEMENTED, "requeue=false"));
        }
        while let Some((_, unacked)) = self.unacked.pop_first() {
            self.carry_out(shared, &unacked, Settlement::Back);
        }
        shared.flush();
        Ok(())
    }

    fn settle(&mut self, shared: &mut Shared, tag: u64, multiple: bool, settlement: Settlement) -> Outcome {
        let unknown = || {
            Failure::channel(
                refusal::PRECONDITION_FAILED,
                format!("unknown delivery tag {tag}"),
            )
        };
        if !multiple {
            let unacked = self.unacked.remove(tag).ok_or_else(unknown)?;
            self.settle_one(shared, tag, unacked, settlement);
            return Ok(());
        }
        // Tag 0 means all there are, and none is fine.
        let last = if tag == 0 { u64::MAX } else { tag };
        if tag != 0 && self.unacked.find(tag).is_none() {
            return Err(unknown());
        }
        while self.unacked.first().is_some_and(|(first, _)| first <= last)
            && let Some((tag, unacked)) = self.unacked.pop_first()
        {
            self.settle_one(shared, tag, unacked, settlement);
        }
        Ok(())
    }

    fn settle_one(&mut self, shared: &mut Shared, tag: u64, unacked: Unacked, settlement: Settlement) {
        match &mut self.mode {
            Mode::Transaction(transaction) => transaction.settles.push((tag, unacked, settlement)),
            Mode::Plain | Mode::Confirm(_) => self.carry_out(shared, &unacked, settlement),
        }
    }

    fn carry_out(&self, shared: &mut Shared, unacked: &Unacked, settlement: Settlement) {
        gather(shared, unacked, settlement);
        self.hand_in(shared, unacked);
    }

    /// A delivery does not count towards the channel's limit any more.
    fn hand_in(&self, shared: &mut Shared, unacked: &Unacked) {
        if unacked.counted {
            shared.resumable.extend(self.shared_credit.release(1));
        }
    }

    pub(super) fn confirm_select(&mut self, shared: &mut Shared, m: &confirm::Select) -> Outcome {
        match self.mode {
            Mode::Transaction(_) => {
                let text = "cannot switch from tx to confirm mode";
                return Err(Failure::channel(refusal::PRECONDITION_FAILED, text));
            }
            Mode::Plain => self.mode = Mode::Confirm(super::confirms::Confirms::default()),
            Mode::Confirm(_) => {}
        }
        if !m.nowait {
            self.send(shared, confirm::SelectOk);
        }
        Ok(())
    }

    pub(super) fn tx_select(&mut self, shared: &mut Shared) -> Outcome {
        match self.mode {
            Mode::Confirm(_) => {
                let text = "cannot switch from confirm to tx mode";
                return Err(Failure::channel(refusal::PRECONDITION_FAILED, text));
            }
            Mode::Plain => self.mode = Mode::Transaction(Transaction::default()),
            Mode::Transaction(_) => {}
        }
        self.send(shared, tx::SelectOk);
        Ok(())
    }

    /// Whatever was gathered before was done when the method came: the batch is the transaction's alone.
    pub(super) fn tx_commit(&mut self, shared: &mut Shared) -> Outcome {
        let mut transaction = std::mem::take(self.transaction()?);
        let now_ms = shared.clock.now_ms(&shared.node);
        for routed in &mut transaction.publishes {
            routed.gather(shared, now_ms);
        }
        for (_, unacked, settlement) in &transaction.settles {
            gather(shared, unacked, *settlement);
        }
        client(shared)?;
        let Some(worked) = shared.flush_together() else {
            // The end of the channel takes it back.
            *self.transaction()? = transaction;
            let text = "transaction not committed: a queue is full or gone, or a delivery was taken back";
            return Err(Failure::channel(refusal::PRECONDITION_FAILED, text));
        };
        shared.uncommitted_bytes -= transaction.held_bytes;
        for routed in &transaction.publishes {
            self.tell(shared, routed);
        }
        for (_, unacked, _) in &transaction.settles {
            self.hand_in(shared, unacked);
        }
        self.send_at(shared, worked.all, tx::CommitOk);
        // What was committed is a queue's now, or nobody's.
        shared.account();
        shared.block_on_alarm();
        Ok(())
    }

    pub(super) fn tx_rollback(&mut self, shared: &mut Shared) -> Outcome {
        let mut transaction = std::mem::take(self.transaction()?);
        shared.uncommitted_bytes -= transaction.rollback(&mut self.unacked);
        self.send(shared, tx::RollbackOk);
        Ok(())
    }

    fn transaction(&mut self) -> Result<&mut Transaction, Failure> {
        match &mut self.mode {
            Mode::Transaction(transaction) => Ok(transaction),
            Mode::Plain | Mode::Confirm(_) => Err(Failure::channel(
                refusal::PRECONDITION_FAILED,
                "channel is not transactional",
            )),
        }
    }
}

/// Gathers what is to be done to a delivery.
fn gather(shared: &mut Shared, unacked: &Unacked, settlement: Settlement) {
    match settlement {
        Settlement::Done => shared.batch.settle(&unacked.queue, unacked.ticket),
        Settlement::Rejected => shared.batch.reject(&unacked.queue, unacked.ticket),
        Settlement::Back => shared.batch.give_back(&unacked.queue, unacked.ticket, false),
        Settlement::Failed => shared.batch.give_back(&unacked.queue, unacked.ticket, true),
    }
}
