import org.apache.flink.streaming.api.windowing.assigners.EventTimeSessionWindows;

/** See benchmark/jobs. */
public class SessionCount {
    public static void main(String[] args) throws Exception {
        Windows.run(args, "SessionCount", EventTimeSessionWindows.withGap(Windows.ms(args, "gap-ms", 200)));
    }
}
