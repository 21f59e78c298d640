import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.Channel;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Which message reaches which queue: the four exchange types, bindings between exchanges, unbinding.
 *
 * <p>Every publish is confirmed before the queues are read, so an empty queue proves that nothing was
 * routed to it.
 */
final class RoutingCases {
    private RoutingCases() {}

    static List<Main.Case> all() {
        return List.of(
                new Main.Case("bind-direct", RoutingCases::direct),
                new Main.Case("bind-fanout", RoutingCases::fanout),
                new Main.Case("bind-topic", RoutingCases::topic),
                new Main.Case("bind-headers", RoutingCases::headers),
                new Main.Case("exchange-to-exchange", RoutingCases::exchangeToExchange),
                new Main.Case("alternate-exchange", RoutingCases::alternateExchange));
    }

    private static void direct(Scene scene) throws Exception {
        Channel channel = scene.open();
        String exchange = scene.exchange(channel, "direct");
        String reds = scene.queue(channel);
        String colours = scene.queue(channel);
        channel.queueBind(reds, exchange, "red");
        for (String key : List.of("red", "green", "green")) {
            channel.queueBind(colours, exchange, key);
        }
        for (String key : List.of("red", "green", "blue", "Red", "")) {
            scene.put(channel, exchange, key, "to " + key);
        }
        Scene.equal("reds", scene.drain(channel, reds), List.of("to red"));
        Scene.equal("colours", scene.drain(channel, colours), List.of("to red", "to green"));
        channel.queueUnbind(colours, exchange, "red");
        // The second time there is nothing to unbind, which is fine.
        channel.queueUnbind(colours, exchange, "red");
        scene.put(channel, exchange, "red", "again");
        scene.put(channel, exchange, "green", "again");
        Scene.equal("reds", scene.drain(channel, reds), List.of("again"));
        Scene.equal("colours", scene.drain(channel, colours), List.of("again"));
    }

    private static void fanout(Scene scene) throws Exception {
        Channel channel = scene.open();
        String exchange = scene.exchange(channel, "fanout");
        List<String> queues = List.of(scene.queue(channel), scene.queue(channel), scene.queue(channel));
        for (String queue : queues) {
            channel.queueBind(queue, exchange, "ignored");
        }
        channel.queueBind(queues.get(0), exchange, "a second binding, one copy all the same");
        scene.put(channel, exchange, "any key", "news", "more news");
        for (String queue : queues) {
            Scene.equal(queue, scene.drain(channel, queue), List.of("news", "more news"));
        }
    }

    private static void topic(Scene scene) throws Exception {
        Channel channel = scene.open();
        String exchange = scene.exchange(channel, "topic");
        List<String> keys = List.of("", "a", "a.b", "a.b.c", "b.a", "a..c", ".", "a.b.c.d");
        Map<String, List<String>> expected = new LinkedHashMap<>();
        expected.put("#", keys);
        expected.put("*", List.of("a"));
        expected.put("a.#", List.of("a", "a.b", "a.b.c", "a..c", "a.b.c.d"));
        expected.put("a.*", List.of("a.b"));
        expected.put("*.*", List.of("a.b", "b.a", "."));
        expected.put("a.*.c", List.of("a.b.c", "a..c"));
        expected.put("a.#.c", List.of("a.b.c", "a..c"));
        expected.put("#.b.#", List.of("a.b", "a.b.c", "b.a", "a.b.c.d"));
        expected.put("#.*", List.of("a", "a.b", "a.b.c", "b.a", "a..c", ".", "a.b.c.d"));
        expected.put("a*", List.of());
        Map<String, String> queues = new LinkedHashMap<>();
        for (String pattern : expected.keySet()) {
            queues.put(pattern, scene.queue(channel));
            channel.queueBind(queues.get(pattern), exchange, pattern);
        }
        for (String key : keys) {
            scene.put(channel, exchange, key, key);
        }
        for (String pattern : expected.keySet()) {
            List<String> got = scene.drain(channel, queues.get(pattern));
            Scene.equal("pattern " + pattern, got, expected.get(pattern));
        }
    }

