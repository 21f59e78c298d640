import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.AuthenticationFailureException;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.ShutdownSignalException;
import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.Socket;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.LinkedBlockingQueue;
import javax.net.SocketFactory;

/** Opening, tuning and keeping a connection: what the client says of itself and what the broker answers. */
final class ConnectionCases {
    private static final List<String> CAPABILITIES = List.of(
            "publisher_confirms", "exchange_exchange_bindings", "basic.nack", "consumer_cancel_notify",
            "connection.blocked", "consumer_priorities", "authentication_failure_close", "per_consumer_qos",
            "direct_reply_to");

    private ConnectionCases() {}

    static List<Main.Case> all() {
        return List.of(
                new Main.Case("connect", ConnectionCases::connect),
                new Main.Case("tune", ConnectionCases::tune),
                new Main.Case("heartbeat", ConnectionCases::heartbeat),
                new Main.Case("login-refused", ConnectionCases::loginRefused),
                new Main.Case("vhost-missing", ConnectionCases::vhostMissing),
                new Main.Case("channel-error-isolated", ConnectionCases::channelErrorIsolated),
                new Main.Case("connection-error", ConnectionCases::connectionError),
                new Main.Case("many-channels", ConnectionCases::manyChannels),
                new Main.Case("blocked-listener", ConnectionCases::blockedListener));
    }

    private static void connect(Scene scene) throws Exception {
        Connection connection = scene.connect(factory -> {
            Map<String, Object> properties = new HashMap<>(factory.getClientProperties());
            properties.put("connection_name", "conform java");
            properties.put("nested", Map.of("numbers", List.of(1, 70_000L, 2.5), "flag", true));
            factory.setClientProperties(properties);
            factory.setRequestedHeartbeat(7);
        });
        Map<String, Object> server = connection.getServerProperties();
        for (String name : List.of("product", "version", "platform")) {
            if (String.valueOf(Scene.plain(server.get(name))).isEmpty() || server.get(name) == null) {
                throw new AssertionError("server property " + name + " is " + server.get(name));
            }
        }
        Map<?, ?> capabilities = (Map<?, ?>) server.get("capabilities");
        for (String name : CAPABILITIES) {
            Scene.equal("capability " + name, capabilities.get(name), true);
        }
        Scene.equal("heartbeat", connection.getHeartbeat(), 7);
        Scene.equal("frame-max", connection.getFrameMax(), 131072);
        Scene.equal("channel-max", connection.getChannelMax(), 2047);
        scene.await("connection.close-ok");
        connection.close(Scene.DEADLINE_MS);
    }

    private static void tune(Scene scene) throws Exception {
        Scene.equal("heartbeat of the broker", scene.connect().getHeartbeat(), 60);
        Connection connection = scene.connect(factory -> {
            factory.setRequestedFrameMax(4096);
            factory.setRequestedChannelMax(2);
            factory.setRequestedHeartbeat(5);
        });
        List<Integer> tuned =
                List.of(connection.getFrameMax(), connection.getChannelMax(), connection.getHeartbeat());
        Scene.equal("tuned", tuned, List.of(4096, 2, 5));
        Channel channel = scene.confirmChannel(connection);
        Channel second = connection.createChannel();
        Scene.equal("third channel", connection.createChannel(), null);
        second.close();
        connection.createChannel().close();
        String queue = scene.queue(channel);
        scene.put(channel, "", queue, "x".repeat(10_000));
        Scene.equal("bodies", scene.drain(channel, queue), List.of("x".repeat(10_000)));
    }

    /** A socket that tells of every read how many bytes it brought. */
    private static final class MeteredSocket extends Socket {
        final BlockingQueue<Integer> reads = new LinkedBlockingQueue<>();

        @Override
        public InputStream getInputStream() throws IOException {
            return new FilterInputStream(super.getInputStream()) {
                @Override
                public int read(byte[] into, int offset, int length) throws IOException {
                    int count = super.read(into, offset, length);
                    if (count > 0) {
                        reads.add(count);
                    }
                    return count;
                }
            };
        }
    }

    /** Makes the one socket that it is given. */
    private static final class OneSocket extends SocketFactory {
        private final Socket socket;

        OneSocket(Socket socket) {
            this.socket = socket;
        }

        @Override
        public Socket createSocket() {
            return socket;
        }

        @Override
        public Socket createSocket(String host, int port) {
            throw new UnsupportedOperationException();
        }

        @Override
        public Socket createSocket(String host, int port, InetAddress local, int localPort) {
            throw new UnsupportedOperationException();
        }

        @Override
        public Socket createSocket(InetAddress host, int port) {
            throw new UnsupportedOperationException();
        }

        @Override
        public Socket createSocket(InetAddress host, int port, InetAddress local, int localPort) {
            throw new UnsupportedOperationException();
        }
    }

