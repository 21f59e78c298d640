import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.ConnectionFactory;
import com.rabbitmq.client.Delivery;
import com.rabbitmq.client.GetResponse;
import com.rabbitmq.client.LongString;
import com.rabbitmq.client.Method;
import com.rabbitmq.client.ShutdownSignalException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.UUID;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * What one case stands on: connections that are cut afterwards, names that no other run uses and that are
 * deleted afterwards, and waits that name what they wait for.
 *
 * <p>No wait is a fixed time: each ends when its condition holds, or fails the case at the deadline.
 */
final class Scene {
    static final int DEADLINE_MS = 20_000;

    private static final String RUN = UUID.randomUUID().toString().substring(0, 8);

    /** An operation that the broker is to refuse. */
    interface Attempt {
        void on(Channel channel) throws Exception;
    }

    /** Changes the factory before it connects. */
    interface Setting {
        void set(ConnectionFactory factory) throws Exception;
    }

    /** Deliveries of one consumer, and the tags of the consumers that the broker cancelled. */
    static final class Inbox {
        final BlockingQueue<Delivery> deliveries = new LinkedBlockingQueue<>();
        final BlockingQueue<String> cancelled = new LinkedBlockingQueue<>();
        String tag;
    }

    private final String name;
    private final List<Connection> connections = new ArrayList<>();
    private final List<String> queues = new ArrayList<>();
    private final List<String> exchanges = new ArrayList<>();
    private volatile String awaited = "its first step";
    private long endNanos;

    Scene(String name) {
        this.name = name;
        restartClock();
    }

    void restartClock() {
        endNanos = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(DEADLINE_MS);
    }

    String awaited() {
        return awaited;
    }

    /** Names what the next steps wait for; the name is told if it does not come. */
    void await(String what) {
        awaited = what;
    }

    /** Returns the next element, which must come before the deadline of the case. */
    <T> T next(BlockingQueue<T> from, String what) throws InterruptedException {
        await(what);
        T element = from.poll(endNanos - System.nanoTime(), TimeUnit.NANOSECONDS);
        if (element == null) {
            throw new AssertionError("nothing came in " + DEADLINE_MS + " ms");
        }
        return element;
    }

    <T> T answer(CompletableFuture<T> future, String what) throws Exception {
        await(what);
        return future.get(endNanos - System.nanoTime(), TimeUnit.NANOSECONDS);
    }

    /** Deletes what the case named. Deleting what is gone already answers delete-ok as well. */
    void clean() throws Exception {
        if (queues.isEmpty() && exchanges.isEmpty()) {
            return;
        }
        Channel channel = connect().createChannel();
        for (String queue : queues) {
            await("queue.delete-ok");
            channel.queueDelete(queue);
        }
        for (String exchange : exchanges) {
            await("exchange.delete-ok");
            channel.exchangeDelete(exchange);
        }
    }

    /** Ends every connection, so that a case which failed leaves no consumer behind. */
    void drop() {
        for (Connection connection : connections) {
            connection.abort(1_000);
        }
    }

    static String env(String variable, String otherwise) {
        String value = System.getenv(variable);
        return value == null || value.isEmpty() ? otherwise : value;
    }

    ConnectionFactory factory() throws Exception {
        ConnectionFactory factory = new ConnectionFactory();
        String address = env("AMQP_HOST", "127.0.0.1") + ":" + env("AMQP_PORT", "5672");
        factory.setUri(env("AMQP_URI", "amqp://guest:guest@" + address + "/%2F"));
        factory.setAutomaticRecoveryEnabled(false);
        factory.setConnectionTimeout(DEADLINE_MS);
        factory.setHandshakeTimeout(DEADLINE_MS);
        factory.setChannelRpcTimeout(DEADLINE_MS);
        return factory;
    }

    Connection connect(Setting... settings) throws Exception {
        ConnectionFactory factory = factory();
        for (Setting setting : settings) {
            setting.set(factory);
        }
        await("connection.open-ok");
        Connection connection = factory.newConnection();
        connections.add(connection);
        return connection;
    }

    Channel confirmChannel(Connection connection) throws IOException {
        await("channel.open-ok");
        Channel channel = connection.createChannel();
        await("confirm.select-ok");
        channel.confirmSelect();
        return channel;
    }

    /** The usual start of a case: a channel that confirms, on a connection of its own. */
    Channel open() throws Exception {
        return confirmChannel(connect());
    }

    String queueName() {
        queues.add("conform.java." + RUN + "." + name + ".q" + queues.size());
        return queues.get(queues.size() - 1);
    }

    String exchangeName() {
        exchanges.add("conform.java." + RUN + "." + name + ".x" + exchanges.size());
        return exchanges.get(exchanges.size() - 1);
    }

    String queue(Channel channel) throws IOException {
        return queue(channel, null);
    }

    String queue(Channel channel, Map<String, Object> arguments) throws IOException {
        await("queue.declare-ok");
        return channel.queueDeclare(queueName(), false, false, false, arguments).getQueue();
    }