    private static void headers(Scene scene) throws Exception {
        Channel channel = scene.open();
        String exchange = scene.exchange(channel, "headers");
        Map<String, Map<String, Object>> bindings = Map.of(
                "all", Map.of("x-match", "all", "format", "pdf", "pages", 3),
                "any", Map.of("x-match", "any", "format", "pdf", "pages", 3),
                "default", Map.of("format", "pdf", "pages", 3),
                // A header without a value asks only for its presence.
                "present", Collections.singletonMap("format", null));
        Map<String, String> queues = new LinkedHashMap<>();
        for (String name : bindings.keySet()) {
            queues.put(name, scene.queue(channel));
            channel.queueBind(queues.get(name), exchange, "", bindings.get(name));
        }
        Map<String, Map<String, Object>> messages = new LinkedHashMap<>();
        messages.put("both", Map.of("format", "pdf", "pages", 3, "more", true));
        messages.put("one", Map.of("format", "pdf", "pages", 4));
        messages.put("other", Map.of("pages", 3));
        messages.put("none", Map.of("format", "zip"));
        for (Map.Entry<String, Map<String, Object>> message : messages.entrySet()) {
            AMQP.BasicProperties properties =
                    new AMQP.BasicProperties.Builder().headers(message.getValue()).build();
            scene.put(channel, exchange, "ignored", properties, message.getKey());
        }
        scene.put(channel, exchange, "ignored", "no properties at all");
        Scene.equal("all", scene.drain(channel, queues.get("all")), List.of("both"));
        Scene.equal("any", scene.drain(channel, queues.get("any")), List.of("both", "one", "other"));
        Scene.equal("default", scene.drain(channel, queues.get("default")), List.of("both"));
        Scene.equal("present", scene.drain(channel, queues.get("present")), List.of("both", "one", "none"));
    }

    private static void exchangeToExchange(Scene scene) throws Exception {
        Channel channel = scene.open();
        String source = scene.exchange(channel, "topic");
        String middle = scene.exchangeName();
        channel.exchangeDeclare(middle, "fanout", false, false, true, null);
        String behind = scene.queue(channel);
        String beside = scene.queue(channel);
        channel.exchangeBind(middle, source, "news.#");
        // A way back must not make messages go round for ever, nor arrive twice.
        channel.exchangeBind(source, middle, "");
        channel.queueBind(behind, middle, "");
        channel.queueBind(beside, source, "#");
        scene.put(channel, source, "news.local", "local");
        scene.put(channel, source, "weather", "rain");
        Scene.equal("behind", scene.drain(channel, behind), List.of("local"));
        Scene.equal("beside", scene.drain(channel, beside), List.of("local", "rain"));
        channel.exchangeUnbind(middle, source, "news.#");
        scene.put(channel, source, "news.world", "world");
        Scene.equal("behind", scene.drain(channel, behind), List.of());
        String text = "ACCESS_REFUSED - cannot publish to internal exchange '" + middle + "' in vhost '"
                + scene.factory().getVirtualHost() + "'";
        scene.refused(channel.getConnection(), 403, text, "60.40",
                c -> c.basicPublish(middle, "", null, new byte[0]));
    }

    private static void alternateExchange(Scene scene) throws Exception {
        Channel channel = scene.open();
        String spare = scene.exchange(channel, "fanout");
        String main = scene.exchangeName();
        channel.exchangeDeclare(main, "direct", false, false, Map.of("alternate-exchange", spare));
        String known = scene.queue(channel);
        String strays = scene.queue(channel);
        channel.queueBind(known, main, "known");
        channel.queueBind(strays, spare, "");
        scene.put(channel, main, "known", "found");
        scene.put(channel, main, "unknown", "astray");
        Scene.equal("known", scene.drain(channel, known), List.of("found"));
        Scene.equal("strays", scene.drain(channel, strays), List.of("astray"));
    }
}