    /** An idle client with a heartbeat of 1 s must hear the broker, or it would hang up by itself. */
    private static void heartbeat(Scene scene) throws Exception {
        final int frameBytes = 8;
        MeteredSocket socket = new MeteredSocket();
        Connection connection = scene.connect(factory -> {
            factory.setSocketFactory(new OneSocket(socket));
            factory.setRequestedHeartbeat(1);
        });
        // The reply to channel.open is read here, so what comes afterwards the broker sends by itself.
        connection.createChannel();
        socket.reads.clear();
        int heard = 0;
        while (heard < 3 * frameBytes) {
            heard += scene.next(socket.reads, "heartbeat frames of the broker");
        }
        Scene.equal("part of a frame", heard % frameBytes, 0);
        connection.createChannel().close();
    }

    private static void loginRefused(Scene scene) throws Exception {
        try {
            scene.connect(factory -> factory.setPassword("certainly not the password"));
        } catch (AuthenticationFailureException refusal) {
            String text = "ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN. "
                    + "For details see the broker logfile.";
            Scene.equal("text", refusal.getMessage(), text);
            return;
        }
        throw new AssertionError("a wrong password was accepted");
    }

    private static void vhostMissing(Scene scene) throws Exception {
        try {
            scene.connect(factory -> factory.setVirtualHost("conform-no-such-vhost"));
        } catch (IOException refusal) {
            AMQP.Connection.Close close =
                    (AMQP.Connection.Close) ((ShutdownSignalException) refusal.getCause()).getReason();
            String said = close.getReplyCode() + " " + close.getReplyText();
            Scene.equal("connection.close", said, "530 NOT_ALLOWED - vhost conform-no-such-vhost not found");
            return;
        }
        throw new AssertionError("a missing virtual host was opened");
    }

    private static void channelErrorIsolated(Scene scene) throws Exception {
        Connection connection = scene.connect();
        Channel healthy = scene.confirmChannel(connection);
        String queue = scene.queue(healthy);
        Scene.Inbox inbox = scene.consume(healthy, queue, true);
        for (String round : Scene.numbers(0, 3)) {
            String text = "NOT_FOUND - no queue 'conform.java.nowhere' in vhost '"
                    + scene.factory().getVirtualHost() + "'";
            scene.refused(connection, 404, text, "50.10", c -> c.queueDeclarePassive("conform.java.nowhere"));
            scene.put(healthy, "", queue, round);
            Scene.equal("body", Scene.bodies(scene.take(inbox, 1)), List.of(round));
        }
    }

    /** Some errors close the whole connection, with the channels on it. */
    private static void connectionError(Scene scene) throws Exception {
        Connection connection = scene.connect();
        CompletableFuture<ShutdownSignalException> closed = new CompletableFuture<>();
        connection.addShutdownListener(closed::complete);
        Channel bystander = connection.createChannel();
        CompletableFuture<ShutdownSignalException> bystanderClosed = new CompletableFuture<>();
        bystander.addShutdownListener(bystanderClosed::complete);
        Channel channel = connection.createChannel();
        try {
            channel.basicQos(100, 1, false);
            throw new AssertionError("a prefetch size was accepted");
        } catch (IOException refusal) {
            ShutdownSignalException cause = scene.answer(closed, "connection.close 540");
            AMQP.Connection.Close close = (AMQP.Connection.Close) cause.getReason();
            String said = close.getReplyCode() + " " + close.getReplyText()
                    + " at " + close.getClassId() + "." + close.getMethodId();
            Scene.equal("connection.close", said, "540 NOT_IMPLEMENTED - prefetch_size!=0 (100) at 60.10");
        }
        ShutdownSignalException end = scene.answer(bystanderClosed, "end of the other channel");
        Scene.equal("a hard error", end.isHardError(), true);
    }

    private static void manyChannels(Scene scene) throws Exception {
        Connection connection = scene.connect();
        ExecutorService pool = Executors.newFixedThreadPool(8);
        try {
            List<Future<String>> echoes = new ArrayList<>();
            List<String> sent = Scene.numbers(0, 200);
            for (String body : sent) {
                Channel channel = connection.createChannel();
                echoes.add(pool.submit(() -> echo(scene, channel, body)));
            }
            List<String> got = new ArrayList<>();
            for (Future<String> echo : echoes) {
                got.add(echo.get());
            }
            Scene.equal("echoes", got, sent);
        } finally {
            pool.shutdownNow();
        }
        connection.createChannel().close();
    }

    /** Sends a body to an exclusive queue of its own and returns what comes out of it. */
    private static String echo(Scene scene, Channel channel, String body) throws Exception {
        String queue = channel.queueDeclare().getQueue();
        Scene.Inbox inbox = scene.consume(channel, queue, true);
        channel.basicPublish("", queue, null, Scene.bytes(body));
        String echoed = Scene.text(scene.take(inbox, 1).get(0).getBody());
        channel.close();
        return echoed;
    }

    private static void blockedListener(Scene scene) throws Exception {
        Connection connection = scene.connect();
        BlockingQueue<String> events = new LinkedBlockingQueue<>();
        connection.addBlockedListener(
                reason -> events.add("blocked " + reason), () -> events.add("unblocked"));
        Channel channel = scene.confirmChannel(connection);
        String queue = scene.queue(channel);
        scene.put(channel, "", queue, "one", "two");
        Scene.equal("bodies", scene.drain(channel, queue), List.of("one", "two"));
        Scene.equal("events", List.copyOf(events), List.of());
    }
}
