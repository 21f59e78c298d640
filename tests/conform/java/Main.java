import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Holds a broker against what RabbitMQ's Java client expects of one.
 *
 * <p>Every case runs on connections of its own and prints {@code ok NAME} or {@code FAIL NAME: reason}.
 * Words on the command line choose the cases whose name contains one of them; CONFORM_LATER names those
 * that are left out, because they are ahead of the broker.
 */
public final class Main {
    /** The steps of one case; any exception fails it. */
    interface Steps {
        void play(Scene scene) throws Exception;
    }

    record Case(String name, Steps steps) {}

    /** When no further case is begun: a broker that answers nothing costs the deadline of every case. */
    private static final long WHOLE_RUN_MS = 180_000;

    private Main() {}

    public static void main(String[] words) {
        List<Case> cases = new ArrayList<>();
        cases.addAll(ConnectionCases.all());
        cases.addAll(DeclareCases.all());
        cases.addAll(RoutingCases.all());
        cases.addAll(DeliveryCases.all());
        cases.addAll(PublishCases.all());
        cases.addAll(TransactionCases.all());
        cases.addAll(MessageCases.all());
        if (words.length > 0) {
            cases.removeIf(one -> Arrays.stream(words).noneMatch(one.name()::contains));
        }
        if (cases.isEmpty()) {
            System.out.println("FAIL java/run: no case is named like " + String.join(", ", words));
            System.exit(1);
        }
        long endNanos = System.nanoTime() + WHOLE_RUN_MS * 1_000_000;
        long failed = cases.stream().filter(one -> !passes(one, endNanos)).count();
        // The client's threads are no daemons: they would keep the process after a failed case.
        System.exit(failed == 0 ? 0 : 1);
    }

    private static final List<String> LATER =
            List.of(System.getenv().getOrDefault("CONFORM_LATER", "").split(" "));

    private static boolean passes(Case one, long endNanos) {
        if (LATER.contains(one.name())) {
            System.out.println("later java/" + one.name());
            return true;
        }
        if (System.nanoTime() > endNanos) {
            String reason = "not begun, the run has taken " + WHOLE_RUN_MS + " ms";
            System.out.println("FAIL java/" + one.name() + ": " + reason);
            return false;
        }
        List<String> reasons = new ArrayList<>();
        Scene scene = new Scene(one.name());
        for (Steps steps : List.<Steps>of(one.steps(), Scene::clean)) {
            try {
                scene.restartClock();
                steps.play(scene);
            } catch (Exception | AssertionError error) {
                reasons.add("awaiting " + scene.awaited() + ": " + oneLine(error));
            }
        }
        scene.drop();
        String result = reasons.isEmpty()
                ? "ok java/" + one.name()
                : "FAIL java/" + one.name() + ": " + String.join("; ", reasons);
        System.out.println(result);
        return reasons.isEmpty();
    }

    /** The error with its causes: the client wraps what the broker said in an exception without a text. */
    private static String oneLine(Throwable error) {
        StringBuilder line = new StringBuilder();
        for (Throwable cause = error; cause != null; cause = cause.getCause()) {
            line.append(line.length() == 0 ? "" : " <- ").append(cause);
        }
        return line.toString().replaceAll("\\s+", " ");
    }
}
