import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.Delivery;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;

/** Putting messages in: publisher confirms, mandatory messages that come back, request and reply. */
final class PublishCases {
    private static final String NOWHERE = "conform.java.nowhere";
    private static final String REPLY_TO = "amq.rabbitmq.reply-to";

    private PublishCases() {}

    static List<Main.Case> all() {
        return List.of(
                new Main.Case("confirms-single", PublishCases::confirmsSingle),
                new Main.Case("confirms-window", PublishCases::confirmsWindow),
                new Main.Case("confirms-nack", PublishCases::confirmsNack),
                new Main.Case("mandatory-return", PublishCases::mandatoryReturn),
                new Main.Case("direct-reply-to", PublishCases::directReplyTo),
                new Main.Case("direct-reply-to-refusals", PublishCases::directReplyToRefusals));
    }

    private static void confirmsSingle(Scene scene) throws Exception {
        Channel channel = scene.open();
        String queue = scene.queueName();
        channel.queueDeclare(queue, true, false, false, null);
        AMQP.BasicProperties persistent = new AMQP.BasicProperties.Builder().deliveryMode(2).build();
        for (int index = 0; index < 20; index++) {
            scene.put(channel, "", queue, persistent, Integer.toString(index));
            Scene.equal("confirmed means enqueued", scene.count(channel, queue), index + 1L);
        }
        scene.put(channel, "", NOWHERE, "unroutable is confirmed too");
        Scene.equal("bodies", scene.drain(channel, queue), Scene.numbers(0, 20));
    }

    /** Counts every confirm itself, to see that each message is acked once and only once. */
    private static void confirmsWindow(Scene scene) throws Exception {
        final int count = 10_000;
        Channel channel = scene.open();
        String queue = scene.queue(channel);
        BlockingQueue<String> faults = new LinkedBlockingQueue<>();
        boolean[] acked = new boolean[count + 1];
        long[] lowest = {1};
        channel.addConfirmListener(
                (tag, multiple) -> {
                    for (long one = multiple ? lowest[0] : tag; one <= tag; one++) {
                        if (acked[(int) one] && !multiple) {
                            faults.add("acked twice: " + one);
                        }
                        acked[(int) one] = true;
                    }
                    while (lowest[0] <= count && acked[(int) lowest[0]]) {
                        lowest[0]++;
                    }
                },
                (tag, multiple) -> faults.add("nacked: " + tag));
        for (String body : Scene.numbers(0, count)) {
            channel.basicPublish("", queue, null, Scene.bytes(body));
        }
        scene.confirmed(channel);
        Scene.equal("faults", List.copyOf(faults), List.of());
        Scene.equal("messages", scene.count(channel, queue), (long) count);
        Scene.Inbox inbox = scene.consume(channel.getConnection().createChannel(), queue, true);
        Scene.equal("bodies", Scene.bodies(scene.take(inbox, count)), Scene.numbers(0, count));
    }

    /** A full queue that rejects answers basic.nack. */
    private static void confirmsNack(Scene scene) throws Exception {
        Channel channel = scene.open();
        String queue = scene.queue(channel, Map.of("x-max-length", 1, "x-overflow", "reject-publish"));
        scene.put(channel, "", queue, "fits");
        channel.basicPublish("", queue, null, Scene.bytes("does not fit"));
        scene.await("basic.nack");
        Scene.equal("acked", channel.waitForConfirms(Scene.DEADLINE_MS), false);
        Scene.equal("bodies", scene.drain(channel, queue), List.of("fits"));
        scene.put(channel, "", queue, "fits again");
    }

