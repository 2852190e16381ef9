import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.functions.RichFlatMapFunction;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.java.tuple.Tuple2;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.sink.v2.DiscardingSink;
import org.apache.flink.util.Collector;

/** The running count of each key; see benchmark/jobs. */
public class KeyedCount {
    public static void main(String[] args) throws Exception {
        long keys = Args.num(args, "keys", 100_000);
        StreamExecutionEnvironment env = Events.environment();
        env.fromSource(Events.source(i -> Long.remainderUnsigned(Events.mix(i), keys), Types.LONG, Args.num(args, "speed", 0)),
                        WatermarkStrategy.noWatermarks(), "keys")
                .keyBy(k -> k, Types.LONG)
                .flatMap(new Counter()).uid("counter")
                .sinkTo(new DiscardingSink<>());
        env.execute("KeyedCount");
    }

    static final class Counter extends RichFlatMapFunction<Long, Tuple2<Long, Long>> {
        private transient ValueState<Long> count;

        @Override
        public void open(Configuration parameters) {
            count = getRuntimeContext().getState(new ValueStateDescriptor<>("count", Types.LONG));
        }

        @Override
        public void flatMap(Long k, Collector<Tuple2<Long, Long>> out) throws Exception {
            Long c = count.value();
            long next = c == null ? 1 : c + 1;
            count.update(next);
            out.collect(Tuple2.of(k, next));
        }
    }
}
