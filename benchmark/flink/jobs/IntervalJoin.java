import java.time.Duration;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.java.tuple.Tuple2;
import org.apache.flink.streaming.api.datastream.KeyedStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.co.ProcessJoinFunction;
import org.apache.flink.streaming.api.functions.sink.v2.DiscardingSink;
import org.apache.flink.util.Collector;

/** See benchmark/jobs. */
public class IntervalJoin {
    public static void main(String[] args) throws Exception {
        StreamExecutionEnvironment env = Events.environment();
        Duration within = Windows.ms(args, "within-ms", 50);
        KeyedStream<Tuple2<Long, Long>, Long> all = Events.stream(env, args).keyBy(e -> e.f0, Types.LONG);
        all.intervalJoin(all).between(within.negated(), within)
                .process(new Pair()).uid("pairs").sinkTo(new DiscardingSink<>());
        env.execute("IntervalJoin");
    }

    static final class Pair extends ProcessJoinFunction<Tuple2<Long, Long>, Tuple2<Long, Long>, Tuple2<Long, Long>> {
        @Override
        public void processElement(Tuple2<Long, Long> a, Tuple2<Long, Long> b, Context c, Collector<Tuple2<Long, Long>> out) {
            out.collect(Tuple2.of(a.f0, a.f1 - b.f1));
        }
    }
}
