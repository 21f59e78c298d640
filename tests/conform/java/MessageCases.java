import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Delivery;
import com.rabbitmq.client.GetResponse;
import java.math.BigDecimal;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.Date;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * What a message carries: bodies of every size, all properties, headers of every type the client can write,
 * and what queue arguments do to messages.
 */
final class MessageCases {
    private MessageCases() {}

    static List<Main.Case> all() {
        return List.of(
                new Main.Case("body-sizes", MessageCases::bodySizes),
                new Main.Case("large-message", MessageCases::largeMessage),
                new Main.Case("properties", MessageCases::properties),
                new Main.Case("header-types", MessageCases::headerTypes),
                new Main.Case("dead-letter", MessageCases::deadLetter));
    }

    /** A body whose every part differs, so that lost or swapped frames show. */
    private static byte[] patterned(int size) {
        ByteBuffer body = ByteBuffer.allocate(size);
        while (body.remaining() >= 4) {
            body.putInt(body.position());
        }
        return body.array();
    }

    private static void same(byte[] got, byte[] expected) {
        if (!Arrays.equals(got, expected)) {
            throw new AssertionError(
                    expected.length + " bytes came back otherwise, as " + got.length + " bytes");
        }
    }

    private static GetResponse roundTrip(
            Scene scene, Channel channel, String queue, AMQP.BasicProperties properties, byte[] body)
            throws Exception {
        channel.basicPublish("", queue, properties, body);
        scene.confirmed(channel);
        return scene.get(channel, queue, true);
    }

    private static void bodySizes(Scene scene) throws Exception {
        Channel channel = scene.open();
        String queue = scene.queue(channel);
        int frame = channel.getConnection().getFrameMax() - 8;
        for (int size : List.of(0, 1, frame - 1, frame, frame + 1, 2 * frame, 2 * frame + 1)) {
            byte[] body = patterned(size);
            same(roundTrip(scene, channel, queue, null, body).getBody(), body);
        }
    }

    private static void largeMessage(Scene scene) throws Exception {
        Channel channel = scene.open();
        String queue = scene.queue(channel);
        Scene.Inbox inbox = scene.consume(channel.getConnection().createChannel(), queue, true);
        byte[] body = patterned(5 << 20);
        channel.basicPublish("", queue, new AMQP.BasicProperties.Builder().deliveryMode(2).build(), body);
        // A small one behind it must not overtake nor be mixed in.
        channel.basicPublish("", queue, null, Scene.bytes("small"));
        scene.confirmed(channel);
        List<Delivery> taken = scene.take(inbox, 2);
        same(taken.get(0).getBody(), body);
        same(taken.get(1).getBody(), Scene.bytes("small"));
    }

    private static void properties(Scene scene) throws Exception {
        Channel channel = scene.open();
        String queue = scene.queue(channel);
        String user = scene.factory().getUsername();
        AMQP.BasicProperties sent = new AMQP.BasicProperties.Builder()
                .contentType("application/json")
                .contentEncoding("identity")
                .headers(Map.of("key", "value"))
                .deliveryMode(2)
                .priority(9)
                .correlationId("correlation ü")
                .replyTo("somewhere")
                .expiration("600000")
                .messageId("message-1")
                .timestamp(new Date(1_700_000_000_000L))
                .type("greeting")
                .userId(user)
                .appId("conform")
                .clusterId("cluster")
                .build();
        AMQP.BasicProperties got = roundTrip(scene, channel, queue, sent, Scene.bytes("{}")).getProps();
        Scene.equal("headers", Scene.plain(got.getHeaders()), Map.of("key", "value"));
        // Their text shows every property; the headers differ in how they are held.
        Scene.equal("properties", got.builder().headers(null).build().toString(),
                sent.builder().headers(null).build().toString());
        AMQP.BasicProperties bare = roundTrip(scene, channel, queue, null, Scene.bytes("bare")).getProps();
        Scene.equal("bare", bare.toString(), new AMQP.BasicProperties().toString());
        String text = "PRECONDITION_FAILED - user_id property set to 'impostor' but authenticated user was '"
                + user + "'";
        AMQP.BasicProperties impostor = new AMQP.BasicProperties.Builder().userId("impostor").build();
        scene.refused(channel.getConnection(), 406, text, "60.40",
                c -> c.basicPublish("", queue, impostor, new byte[0]));
    }

