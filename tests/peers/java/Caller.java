import java.rmi.registry.LocateRegistry;
import java.util.Arrays;

/** Calls for so many milliseconds, after twice as many of warming up, with a pause of so many microseconds before each call. */
public final class Caller {
    private static final int BATCH = 32;

    public static void main(String[] arguments) throws Exception {
        Echo echo = (Echo) LocateRegistry.getRegistry("127.0.0.1", Integer.parseInt(arguments[0])).lookup("echo");
        long millis = Long.parseLong(arguments[1]);
        long pause = Long.parseLong(arguments[2]);
        measure(echo, 2 * millis, pause);
        double[] nanos = measure(echo, millis, pause);
        Arrays.sort(nanos);
        double mean = Arrays.stream(nanos).average().orElse(0);
        int batch = pause > 0 ? 1 : BATCH;
        System.out.printf(
            java.util.Locale.ROOT,
            "{\"p50\":%f,\"p90\":%f,\"p99\":%f,\"mean\":%f,\"count\":%d}%n",
            at(nanos, 0.5), at(nanos, 0.9), at(nanos, 0.99), mean, (long) nanos.length * batch);
    }

    private static double at(double[] sorted, double share) {
        return sorted[(int) Math.round((sorted.length - 1) * share)];
    }

    private static double[] measure(Echo echo, long millis, long pause) throws Exception {
        int batch = pause > 0 ? 1 : BATCH;
        double[] nanos = new double[1 << 20];
        int count = 0;
        long number = 0;
        long end = System.nanoTime() + millis * 1_000_000;
        while (System.nanoTime() < end && count < nanos.length) {
            if (pause > 0) {
                Thread.sleep(0, (int) (pause * 1000));
            }
            long begin = System.nanoTime();
            for (int index = 0; index < batch; index++) {
                echo.echo(number++);
            }
            nanos[count++] = (System.nanoTime() - begin) / (double) batch;
        }
        return Arrays.copyOf(nanos, count);
    }
}
