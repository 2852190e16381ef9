import java.time.Duration;
import org.apache.flink.api.common.functions.AggregateFunction;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.java.tuple.Tuple2;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.sink.v2.DiscardingSink;
import org.apache.flink.streaming.api.functions.windowing.ProcessWindowFunction;
import org.apache.flink.streaming.api.windowing.assigners.WindowAssigner;
import org.apache.flink.streaming.api.windowing.windows.TimeWindow;
import org.apache.flink.util.Collector;

/** A count by key in windows, emitted with its key. */
final class Windows {
    private Windows() {}

    static void run(String[] args, String name, WindowAssigner<Object, TimeWindow> windows) throws Exception {
        StreamExecutionEnvironment env = Events.environment();
        Events.stream(env, args).keyBy(e -> e.f0, Types.LONG).window(windows)
                .aggregate(new Count(), new Emit()).uid("counts").sinkTo(new DiscardingSink<>());
        env.execute(name);
    }

    static Duration ms(String[] args, String name, long dflt) {
        return Duration.ofMillis(Args.num(args, name, dflt));
    }

    static final class Count implements AggregateFunction<Tuple2<Long, Long>, Long, Long> {
        public Long createAccumulator() { return 0L; }
        public Long add(Tuple2<Long, Long> v, Long a) { return a + 1; }
        public Long getResult(Long a) { return a; }
        public Long merge(Long a, Long b) { return a + b; }
    }

    static final class Emit extends ProcessWindowFunction<Long, Tuple2<Long, Long>, Long, TimeWindow> {
        public void process(Long k, Context c, Iterable<Long> in, Collector<Tuple2<Long, Long>> out) {
            out.collect(Tuple2.of(k, in.iterator().next()));
        }
    }
}