    String exchange(Channel channel, String type) throws IOException {
        await("exchange.declare-ok");
        String exchange = exchangeName();
        channel.exchangeDeclare(exchange, type, false);
        return exchange;
    }

    /** Publishes each body and returns when the broker has confirmed, hence routed, all of them. */
    void put(Channel channel, String exchange, String key, String... bodies) throws Exception {
        for (String body : bodies) {
            channel.basicPublish(exchange, key, null, bytes(body));
        }
        confirmed(channel);
    }

    void put(Channel channel, String exchange, String key, AMQP.BasicProperties properties, String body)
            throws Exception {
        channel.basicPublish(exchange, key, properties, bytes(body));
        confirmed(channel);
    }

    void confirmed(Channel channel) throws Exception {
        await("confirms");
        equal("all acked", channel.waitForConfirms(DEADLINE_MS), true);
    }

    Inbox consume(Channel channel, String queue, boolean autoAck) throws IOException {
        await("basic.consume-ok");
        Inbox inbox = new Inbox();
        inbox.tag = channel.basicConsume(
                queue, autoAck, (tag, delivery) -> inbox.deliveries.add(delivery), inbox.cancelled::add);
        return inbox;
    }

    List<Delivery> take(Inbox inbox, int count) throws InterruptedException {
        List<Delivery> taken = new ArrayList<>();
        while (taken.size() < count) {
            taken.add(next(inbox.deliveries, "delivery " + (taken.size() + 1) + " of " + count));
        }
        return taken;
    }

    GetResponse get(Channel channel, String queue, boolean autoAck) throws IOException {
        await("basic.get-ok");
        GetResponse response = channel.basicGet(queue, autoAck);
        if (response == null) {
            throw new AssertionError("queue " + queue + " is empty");
        }
        return response;
    }

    /** Takes all that is ready in a queue by basic.get and returns the bodies. */
    List<String> drain(Channel channel, String queue) throws IOException {
        await("basic.get-ok");
        List<String> bodies = new ArrayList<>();
        GetResponse response = channel.basicGet(queue, true);
        while (response != null) {
            bodies.add(text(response.getBody()));
            response = channel.basicGet(queue, true);
        }
        return bodies;
    }

    /** How many messages are ready in a queue. */
    long count(Channel channel, String queue) throws IOException {
        await("passive queue.declare-ok");
        return channel.messageCount(queue);
    }

    /**
     * Runs an attempt on a channel of its own, which the broker must close with this code and text for this
     * method. A publish has no reply, so a synchronous method is sent behind it: it fails when the channel is
     * closed.
     */
    void refused(Connection connection, int code, String text, String method, Attempt attempt)
            throws Exception {
        Channel channel = connection.createChannel();
        CompletableFuture<ShutdownSignalException> closed = new CompletableFuture<>();
        channel.addShutdownListener(closed::complete);
        await("channel.close " + code);
        boolean accepted = true;
        try {
            attempt.on(channel);
            channel.basicQos(1);
        } catch (IOException | ShutdownSignalException refusal) {
            accepted = false;
        }
        if (accepted) {
            throw new AssertionError("accepted what must be refused with " + code + " " + text);
        }
        Method reason = answer(closed, "channel.close " + code).getReason();
        if (!(reason instanceof AMQP.Channel.Close)) {
            throw new AssertionError("not a channel.close but " + reason);
        }
        AMQP.Channel.Close close = (AMQP.Channel.Close) reason;
        String said = close.getReplyCode() + " " + close.getReplyText()
                + " at " + close.getClassId() + "." + close.getMethodId();
        // A reply text is a short string: RabbitMQ cuts longer ones to 252 bytes and three dots.
        String cut = text.length() > 255 ? text.substring(0, 252) + "..." : text;
        equal("channel.close", said, code + " " + cut + " at " + method);
    }

    static void equal(String what, Object got, Object expected) {
        if (!Objects.equals(got, expected)) {
            throw new AssertionError(what + ": got " + got + ", want " + expected);
        }
    }

    static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    static String text(byte[] bytes) {
        return new String(bytes, StandardCharsets.UTF_8);
    }

    static List<String> bodies(List<Delivery> deliveries) {
        return deliveries.stream().map(delivery -> text(delivery.getBody())).collect(Collectors.toList());
    }

    /** The decimal numbers from first to before end. */
    static List<String> numbers(int first, int end) {
        return IntStream.range(first, end).mapToObj(Integer::toString).collect(Collectors.toList());
    }

    /** A field value as plain Java that can be compared: long strings as strings, byte arrays as lists. */
    static Object plain(Object value) {
        if (value instanceof LongString) {
            return value.toString();
        }
        if (value instanceof byte[]) {
            return "bytes " + Arrays.toString((byte[]) value);
        }
        if (value instanceof List<?>) {
            List<Object> array = new ArrayList<>();
            ((List<?>) value).forEach(inner -> array.add(plain(inner)));
            return array;
        }
        if (value instanceof Map<?, ?>) {
            Map<Object, Object> table = new LinkedHashMap<>();
            ((Map<?, ?>) value).forEach((key, inner) -> table.put(key, plain(inner)));
            return table;
        }
        return value;
    }
}
