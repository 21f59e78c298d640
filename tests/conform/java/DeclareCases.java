import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.GetResponse;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** Declaring, purging and deleting queues and exchanges, and what is refused with which words. */
final class DeclareCases {
    private static final String NOWHERE = "conform.java.nowhere";

    private DeclareCases() {}

    static List<Main.Case> all() {
        return List.of(
                new Main.Case("queue-declare", DeclareCases::queueDeclare),
                new Main.Case("queue-server-named", DeclareCases::serverNamed),
                new Main.Case("queue-exclusive", DeclareCases::exclusive),
                new Main.Case("queue-auto-delete", DeclareCases::autoDelete),
                new Main.Case("no-wait", DeclareCases::noWait),
                new Main.Case("declare-mismatch", DeclareCases::mismatch),
                new Main.Case("missing", DeclareCases::missing),
                new Main.Case("purge", DeclareCases::purge),
                new Main.Case("delete-conditions", DeclareCases::deleteConditions));
    }

    private static String inVhost(Scene scene) throws Exception {
        return " in vhost '" + scene.factory().getVirtualHost() + "'";
    }

    private static String noQueue(Scene scene, String queue) throws Exception {
        return "NOT_FOUND - no queue '" + queue + "'" + inVhost(scene);
    }

    private static void state(AMQP.Queue.DeclareOk ok, String name, int messages, int consumers) {
        Scene.equal("declare-ok", List.of(ok.getQueue(), ok.getMessageCount(), ok.getConsumerCount()),
                List.of(name, messages, consumers));
    }

    private static void queueDeclare(Scene scene) throws Exception {
        Channel channel = scene.open();
        String name = scene.queueName();
        state(channel.queueDeclare(name, true, false, false, null), name, 0, 0);
        scene.put(channel, "", name, "a", "b");
        state(channel.queueDeclare(name, true, false, false, null), name, 2, 0);
        scene.take(scene.consume(channel, name, false), 2);
        state(channel.queueDeclare(name, true, false, false, null), name, 0, 1);
        state(channel.queueDeclarePassive(name), name, 0, 1);
        String exchange = scene.exchangeName();
        channel.exchangeDeclare(exchange, "topic", true, false, true, null);
        channel.exchangeDeclare(exchange, "topic", true, false, true, null);
        for (String standard :
                List.of(exchange, "amq.direct", "amq.fanout", "amq.topic", "amq.headers", "amq.match")) {
            scene.await("passive exchange.declare-ok of " + standard);
            channel.exchangeDeclarePassive(standard);
        }
    }

    private static void serverNamed(Scene scene) throws Exception {
        Channel channel = scene.open();
        List<String> names = new ArrayList<>();
        for (int index = 0; index < 2; index++) {
            String name = channel.queueDeclare().getQueue();
            Scene.equal(name + " is the broker's", name.matches("amq\\.gen-[\\w-]{22}"), true);
            names.add(name);
        }
        Scene.equal("the same name twice", names.get(0).equals(names.get(1)), false);
        // The empty name and an empty key mean the queue that this channel declared last.
        channel.queueBind("", "amq.direct", "");
        scene.put(channel, "amq.direct", names.get(1), "for the second");
        Scene.equal("first queue", scene.drain(channel, names.get(0)), List.of());
        Scene.equal("second queue", scene.drain(channel, ""), List.of("for the second"));
    }

    private static void exclusive(Scene scene) throws Exception {
        Connection owner = scene.connect();
        Connection stranger = scene.connect();
        String name = scene.queueName();
        owner.createChannel().queueDeclare(name, false, true, false, null);
        String text = "RESOURCE_LOCKED - cannot obtain exclusive access to locked queue '" + name + "'"
                + inVhost(scene) + ". It could be originally declared on another connection or "
                + "the exclusive property value does not match that of the original declaration.";
        scene.refused(stranger, 405, text, "50.10", c -> c.queueDeclarePassive(name));
        scene.refused(stranger, 405, text, "50.20", c -> c.queueBind(name, "amq.direct", "k"));
        scene.refused(stranger, 405, text, "50.30", c -> c.queuePurge(name));
        scene.refused(stranger, 405, text, "50.40", c -> c.queueDelete(name));
        scene.refused(stranger, 405, text, "60.20", c -> scene.consume(c, name, true));
        scene.refused(stranger, 405, text, "60.70", c -> c.basicGet(name, true));
        scene.await("connection.close-ok");
        owner.close(Scene.DEADLINE_MS);
        scene.refused(stranger, 404, noQueue(scene, name), "50.10", c -> c.queueDeclarePassive(name));
    }

    private static void autoDelete(Scene scene) throws Exception {
        Channel channel = scene.open();
        String name = scene.queueName();
        channel.queueDeclare(name, false, false, true, null);
        Scene.Inbox one = scene.consume(channel, name, true);
        Scene.Inbox two = scene.consume(channel, name, true);
        channel.basicCancel(one.tag);
        Scene.equal("consumers left", channel.consumerCount(name), 1L);
        channel.basicCancel(two.tag);
        scene.refused(channel.getConnection(), 404, noQueue(scene, name), "50.10",
                c -> c.queueDeclarePassive(name));
    }

