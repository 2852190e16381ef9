import org.apache.flink.streaming.api.windowing.assigners.TumblingEventTimeWindows;

/** See benchmark/jobs. */
public class WindowedCount {
    public static void main(String[] args) throws Exception {
        Windows.run(args, "WindowedCount", TumblingEventTimeWindows.of(Windows.ms(args, "window-ms", 1000)));
    }
}
