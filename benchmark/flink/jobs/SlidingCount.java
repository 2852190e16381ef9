import org.apache.flink.streaming.api.windowing.assigners.SlidingEventTimeWindows;

/** See benchmark/jobs. */
public class SlidingCount {
    public static void main(String[] args) throws Exception {
        Windows.run(args, "SlidingCount", SlidingEventTimeWindows.of(Windows.ms(args, "window-ms", 1000), Windows.ms(args, "slide-ms", 1000)));
    }
}
