import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.Delivery;
import com.rabbitmq.client.GetResponse;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;

/** Getting messages out: consumers, acknowledgement, prefetch, requeueing, cancelling, basic.get. */
final class DeliveryCases {
    private DeliveryCases() {}

    static List<Main.Case> all() {
        return List.of(
                new Main.Case("ack-prefetch", DeliveryCases::ackPrefetch),
                new Main.Case("nack-requeue", DeliveryCases::nackRequeue),
                new Main.Case("recover", DeliveryCases::recover),
                new Main.Case("unknown-delivery-tag", DeliveryCases::unknownDeliveryTag),
                new Main.Case("round-robin", DeliveryCases::roundRobin),
                new Main.Case("consumer-cancel", DeliveryCases::cancel),
                new Main.Case("consumer-cancel-notify", DeliveryCases::cancelNotify),
                new Main.Case("consumer-exclusive", DeliveryCases::exclusive),
                new Main.Case("close-returns-unacked", DeliveryCases::closeReturnsUnacked),
                new Main.Case("get-counts", DeliveryCases::getCounts));
    }

    private static long tag(Delivery delivery) {
        return delivery.getEnvelope().getDeliveryTag();
    }

    private static void ackPrefetch(Scene scene) throws Exception {
        Channel publisher = scene.open();
        String queue = scene.queue(publisher);
        scene.put(publisher, "", queue, Scene.numbers(0, 10).toArray(new String[0]));
        Channel channel = publisher.getConnection().createChannel();
        channel.basicQos(3);
        Scene.Inbox inbox = scene.consume(channel, queue, false);
        List<Delivery> first = scene.take(inbox, 3);
        Scene.equal("first", Scene.bodies(first), Scene.numbers(0, 3));
        for (Delivery delivery : first) {
            List<Object> envelope = List.of(tag(delivery), delivery.getEnvelope().isRedeliver(),
                    delivery.getEnvelope().getExchange(), delivery.getEnvelope().getRoutingKey());
            Scene.equal("envelope", envelope, List.of(first.indexOf(delivery) + 1L, false, "", queue));
        }
        Scene.equal("ready while three are out", scene.count(publisher, queue), 7L);
        channel.basicAck(tag(first.get(1)), false);
        Delivery fourth = scene.take(inbox, 1).get(0);
        Scene.equal("ready after one ack", scene.count(publisher, queue), 6L);
        channel.basicAck(tag(fourth), true);
        Scene.equal("after an ack of all", Scene.bodies(scene.take(inbox, 3)), Scene.numbers(4, 7));
        Scene.equal("ready", scene.count(publisher, queue), 3L);
        channel.basicAck(0, true);
        List<Delivery> last = scene.take(inbox, 3);
        channel.basicAck(tag(last.get(2)), true);
        channel.close();
        Scene.equal("left", scene.drain(publisher, queue), List.of());
    }

    private static long expect(Scene scene, Channel channel, String queue, String body, boolean redelivered)
            throws Exception {
        GetResponse response = scene.get(channel, queue, false);
        Scene.equal("message", Scene.text(response.getBody()) + " " + response.getEnvelope().isRedeliver(),
                body + " " + redelivered);
        return response.getEnvelope().getDeliveryTag();
    }

    private static void nackRequeue(Scene scene) throws Exception {
        Channel publisher = scene.open();
        String queue = scene.queue(publisher);
        scene.put(publisher, "", queue, "a", "b", "c", "d");
        Channel channel = publisher.getConnection().createChannel();
        channel.basicReject(expect(scene, channel, queue, "a", false), true);
        expect(scene, channel, queue, "a", true);
        expect(scene, channel, queue, "b", false);
        channel.basicNack(expect(scene, channel, queue, "c", false), true, true);
        for (String body : List.of("a", "b", "c")) {
            expect(scene, channel, queue, body, true);
        }
        channel.basicNack(0, true, false);
        channel.basicReject(expect(scene, channel, queue, "d", false), false);
        Scene.equal("what is not requeued is gone", scene.drain(channel, queue), List.of());
    }

    private static void recover(Scene scene) throws Exception {
        Channel channel = scene.open();
        String queue = scene.queue(channel);
        scene.put(channel, "", queue, "a", "b", "c");
        Scene.Inbox inbox = scene.consume(channel, queue, false);
        channel.basicAck(tag(scene.take(inbox, 3).get(0)), false);
        scene.await("basic.recover-ok");
        channel.basicRecover(true);
        List<Delivery> again = scene.take(inbox, 2);
        Scene.equal("recovered", Scene.bodies(again), List.of("b", "c"));
        Scene.equal("redelivered", again.stream().allMatch(one -> one.getEnvelope().isRedeliver()), true);
    }

    private static void unknownDeliveryTag(Scene scene) throws Exception {
        Connection connection = scene.connect();
        String text = "PRECONDITION_FAILED - unknown delivery tag 99";
        scene.refused(connection, 406, text, "60.80", c -> c.basicAck(99, false));
        scene.refused(connection, 406, text, "60.90", c -> c.basicReject(99, true));
        scene.refused(connection, 406, text, "60.120", c -> c.basicNack(99, false, true));
    }

