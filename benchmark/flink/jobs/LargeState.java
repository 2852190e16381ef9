import java.nio.charset.StandardCharsets;
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

/**
 * A value for each key, then changes to a tenth of the keys; see benchmark/jobs. The text is bytes, since Flink reads strings from a
 * local checkpoint byte by byte.
 */
public class LargeState {
    public static void main(String[] args) throws Exception {
        long keys = Args.num(args, "keys", 100_000);
        int size = (int) Args.num(args, "bytes", 1000);
        StreamExecutionEnvironment env = Events.environment();
        env.fromSource(Events.source(i -> i < keys ? i : Long.remainderUnsigned(Events.mix(i), keys / 10) * 10, Types.LONG, Args.num(args, "speed", 0)),
                        WatermarkStrategy.noWatermarks(), "keys").uid("keys")
                .keyBy(k -> k, Types.LONG)
                .flatMap(new Filler(size)).uid("filler")
                .sinkTo(new DiscardingSink<>());
        env.execute("LargeState");
    }

    static final class Filler extends RichFlatMapFunction<Long, Tuple2<Long, Long>> {
        private final int size;
        private transient ValueState<Tuple2<Long, byte[]>> state;

        Filler(int size) {
            this.size = size;
        }

        @Override
        public void open(Configuration parameters) {
            state = getRuntimeContext().getState(new ValueStateDescriptor<>("filled", Types.TUPLE(Types.LONG, Types.PRIMITIVE_ARRAY(Types.BYTE))));
        }

        @Override
        public void flatMap(Long k, Collector<Tuple2<Long, Long>> out) throws Exception {
            Tuple2<Long, byte[]> v = state.value();
            byte[] text = v == null ? text(k) : v.f1;
            long next = v == null ? 1 : v.f0 + 1;
            state.update(Tuple2.of(next, text));
            out.collect(Tuple2.of(k, next));
        }

        private byte[] text(long key) {
            StringBuilder b = new StringBuilder(size + 16);
            while (b.length() < size) {
                key = Events.mix(key);
                b.append(String.format("%016x", Long.reverseBytes(key)));
            }
            return b.substring(0, size).getBytes(StandardCharsets.US_ASCII);
        }
    }
}