    /** Methods with no-wait are carried out in order and not answered. */
    private static void noWait(Scene scene) throws Exception {
        Channel channel = scene.open();
        String queue = scene.queueName();
        String source = scene.exchangeName();
        String exchange = scene.exchangeName();
        channel.exchangeDeclareNoWait(source, "fanout", false, false, false, null);
        channel.exchangeDeclareNoWait(exchange, "direct", false, false, false, null);
        channel.exchangeBindNoWait(exchange, source, "", null);
        channel.queueDeclareNoWait(queue, false, false, false, null);
        channel.queueBindNoWait(queue, exchange, "key", null);
        scene.put(channel, source, "key", "a");
        Scene.equal("bodies", scene.drain(channel, queue), List.of("a"));
        channel.exchangeUnbindNoWait(exchange, source, "", null);
        scene.put(channel, source, "key", "b");
        Scene.equal("bodies after the unbind", scene.drain(channel, queue), List.of());
        channel.queueDeleteNoWait(queue, false, false);
        channel.exchangeDeleteNoWait(exchange, false);
        channel.exchangeDeleteNoWait(source, false);
        // Its reply shows that the broker has read all of these.
        channel.basicQos(1);
        scene.refused(channel.getConnection(), 404, noQueue(scene, queue), "50.10",
                c -> c.queueDeclarePassive(queue));
    }

    private static String inequivalent(Scene scene, String argument, String kind, String name, String rest)
            throws Exception {
        return "PRECONDITION_FAILED - inequivalent arg '" + argument + "' for " + kind + " '" + name + "'"
                + inVhost(scene) + ": " + rest;
    }

    private static void mismatch(Scene scene) throws Exception {
        Channel channel = scene.open();
        Connection connection = channel.getConnection();
        String queue = scene.queue(channel);
        String exchange = scene.exchange(channel, "direct");
        String flipped = "received 'true' but current is 'false'";
        scene.refused(connection, 406, inequivalent(scene, "durable", "queue", queue, flipped), "50.10",
                c -> c.queueDeclare(queue, true, false, false, null));
        scene.refused(connection, 406, inequivalent(scene, "auto_delete", "queue", queue, flipped), "50.10",
                c -> c.queueDeclare(queue, false, false, true, null));
        String ttl = inequivalent(scene, "x-message-ttl", "queue", queue,
                "received the value '60000' of type 'signedint' but current is none");
        scene.refused(connection, 406, ttl, "50.10",
                c -> c.queueDeclare(queue, false, false, false, Map.of("x-message-ttl", 60_000)));
        String type = inequivalent(
                scene, "type", "exchange", exchange, "received 'fanout' but current is 'direct'");
        scene.refused(connection, 406, type, "40.10", c -> c.exchangeDeclare(exchange, "fanout", false));
        scene.refused(connection, 406, inequivalent(scene, "durable", "exchange", exchange, flipped), "40.10",
                c -> c.exchangeDeclare(exchange, "direct", true));
    }

    private static void missing(Scene scene) throws Exception {
        Connection connection = scene.connect();
        String noQueue = noQueue(scene, NOWHERE);
        String noExchange = "NOT_FOUND - no exchange '" + NOWHERE + "'" + inVhost(scene);
        scene.refused(connection, 404, noQueue, "50.10", c -> c.queueDeclarePassive(NOWHERE));
        scene.refused(connection, 404, noQueue, "50.20", c -> c.queueBind(NOWHERE, "amq.direct", "k"));
        scene.refused(connection, 404, noQueue, "50.30", c -> c.queuePurge(NOWHERE));
        scene.refused(connection, 404, noQueue, "60.20", c -> scene.consume(c, NOWHERE, true));
        scene.refused(connection, 404, noQueue, "60.70", c -> c.basicGet(NOWHERE, true));
        scene.refused(connection, 404, noExchange, "40.10", c -> c.exchangeDeclarePassive(NOWHERE));
        scene.refused(connection, 404, noExchange, "40.30", c -> c.exchangeBind("amq.fanout", NOWHERE, ""));
        scene.refused(connection, 404, noExchange, "60.40",
                c -> c.basicPublish(NOWHERE, "key", null, new byte[1]));
        Channel channel = connection.createChannel();
        scene.await("delete-ok of what is missing");
        Scene.equal("messages of a missing queue", channel.queueDelete(NOWHERE).getMessageCount(), 0);
        channel.exchangeDelete(NOWHERE);
    }

    private static void purge(Scene scene) throws Exception {
        Channel channel = scene.open();
        String queue = scene.queue(channel);
        scene.put(channel, "", queue, "held", "b", "c", "d");
        GetResponse held = scene.get(channel, queue, false);
        Scene.equal("purged", channel.queuePurge(queue).getMessageCount(), 3);
        Scene.equal("purged again", channel.queuePurge(queue).getMessageCount(), 0);
        channel.basicNack(held.getEnvelope().getDeliveryTag(), false, true);
        Scene.equal("purge spares what awaits its ack", scene.drain(channel, queue), List.of("held"));
    }

    private static void deleteConditions(Scene scene) throws Exception {
        Channel channel = scene.open();
        Connection connection = channel.getConnection();
        String queue = scene.queue(channel);
        scene.put(channel, "", queue, "a", "b");
        String refusal = "PRECONDITION_FAILED - queue '" + queue + "'" + inVhost(scene);
        scene.refused(connection, 406, refusal + " not empty", "50.40",
                c -> c.queueDelete(queue, false, true));
        Channel consumer = connection.createChannel();
        scene.take(scene.consume(consumer, queue, false), 2);
        scene.refused(connection, 406, refusal + " in use", "50.40", c -> c.queueDelete(queue, true, false));
        consumer.close();
        Scene.equal("messages deleted", channel.queueDelete(queue, true, false).getMessageCount(), 2);

        String exchange = scene.exchange(channel, "fanout");
        String bound = scene.queue(channel);
        channel.queueBind(bound, exchange, "");
        String used = "PRECONDITION_FAILED - exchange '" + exchange + "'" + inVhost(scene) + " in use";
        scene.refused(connection, 406, used, "40.20", c -> c.exchangeDelete(exchange, true));
        channel.queueUnbind(bound, exchange, "");
        channel.exchangeDelete(exchange, true);
    }
}
