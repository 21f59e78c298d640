import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.GetResponse;
import java.util.List;

/** Transactions: publishes and acknowledgements that count only when committed. */
final class TransactionCases {
    private TransactionCases() {}

    static List<Main.Case> all() {
        return List.of(
                new Main.Case("tx-commit", TransactionCases::commit),
                new Main.Case("tx-rollback", TransactionCases::rollback),
                new Main.Case("tx-refusals", TransactionCases::refusals));
    }

    private static Channel transactional(Scene scene, Connection connection) throws Exception {
        scene.await("tx.select-ok");
        Channel channel = connection.createChannel();
        channel.txSelect();
        return channel;
    }

    private static void commit(Scene scene) throws Exception {
        Channel watcher = scene.open();
        String queue = scene.queue(watcher);
        Channel channel = transactional(scene, watcher.getConnection());
        for (String body : List.of("a", "b")) {
            channel.basicPublish("", queue, null, Scene.bytes(body));
        }
        // Its reply shows that the broker has read the publishes.
        Scene.equal("ready before the commit", scene.count(channel, queue), 0L);
        scene.await("tx.commit-ok");
        channel.txCommit();
        Scene.equal("ready after the commit", scene.count(watcher, queue), 2L);
        channel.basicAck(scene.get(channel, queue, false).getEnvelope().getDeliveryTag(), false);
        channel.txCommit();
        channel.close();
        Scene.equal("left", scene.drain(watcher, queue), List.of("b"));
    }

    private static void rollback(Scene scene) throws Exception {
        Channel watcher = scene.open();
        String queue = scene.queue(watcher);
        scene.put(watcher, "", queue, "stays");
        Channel channel = transactional(scene, watcher.getConnection());
        long tag = scene.get(channel, queue, false).getEnvelope().getDeliveryTag();
        channel.basicAck(tag, false);
        channel.basicPublish("", queue, null, Scene.bytes("never"));
        scene.await("tx.rollback-ok");
        channel.txRollback();
        channel.txCommit();
        Scene.equal("ready after the rollback", scene.count(watcher, queue), 0L);
        // The ack was undone: the message is still out, and can be settled anew.
        channel.basicNack(tag, false, true);
        channel.txCommit();
        GetResponse back = scene.get(watcher, queue, true);
        Scene.equal("back", Scene.text(back.getBody()), "stays");
        Scene.equal("redelivered", back.getEnvelope().isRedeliver(), true);
        // What was not committed when the channel closes is undone too.
        channel.basicPublish("", queue, null, Scene.bytes("never"));
        channel.close();
        Scene.equal("left", scene.drain(watcher, queue), List.of());
    }

    private static void refusals(Scene scene) throws Exception {
        Connection connection = scene.connect();
        String not = "PRECONDITION_FAILED - channel is not transactional";
        scene.refused(connection, 406, not, "90.20", Channel::txCommit);
        scene.refused(connection, 406, not, "90.30", Channel::txRollback);
        String toConfirm = "PRECONDITION_FAILED - cannot switch from tx to confirm mode";
        scene.refused(connection, 406, toConfirm, "85.10", c -> {
            c.txSelect();
            c.confirmSelect();
        });
        String toTx = "PRECONDITION_FAILED - cannot switch from confirm to tx mode";
        scene.refused(connection, 406, toTx, "90.10", c -> {
            c.confirmSelect();
            c.txSelect();
        });
    }
}