    private static void mandatoryReturn(Scene scene) throws Exception {
        Channel channel = scene.open();
        String exchange = scene.exchange(channel, "direct");
        String queue = scene.queue(channel);
        channel.queueBind(queue, exchange, "known");
        BlockingQueue<String> events = new LinkedBlockingQueue<>();
        channel.addReturnListener(back -> events.add(String.join(" ",
                Integer.toString(back.getReplyCode()), back.getReplyText(),
                back.getExchange(), back.getRoutingKey(), back.getProperties().getMessageId(),
                String.valueOf(Scene.plain(back.getProperties().getHeaders())), Scene.text(back.getBody()))));
        channel.addConfirmListener(
                (tag, multiple) -> events.add("ack " + tag), (tag, multiple) -> events.add("nack"));
        AMQP.BasicProperties properties =
                new AMQP.BasicProperties.Builder().messageId("m-1").headers(Map.of("n", 7)).build();
        channel.basicPublish(exchange, "known", true, properties, Scene.bytes("routed"));
        scene.confirmed(channel);
        channel.basicPublish(exchange, "unknown", false, properties, Scene.bytes("not mandatory"));
        scene.confirmed(channel);
        channel.basicPublish(exchange, "unknown", true, properties, Scene.bytes("back"));
        scene.confirmed(channel);
        String returned = "312 NO_ROUTE " + exchange + " unknown m-1 {n=7} back";
        for (String expected : List.of("ack 1", "ack 2", returned, "ack 3")) {
            Scene.equal("event", scene.next(events, expected), expected);
        }
        Scene.equal("bodies", scene.drain(channel, queue), List.of("routed"));
    }

    private static void directReplyTo(Scene scene) throws Exception {
        Channel caller = scene.connect().createChannel();
        Channel server = scene.open();
        String requests = scene.queue(server);
        Scene.Inbox work = scene.consume(server, requests, true);
        Scene.Inbox replies = scene.consume(caller, REPLY_TO, true);
        String address = "";
        for (String call : List.of("one", "two")) {
            AMQP.BasicProperties asking =
                    new AMQP.BasicProperties.Builder().replyTo(REPLY_TO).correlationId(call).build();
            caller.basicPublish("", requests, asking, Scene.bytes(call));
            Delivery request = scene.take(work, 1).get(0);
            address = request.getProperties().getReplyTo();
            Scene.equal("reply address " + address, address.startsWith(REPLY_TO + "."), true);
            scene.await("passive declare of the reply address");
            server.queueDeclarePassive(address);
            AMQP.BasicProperties answering = new AMQP.BasicProperties.Builder()
                    .correlationId(request.getProperties().getCorrelationId()).build();
            server.basicPublish("", address, answering, Scene.bytes("re: " + call));
            Delivery reply = scene.take(replies, 1).get(0);
            Scene.equal("reply", Scene.text(reply.getBody()), "re: " + call);
            Scene.equal("correlation", reply.getProperties().getCorrelationId(), call);
        }
        caller.close();
        BlockingQueue<String> returns = new LinkedBlockingQueue<>();
        server.addReturnListener(back -> returns.add(back.getReplyText()));
        server.basicPublish("", address, true, null, Scene.bytes("too late"));
        String returned = scene.next(returns, "basic.return of a reply that nobody awaits");
        Scene.equal("returned", returned, "NO_ROUTE");
    }

    private static void directReplyToRefusals(Scene scene) throws Exception {
        Connection connection = scene.connect();
        scene.refused(connection, 406, "PRECONDITION_FAILED - reply consumer cannot acknowledge", "60.20",
                c -> scene.consume(c, REPLY_TO, false));
        scene.refused(connection, 406, "PRECONDITION_FAILED - reply consumer already set", "60.20", c -> {
            scene.consume(c, REPLY_TO, true);
            scene.consume(c, REPLY_TO, true);
        });
        AMQP.BasicProperties asking = new AMQP.BasicProperties.Builder().replyTo(REPLY_TO).build();
        scene.refused(connection, 406, "PRECONDITION_FAILED - fast reply consumer does not exist", "60.40",
                c -> c.basicPublish("", NOWHERE, asking, new byte[0]));
    }
}