    private static void roundRobin(Scene scene) throws Exception {
        Channel publisher = scene.open();
        String queue = scene.queue(publisher);
        Scene.Inbox one = scene.consume(publisher.getConnection().createChannel(), queue, true);
        Scene.Inbox two = scene.consume(publisher.getConnection().createChannel(), queue, false);
        scene.put(publisher, "", queue, Scene.numbers(0, 10).toArray(new String[0]));
        List<Integer> all = new ArrayList<>();
        for (Scene.Inbox inbox : List.of(one, two)) {
            List<String> bodies = Scene.bodies(scene.take(inbox, 5));
            List<Integer> share = bodies.stream().map(Integer::valueOf).collect(Collectors.toList());
            for (int index = 1; index < share.size(); index++) {
                Scene.equal("step in " + share, share.get(index) - share.get(index - 1), 2);
            }
            all.addAll(share);
        }
        Scene.equal("both shares", all.stream().sorted().collect(Collectors.toList()),
                List.of(0, 1, 2, 3, 4, 5, 6, 7, 8, 9));
    }

    /** After basic.cancel-ok nothing more comes, and what was out stays out until it is settled. */
    private static void cancel(Scene scene) throws Exception {
        Channel channel = scene.open();
        String queue = scene.queue(channel);
        channel.basicQos(1);
        Scene.Inbox inbox = scene.consume(channel, queue, false);
        scene.put(channel, "", queue, "held", "waits");
        Delivery held = scene.take(inbox, 1).get(0);
        scene.await("basic.cancel-ok");
        channel.basicCancel(inbox.tag);
        channel.basicAck(tag(held), false);
        Scene.equal("left", scene.drain(channel, queue), List.of("waits"));
        Scene.equal("deliveries after the cancel", inbox.deliveries.size(), 0);
    }

    private static void cancelNotify(Scene scene) throws Exception {
        Channel channel = scene.open();
        String queue = scene.queue(channel);
        Scene.Inbox inbox = scene.consume(channel, queue, false);
        channel.getConnection().createChannel().queueDelete(queue);
        Scene.equal("cancelled", scene.next(inbox.cancelled, "basic.cancel of the broker"), inbox.tag);
        String next = scene.queue(channel);
        scene.put(channel, "", next, "the channel lives");
        Scene.equal("bodies", scene.drain(channel, next), List.of("the channel lives"));
    }

    private static void exclusive(Scene scene) throws Exception {
        Channel channel = scene.open();
        String queue = scene.queue(channel);
        String tag = channel.basicConsume(queue, true, "", false, true, null, (t, delivery) -> {}, t -> {});
        String text = "ACCESS_REFUSED - queue '" + queue + "' in vhost '" + scene.factory().getVirtualHost()
                + "' in exclusive use";
        scene.refused(channel.getConnection(), 403, text, "60.20", c -> scene.consume(c, queue, true));
        channel.basicCancel(tag);
        scene.consume(channel, queue, true);
    }

    private static void closeReturnsUnacked(Scene scene) throws Exception {
        Channel channel = scene.open();
        String queue = scene.queue(channel);
        scene.put(channel, "", queue, Scene.numbers(0, 5).toArray(new String[0]));
        Connection leaver = scene.connect();
        Channel leaving = leaver.createChannel();
        List<Delivery> held = scene.take(scene.consume(leaving, queue, false), 5);
        leaving.basicAck(tag(held.get(0)), false);
        scene.await("connection.close-ok");
        leaver.close(Scene.DEADLINE_MS);
        List<Delivery> back = scene.take(scene.consume(channel, queue, false), 4);
        Scene.equal("back", Scene.bodies(back), Scene.numbers(1, 5));
        Scene.equal("redelivered", back.stream().allMatch(one -> one.getEnvelope().isRedeliver()), true);
    }

    private static void getCounts(Scene scene) throws Exception {
        Channel channel = scene.open();
        String queue = scene.queue(channel);
        Scene.equal("get of an empty queue", channel.basicGet(queue, false), null);
        scene.put(channel, "", queue, "a", "b", "c");
        List<String> seen = new ArrayList<>();
        for (int index = 0; index < 3; index++) {
            GetResponse response = scene.get(channel, queue, false);
            seen.add(Scene.text(response.getBody()) + " as " + response.getEnvelope().getDeliveryTag() + ", "
                    + response.getMessageCount() + " left");
        }
        Scene.equal("seen", seen, List.of("a as 1, 2 left", "b as 2, 1 left", "c as 3, 0 left"));
        Scene.equal("get when all are out", channel.basicGet(queue, false), null);
        channel.basicNack(0, true, true);
        GetResponse back = scene.get(channel, queue, true);
        Scene.equal("back", Scene.text(back.getBody()) + " " + back.getEnvelope().isRedeliver(), "a true");
        Scene.equal("left", back.getMessageCount(), 2);
    }
}