    private static void headerTypes(Scene scene) throws Exception {
        Channel channel = scene.open();
        String queue = scene.queue(channel);
        Map<String, Object> headers = new LinkedHashMap<>();
        headers.put("string", "text ü €");
        headers.put("empty", "");
        headers.put("byte", (byte) -5);
        headers.put("short", (short) -3000);
        headers.put("int", Integer.MIN_VALUE);
        headers.put("long", Long.MIN_VALUE);
        headers.put("large", Long.MAX_VALUE);
        headers.put("float", 0.1f);
        headers.put("double", Math.PI);
        headers.put("decimal", new BigDecimal("3.14"));
        headers.put("true", true);
        headers.put("false", false);
        headers.put("bytes", new byte[] {0, -1, 1, -2});
        headers.put("date", new Date(1_700_000_000_000L));
        headers.put("nothing", null);
        headers.put("array", Arrays.asList("a", 1, true, null, 2.5, List.of(1L), Map.of("in", "array")));
        headers.put("table", Map.of("one", 1, "two", Map.of("three", List.of("deep", new byte[] {7}))));
        headers.put("empty table", Map.of());
        AMQP.BasicProperties sent = new AMQP.BasicProperties.Builder().headers(headers).build();
        GetResponse response = roundTrip(scene, channel, queue, sent, Scene.bytes("typed"));
        Scene.equal("headers", Scene.plain(response.getProps().getHeaders()), Scene.plain(headers));
    }

    private static void deadLetter(Scene scene) throws Exception {
        Channel channel = scene.open();
        String exchange = scene.exchange(channel, "direct");
        String graves = scene.queue(channel);
        channel.queueBind(graves, exchange, "dead");
        String queue = scene.queue(channel, Map.of(
                "x-dead-letter-exchange", exchange, "x-dead-letter-routing-key", "dead", "x-max-length", 2));
        Scene.Inbox inbox = scene.consume(channel, graves, true);
        scene.put(channel, "", queue, "first", "second", "third");
        died(scene.take(inbox, 1).get(0), "first", "maxlen", queue);
        channel.basicReject(scene.get(channel, queue, false).getEnvelope().getDeliveryTag(), false);
        died(scene.take(inbox, 1).get(0), "second", "rejected", queue);
        channel.basicNack(scene.get(channel, queue, false).getEnvelope().getDeliveryTag(), false, false);
        died(scene.take(inbox, 1).get(0), "third", "rejected", queue);
        scene.put(channel, "", queue, new AMQP.BasicProperties.Builder().expiration("1").build(), "brief");
        died(scene.take(inbox, 1).get(0), "brief", "expired", queue);
    }

    private static void died(Delivery delivery, String body, String reason, String queue) {
        Scene.equal("body", Scene.text(delivery.getBody()), body);
        Map<?, ?> headers = (Map<?, ?>) Scene.plain(delivery.getProperties().getHeaders());
        Map<?, ?> death = (Map<?, ?>) ((List<?>) headers.get("x-death")).get(0);
        List<Object> said = Arrays.asList(death.get("reason"), death.get("queue"), death.get("count"),
                death.get("exchange"), death.get("routing-keys"));
        Scene.equal("x-death", said, List.of(reason, queue, 1L, "", List.of(queue)));
        Scene.equal("time is a date", death.get("time") instanceof Date, true);
        Scene.equal("first death", headers.get("x-first-death-reason"), reason);
    }
}
