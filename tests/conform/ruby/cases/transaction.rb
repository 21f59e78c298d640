# frozen_string_literal: true

# Transactions: publishes and acknowledgements that count only when committed.

def tx_channel(scene, connection)
  scene.await('tx.select-ok')
  channel = connection.create_channel
  channel.tx_select
  channel
end

play 'tx-commit' do |s|
  watcher = s.open
  queue = s.queue(watcher)
  channel = tx_channel(s, watcher.connection)
  %w[a b].each { |body| channel.basic_publish(body, '', queue) }
  # Its reply shows that the broker has read the publishes.
  s.equal('ready before the commit', s.count(channel, queue), 0)
  s.await('tx.commit-ok')
  channel.tx_commit
  s.equal('ready after the commit', s.count(watcher, queue), 2)
  channel.ack(s.get(channel, queue).info.delivery_tag)
  channel.tx_commit
  channel.close
  s.equal('left', s.drain(watcher, queue), %w[b])
end

play 'tx-rollback' do |s|
  watcher = s.open
  queue = s.queue(watcher)
  s.put(watcher, '', queue, 'stays')
  channel = tx_channel(s, watcher.connection)
  tag = s.get(channel, queue).info.delivery_tag
  channel.ack(tag)
  channel.basic_publish('never', '', queue)
  s.await('tx.rollback-ok')
  channel.tx_rollback
  channel.tx_commit
  s.equal('ready after the rollback', s.count(watcher, queue), 0)
  # The ack was undone: the message is still out, and can be settled anew.
  channel.nack(tag, false, true)
  channel.tx_commit
  back = s.get(watcher, queue, manual_ack: false)
  s.equal('back', [back.body, back.info.redelivered], ['stays', true])
  # What was not committed when the channel closes is undone too.
  channel.basic_publish('never', '', queue)
  channel.close
  s.equal('left', s.drain(watcher, queue), [])
end

play 'tx-refusals' do |s|
  connection = s.connect
  text = 'PRECONDITION_FAILED - channel is not transactional'
  s.refused(connection, 406, text, [90, 20], &:tx_commit)
  s.refused(connection, 406, text, [90, 30], &:tx_rollback)
  text = 'PRECONDITION_FAILED - cannot switch from confirm to tx mode'
  s.refused(connection, 406, text, [90, 10]) do |c|
    c.confirm_select
    c.tx_select
  end
end
